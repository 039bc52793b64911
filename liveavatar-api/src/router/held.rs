//! The one session that each user has.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use uuid::Uuid;

use crate::client::Client;
use crate::error::Error;
use crate::session::{AnyMode, Session, State};
use crate::types::SessionEndReason;

/// A user's place for one session; whoever has it locked decides on the session.
pub(super) type Seat = Arc<tokio::sync::Mutex<Option<Live>>>;

/// The places of all users that have a session.
pub(super) struct Held<U>(Mutex<HashMap<U, Seat>>);

/// A session that a user got.
pub(super) enum Live {
    /// The browser has its token, and may have started it.
    Minted {
        id: Uuid,
        /// When it is over, if the browser starts it at once.
        until: SystemTime,
    },
    /// It is looked after here, and stopped when this is dropped.
    Started(Session<AnyMode>),
}

impl<U: Eq + Hash + Clone> Held<U> {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// The user's place. The places of those whose sessions are over, and whom nobody serves, go.
    pub(super) fn seat(&self, user: &U, now: SystemTime) -> Seat {
        // Nothing under the lock panics half-way.
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seats.retain(|_, seat| {
            Arc::strong_count(seat) > 1
                || seat.try_lock().is_ok_and(|live| live.as_ref().is_some_and(|live| !live.is_past(now)))
        });
        Arc::clone(seats.entry(user.clone()).or_default())
    }
}

impl Live {
    /// Whether it is over, as far as is known without asking.
    fn is_past(&self, now: SystemTime) -> bool {
        match self {
            Self::Minted { until, .. } => *until <= now,
            Self::Started(session) => match session.state() {
                State::Ended(_) => true,
                // It may still run, so that it is in the way: whoever comes next tries again to stop it.
                State::Unstopped => session.ends_at().is_some_and(|end| end <= now),
                _ => false,
            },
        }
    }

    /// Whether it is over; a browser may have stopped a session that it has started, which only the service knows.
    pub(super) async fn is_over(&self, client: &Client) -> bool {
        let past = self.is_past(client.clock().now());
        match self {
            Self::Minted { id, .. } if !past => {
                client.session(*id).details().await.is_ok_and(|entry| entry.end_at.is_some())
            }
            _ => past,
        }
    }

    pub(super) async fn stop(&self, client: &Client) -> Result<(), Error> {
        match self {
            Self::Minted { id, .. } => client.session(*id).stop(SessionEndReason::UserClosed).await,
            Self::Started(session) => session.stop().await,
        }
    }
}
