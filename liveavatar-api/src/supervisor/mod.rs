//! Keeps a client's sessions alive and stops them. One task drives each session.

mod driver;
mod knowledge;
mod open;
mod status;
mod task;
#[cfg(feature = "tracing")]
mod trace;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use progenitor_client::ClientInfo as _;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::error::Error;
use crate::http::Clock;
use crate::raw;
use crate::store::{Account, BoxFuture, Store, StoreError};
use driver::Driver;
use knowledge::Knowledge;

pub use driver::STOP_LIMIT;
#[cfg(feature = "axum")]
pub(crate) use open::UNKNOWN_DURATION;
pub(crate) use open::{StopGuard, in_current_span, mint_and_start};
pub use status::{EndReason, SessionEvent, SessionEvents, State, Status, StopFailed, StopFailedCause};
pub(crate) use task::{SessionOptions, SessionTask, Template};

/// Time limit of a background call, including its retries: half a keep-alive interval.
const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(30);

/// Time limit of a store call, so that an unresponsive store does not block a session.
const STORE_TIMEOUT: Duration = Duration::from_secs(10);

/// The generated clients that sessions use. They do not refer to the supervisor, which would be a reference cycle.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) raw: Arc<raw::Client>,
    /// For background calls: they fail early, and the supervisor retries them.
    pub(crate) background: Arc<raw::Client>,
}

impl Calls {
    pub(crate) fn new(raw: raw::Client) -> Self {
        let options = raw.inner().options.clone().at_most(BACKGROUND_TIMEOUT);
        Self { background: Arc::new(raw.with_options(options)), raw: Arc::new(raw) }
    }

    /// The account whose sessions a store records for these calls.
    ///
    /// # Errors
    /// If the client lacks an API key. Such a client cannot mint tokens or list sessions either.
    pub(crate) fn account(&self) -> Result<Account, StoreError> {
        let account = self.raw.inner().credential.as_ref().and_then(Account::of);
        account.ok_or_else(|| {
            StoreError::unavailable(
                "a session store needs a client with an API key, which tells accounts apart",
            )
        })
    }
}

/// Called for each session that could not be confirmed stopped.
pub(crate) type Hook = Box<dyn Fn(&StopFailed) + Send + Sync>;

/// The supervisor of all sessions of a client and its clones.
pub(crate) struct Supervisor {
    clock: Arc<dyn Clock>,
    store: Option<Arc<dyn Store>>,
    hook: Option<Hook>,
    random: Mutex<fastrand::Rng>,
    inner: Mutex<Inner>,
    /// Notified when a session has ended or was reported.
    settled: Notify,
}

#[derive(Default)]
struct Inner {
    /// Every session that has a token and may run, also after it was reported.
    sessions: HashMap<Uuid, Arc<SessionTask>>,
    /// The multi-thread runtimes of drivers, which can take over the sessions of a runtime that shuts down. A current-thread runtime
    /// may be idle.
    runtimes: Vec<Handle>,
    closed: bool,
}

impl Supervisor {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        store: Option<Arc<dyn Store>>,
        hook: Option<Hook>,
        seed: Option<u64>,
    ) -> Self {
        let random = Mutex::new(seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed));
        Self { clock, store, hook, random, inner: Mutex::default(), settled: Notify::new() }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(crate) fn store(&self) -> Option<&Arc<dyn Store>> {
        self.store.as_ref()
    }

    /// Random jitter in [0, 1).
    pub(crate) fn random(&self) -> f64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).f64()
    }

    pub(crate) async fn with_store_timeout(
        &self,
        call: BoxFuture<'_, Result<(), StoreError>>,
    ) -> Result<(), StoreError> {
        match select(call, self.clock.sleep(STORE_TIMEOUT)).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => {
                let limit = STORE_TIMEOUT.as_secs();
                Err(StoreError::unavailable(format!("the store did not respond within {limit} s")))
            }
        }
    }

    /// Returns an error once the client was shut down.
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.lock().closed {
            return Err(Error::invalid_request("the client was shut down and cannot open sessions"));
        }
        Ok(())
    }

    /// Returns every session that has a token and may run.
    pub(crate) fn sessions(&self) -> BTreeMap<Uuid, State> {
        self.lock().sessions.iter().map(|(id, task)| (*id, task.status().state)).collect()
    }

    /// Ends a session: it is stopped, or known not to run. One that was reported is stopped again only on an explicit request.
    ///
    /// An explicit stop is carried out by the caller's runtime, because that of the session may be idle.
    pub(crate) fn end(self: &Arc<Self>, task: &Arc<SessionTask>, reason: EndReason) {
        let here = Handle::try_current().ok();
        let is_explicit = reason == EndReason::Stopped;
        let mut state = task.lock();
        if matches!(state.life.knowledge, Knowledge::NotStarted) {
            state.life.knowledge = Knowledge::never_started();
        }
        let (id, is_stopped) = (state.life.id, state.life.knowledge.is_stopped());
        if state.status.state.is_over() {
            if is_stopped || state.reported.is_some() && !is_explicit {
                return;
            }
            // It was reported, or its start took effect after the proof that it would not.
            (state.reported, state.end) = (None, None);
        }
        state.end.get_or_insert(reason);
        let is_elsewhere = |runtime| here.as_ref().is_some_and(|here| here.id() != runtime);
        let is_driven = state.runtime.is_some_and(|runtime| !is_explicit || !is_elsewhere(runtime));
        if !is_stopped {
            task.update(&mut state, |status| status.state = State::Ending);
        }
        drop(state);
        if is_stopped {
            self.settle(task);
        } else {
            self.lock().sessions.insert(id, Arc::clone(task));
        }
        if is_driven {
            task.wake.notify_one();
        } else {
            self.drive(task, here);
        }
    }

    /// Puts a new driver in charge of a session.
    fn drive(self: &Arc<Self>, task: &Arc<SessionTask>, runtime: Option<Handle>) {
        let number = {
            let mut state = task.lock();
            state.driver = state.driver.wrapping_add(1);
            state.runtime = runtime.as_ref().map(Handle::id);
            state.driver
        };
        // The previous driver leaves.
        task.wake.notify_one();
        if let Some(new) = runtime.as_ref().filter(|new| new.runtime_flavor() == RuntimeFlavor::MultiThread) {
            let runtimes = &mut self.lock().runtimes;
            if !runtimes.iter().any(|known| known.id() == new.id()) {
                runtimes.push(new.clone());
            }
        }
        let (supervisor, task) = (Arc::clone(self), Arc::clone(task));
        let driver = Driver { supervisor, task, number, runtime: runtime.clone(), has_run: false };
        // A runtime that has shut down drops the driver at once, which then looks for another one.
        if let Some(runtime) = runtime {
            runtime.spawn(driver.run());
        }
    }

    /// Returns a runtime that can take over the sessions of one that has shut down.
    fn runtime_instead_of(&self, ended: Option<&Handle>) -> Option<Handle> {
        let runtimes = &mut self.lock().runtimes;
        runtimes.retain(|known| ended.is_none_or(|ended| ended.id() != known.id()));
        runtimes.first().cloned()
    }

    /// Forgets a session that does not run.
    fn settle(&self, task: &SessionTask) {
        if let Some(id) = task.finish(None) {
            let mut inner = self.lock();
            inner.sessions.remove(&id);
            if inner.sessions.is_empty() {
                inner.runtimes.clear();
            }
            self.settled.notify_waiters();
        }
    }

    /// Reports that a session may still run. The knowledge about it stays here, for the next attempt to stop it.
    fn report(&self, task: &SessionTask, cause: StopFailedCause) {
        let failed = StopFailed { id: task.status().id, cause };
        task.finish(Some(failed.clone()));
        #[cfg(feature = "tracing")]
        trace::stop_failed(&failed);
        if let Some(hook) = &self.hook {
            // This may run while another panic unwinds; a second panic would abort the process.
            let _ = catch_unwind(AssertUnwindSafe(|| hook(&failed)));
        }
        self.settled.notify_waiters();
    }

    /// Stops every session, rejects new ones, and waits; returns the sessions that may still run.
    pub(crate) async fn shutdown(self: &Arc<Self>) -> Vec<StopFailed> {
        let tasks: Vec<_> = {
            let mut inner = self.lock();
            inner.closed = true;
            inner.sessions.values().cloned().collect()
        };
        for task in tasks {
            self.end(&task, EndReason::Stopped);
        }
        loop {
            let mut settled = pin!(self.settled.notified());
            settled.as_mut().enable();
            // `None` while any other session than the reported ones exists.
            let failed = self.lock().sessions.values().map(|task| task.stop_failure()).collect();
            if let Some(failed) = failed {
                return failed;
            }
            settled.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Code that holds the lock does not panic half-way, so the data is consistent even if the lock is poisoned.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("sessions", &self.lock().sessions.len()).finish_non_exhaustive()
    }
}
