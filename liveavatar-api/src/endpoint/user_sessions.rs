//! The one session of each user, and which sessions count as held because browsers have their tokens.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::{join_all, try_join_all};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::hooks::EndSignal;

use crate::client::Client;
use crate::config::{Mintable as _, max_duration};
use crate::error::Error;
use crate::secret::Secret;
use crate::session::{AnyConfiguration, AnyMode, EndReason, Session, SessionRef, SessionToken, State};
use crate::supervisor::UNKNOWN_DURATION;

/// How many former tokens are remembered per user. Each costs a call at the user's next request.
const MAX_FORMER_TOKENS: usize = 16;

/// How long a token without an expiry is assumed to be valid. The service documents nothing.
const DEFAULT_TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// How late a browser may start the session and still be protected by the store for its whole duration.
///
/// A session in the store takes a slot until then, so this is shorter than the life of a token.
const STORED_START: Duration = Duration::from_secs(5 * 60);

/// The number of entries from which unneeded ones are removed.
const MIN_SWEEP_SIZE: usize = 64;

/// One user's sessions. A request holds the lock while it opens or stops a session.
#[derive(Default)]
pub(super) struct UserEntry {
    pub(super) session: Option<UserSession>,
    /// Tokens that no longer count as a session but can still start one, with their expiry.
    former_tokens: VecDeque<(Uuid, SystemTime)>,
}

type SharedEntry = Arc<tokio::sync::Mutex<UserEntry>>;

pub(super) struct UserSessions<U>(Mutex<Entries<U>>);

struct Entries<U> {
    by_user: HashMap<U, SharedEntry>,
    /// The size at which unneeded entries are removed next.
    sweep_at: usize,
}

pub(super) enum UserSession {
    /// The browser has the token and may have started the session.
    Minted {
        id: Uuid,
        /// When the session is over if the browser started it at once.
        counts_until: SystemTime,
        token_expires: SystemTime,
        /// Reports the end of the session, if the server wants to know.
        ended: Option<oneshot::Sender<EndReason>>,
    },
    /// This server supervises the session; dropping it stops it.
    Started(Session<AnyMode>),
}

impl<U: Eq + Hash + Clone> UserSessions<U> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Entries { by_user: HashMap::new(), sweep_at: MIN_SWEEP_SIZE }))
    }

    /// Returns the user's entry, and removes entries that are unused and have neither a session nor a valid token.
    pub(super) fn entry(&self, user: &U, now: SystemTime) -> SharedEntry {
        // Nothing that holds the lock can panic halfway.
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.by_user.len() >= entries.sweep_at {
            entries.by_user.retain(|_, entry| {
                Arc::strong_count(entry) > 1 || entry.try_lock().is_ok_and(|entry| entry.is_needed(now))
            });
            // Doubling makes the cost per request constant on average.
            entries.sweep_at = MIN_SWEEP_SIZE.max(2 * entries.by_user.len());
        }
        Arc::clone(entries.by_user.entry(user.clone()).or_default())
    }
}

impl UserEntry {
    /// Returns whether a session may be running or can still be started.
    fn is_needed(&self, now: SystemTime) -> bool {
        let session = self.session.as_ref().is_some_and(|session| match session {
            UserSession::Minted { token_expires, .. } if now < *token_expires => true,
            session => !session.is_over(now),
        });
        session || self.former_tokens.iter().any(|(_, expires)| now < *expires)
    }

    /// Returns whether the user has a session that is running or about to start.
    pub(super) async fn has_session(&mut self, client: &Client) -> bool {
        if let Some(session) = &self.session {
            if session.is_over(client.clock().now()) {
                self.forget_session(EndReason::MaxDuration);
            } else if let Some(reason) = session.end_reason(client).await {
                release(client, session.id()).await;
                if let Some(session) = self.session.take() {
                    session.report_end(reason);
                }
            } else {
                return true;
            }
        }
        !self.sessions_of_former_tokens(client).await.is_empty()
    }

    /// Stops all of the user's sessions.
    ///
    /// # Errors
    /// If a session could not be stopped; it stays in the entry.
    pub(super) async fn stop_all(&mut self, client: &Client) -> Result<(), Error> {
        if let Some(session) = &self.session {
            session.stop(client).await?;
        }
        self.forget_session(EndReason::Stopped);
        let running = self.sessions_of_former_tokens(client).await;
        try_join_all(running.into_iter().map(|id| stop(client, id))).await.map(drop)
    }

    /// Removes the session, but remembers its token, which may still start a session.
    fn forget_session(&mut self, reason: EndReason) {
        let Some(session) = self.session.take() else { return };
        if let UserSession::Minted { id, token_expires, .. } = session {
            self.former_tokens.push_back((id, token_expires));
            if self.former_tokens.len() > MAX_FORMER_TOKENS {
                self.former_tokens.pop_front();
            }
        }
        session.report_end(reason);
    }

    /// Returns the running sessions of former tokens, and forgets tokens that have expired or whose session has ended.
    async fn sessions_of_former_tokens(&mut self, client: &Client) -> Vec<Uuid> {
        let now = client.clock().now();
        self.former_tokens.retain(|(_, expires)| now < *expires);
        let sessions: Vec<_> = self.former_tokens.iter().map(|(id, _)| client.session(*id)).collect();
        let details = join_all(sessions.iter().map(SessionRef::details)).await;
        let mut running = Vec::new();
        let mut details = details.into_iter();
        self.former_tokens.retain(|(id, _)| match details.next() {
            Some(Ok(session)) if session.end_at.is_some() => false,
            Some(Ok(_)) => {
                running.push(*id);
                true
            }
            // The session was not started, or the call failed.
            _ => true,
        });
        running
    }
}

impl UserSession {
    /// Returns whether the session is over, without asking the service.
    fn is_over(&self, now: SystemTime) -> bool {
        match self {
            Self::Minted { counts_until, .. } => *counts_until <= now,
            Self::Started(session) => match session.state() {
                State::Ended(_) => true,
                // It may still be running, so it counts; the user's next request tries to stop it again.
                State::StopFailed => session.ends_at().is_some_and(|end| end <= now),
                _ => false,
            },
        }
    }

    pub(super) fn id(&self) -> Uuid {
        match self {
            Self::Minted { id, .. } => *id,
            Self::Started(session) => session.id(),
        }
    }

    /// Returns how the end of the session becomes known; called once.
    pub(super) fn end_signal(&mut self) -> EndSignal {
        match self {
            Self::Minted { counts_until, ended, .. } => {
                let (sender, receiver) = oneshot::channel();
                *ended = Some(sender);
                EndSignal::Minted(receiver, *counts_until)
            }
            Self::Started(session) => EndSignal::Started(session.watch()),
        }
    }

    /// Reports the end of a session that this server does not supervise.
    fn report_end(self, reason: EndReason) {
        if let Self::Minted { ended: Some(ended), .. } = self {
            // Fails if the end was reported when the maximum duration had passed.
            let _ = ended.send(reason);
        }
    }

    /// Asks the service why the session has ended, because the browser may have stopped it; `None` if it has not.
    async fn end_reason(&self, client: &Client) -> Option<EndReason> {
        let Self::Minted { id, .. } = self else { return None };
        let details = client.session(*id).details().await.ok()?;
        details.end_at.map(|_| EndReason::Service(details.end_reason))
    }

    async fn stop(&self, client: &Client) -> Result<(), Error> {
        match self {
            Self::Minted { id, .. } => stop(client, *id).await,
            Self::Started(session) => session.stop().await,
        }
    }
}

/// Stops a session that a browser has started, or may have.
async fn stop(client: &Client, id: Uuid) -> Result<(), Error> {
    client.session(id).stop().await?;
    release(client, id).await;
    Ok(())
}

/// Mints a token for a browser. Reapers keep its session from now on; see [`Client::reap`].
///
/// In this process, the session is kept as long as it can live, even if the browser starts it when its token is about to expire.
pub(super) async fn mint(
    client: &Client,
    configuration: &AnyConfiguration,
) -> Result<(SessionToken<AnyMode>, UserSession), Error> {
    let minted = client.mint(configuration).await?;
    let max_duration = max_duration(configuration.body()).unwrap_or(UNKNOWN_DURATION);
    let now = client.clock().now();
    let counts_until = later(now, max_duration);
    let wall_clock = client.clock().wall_clock();
    let token_expires = later(now, token_lifetime(minted.token(), wall_clock));
    client.browser_sessions().insert(minted.id(), later(token_expires, max_duration), now);
    if let Some(store) = client.session_store() {
        let account = client.calls().account()?;
        let until = later(later(wall_clock, max_duration), STORED_START);
        let hold = store.hold(account, minted.id(), until);
        if let Err(error) = client.supervisor().with_store_timeout(hold).await {
            client.browser_sessions().remove(&minted.id());
            return Err(error.into());
        }
    }
    let session = UserSession::Minted { id: minted.id(), counts_until, token_expires, ended: None };
    Ok((minted, session))
}

/// Lets reapers stop a session that has ended or is not wanted any more.
async fn release(client: &Client, id: Uuid) {
    client.browser_sessions().remove(&id);
    if let Some(store) = client.session_store()
        && let Ok(account) = client.calls().account()
    {
        // If this fails, the store releases the session at its latest end.
        let _ = client.supervisor().with_store_timeout(store.release(account, id)).await;
    }
}

/// Returns the time after this duration. Times that cannot be represented are a day later, so that they never panic.
fn later(time: SystemTime, duration: Duration) -> SystemTime {
    time.checked_add(duration).or_else(|| time.checked_add(UNKNOWN_DURATION)).unwrap_or(time)
}

/// Returns how long the token is valid, according to itself or by assumption.
fn token_lifetime(token: &Secret, now: SystemTime) -> Duration {
    let expires = crate::config::claims(token.expose()).and_then(|claims| claims.get("exp")?.as_u64());
    let expires = expires.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    expires.map_or(DEFAULT_TOKEN_LIFETIME, |expires| expires.duration_since(now).unwrap_or_default())
}
