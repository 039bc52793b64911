//! Keeps a client's sessions alive and stops them. One task and one timer queue serve all sessions.

mod status;
mod stop_guard;
mod task;
#[cfg(feature = "tracing")]
mod trace;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use futures_util::future::{Either, select};
use progenitor_client::ClientInfo as _;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::error::Error;
use crate::http::Clock;
use crate::raw;
use crate::store::{Account, BoxFuture, Store, StoreError};
use stop_guard::StopGuard;

pub use status::{EndReason, SessionEvent, SessionEvents, State, Status, StopFailed, StopFailedCause};
pub use stop_guard::STOP_LIMIT;
pub(crate) use stop_guard::{in_current_span, mint_and_start, proves_not_started};
pub(crate) use task::{RotationTemplate, SessionOptions, SessionTask};

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
    /// If the client has no API key. It cannot mint or list either.
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
    inner: Mutex<Supervised>,
    /// Notified when the earliest timer changes or a task is removed.
    timers_changed: Notify,
    /// Notified when a session has ended or was reported.
    settled: Notify,
}

struct Supervised {
    random: fastrand::Rng,
    /// The runtime of the timer loop; `None` while the loop does not run.
    runtime: Option<Handle>,
    tasks: HashMap<u64, Arc<SessionTask>>,
    last_key: u64,
    /// When to call which task. A task ignores a time that it no longer waits for.
    timers: BinaryHeap<Reverse<(SystemTime, u64)>>,
    /// Every session that has a token and may run.
    sessions: HashMap<Uuid, SupervisedSession>,
    closed: bool,
}

struct SupervisedSession {
    state: State,
    /// Set once the session was reported.
    retry: Option<Box<StopRetry>>,
}

/// Everything needed to retry the stop of a reported session.
struct StopRetry {
    client: Arc<Calls>,
    task: Weak<SessionTask>,
    failed: StopFailed,
}

impl Supervisor {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        store: Option<Arc<dyn Store>>,
        hook: Option<Hook>,
        seed: Option<u64>,
    ) -> Self {
        let inner = Supervised {
            random: seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
            runtime: None,
            tasks: HashMap::new(),
            last_key: 0,
            timers: BinaryHeap::new(),
            sessions: HashMap::new(),
            closed: false,
        };
        let (timers_changed, settled) = (Notify::new(), Notify::new());
        Self { clock, store, hook, inner: Mutex::new(inner), timers_changed, settled }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(crate) fn store(&self) -> Option<&Arc<dyn Store>> {
        self.store.as_ref()
    }

    /// Random jitter in [0, 1).
    pub(crate) fn random(&self) -> f64 {
        self.lock().random.f64()
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

    /// Spawns a future on the supervisor's runtime, or else on the current one. Without a runtime, the future is dropped.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let runtime = self.lock().runtime.clone().or_else(|| Handle::try_current().ok());
        if let Some(runtime) = runtime {
            runtime.spawn(future);
        }
    }

    pub(crate) fn set_state(&self, id: Uuid, state: State) {
        self.lock().sessions.insert(id, SupervisedSession { state, retry: None });
    }

    /// Forgets a session that does not run.
    pub(crate) fn forget(&self, id: Uuid) {
        self.lock().sessions.remove(&id);
        self.settled.notify_waiters();
    }

    /// Reports that a session may still run, and remembers how to retry its stop.
    pub(crate) fn report(&self, failed: &StopFailed, client: Arc<Calls>, task: Option<&Arc<SessionTask>>) {
        let task = task.map_or_else(Weak::new, Arc::downgrade);
        let retry = Some(Box::new(StopRetry { client, task, failed: failed.clone() }));
        self.lock().sessions.insert(failed.id, SupervisedSession { state: State::StopFailed, retry });
        #[cfg(feature = "tracing")]
        trace::stop_failed(failed);
        if let Some(hook) = &self.hook {
            // This may run while another panic unwinds; a second panic would abort the process.
            let _ = catch_unwind(AssertUnwindSafe(|| hook(failed)));
        }
        self.settled.notify_waiters();
    }

    /// Retries the stop of a session that was reported.
    pub(crate) fn retry_stop(self: &Arc<Self>, id: Uuid, reason: EndReason) {
        let retry = {
            let mut inner = self.lock();
            let Some(session) = inner.sessions.get_mut(&id) else { return };
            let Some(retry) = session.retry.take() else { return };
            session.state = State::Ending;
            retry
        };
        let task = retry.task.upgrade();
        if let Some(task) = &task {
            task.set_ending();
        }
        StopGuard::for_retry(self, &retry.client, id).stop(reason, task);
    }

    /// Returns every session that has a token and may run.
    pub(crate) fn sessions(&self) -> BTreeMap<Uuid, State> {
        self.lock().sessions.iter().map(|(id, session)| (*id, session.state.clone())).collect()
    }

    /// Stops every session, rejects new ones, and waits; returns the sessions that may still run.
    pub(crate) async fn shutdown(self: &Arc<Self>) -> Vec<StopFailed> {
        let (tasks, reported) = {
            let mut inner = self.lock();
            inner.closed = true;
            let tasks: Vec<_> = inner.tasks.values().cloned().collect();
            let reported = inner.sessions.iter().filter(|(_, session)| session.retry.is_some());
            (tasks, reported.map(|(id, _)| *id).collect::<Vec<_>>())
        };
        for task in tasks {
            task.end(EndReason::Stopped);
        }
        for id in reported {
            self.retry_stop(id, EndReason::Stopped);
        }
        loop {
            let mut settled = pin!(self.settled.notified());
            settled.as_mut().enable();
            if let Some(failed) = self.all_settled() {
                return failed;
            }
            settled.await;
        }
    }

    /// Returns the reported sessions, or `None` while any other session exists.
    fn all_settled(&self) -> Option<Vec<StopFailed>> {
        let inner = self.lock();
        inner.sessions.values().map(|session| Some(session.retry.as_ref()?.failed.clone())).collect()
    }

    /// Starts to supervise a task, and starts the timer loop if it does not run.
    pub(crate) fn add(self: &Arc<Self>, task: &Arc<SessionTask>) {
        let start_on = {
            let mut inner = self.lock();
            inner.last_key += 1;
            let key = inner.last_key;
            task.set_key(key);
            inner.tasks.insert(key, Arc::clone(task));
            if inner.runtime.is_none() {
                inner.runtime = Handle::try_current().ok();
                inner.runtime.clone()
            } else {
                None
            }
        };
        task.schedule();
        if let Some(runtime) = start_on {
            runtime.spawn(TimerLoop { supervisor: Arc::clone(self), done: false }.run());
        }
    }

    pub(crate) fn remove(&self, key: u64) {
        self.lock().tasks.remove(&key);
        // The timer loop ends with the last task.
        self.timers_changed.notify_one();
    }

    /// Adds a time at which to call the task.
    pub(crate) fn set_timer(&self, at: SystemTime, key: u64) {
        let is_earliest = {
            let mut inner = self.lock();
            let is_earliest = inner.timers.peek().is_none_or(|Reverse((first, _))| at < *first);
            inner.timers.push(Reverse((at, key)));
            is_earliest
        };
        if is_earliest {
            self.timers_changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Supervised> {
        // Code that holds the lock does not panic half-way, so the data is consistent even if the lock is poisoned.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The background task that calls each session's task at its times; it ends with the last one.
struct TimerLoop {
    supervisor: Arc<Supervisor>,
    done: bool,
}

impl TimerLoop {
    async fn run(mut self) {
        let supervisor = &self.supervisor;
        let mut due = Vec::new();
        loop {
            let now = supervisor.clock.now();
            let next = {
                let mut inner = supervisor.lock();
                if inner.tasks.is_empty() {
                    inner.timers.clear();
                    inner.runtime = None;
                    self.done = true;
                    return;
                }
                while let Some(Reverse((at, key))) = inner.timers.peek().copied()
                    && at <= now
                {
                    inner.timers.pop();
                    due.extend(inner.tasks.get(&key).map(|task| (at, Arc::clone(task))));
                }
                inner.timers.peek().map(|Reverse((at, _))| *at)
            };
            if due.is_empty() {
                let changed = pin!(supervisor.timers_changed.notified());
                match next {
                    Some(at) => {
                        let sleep = supervisor.clock.sleep(at.duration_since(now).unwrap_or_default());
                        select(changed, sleep).await;
                    }
                    None => changed.await,
                }
            }
            for (at, task) in due.drain(..) {
                task.run_due(at, now);
            }
        }
    }
}

impl Drop for TimerLoop {
    /// Ends all sessions if the runtime shuts down, because nothing keeps them alive any more.
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let tasks: Vec<_> = {
            let mut inner = self.supervisor.lock();
            inner.runtime = None;
            inner.tasks.values().cloned().collect()
        };
        for task in tasks {
            task.end(EndReason::RuntimeShutDown);
        }
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("sessions", &self.lock().sessions.len()).finish_non_exhaustive()
    }
}
