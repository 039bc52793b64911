//! Keeps the sessions of a client alive and stops them: one task and one timer queue for all sessions.

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
use crate::store::{BoxFuture, Store, StoreError};
use stop_guard::StopGuard;

pub use status::{EndReason, SessionEvent, SessionEvents, State, Status, StopFailed, StopFailedCause};
pub use stop_guard::STOP_LIMIT;
pub(crate) use stop_guard::{begin, certainly_not_started, in_this_span};
pub(crate) use task::{RotationTemplate, SessionTask, Terms};

/// Longest duration of a background call with all its attempts: half of a keep-alive interval.
const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(30);

/// The generated clients that sessions call; without the supervisor, so that the two do not keep each other alive.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) raw: raw::Client,
    /// For background calls: they fail early, and their caller retries.
    pub(crate) background: raw::Client,
}

impl Calls {
    pub(crate) fn new(raw: raw::Client) -> Self {
        let options = raw.inner().options.clone().at_most(BACKGROUND_TIMEOUT);
        Self { background: raw.with_options(options), raw }
    }
}

/// A store that does not answer must not hold up a session.
const STORE_LIMIT: Duration = Duration::from_secs(10);

/// Told of every session that may still run.
pub(crate) type Hook = Box<dyn Fn(&StopFailed) + Send + Sync>;

/// What a client's clones share about supervised sessions.
pub(crate) struct Supervisor {
    clock: Arc<dyn Clock>,
    store: Option<Arc<dyn Store>>,
    hook: Option<Hook>,
    inner: Mutex<Inner>,
    /// The first time of the queue has come nearer.
    sooner: Notify,
    /// A session's fate has been decided.
    decided: Notify,
}

struct Inner {
    random: fastrand::Rng,
    /// The runtime of the task, none while there is no task.
    runtime: Option<Handle>,
    lines: HashMap<u64, Arc<SessionTask>>,
    last_key: u64,
    /// When to look at which line again; a time that its line no longer waits for is passed over.
    queue: BinaryHeap<Reverse<(SystemTime, u64)>>,
    /// Every session that has a token and may run.
    sessions: HashMap<Uuid, Known>,
    closed: bool,
}

struct Known {
    state: State,
    /// How to try again, of a session that was reported.
    again: Option<Box<Again>>,
}

struct Again {
    client: Arc<Calls>,
    line: Weak<SessionTask>,
    unstopped: StopFailed,
}

impl Supervisor {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        store: Option<Arc<dyn Store>>,
        hook: Option<Hook>,
        seed: Option<u64>,
    ) -> Self {
        let inner = Inner {
            random: seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
            runtime: None,
            lines: HashMap::new(),
            last_key: 0,
            queue: BinaryHeap::new(),
            sessions: HashMap::new(),
            closed: false,
        };
        let (sooner, decided) = (Notify::new(), Notify::new());
        Self { clock, store, hook, inner: Mutex::new(inner), sooner, decided }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(crate) fn store(&self) -> Option<&Arc<dyn Store>> {
        self.store.as_ref()
    }

    /// A number from 0 to 1, so that what happens at once does not happen again at once.
    pub(crate) fn random(&self) -> f64 {
        self.lock().random.f64()
    }

    /// Waits for the store, but not for long.
    pub(crate) async fn within(&self, call: BoxFuture<'_, Result<(), StoreError>>) -> Result<(), StoreError> {
        match select(call, self.clock.sleep(STORE_LIMIT)).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => Err(StoreError::unavailable("it did not answer in time")),
        }
    }

    /// Refuses new sessions after a shutdown.
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.lock().closed {
            return Err(Error::invalid_request("the client was shut down, and opens no session any more"));
        }
        Ok(())
    }

    /// Runs a future where the sessions are kept; where no runtime is alive it is dropped.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let runtime = self.lock().runtime.clone().or_else(|| Handle::try_current().ok());
        if let Some(runtime) = runtime {
            runtime.spawn(future);
        }
    }

    pub(crate) fn note(&self, id: Uuid, state: State) {
        self.lock().sessions.insert(id, Known { state, again: None });
    }

    pub(crate) fn forget(&self, id: Uuid) {
        self.lock().sessions.remove(&id);
        self.decided.notify_waiters();
    }

    /// Tells everybody that a session may still run, and remembers how to try again.
    pub(crate) fn report(&self, unstopped: &StopFailed, client: Arc<Calls>, line: Option<&Arc<SessionTask>>) {
        let line = line.map_or_else(Weak::new, Arc::downgrade);
        let again = Some(Box::new(Again { client, line, unstopped: unstopped.clone() }));
        self.lock().sessions.insert(unstopped.id, Known { state: State::StopFailed, again });
        #[cfg(feature = "tracing")]
        trace::stop_failed(unstopped);
        if let Some(hook) = &self.hook {
            // It may run while another panic unwinds, where one of its own would end the process.
            let _ = catch_unwind(AssertUnwindSafe(|| hook(unstopped)));
        }
        self.decided.notify_waiters();
    }

    /// Tries again to stop a session that was reported.
    pub(crate) fn stop_again(self: &Arc<Self>, id: Uuid, reason: EndReason) {
        let again = {
            let mut inner = self.lock();
            let Some(known) = inner.sessions.get_mut(&id) else { return };
            let Some(again) = known.again.take() else { return };
            known.state = State::Ending;
            again
        };
        let line = again.line.upgrade();
        if let Some(line) = &line {
            line.ending();
        }
        StopGuard::again(self, again.client, id).stop(reason, line);
    }

    /// Every session that has a token and may run.
    pub(crate) fn sessions(&self) -> BTreeMap<Uuid, State> {
        self.lock().sessions.iter().map(|(id, known)| (*id, known.state.clone())).collect()
    }

    /// Stops every session, opens none any more, and waits; returns those that may still run.
    pub(crate) async fn shutdown(self: &Arc<Self>) -> Vec<StopFailed> {
        let (lines, reported) = {
            let mut inner = self.lock();
            inner.closed = true;
            let lines: Vec<_> = inner.lines.values().cloned().collect();
            let reported: Vec<_> =
                inner.sessions.iter().filter(|(_, known)| known.again.is_some()).map(|(id, _)| *id).collect();
            (lines, reported)
        };
        for line in lines {
            line.end(EndReason::Stopped);
        }
        for id in reported {
            self.stop_again(id, EndReason::Stopped);
        }
        loop {
            let mut decided = pin!(self.decided.notified());
            decided.as_mut().enable();
            if let Some(unstopped) = self.all_decided() {
                return unstopped;
            }
            decided.await;
        }
    }

    /// The reported sessions, if there are no others.
    fn all_decided(&self) -> Option<Vec<StopFailed>> {
        let inner = self.lock();
        inner.sessions.values().map(|known| Some(known.again.as_ref()?.unstopped.clone())).collect()
    }

    /// Takes a line into care.
    pub(crate) fn enrol(self: &Arc<Self>, line: &Arc<SessionTask>) {
        let starts = {
            let mut inner = self.lock();
            inner.last_key += 1;
            let key = inner.last_key;
            line.set_key(key);
            inner.lines.insert(key, Arc::clone(line));
            let starts = inner.runtime.is_none();
            if starts {
                inner.runtime = Handle::try_current().ok();
            }
            starts.then(|| inner.runtime.clone()).flatten()
        };
        line.schedule();
        if let Some(runtime) = starts {
            runtime.spawn(Task { supervisor: Arc::clone(self), done: false }.run());
        }
    }

    pub(crate) fn leave(&self, key: u64) {
        self.lock().lines.remove(&key);
        // The task ends when nothing is left to do.
        self.sooner.notify_one();
    }

    /// Looks at a line again at that time.
    pub(crate) fn queue(&self, at: SystemTime, key: u64) {
        let nearer = {
            let mut inner = self.lock();
            let nearer = inner.queue.peek().is_none_or(|Reverse((first, _))| at < *first);
            inner.queue.push(Reverse((at, key)));
            nearer
        };
        if nearer {
            self.sooner.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing under the lock panics half-way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that looks at each line when its time has come; it ends with the last line.
struct Task {
    supervisor: Arc<Supervisor>,
    done: bool,
}

impl Task {
    async fn run(mut self) {
        let supervisor = &self.supervisor;
        let mut due = Vec::new();
        loop {
            let now = supervisor.clock.now();
            let next = {
                let mut inner = supervisor.lock();
                if inner.lines.is_empty() {
                    inner.queue.clear();
                    inner.runtime = None;
                    self.done = true;
                    return;
                }
                while let Some(Reverse((at, key))) = inner.queue.peek().copied()
                    && at <= now
                {
                    inner.queue.pop();
                    due.extend(inner.lines.get(&key).map(|line| (at, Arc::clone(line))));
                }
                inner.queue.peek().map(|Reverse((at, _))| *at)
            };
            if due.is_empty() {
                let sooner = pin!(supervisor.sooner.notified());
                match next {
                    Some(at) => {
                        let sleep = supervisor.clock.sleep(at.duration_since(now).unwrap_or_default());
                        select(sooner, sleep).await;
                    }
                    None => sooner.await,
                }
            }
            for (at, line) in due.drain(..) {
                line.attend(at, now);
            }
        }
    }
}

impl Drop for Task {
    /// The runtime has shut down, unless all is done: nobody keeps the sessions alive from here on.
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let lines: Vec<_> = {
            let mut inner = self.supervisor.lock();
            inner.runtime = None;
            inner.lines.values().cloned().collect()
        };
        for line in lines {
            line.end(EndReason::RuntimeGone);
        }
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("sessions", &self.lock().sessions.len()).finish_non_exhaustive()
    }
}
