//! The knowledge about a session, and the evidence that proves that it does not run.

use std::time::{Duration, SystemTime};

use super::open::UNKNOWN_DURATION;
use crate::error::Error;

/// How long a start without a response may still take effect: this crate's own timeout for a start.
pub(super) const START_PENDING: Duration = Duration::from_secs(45);

/// The knowledge about one session of the service.
#[derive(Clone, Copy, Debug)]
pub(super) enum Knowledge {
    /// No start request was sent.
    NotStarted,
    /// A start request was sent, and may take effect until then.
    StartOpen { until: SystemTime },
    /// The service confirmed the start.
    Running,
    /// It does not run, and never will.
    Stopped(Proof),
}

/// Proof that a session does not run and never will. Only this module can make one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proof(());

impl Knowledge {
    /// After a decision never to send a start request.
    pub(super) fn never_started() -> Self {
        Self::Stopped(Proof(()))
    }

    /// While the client sends a start request, for at most `limit`.
    pub(super) fn starting(now: SystemTime, limit: Duration) -> Self {
        let until = limit.checked_add(START_PENDING).and_then(|open| now.checked_add(open));
        Self::StartOpen { until: until.unwrap_or(now + UNKNOWN_DURATION) }
    }

    /// After the client has stopped waiting for the response to a start.
    pub(super) fn after_start(self, now: SystemTime) -> Self {
        match self {
            Self::StartOpen { until } => Self::StartOpen { until: until.min(now + START_PENDING) },
            known => known,
        }
    }

    pub(super) fn after_failed_start(error: &Error, now: SystemTime) -> Self {
        if error.proves_not_started() {
            Self::Stopped(Proof(()))
        } else {
            Self::StartOpen { until: now + START_PENDING }
        }
    }

    /// After a stop that was sent at `sent_at`. While the start is open, it may take effect after any response.
    pub(super) fn after_stop(self, sent_at: SystemTime, stop: &Result<(), Error>) -> Self {
        let is_gone = stop.as_ref().map_or_else(Error::proves_gone, |()| true);
        if is_gone && self.open_until(sent_at).is_none() { Self::Stopped(Proof(())) } else { self }
    }

    pub(super) fn is_stopped(self) -> bool {
        matches!(self, Self::Stopped(_))
    }

    /// Until when a start may take effect, if that is after `at`.
    pub(super) fn open_until(self, at: SystemTime) -> Option<SystemTime> {
        match self {
            Self::StartOpen { until } if at < until => Some(until),
            _ => None,
        }
    }
}
