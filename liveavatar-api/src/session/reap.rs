//! Stopping what nobody needs: sessions of owners that are gone, and active ones that are not ours to keep.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use uuid::Uuid;

use crate::calls::Call as _;
use crate::calls::pages::Paged as _;
use crate::client::Client;
use crate::error::Error;
use crate::store::{SLOT_FREE_AFTER, Store, StoreError};
use crate::supervisor::State;
use crate::types::{ListHistoricEntry, ListSessionsType, SessionEndReason, StopSession};

/// Entries per page of the list of active sessions, the most that the service gives.
const PAGE_SIZE: i64 = 100;

/// Stops that are under way at the same time; the service counts calls by the second.
const STOPS_AT_ONCE: usize = 4;

impl Client {
    /// A reaper of this account's sessions, with the client's store if it has one.
    ///
    /// ```no_run
    /// # async fn reap(client: liveavatar_api::Client) {
    /// let reaped = client.reap().run().await;
    /// for session in reaped.sessions() {
    ///     println!("{session}");
    /// }
    /// # }
    /// ```
    pub fn reap(&self) -> Reap {
        Reap {
            client: self.clone(),
            store: self.session_store().cloned(),
            keep: BTreeSet::new(),
            keep_if: None,
            scope: Scope::Active,
        }
    }
}

/// Decides about one active session.
type Keep = Arc<dyn Fn(&ListHistoricEntry) -> bool + Send + Sync>;

/// Stops the sessions that nobody needs, see [`Client::reap`].
///
/// First those that the store claims from owners that are gone. Then, of all that the service lists as active, those that this client
/// does not supervise, that no living owner holds in the store, and that the caller does not [keep](Self::keep). Whatever else uses the account without the store, such as a
/// browser that was given a token, has to be kept by the caller, or ruled out by [`only_abandoned`](Self::only_abandoned).
#[derive(Clone)]
#[must_use = "a reaper does nothing until it runs"]
pub struct Reap {
    client: Client,
    store: Option<Arc<dyn Store>>,
    keep: BTreeSet<Uuid>,
    keep_if: Option<Keep>,
    scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope {
    /// Whatever is active at the service.
    Active,
    /// What the store knows to be abandoned.
    Abandoned,
    /// What the caller names.
    Named(BTreeSet<Uuid>),
}

impl Reap {
    /// Another store than the client's.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Keeps these sessions, in addition to what earlier calls keep; abandoned ones are stopped all the same.
    pub fn keep(mut self, sessions: impl IntoIterator<Item = Uuid>) -> Self {
        self.keep.extend(sessions);
        self
    }

    /// Keeps the active sessions for which the test says so, such as those of an embed.
    pub fn keep_if(mut self, test: impl Fn(&ListHistoricEntry) -> bool + Send + Sync + 'static) -> Self {
        self.keep_if = Some(Arc::new(test));
        self
    }

    /// Stops what the store knows to be abandoned and looks no further: for accounts that others use as well.
    pub fn only_abandoned(mut self) -> Self {
        self.scope = Scope::Abandoned;
        self
    }

    /// Stops these sessions, whoever holds them, and looks at no others; the store learns of it.
    ///
    /// The service is told that the user closed them.
    pub fn only(mut self, sessions: impl IntoIterator<Item = Uuid>) -> Self {
        self.scope = Scope::Named(sessions.into_iter().collect());
        self
    }

    /// Runs once and reports what became of each session.
    ///
    /// A slot of a stopped session is free [`SLOT_FREE_AFTER`] later; this does not wait for it.
    ///
    /// # Errors
    /// None: what failed is in the report. If the store fails, only what it has claimed is stopped, because anything else may be
    /// somebody's live session.
    ///
    /// # Cancel safety
    /// Dropped half-way, some sessions are stopped. What was claimed from the store and not stopped is offered again a minute later.
    pub async fn run(&self) -> Reaped {
        let mut reaped = Reaped { sessions: Vec::new(), list: None, store: None };
        if let Scope::Named(sessions) = &self.scope {
            self.stop_all(sessions.iter().copied(), &mut reaped).await;
            return reaped;
        }
        self.run_abandoned(&mut reaped).await;
        if self.scope == Scope::Active {
            self.run_active(&mut reaped).await;
        }
        reaped
    }

    /// Opens a session; if too many run, reaps, waits until what was stopped has freed its slots, and opens once more.
    ///
    /// `open` mints and starts; a token whose start was refused is not used again.
    ///
    /// ```no_run
    /// # async fn open(client: liveavatar_api::Client, configuration: liveavatar_api::session::AnyConfiguration)
    /// # -> Result<(), liveavatar_api::Error> {
    /// # use std::future::IntoFuture as _;
    /// let session = client.reap().or_retry(|| client.open(&configuration).into_future()).await?;
    /// # let _ = session;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As `open` the second time; as the first time where the error is another one, or nothing was there to reap.
    ///
    /// # Cancel safety
    /// As `open` and [`run`](Self::run).
    pub async fn or_retry<T, F>(&self, mut open: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        match open().await {
            Err(error) if error.is_concurrency_limit() => {
                if !self.run().await.freed_slots() {
                    return Err(error);
                }
                self.client.clock().sleep(SLOT_FREE_AFTER).await;
                open().await
            }
            done => done,
        }
    }

    async fn run_abandoned(&self, reaped: &mut Reaped) {
        let Some(store) = &self.store else { return };
        match store.claim_abandoned().await {
            Ok(abandoned) => self.stop_all(abandoned, reaped).await,
            Err(error) => reaped.store = Some(error),
        }
    }

    async fn run_active(&self, reaped: &mut Reaped) {
        let list = self.client.list_sessions().type_(ListSessionsType::Active).page_size(PAGE_SIZE);
        let active = match list.all().await {
            Ok(active) => active,
            Err(error) => return reaped.list = Some(error),
        };
        // Asked after the list, as the store is below: what was active then was known before.
        let supervised = self.client.sessions();
        let own = |id: &Uuid| supervised.get(id).is_some_and(|state| *state != State::StopFailed);
        let held = match &self.store {
            Some(store) => store.held().await.map_err(|error| reaped.store = Some(error)).ok(),
            None => Some(BTreeSet::new()),
        };
        let seen: BTreeSet<Uuid> = reaped.sessions.iter().map(|session| session.id).collect();
        let mut strays = BTreeSet::new();
        for entry in active.into_iter().filter(|entry| !seen.contains(&entry.id)) {
            let wanted =
                self.keep.contains(&entry.id) || self.keep_if.as_ref().is_some_and(|keep| keep(&entry));
            let kept = match &held {
                _ if wanted => ReapOutcome::Kept(KeepReason::Wanted),
                _ if own(&entry.id) => ReapOutcome::Kept(KeepReason::Held),
                Some(held) if held.contains(&entry.id) => ReapOutcome::Kept(KeepReason::Held),
                None => ReapOutcome::Kept(KeepReason::Unsure),
                Some(_) => {
                    strays.insert(entry.id);
                    continue;
                }
            };
            reaped.sessions.push(ReapedSession { id: entry.id, outcome: kept });
        }
        self.stop_all(strays, reaped).await;
    }

    async fn stop_all(&self, sessions: impl IntoIterator<Item = Uuid>, reaped: &mut Reaped) {
        let stops =
            sessions.into_iter().map(|id| async move { ReapedSession { id, outcome: self.stop(id).await } });
        let mut stops = stream::iter(stops).buffer_unordered(STOPS_AT_ONCE);
        while let Some(session) = stops.next().await {
            if session.outcome.is_over()
                && let Some(store) = &self.store
                && let Err(error) = store.release(session.id).await
            {
                reaped.store = Some(error);
            }
            reaped.sessions.push(session);
        }
    }

    async fn stop(&self, id: Uuid) -> ReapOutcome {
        let reason = match self.scope {
            Scope::Named(_) => SessionEndReason::UserClosed,
            Scope::Active | Scope::Abandoned => SessionEndReason::ZombieSessionReap,
        };
        let body = StopSession::builder().session_id(id).reason(reason);
        match self.client.stop_session().body(body).data().await {
            Ok(_) => ReapOutcome::Stopped,
            Err(error) if error.is_not_found() => ReapOutcome::Gone,
            Err(error) => ReapOutcome::Failed(error),
        }
    }
}

impl fmt::Debug for Reap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reap")
            .field("store", &self.store)
            .field("keep", &self.keep)
            .field("keep_if", &self.keep_if.is_some())
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// What became of each session that a [`Reap`] looked at.
#[derive(Debug)]
#[must_use = "it says what could not be stopped"]
pub struct Reaped {
    sessions: Vec<ReapedSession>,
    list: Option<Error>,
    store: Option<StoreError>,
}

impl Reaped {
    /// Every session that was looked at: the store's abandoned ones first, then the active ones, as each is done.
    #[must_use]
    pub fn sessions(&self) -> &[ReapedSession] {
        &self.sessions
    }

    /// Every session that was looked at, with the errors to keep.
    #[must_use]
    pub fn into_sessions(self) -> Vec<ReapedSession> {
        self.sessions
    }

    /// Why the active sessions could not be listed.
    #[must_use]
    pub fn list_error(&self) -> Option<&Error> {
        self.list.as_ref()
    }

    /// What the store said last when it failed; what it could not tell was kept.
    #[must_use]
    pub fn store_error(&self) -> Option<&StoreError> {
        self.store.as_ref()
    }

    /// Whether all was looked at and nothing failed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let failed = |session: &ReapedSession| matches!(session.outcome, ReapOutcome::Failed(_));
        self.list.is_none() && self.store.is_none() && !self.sessions.iter().any(failed)
    }

    /// Whether a slot is free now or within [`SLOT_FREE_AFTER`], that was not before.
    #[must_use]
    pub fn freed_slots(&self) -> bool {
        self.sessions.iter().any(|session| session.outcome.is_over())
    }
}

/// One session that a [`Reap`] looked at; `Display` tells it in a line.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReapedSession {
    /// The session's id.
    pub id: Uuid,
    /// What became of it.
    pub outcome: ReapOutcome,
}

/// What a [`Reap`] did with a session.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReapOutcome {
    /// It ran, and is stopped.
    Stopped,
    /// It had ended by itself.
    Gone,
    /// It runs on, and why.
    Kept(KeepReason),
    /// It could not be stopped, and may still run.
    Failed(Error),
}

/// Why a [`Reap`] kept a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeepReason {
    /// A living owner holds it in the store.
    Held,
    /// The caller keeps it.
    Wanted,
    /// The store cannot say whether somebody holds it.
    Unsure,
}

impl ReapOutcome {
    fn is_over(&self) -> bool {
        matches!(self, Self::Stopped | Self::Gone)
    }
}

impl fmt::Display for ReapedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.outcome)
    }
}

impl fmt::Display for ReapOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("stopped"),
            Self::Gone => f.write_str("had ended"),
            Self::Kept(KeepReason::Held) => f.write_str("kept: a living owner holds it"),
            Self::Kept(KeepReason::Wanted) => f.write_str("kept: the caller keeps it"),
            Self::Kept(KeepReason::Unsure) => {
                f.write_str("kept: the store cannot say whether somebody holds it")
            }
            Self::Failed(error) => write!(f, "not stopped: {error}"),
        }
    }
}
