//! What a supervised session reports: its status, its events, and a failed stop.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::broadcast;
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Stop};
use crate::store::StoreError;
use crate::types::SessionEndReason;
use crate::wire::OpenEnum;

/// Events buffered for a slow reader; beyond that, the oldest are dropped and [`SessionEvent::Lagged`] is emitted.
const EVENT_CAPACITY: usize = 32;

/// The state of a supervised session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It has a token but is not started; nothing is billed.
    Minted,
    /// It runs, and costs credits.
    Started,
    /// It is being stopped.
    Ending,
    /// It is confirmed not to run.
    Ended(EndReason),
    /// It could not be confirmed stopped, may still run and was reported.
    ///
    /// [`Session::stop`](crate::session::Session::stop) tries again.
    StopFailed,
}

impl State {
    /// Returns whether the session has ended or was reported, so that no automatic change follows.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Ended(_) | Self::StopFailed)
    }
}

/// Why a supervised session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// [`Session::stop`](crate::session::Session::stop) or [`Client::shutdown`](crate::Client::shutdown) was called.
    Stopped,
    /// Its handle was dropped: end of scope, cancelled or aborted task, panic.
    Dropped,
    /// It reached its maximum duration.
    MaxDuration,
    /// The service ended it: idle, no credits, stopped by another client.
    Service(Option<OpenEnum<SessionEndReason>>),
}

impl EndReason {
    /// The end reason to send to the service.
    pub(crate) fn wire(&self) -> SessionEndReason {
        match self {
            Self::Stopped => SessionEndReason::UserClosed,
            Self::Dropped => SessionEndReason::UserDisconnected,
            Self::MaxDuration => SessionEndReason::MaxDurationReached,
            Self::Service(_) => SessionEndReason::Unknown,
        }
    }
}

/// A snapshot of a supervised session, published by [`Session::watch`](crate::session::Session::watch).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The session's id, which changes with each rotation.
    pub id: Uuid,
    /// The session's state.
    pub state: State,
    /// When the service ends it, if known.
    pub ends_at: Option<SystemTime>,
    /// Whether its end is near; see [`OpenSession::warn_before`](crate::session::OpenSession::warn_before).
    pub ends_soon: bool,
}

/// An event of a supervised session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SessionEvent {
    /// Its state changed.
    State(State),
    /// The service ends it after this duration.
    EndsSoon(Duration),
    /// The handle now refers to a new session that replaced the old one.
    ///
    /// The media endpoints have changed; see [`Session::started`](crate::session::Session::started).
    Rotated {
        /// The old session, which is being stopped.
        from: Uuid,
        /// The new session.
        to: Uuid,
    },
    /// The session could not be replaced; rotation is retried while time is left.
    RotationFailed(Arc<Error>),
    /// A keep-alive call failed; the next one follows sooner.
    KeepAliveFailed(Arc<Error>),
    /// The session store failed; the session continues.
    StoreFailed(Arc<StoreError>),
    /// The reader was too slow, and this many events were dropped.
    Lagged(u64),
}

/// Receives the events of one supervised session; see [`Session::events`](crate::session::Session::events).
#[derive(Debug)]
pub struct SessionEvents(broadcast::Receiver<SessionEvent>);

impl SessionEvents {
    /// Waits for the next event; returns `None` once the session has ended or was reported.
    ///
    /// # Cancel safety
    /// Cancel safe: no event is lost.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(dropped)) => Some(SessionEvent::Lagged(dropped)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Sends a session's events. The channel is created on the first subscription, because most sessions have none.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    sender: Option<broadcast::Sender<SessionEvent>>,
    closed: bool,
}

impl Listeners {
    pub(crate) fn subscribe(&mut self) -> SessionEvents {
        let sender = self.sender.get_or_insert_with(|| broadcast::Sender::new(EVENT_CAPACITY));
        let events = SessionEvents(sender.subscribe());
        if self.closed {
            self.sender = None;
        }
        events
    }

    pub(crate) fn send(&self, event: SessionEvent) {
        if let Some(sender) = &self.sender {
            // Fails only if all receivers are gone.
            let _ = sender.send(event);
        }
    }

    pub(crate) fn close(&mut self) {
        self.sender = None;
        self.closed = true;
    }
}

/// A session that could not be confirmed stopped and may still run and cost credits.
///
/// The client and its session store remember it. [`Client::shutdown`](crate::Client::shutdown) tries to stop it again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StopFailed {
    /// The session's id, to stop it with.
    pub id: Uuid,
    /// Why the stop failed.
    pub cause: StopFailedCause,
}

/// Why a session could not be confirmed stopped.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StopFailedCause {
    /// No Tokio runtime was running to send the stop.
    NoRuntime,
    /// The service rejected the stop, for example because the API key was revoked.
    Rejected(Arc<Error>),
    /// The stop was retried for [`STOP_LIMIT`](super::STOP_LIMIT); this is the last error.
    Failed(Arc<Error>),
}

impl fmt::Display for StopFailedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRuntime => "no Tokio runtime is running to stop it",
            Self::Rejected(_) => "the service rejected the stop",
            Self::Failed(_) => "every attempt to stop it failed",
        })
    }
}

impl fmt::Display for StopFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, cause } = self;
        write!(
            f,
            "session {id} may still run and cost credits until `Client::session(id).stop()` ends it: {cause}"
        )
    }
}

impl std::error::Error for StopFailed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            StopFailedCause::Rejected(error) | StopFailedCause::Failed(error) => Some(error),
            StopFailedCause::NoRuntime => None,
        }
    }
}

impl Error {
    /// `failed` is `None` if the cause is not known here.
    pub(crate) fn stop_failed(failed: Option<StopFailed>) -> Self {
        let error = Self::new(ErrorKind::StopFailed, "the session could not be confirmed stopped");
        match failed {
            Some(failed) => error.about_session(failed.id, Stop::LeftToCaller).caused_by(failed),
            None => error,
        }
    }
}
