//! The task of one session: it keeps the session alive, has it replaced or ended in time, and stops it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use futures_util::future::join;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::Supervisor;
use super::knowledge::Knowledge;
use super::open::rotate;
use super::status::{EndReason, SessionEvent, State, StopFailedCause};
use super::task::SessionTask;
use crate::calls::{GetSession, KeepSessionAlive, StopSession};
use crate::credential::Credential;
use crate::error::Error;
use crate::store::StoreError;
use crate::types::SessionEndReason;

/// How long a failed stop is retried before the session is reported: 5 min.
///
/// By then the service has ended the session for idleness (documentation), so a failed stop costs at most as much as a crash.
pub const STOP_LIMIT: Duration = Duration::from_secs(5 * 60);

/// The first pause between two stops; it doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);

const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Attempts to release a slot before it is left to expire.
const RELEASE_ATTEMPTS: u32 = 6;

/// A failed keep-alive is retried within this fraction of the interval.
const FAILED_KEEP_ALIVE_DIVISOR: u32 = 4;

/// A replacement is not replaced itself earlier than this after its start, because each start costs at least one credit.
const MIN_ROTATION_INTERVAL: Duration = Duration::from_secs(15);

/// Drives one session. If it is interrupted, another driver takes over, or the session is reported.
pub(super) struct Driver {
    pub(super) supervisor: Arc<Supervisor>,
    pub(super) task: Arc<SessionTask>,
    pub(super) number: u32,
    pub(super) runtime: Option<Handle>,
    /// Whether it has run, which it cannot do on a runtime that has shut down.
    pub(super) has_run: bool,
}

/// Calls that run while the driver waits. They are boxed, so that a waiting driver is small.
#[derive(Default)]
struct Running {
    keep_alive: Option<Call<Option<EndReason>>>,
    rotation: Option<Call<()>>,
}

type Call<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl Driver {
    pub(super) async fn run(mut self) {
        self.has_run = true;
        let Self { supervisor, task, .. } = &self;
        let Some(reason) = self.supervise().await else { return };
        match self.stop(reason.wire()).await {
            Some(Ok(())) => {}
            Some(Err(cause)) => return supervisor.report(task, cause),
            None => return,
        }
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=RELEASE_ATTEMPTS {
            let is_released = task.release_slot(supervisor).await;
            supervisor.settle(task);
            if is_released || attempt == RELEASE_ATTEMPTS {
                return;
            }
            self.pause(&mut pause, None).await;
        }
    }

    /// Keeps the session alive until it is to be stopped; returns `None` if another driver is in charge.
    async fn supervise(&self) -> Option<EndReason> {
        let mut running = Running::default();
        loop {
            let wait = match self.step(&mut running) {
                Ok(wait) => wait,
                Err(end) => {
                    // It may be starting a session; it completes and then stops that session.
                    running.rotation.map(tokio::spawn);
                    return end;
                }
            };
            let mut sleep = self.supervisor.clock().sleep(wait);
            let mut woken = pin!(self.task.wake.notified());
            let end = poll_fn(|context| {
                if let Poll::Ready(end) = poll_call(&mut running.keep_alive, context) {
                    return Poll::Ready(end);
                }
                let rotated = poll_call(&mut running.rotation, context).map(|()| None);
                let woken = woken.as_mut().poll(context).map(|()| None);
                let slept = sleep.as_mut().poll(context).map(|()| None);
                [rotated, woken, slept].into_iter().find(Poll::is_ready).unwrap_or(Poll::Pending)
            });
            // A running rotation replaces the session, so the handle does not end with it.
            if let Some(reason) = end.await
                && running.rotation.is_none()
            {
                self.supervisor.end(&self.task, reason);
            }
        }
    }

    /// Starts all calls that are due, and returns how long to wait; `Err` with the reason once the session is to be stopped, or without one
    /// if another driver is in charge.
    fn step(&self, running: &mut Running) -> Result<Duration, Option<EndReason>> {
        let Self { supervisor, task, .. } = self;
        let now = supervisor.clock().now();
        let mut guard = task.lock();
        let state = &mut *guard;
        if state.driver != self.number || state.end.is_some() {
            return Err(state.end.clone().filter(|_| state.driver == self.number));
        }
        let life = &mut state.life;
        let is_due = |at: &mut SystemTime| *at <= now;
        if let Some(at) = life.rotate_at.filter(|at| *at <= now && running.rotation.is_none()) {
            let age = at.duration_since(life.sent_at).unwrap_or_default();
            if !state.is_replacement || age >= MIN_ROTATION_INTERVAL {
                // It replaces or ends the session. If it is interrupted, the next driver begins again.
                let retries = [life.warn_at.unwrap_or(now), life.end_at.unwrap_or(now)];
                running.rotation = Some(Box::pin(rotate(Arc::clone(supervisor), Arc::clone(task), retries)));
            } else {
                life.rotate_at = None;
                let least = MIN_ROTATION_INTERVAL.as_secs();
                let error = Error::invalid_request(format!(
                    "the session ends too soon to be replaced: rotations must be at least {least} s apart"
                ));
                state.listeners.send(SessionEvent::RotationFailed(Arc::new(error)));
            }
        }
        if life.warn_at.take_if(is_due).is_some() {
            let left = life.ends_at.and_then(|end| end.duration_since(now).ok()).unwrap_or_default();
            state.listeners.send(SessionEvent::EndsSoon(left));
            task.update(state, |status| status.ends_soon = true);
        }
        let life = &mut state.life;
        // A running rotation also handles the session's end.
        if running.rotation.is_none() && life.end_at.take_if(is_due).is_some() {
            state.end = Some(EndReason::MaxDuration);
            task.update(state, |status| status.state = State::Ending);
            return Err(state.end.clone());
        }
        let interval = task.options.keep_alive_interval;
        // If the clock went back, the session has been silent for an unknown time.
        let went_back = now < life.last_renewal;
        let call_at = (life.last_sign + interval).max(life.not_before);
        let mut keep_alive_at = call_at.min(life.last_renewal + interval);
        if running.keep_alive.is_none() && (keep_alive_at <= now || went_back) {
            let call = call_at <= now || went_back;
            if call {
                let jitter = 0.5 + supervisor.random() / 2.0;
                life.not_before = now + interval.mul_f64(jitter) / FAILED_KEEP_ALIVE_DIVISOR;
            }
            life.last_renewal = now;
            keep_alive_at = now + interval;
            let keep_alive = keep_alive(Arc::clone(supervisor), Arc::clone(task), life.id, call);
            running.keep_alive = Some(Box::pin(keep_alive));
        }
        let times = [life.rotate_at, life.warn_at, life.end_at, Some(keep_alive_at)];
        let next = times.into_iter().flatten().filter(|at| *at > now).min();
        Ok(next.and_then(|next| next.duration_since(now).ok()).unwrap_or(interval))
    }

    /// Retries the stop until it is proved, or fails for good. Returns `None` if another driver is in charge.
    async fn stop(&self, reason: SessionEndReason) -> Option<Result<(), StopFailedCause>> {
        let clock = self.supervisor.clock();
        let began = clock.now();
        let mut pause = FIRST_PAUSE;
        loop {
            let known = self.known()?;
            if known.is_stopped() {
                return Some(Ok(()));
            }
            // While the start is open, no response is final.
            let open_until = known.open_until(clock.now());
            let error = Box::pin(self.task.stop_once(&self.supervisor, reason)).await;
            if let Some(error) = error.filter(|error| open_until.is_none() && !error.proves_gone()) {
                let error = Arc::new(error);
                if is_permanent(&error) {
                    return Some(Err(StopFailedCause::Rejected(error)));
                }
                if clock.now().duration_since(began).unwrap_or_default() >= STOP_LIMIT {
                    return Some(Err(StopFailedCause::Failed(error)));
                }
            }
            if !self.known()?.is_stopped() {
                self.pause(&mut pause, open_until).await;
            }
        }
    }

    /// Returns the knowledge about the session; `None` if another driver is in charge.
    fn known(&self) -> Option<Knowledge> {
        let state = self.task.lock();
        (state.driver == self.number).then_some(state.life.knowledge)
    }

    /// Waits for `pause`, with jitter, but not beyond `until`, and doubles it for the next time.
    async fn pause(&self, pause: &mut Duration, until: Option<SystemTime>) {
        let clock = self.supervisor.clock();
        let time = pause.mul_f64(0.5 + self.supervisor.random() / 2.0);
        *pause = (*pause * 2).min(MAX_PAUSE);
        let left = until.and_then(|until| until.duration_since(clock.now()).ok());
        clock.sleep(left.map_or(time, |left| time.min(left))).await;
    }
}

impl Drop for Driver {
    /// Hands an unfinished session to another runtime, because this one has shut down; or to a new driver after a panic.
    fn drop(&mut self) {
        let Self { supervisor, task, .. } = self;
        let mut state = task.lock();
        if state.driver != self.number {
            return;
        }
        state.runtime = None;
        let (is_over, is_stopping) = (state.status.state.is_over(), state.end.is_some());
        let is_stopped = state.life.knowledge.is_stopped();
        drop(state);
        if is_over || is_stopped {
            return supervisor.settle(task);
        }
        let next = if std::thread::panicking() && self.has_run {
            // The driver has panicked, or its runtime shuts down in a panic. A stop that panics would panic again.
            self.runtime.clone().filter(|_| !is_stopping)
        } else {
            supervisor.runtime_instead_of(self.runtime.as_ref())
        };
        match next {
            Some(_) => supervisor.drive(task, next),
            None => supervisor.report(task, StopFailedCause::NoRuntime),
        }
    }
}

/// Polls a call if there is one, and removes it when it has completed.
fn poll_call<T>(call: &mut Option<Call<T>>, context: &mut Context<'_>) -> Poll<T> {
    let polled = call.as_mut().map_or(Poll::Pending, |call| call.as_mut().poll(context));
    if polled.is_ready() {
        *call = None;
    }
    polled
}

/// Renews the store's record and, if `call` is set, sends a keep-alive; returns the reason if the service has ended the session.
async fn keep_alive(
    supervisor: Arc<Supervisor>,
    task: Arc<SessionTask>,
    id: Uuid,
    call: bool,
) -> Option<EndReason> {
    let client = &task.client.background;
    let sent_at = supervisor.clock().now();
    let call =
        async { if call { Some(KeepSessionAlive::new(client).session_id(id).send().await) } else { None } };
    let renew = async {
        match supervisor.store() {
            Some(store) => {
                let account = task.client.account()?;
                supervisor.with_store_timeout(store.renew(account, id)).await
            }
            None => Ok(()),
        }
    };
    let (called, renewed) = join(call, renew).await;
    if let Err(error) = renewed {
        task.store_failed(id, error);
    }
    match called? {
        Ok(_) => task.record_sign(id, sent_at),
        // The session was replaced meanwhile.
        Err(_) if task.status().id != id => {}
        Err(error) if error.proves_gone() => {
            let details = GetSession::new(client).session_id(id).send().await;
            return Some(EndReason::Service(details.ok().and_then(|details| details.end_reason)));
        }
        Err(error) => task.send(SessionEvent::KeepAliveFailed(Arc::new(error))),
    }
    None
}

impl SessionTask {
    /// Sends one stop, and records what follows from its response.
    pub(super) async fn stop_once(&self, supervisor: &Supervisor, reason: SessionEndReason) -> Option<Error> {
        let (id, token) = {
            let life = &self.lock().life;
            (life.id, life.token.clone())
        };
        let sent_at = supervisor.clock().now();
        let client = &self.client.background;
        let mut stop = StopSession::new(client).session_id(id).reason(reason).send().await.map(drop);
        if let Err(error) = &stop
            && matches!(error.status(), Some(401 | 403))
            && let Ok(token) = Credential::session_token(token)
        {
            // The API key was revoked, for example; the session's own token can stop it, too.
            let bearer = Arc::new(client.with_credential(token));
            let by_token = StopSession::new(&bearer).session_id(id).reason(reason).send().await.map(drop);
            if !by_token.as_ref().is_err_and(is_permanent) {
                stop = by_token;
            }
        }
        let life = &mut self.lock().life;
        if life.id == id {
            life.knowledge = life.knowledge.after_stop(sent_at, &stop);
        }
        stop.err()
    }

    /// Releases the store's slot; returns whether none is left to release.
    pub(super) async fn release_slot(&self, supervisor: &Supervisor) -> bool {
        let (id, has_slot) = {
            let life = &self.lock().life;
            (life.id, life.has_slot)
        };
        if let Some(store) = supervisor.store().filter(|_| has_slot) {
            let released = match self.client.account() {
                Ok(account) => supervisor.with_store_timeout(store.release(account, id)).await,
                Err(error) => Err(error),
            };
            if let Err(error) = released {
                self.store_failed(id, error);
                return false;
            }
        }
        self.lock().life.has_slot = false;
        true
    }

    #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "only the log names the session"))]
    fn store_failed(&self, id: Uuid, error: StoreError) {
        #[cfg(feature = "tracing")]
        super::trace::store_failed(id, &error);
        self.send(SessionEvent::StoreFailed(Arc::new(error)));
    }
}

/// Whether the same call would fail again in the same way. A 404 that proves nothing may be a proxy's.
fn is_permanent(error: &Error) -> bool {
    let rejected = error.status().is_some_and(|status| (400..500).contains(&status));
    error.is_invalid_request() || (rejected && !matches!(error.status(), Some(404 | 408 | 429)))
}
