//! What a supervised session tells: its status, its events, and that it could not be stopped.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::broadcast;
use uuid::Uuid;

use crate::error::{Error, ErrorKind};
use crate::store::StoreError;
use crate::types::SessionEndReason;
use crate::wire::OpenEnum;

/// So many events wait for a reader that is slow; then the oldest are lost, and [`SessionEvent::Missed`] says so.
const EVENTS: usize = 32;

/// Where a supervised session stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It has a token and is not started; nothing is billed.
    Minted,
    /// It runs, and costs credits.
    Started,
    /// It takes commands. Today that is as soon as it is started.
    Ready,
    /// It is being stopped.
    Ending,
    /// It is certain that it does not run.
    Ended(EndReason),
    /// It may still run: no stop came through, and it was reported. [`Session::stop`](super::Session::stop) tries again.
    StopFailed,
}

impl State {
    /// Whether nothing more happens by itself: the session has ended or was reported.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Ended(_) | Self::StopFailed)
    }
}

/// Why a supervised session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// [`Session::stop`](super::Session::stop) or [`Client::shutdown`](crate::Client::shutdown) was called.
    Stopped,
    /// Its handle was dropped: by the end of a scope, a cancelled or aborted task, or a panic.
    Dropped,
    /// Its time was over.
    MaxDuration,
    /// The service ended it: for idleness, without credits, because somebody else stopped it.
    Service(Option<OpenEnum<SessionEndReason>>),
    /// The runtime that kept it alive shut down.
    RuntimeGone,
}

impl EndReason {
    /// What the service is told.
    pub(crate) fn wire(&self) -> SessionEndReason {
        match self {
            Self::Stopped => SessionEndReason::UserClosed,
            Self::Dropped => SessionEndReason::UserDisconnected,
            Self::MaxDuration => SessionEndReason::MaxDurationReached,
            Self::Service(_) | Self::RuntimeGone => SessionEndReason::Unknown,
        }
    }
}

/// A supervised session at one moment, as [`Session::watch`](super::Session::watch) shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The session's id; another one after a rotation.
    pub id: Uuid,
    /// Where it stands.
    pub state: State,
    /// When the service ends it, where known.
    pub ends_at: Option<SystemTime>,
    /// Whether its end is near, see [`OpenSession::warn_before`](super::OpenSession::warn_before).
    pub ends_soon: bool,
}

/// What happens to a supervised session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SessionEvent {
    /// Its state changed.
    State(State),
    /// The service ends it in so long.
    EndsSoon(Duration),
    /// Another session has taken its place; the handle now stands for that one.
    ///
    /// Where to join has changed: see [`Session::started`](super::Session::started).
    Rotated {
        /// The session until now, which is being stopped.
        from: Uuid,
        /// The session from now on.
        to: Uuid,
    },
    /// No other session could take its place; it is tried again as long as there is time.
    RotationFailed(Arc<Error>),
    /// A keep-alive call failed; the next one comes sooner.
    KeepAliveFailed(Arc<Error>),
    /// The session store failed; the session goes on.
    StoreFailed(Arc<StoreError>),
    /// So many events were not read in time and are lost.
    Missed(u64),
}

/// The events of one supervised session, from the moment they were asked for.
#[derive(Debug)]
pub struct SessionEvents(broadcast::Receiver<SessionEvent>);

impl SessionEvents {
    /// The next event, none after the session has ended or was reported.
    ///
    /// # Cancel safety
    /// Cancel safe: no event is lost.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(SessionEvent::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Where events go; empty until somebody asks, because most sessions are only watched.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    sender: Option<broadcast::Sender<SessionEvent>>,
    closed: bool,
}

impl Listeners {
    pub(crate) fn listen(&mut self) -> SessionEvents {
        let sender = self.sender.get_or_insert_with(|| broadcast::Sender::new(EVENTS));
        let events = SessionEvents(sender.subscribe());
        if self.closed {
            self.sender = None;
        }
        events
    }

    pub(crate) fn tell(&self, event: SessionEvent) {
        if let Some(sender) = &self.sender {
            // Nobody listens any more, which is their choice.
            let _ = sender.send(event);
        }
    }

    /// Tells the last event.
    pub(crate) fn close(&mut self) {
        self.sender = None;
        self.closed = true;
    }
}

/// A session that may still run and cost credits, although everything was done to stop it.
///
/// The client remembers it: [`Client::shutdown`](crate::Client::shutdown) tries to stop it again. A session store holds it too.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StopFailed {
    /// The session's id, with which it can be stopped.
    pub id: Uuid,
    /// Why no stop came through.
    pub cause: StopFailedCause,
}

/// Why no stop of a session came through.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StopFailedCause {
    /// No Tokio runtime was alive to send it.
    NoRuntime,
    /// The service refuses it, for example because the API key was taken back meanwhile.
    Refused(Arc<Error>),
    /// It was repeated for [`STOP_LIMIT`](super::STOP_LIMIT), and this is how it failed last.
    Failed(Arc<Error>),
}

impl fmt::Display for StopFailedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRuntime => "no Tokio runtime is alive to stop it",
            Self::Refused(_) => "the service refuses to stop it",
            Self::Failed(_) => "no stop came through",
        })
    }
}

impl fmt::Display for StopFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {} may still run: {}", self.id, self.cause)
    }
}

impl std::error::Error for StopFailed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            StopFailedCause::Refused(error) | StopFailedCause::Failed(error) => Some(error),
            StopFailedCause::NoRuntime => None,
        }
    }
}

impl Error {
    /// The session may still run; `None` if the reason is not known here.
    pub(crate) fn stop_failed(failed: Option<StopFailed>) -> Self {
        let error = Self::new(ErrorKind::StopFailed, "the session may still run");
        match failed {
            Some(failed) => error.caused_by(failed),
            None => error,
        }
    }
}
