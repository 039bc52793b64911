//! Stopping leftover sessions: those of dead processes, and active ones that no one uses; and waiting for their slots.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use uuid::Uuid;

use crate::client::Client;
use crate::error::Error;
use crate::store::{Store, StoreError};
use crate::supervisor::State;
use crate::types::{ListHistoricEntry, ListSessionsType, SessionEndReason};

/// The page size for listing active sessions: the service's maximum.
const PAGE_SIZE: i64 = 100;

/// Concurrent stop calls, limited because the service limits calls per second.
const CONCURRENT_STOPS: usize = 4;

/// The default of [`Reap::wait_for_slot`]: three times [`SLOT_FREE_AFTER`](crate::store::SLOT_FREE_AFTER), and a little more.
const SLOT_WAIT: Duration = Duration::from_secs(10);

/// The first pause between two attempts to get a slot; it doubles up to [`MAX_SLOT_PAUSE`]. The service frees a slot after 0.8 to 3 s.
const FIRST_SLOT_PAUSE: Duration = Duration::from_secs(1);

const MAX_SLOT_PAUSE: Duration = Duration::from_secs(4);

/// The shortest pause, if the store or the service asks for another one.
const MIN_SLOT_PAUSE: Duration = Duration::from_millis(100);

impl Client {
    /// Returns a reaper for leftover sessions, which uses the client's session store, if any.
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
            slot_wait: SLOT_WAIT,
        }
    }
}

/// Returns whether to keep an active session.
type KeepPredicate = Arc<dyn Fn(&ListHistoricEntry) -> bool + Send + Sync>;

/// Stops leftover sessions of the account; see [`Client::reap`].
///
/// It first stops the abandoned sessions that it claims from the store. Then it lists the service's active sessions:
///
/// | Active session | What happens |
/// | --- | --- |
/// | This client or one of its clones supervises it | It is kept. |
/// | This client could not stop it and reported it | It is stopped, although the store still holds it. |
/// | A [token endpoint](crate::endpoint) of this client gave its token to a browser | It is kept, as long as it can live. |
/// | A living owner holds it in the store, or the token endpoint of any process | It is kept. |
/// | The caller [keeps](Self::keep) it | It is kept. |
/// | Any other: of another program, of the web site, of a browser with a token of [`Client::mint`] | It is stopped. |
///
/// To limit the reaper to what the store knows to be abandoned, use [`only_abandoned`](Self::only_abandoned).
#[derive(Clone)]
#[must_use = "a reaper does nothing until it runs"]
pub struct Reap {
    client: Client,
    store: Option<Arc<dyn Store>>,
    keep: BTreeSet<Uuid>,
    keep_if: Option<KeepPredicate>,
    scope: Scope,
    slot_wait: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope {
    /// The store's abandoned sessions and the service's active ones.
    Active,
    /// Only the store's abandoned sessions.
    Abandoned,
    /// Only the sessions that the caller names.
    Named(BTreeSet<Uuid>),
}

impl Reap {
    /// Uses this store instead of the client's.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Keeps these sessions, in addition to those of earlier calls; abandoned ones are still stopped.
    pub fn keep(mut self, sessions: impl IntoIterator<Item = Uuid>) -> Self {
        self.keep.extend(sessions);
        self
    }

    /// Keeps each active session for which `predicate` returns true, such as those of an embed.
    pub fn keep_if(mut self, predicate: impl Fn(&ListHistoricEntry) -> bool + Send + Sync + 'static) -> Self {
        self.keep_if = Some(Arc::new(predicate));
        self
    }

    /// Stops only the store's abandoned sessions; use it if other programs share the account.
    pub fn only_abandoned(mut self) -> Self {
        self.scope = Scope::Abandoned;
        self
    }

    /// Stops exactly these sessions, even if a living owner holds them.
    ///
    /// The service records `USER_CLOSED` as their end reason, and the store releases their slots.
    pub fn only(mut self, sessions: impl IntoIterator<Item = Uuid>) -> Self {
        self.scope = Scope::Named(sessions.into_iter().collect());
        self
    }

    /// Sets how long [`or_retry`](Self::or_retry) waits for a slot; by default 10 s, and not at all with zero.
    pub fn wait_for_slot(mut self, limit: Duration) -> Self {
        self.slot_wait = limit;
        self
    }

    /// Runs once and returns the outcome for each session.
    ///
    /// It does not wait for slots: the service frees the slot of a stopped session within
    /// [`SLOT_FREE_AFTER`](crate::store::SLOT_FREE_AFTER).
    ///
    /// # Errors
    /// Failures are part of the returned [`Reaped`]. If the store cannot tell which sessions are held, only abandoned sessions are
    /// stopped, because any other may be in use.
    ///
    /// # Cancel safety
    /// If the future is dropped, only some sessions are stopped. The store offers claimed sessions that were not stopped again
    /// after a minute.
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

    /// Calls `open`; at the concurrency limit, reaps once and calls it again until a slot is free.
    ///
    /// `open` must mint a new token each time. It is called after 1, 2, 4, 4… s, or when the store expects a free slot, until the
    /// [limit](Self::wait_for_slot) has passed. It is retried even if nothing was reaped, because others free slots, too, and
    /// because the service frees a slot 0.8 to 3 s after the stop (field reports).
    ///
    /// Each attempt costs two calls, to mint and to start, but no credits. With the default limit there are up to 4 attempts after
    /// the first. The list and one stop per leftover come on top, once.
    ///
    /// ```no_run
    /// # async fn open(client: liveavatar_api::Client, configuration: liveavatar_api::session::AnyConfiguration)
    /// # -> Result<(), liveavatar_api::Error> {
    /// use std::time::Duration;
    ///
    /// let reaper = client.reap().wait_for_slot(Duration::from_secs(30));
    /// let session = reaper.or_retry(|| client.open(&configuration)).await?;
    /// # let _ = session;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the last concurrency limit if the time has passed, or any other error of `open` at once.
    ///
    /// # Cancel safety
    /// The same as `open` and [`run`](Self::run).
    pub async fn or_retry<T, F>(&self, mut open: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut error = match open().await {
            Err(error) if error.is_concurrency_limit() => error,
            result => return result,
        };
        // What could not be stopped is listed again by the next reaper. A slot may be freed all the same.
        let _ = self.run().await;
        let clock = self.client.clock();
        let (began, mut slept, mut next_pause) = (clock.now(), Duration::ZERO, FIRST_SLOT_PAUSE);
        loop {
            // The clock may be set back or forward, and an attempt itself takes time.
            let waited = slept.max(clock.now().duration_since(began).unwrap_or_default());
            let left = self.slot_wait.saturating_sub(waited);
            if left.is_zero() {
                return Err(error);
            }
            let pause = error.retry_after().filter(|pause| *pause < MAX_SLOT_PAUSE).unwrap_or(next_pause);
            let pause = pause.max(MIN_SLOT_PAUSE).min(left);
            next_pause = next_pause.saturating_mul(2).min(MAX_SLOT_PAUSE);
            clock.sleep(pause).await;
            slept = slept.saturating_add(pause);
            error = match open().await {
                Err(error) if error.is_concurrency_limit() => error,
                result => return result,
            };
        }
    }

    async fn run_abandoned(&self, reaped: &mut Reaped) {
        let Some(store) = &self.store else { return };
        let claimed = match self.client.calls().account() {
            Ok(account) => store.claim_abandoned(account).await,
            Err(error) => Err(error),
        };
        match claimed {
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
        // Read after the list, as is the store below, so that every session in the list is already known to its owner.
        let supervised = self.client.sessions();
        // The store still holds a session that this client gave up, but no one stops it any more.
        let given_up = |id: &Uuid| supervised.get(id) == Some(&State::StopFailed);
        let browsers = self.client.browser_sessions();
        let now = self.client.clock().now();
        let own = |id: &Uuid| supervised.contains_key(id) || browsers.can_run(id, now);
        let held = match &self.store {
            Some(store) => {
                let held = match self.client.calls().account() {
                    Ok(account) => store.held(account).await,
                    Err(error) => Err(error),
                };
                held.map_err(|error| reaped.store = Some(error)).ok()
            }
            None => Some(BTreeSet::new()),
        };
        let done: BTreeSet<Uuid> = reaped.sessions.iter().map(|session| session.id).collect();
        let mut leftovers = BTreeSet::new();
        for entry in active.into_iter().filter(|entry| !done.contains(&entry.id)) {
            let requested =
                self.keep.contains(&entry.id) || self.keep_if.as_ref().is_some_and(|keep| keep(&entry));
            let kept = match &held {
                _ if requested => ReapOutcome::Kept(KeepReason::Requested),
                _ if given_up(&entry.id) => {
                    leftovers.insert(entry.id);
                    continue;
                }
                _ if own(&entry.id) => ReapOutcome::Kept(KeepReason::Held),
                Some(held) if held.contains(&entry.id) => ReapOutcome::Kept(KeepReason::Held),
                None => ReapOutcome::Kept(KeepReason::OwnerUnknown),
                Some(_) => {
                    leftovers.insert(entry.id);
                    continue;
                }
            };
            reaped.sessions.push(ReapedSession { id: entry.id, outcome: kept });
        }
        self.stop_all(leftovers, reaped).await;
    }

    async fn stop_all(&self, sessions: impl IntoIterator<Item = Uuid>, reaped: &mut Reaped) {
        let stops =
            sessions.into_iter().map(|id| async move { ReapedSession { id, outcome: self.stop(id).await } });
        let mut stops = stream::iter(stops).buffer_unordered(CONCURRENT_STOPS);
        while let Some(session) = stops.next().await {
            if session.outcome.is_over()
                && let Some(store) = &self.store
                && let Ok(account) = self.client.calls().account()
                && let Err(error) = store.release(account, session.id).await
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
        match self.client.stop_session().session_id(id).reason(reason).send().await {
            Ok(_) => ReapOutcome::Stopped,
            Err(error) if error.proves_gone() => ReapOutcome::Gone,
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
            .field("slot_wait", &self.slot_wait)
            .finish_non_exhaustive()
    }
}

/// The result of [`Reap::run`], with one entry per session.
#[derive(Debug)]
#[must_use = "it lists the sessions that could not be stopped"]
pub struct Reaped {
    sessions: Vec<ReapedSession>,
    list: Option<Error>,
    store: Option<StoreError>,
}

impl Reaped {
    /// Returns every session examined: abandoned sessions first, then active ones, in order of completion.
    #[must_use]
    pub fn sessions(&self) -> &[ReapedSession] {
        &self.sessions
    }

    /// Returns every session examined, by value.
    #[must_use]
    pub fn into_sessions(self) -> Vec<ReapedSession> {
        self.sessions
    }

    /// Returns why the active sessions could not be listed.
    #[must_use]
    pub fn list_error(&self) -> Option<&Error> {
        self.list.as_ref()
    }

    /// Returns the store's last error; sessions whose owner is unknown were kept.
    #[must_use]
    pub fn store_error(&self) -> Option<&StoreError> {
        self.store.as_ref()
    }

    /// Returns whether every session was examined and nothing failed.
    ///
    /// Sessions that start or end while the active ones are listed can be missed; list more than 100 again to be sure.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let failed = |session: &ReapedSession| matches!(session.outcome, ReapOutcome::Failed(_));
        self.list.is_none() && self.store.is_none() && !self.sessions.iter().any(failed)
    }

    /// Returns whether a slot was freed, or will be within [`SLOT_FREE_AFTER`](crate::store::SLOT_FREE_AFTER).
    #[must_use]
    pub fn freed_slots(&self) -> bool {
        self.sessions.iter().any(|session| session.outcome.is_over())
    }
}

/// One session that a [`Reap`] examined; `Display` prints the id and the outcome.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReapedSession {
    /// The session's id.
    pub id: Uuid,
    /// What the reaper did with it.
    pub outcome: ReapOutcome,
}

/// The outcome of reaping one session.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReapOutcome {
    /// It was running and is now stopped.
    Stopped,
    /// It had already ended.
    Gone,
    /// It was kept running.
    Kept(KeepReason),
    /// It could not be stopped and may still run.
    Failed(Error),
}

/// Why a [`Reap`] kept a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeepReason {
    /// This client supervises it, its token endpoint gave the token to a browser, or the store holds it.
    Held,
    /// The caller asked to [keep](Reap::keep) it.
    Requested,
    /// The store failed, so it is unknown whether an owner holds it.
    OwnerUnknown,
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
            Self::Kept(KeepReason::Held) => f.write_str("kept: a living owner or a browser holds it"),
            Self::Kept(KeepReason::Requested) => f.write_str("kept: the caller asked to keep it"),
            Self::Kept(KeepReason::OwnerUnknown) => {
                f.write_str("kept: the store failed, so its owner is unknown")
            }
            Self::Failed(error) => write!(f, "not stopped: {error}"),
        }
    }
}
