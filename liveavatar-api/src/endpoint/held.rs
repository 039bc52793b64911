//! The one session that each user has.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::{join_all, try_join_all};
use uuid::Uuid;

use crate::client::Client;
use crate::error::Error;
use crate::secret::Secret;
use crate::session::{AnyMode, Session, SessionRef, State};
use crate::types::SessionEndReason;

/// How many tokens of a user are set aside at most: each costs a question at the user's next request.
const SET_ASIDE: usize = 16;

/// How long a token is taken to work when it does not say so. Ours: the service's documentation is silent.
const TOKEN_WORKS: Duration = Duration::from_secs(24 * 60 * 60);

/// A user's place for one session; whoever has it locked decides on the session.
pub(super) type Seat = Arc<tokio::sync::Mutex<Place>>;

/// What a user has.
#[derive(Default)]
pub(super) struct Place {
    pub(super) live: Option<Live>,
    /// Tokens that nobody was seen to use, and that may still start a session: when they stop working.
    aside: VecDeque<(Uuid, SystemTime)>,
}

/// The places of all users that have a session.
pub(super) struct Held<U>(Mutex<Seats<U>>);

struct Seats<U> {
    of: HashMap<U, Seat>,
    /// At how many places those are looked for that are not needed any more.
    sweep_at: usize,
}

/// Fewer places than this are not looked through.
const FEW: usize = 64;

/// A session that a user got.
pub(super) enum Live {
    /// The browser has its token, and may have started it.
    Minted {
        id: Uuid,
        /// When it is over, if the browser starts it at once.
        until: SystemTime,
        /// When a session can be started with it no longer.
        works: SystemTime,
    },
    /// It is looked after here, and stopped when this is dropped.
    Started(Session<AnyMode>),
}

impl<U: Eq + Hash + Clone> Held<U> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Seats { of: HashMap::new(), sweep_at: FEW }))
    }

    /// The user's place. The places of those whose sessions and tokens are over, and whom nobody serves, go.
    pub(super) fn seat(&self, user: &U, now: SystemTime) -> Seat {
        // Nothing under the lock panics half-way.
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seats.of.len() >= seats.sweep_at {
            seats.of.retain(|_, seat| {
                Arc::strong_count(seat) > 1 || seat.try_lock().is_ok_and(|place| place.matters(now))
            });
            // Each request pays for its own place only, on average.
            seats.sweep_at = FEW.max(2 * seats.of.len());
        }
        Arc::clone(seats.of.entry(user.clone()).or_default())
    }
}

impl Place {
    /// Whether something of it may run, or be started.
    fn matters(&self, now: SystemTime) -> bool {
        let live = self.live.as_ref().is_some_and(|live| match live {
            Live::Minted { works, .. } if now < *works => true,
            live => !live.is_past(now),
        });
        live || self.aside.iter().any(|(_, works)| now < *works)
    }

    /// Whether a session of the user's runs, or is about to.
    pub(super) async fn is_taken(&mut self, client: &Client) -> bool {
        match &self.live {
            Some(live) if live.is_past(client.clock().now()) => self.leave(),
            Some(live) if !live.has_ended(client).await => return true,
            _ => self.live = None,
        }
        !self.started_late(client).await.is_empty()
    }

    /// Stops what runs.
    ///
    /// # Errors
    /// When one of the sessions could not be stopped; what is not stopped stays here.
    pub(super) async fn clear(&mut self, client: &Client) -> Result<(), Error> {
        if let Some(live) = &self.live {
            live.stop(client).await?;
        }
        self.leave();
        let stops = self.started_late(client).await.into_iter().map(|id| stop(client, id));
        try_join_all(stops).await.map(drop)
    }

    /// Takes what is over out; its token may start a session yet, unless somebody has used it.
    fn leave(&mut self) {
        if let Some(Live::Minted { id, works, .. }) = self.live.take() {
            self.aside.push_back((id, works));
            if self.aside.len() > SET_ASIDE {
                self.aside.pop_front();
            }
        }
    }

    /// The running sessions of tokens that were set aside; those that have ended or work no longer are forgotten.
    async fn started_late(&mut self, client: &Client) -> Vec<Uuid> {
        let now = client.clock().now();
        self.aside.retain(|(_, works)| now < *works);
        let asked: Vec<_> = self.aside.iter().map(|(id, _)| client.session(*id)).collect();
        let shown = join_all(asked.iter().map(SessionRef::details)).await;
        let mut running = Vec::new();
        let mut shown = shown.into_iter();
        self.aside.retain(|(id, _)| match shown.next() {
            Some(Ok(entry)) if entry.end_at.is_some() => false,
            Some(Ok(_)) => {
                running.push(*id);
                true
            }
            // It was not started, or the service cannot tell.
            _ => true,
        });
        running
    }
}

async fn stop(client: &Client, id: Uuid) -> Result<(), Error> {
    client.session(id).stop(SessionEndReason::UserClosed).await
}

/// When a session can be started with the token no longer, as far as it says so.
pub(super) fn works_until(token: &Secret, now: SystemTime) -> SystemTime {
    let expires = crate::config::claims(token.expose()).and_then(|claims| claims.get("exp")?.as_u64());
    let expires = expires.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    expires.unwrap_or(now + TOKEN_WORKS)
}

impl Live {
    /// Whether it is over, as far as is known without asking.
    fn is_past(&self, now: SystemTime) -> bool {
        match self {
            Self::Minted { until, .. } => *until <= now,
            Self::Started(session) => match session.state() {
                State::Ended(_) => true,
                // It may still run, so that it is in the way: whoever comes next tries again to stop it.
                State::StopFailed => session.ends_at().is_some_and(|end| end <= now),
                _ => false,
            },
        }
    }

    /// Whether the service says that it has ended: a browser may have stopped what it has started.
    async fn has_ended(&self, client: &Client) -> bool {
        match self {
            Self::Minted { id, .. } => {
                client.session(*id).details().await.is_ok_and(|entry| entry.end_at.is_some())
            }
            Self::Started(_) => false,
        }
    }

    async fn stop(&self, client: &Client) -> Result<(), Error> {
        match self {
            Self::Minted { id, .. } => stop(client, *id).await,
            Self::Started(session) => session.stop().await,
        }
    }
}
