//! One supervised session: keep-alive, expiry warning, rotation and end.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::join;
use tokio::sync::watch;
use uuid::Uuid;

use super::Calls;
use super::Supervisor;
use super::status::{EndReason, Listeners, SessionEvent, SessionEvents, State, Status, StopFailed};
use super::stop_guard::{GuardedSession, StopGuard, mint_and_start};
use crate::calls::{KeepSessionAlive, StopSession};
use crate::error::Error;
use crate::store::StoreError;
use crate::types::{self, CreateSessionTokenBody};

/// Rotation begins this many warning times before the end: a start takes 4 s, on bad days 20 to 30 s (field reports).
const ROTATION_LEAD: u32 = 2;

/// A failed keep-alive is retried within this fraction of the interval.
const FAILED_KEEP_ALIVE_DIVISOR: u32 = 4;

/// The settings of a supervised session; see [`OpenSession`](crate::session::OpenSession).
#[derive(Clone, Debug)]
pub(crate) struct SessionOptions {
    pub(crate) keep_alive_interval: Duration,
    pub(crate) warn_before: Duration,
    pub(crate) auto_rotate: bool,
}

/// Everything needed to start a replacement session.
pub(crate) struct RotationTemplate {
    pub(crate) client: Arc<Calls>,
    pub(crate) body: CreateSessionTokenBody,
    pub(crate) max_duration: Option<Duration>,
}

/// A supervised session, shared by its handle and the supervisor.
pub(crate) struct SessionTask {
    supervisor: Arc<Supervisor>,
    options: SessionOptions,
    template: Option<Box<RotationTemplate>>,
    key: OnceLock<u64>,
    /// Created on the first call of [`watch`](Self::watch), because it uses more memory than everything else.
    watch: OnceLock<watch::Sender<Status>>,
    state: Mutex<TaskState>,
}

struct TaskState {
    status: Status,
    /// `None` once the session is being stopped.
    guard: Option<StopGuard>,
    started: Arc<types::StartSessionResponse>,
    next_keep_alive: SystemTime,
    keep_alive_running: bool,
    /// When the session was last kept alive in another way.
    last_activity: Option<SystemTime>,
    next_transition: Option<(SystemTime, Transition)>,
    expiry: Option<Expiry>,
    /// Whether a rotation is running, which then also handles the session's end.
    rotating: bool,
    /// The earliest time for this task in the supervisor's timer queue.
    next_timer: Option<SystemTime>,
    listeners: Listeners,
    stop_failure: Option<StopFailed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transition {
    Rotate,
    Warn,
    End,
}

/// When a session expires; the service counts from an unknown time between the start's request and response.
#[derive(Clone, Copy)]
struct Expiry {
    midpoint: SystemTime,
    /// Counted from the request.
    earliest: SystemTime,
    /// Counted from the response.
    latest: SystemTime,
}

impl Expiry {
    /// The maximum duration is that of the response or, if it has none, that of the configuration.
    fn of(session: &GuardedSession, max_duration: Option<Duration>, now: SystemTime) -> Option<Self> {
        let seconds = session.started.max_session_duration.and_then(|seconds| u64::try_from(seconds).ok());
        let granted = seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs);
        let duration = granted.or(max_duration)?;
        Some(Self {
            midpoint: session.sent_at.checked_add(duration / 2)?,
            earliest: session.sent_at.checked_add(duration)?,
            latest: now.checked_add(duration)?,
        })
    }

    /// The time `lead` before the end, but not before the midpoint.
    fn before(&self, lead: Duration) -> SystemTime {
        self.earliest.checked_sub(lead).map_or(self.midpoint, |at| at.max(self.midpoint))
    }

    fn first_transition(&self, options: &SessionOptions) -> (SystemTime, Transition) {
        if options.auto_rotate {
            (self.before(options.warn_before * ROTATION_LEAD), Transition::Rotate)
        } else {
            (self.before(options.warn_before), Transition::Warn)
        }
    }
}

impl SessionTask {
    /// Supervises a session that has just been started.
    pub(crate) fn new(
        supervisor: &Arc<Supervisor>,
        session: GuardedSession,
        options: SessionOptions,
        template: RotationTemplate,
    ) -> Arc<Self> {
        let now = supervisor.clock().now();
        let expiry = Expiry::of(&session, template.max_duration, now);
        let state = TaskState {
            status: Status {
                id: session.guard.id(),
                state: State::Started,
                ends_at: expiry.map(|expiry| expiry.earliest),
                ends_soon: false,
            },
            next_transition: expiry.map(|expiry| expiry.first_transition(&options)),
            guard: Some(session.guard),
            started: Arc::new(session.started),
            next_keep_alive: now + first_keep_alive(supervisor, &options),
            keep_alive_running: false,
            last_activity: None,
            expiry,
            rotating: false,
            next_timer: None,
            listeners: Listeners::default(),
            stop_failure: None,
        };
        let template = options.auto_rotate.then(|| Box::new(template));
        let task = Arc::new(Self {
            supervisor: Arc::clone(supervisor),
            options,
            template,
            key: OnceLock::new(),
            watch: OnceLock::new(),
            state: Mutex::new(state),
        });
        supervisor.add(&task);
        task
    }

    pub(crate) fn supervisor(&self) -> &Arc<Supervisor> {
        &self.supervisor
    }

    pub(crate) fn set_key(&self, key: u64) {
        // Called once, by `Supervisor::add`.
        let _ = self.key.set(key);
    }

    fn key(&self) -> u64 {
        self.key.get().copied().unwrap_or_default()
    }

    pub(crate) fn status(&self) -> Status {
        self.lock().status.clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Status> {
        let state = self.lock();
        self.watch.get_or_init(|| watch::Sender::new(state.status.clone())).subscribe()
    }

    pub(crate) fn started(&self) -> Arc<types::StartSessionResponse> {
        Arc::clone(&self.lock().started)
    }

    pub(crate) fn events(&self) -> SessionEvents {
        self.lock().listeners.subscribe()
    }

    /// Why the last stop failed.
    pub(crate) fn stop_failure(&self) -> Option<StopFailed> {
        self.lock().stop_failure.clone()
    }

    pub(crate) fn set_ready(&self) {
        let mut state = self.lock();
        if state.status.state == State::Started {
            self.supervisor.set_state(state.status.id, State::Ready);
            self.update(&mut state, |status| status.state = State::Ready);
        }
    }

    pub(crate) fn record_activity(&self) {
        self.lock().last_activity = Some(self.supervisor.clock().now());
    }

    /// Stops the session. One that was already reported is retried only on an explicit stop.
    pub(crate) fn end(self: &Arc<Self>, reason: EndReason) {
        let (guard, id, current) = {
            let mut state = self.lock();
            state.next_transition = None;
            let guard = state.guard.take();
            if guard.is_some() {
                self.update(&mut state, |status| status.state = State::Ending);
            }
            (guard, state.status.id, state.status.state.clone())
        };
        if let Some(guard) = guard {
            guard.stop(reason, Some(Arc::clone(self)));
            self.supervisor.remove(self.key());
        } else if current == State::StopFailed && reason == EndReason::Stopped {
            self.supervisor.retry_stop(id, reason);
        }
    }

    pub(crate) fn set_ending(&self) {
        self.update(&mut self.lock(), |status| status.state = State::Ending);
    }

    /// Sets the final state and closes the event channel.
    pub(crate) fn finish(&self, end: State, failed: Option<StopFailed>) {
        let mut state = self.lock();
        state.stop_failure = failed;
        self.update(&mut state, |status| status.state = end);
        state.listeners.close();
    }

    pub(crate) fn store_failed(&self, error: StoreError) {
        self.lock().listeners.send(SessionEvent::StoreFailed(Arc::new(error)));
    }

    /// Changes the status, and publishes it if it differs.
    fn update(&self, state: &mut TaskState, change: impl FnOnce(&mut Status)) {
        let before = state.status.clone();
        change(&mut state.status);
        if state.status == before {
            return;
        }
        if state.status.state != before.state {
            state.listeners.send(SessionEvent::State(state.status.state.clone()));
        }
        if let Some(watch) = self.watch.get() {
            watch.send_replace(state.status.clone());
        }
    }

    /// Adds the time of the next keep-alive or transition to the supervisor's timer queue.
    pub(crate) fn schedule(&self) {
        self.schedule_next(&mut self.lock());
    }

    fn schedule_next(&self, state: &mut TaskState) {
        if state.guard.is_none() {
            return;
        }
        let keep_alive = state.next_keep_alive;
        let next = state.next_transition.map_or(keep_alive, |(at, _)| at.min(keep_alive));
        if state.next_timer.is_none_or(|timer| next < timer) {
            state.next_timer = Some(next);
            self.supervisor.set_timer(next, self.key());
        }
    }

    /// Applies all transitions that are due, in order, and sends a keep-alive if one is due.
    ///
    /// `timer` is the time in the supervisor's queue that has been reached.
    pub(crate) fn run_due(self: &Arc<Self>, timer: SystemTime, now: SystemTime) {
        let (mut keep_alive, mut rotate, mut end) = (None, false, false);
        {
            let mut state = self.lock();
            if state.next_timer == Some(timer) {
                state.next_timer = None;
            }
            let Some(guard) = &state.guard else { return };
            let (id, client) = (guard.id(), Arc::clone(guard.client()));
            while let (Some((due, transition)), Some(expiry)) = (state.next_transition, state.expiry)
                && due <= now
            {
                state.next_transition = match transition {
                    Transition::Rotate => {
                        state.rotating = true;
                        rotate = true;
                        Some((expiry.before(self.options.warn_before), Transition::Warn))
                    }
                    Transition::Warn => {
                        self.update(&mut state, |status| status.ends_soon = true);
                        let left = expiry.earliest.duration_since(now).unwrap_or_default();
                        state.listeners.send(SessionEvent::EndsSoon(left));
                        Some((expiry.latest, Transition::End))
                    }
                    Transition::End => {
                        end = !state.rotating;
                        None
                    }
                };
            }
            if state.next_keep_alive <= now {
                // Counted from the planned time, so that a late keep-alive does not delay the following ones.
                let interval = self.options.keep_alive_interval;
                state.next_keep_alive = (state.next_keep_alive + interval).max(now + interval / 2);
                let skip_call = state
                    .last_activity
                    .is_some_and(|at| now.duration_since(at).is_ok_and(|since| since < interval));
                if !state.keep_alive_running {
                    state.keep_alive_running = true;
                    keep_alive = Some((id, client, !skip_call));
                }
            }
            self.schedule_next(&mut state);
        }
        if end {
            self.end(EndReason::MaxDuration);
        } else {
            if rotate {
                self.supervisor.spawn(Arc::clone(self).rotate());
            }
            if let Some((id, client, call_service)) = keep_alive {
                self.supervisor.spawn(Arc::clone(self).keep_alive(id, client, call_service));
            }
        }
    }

    /// Sends a keep-alive to the service, unless `call_service` is false, and renews the store's entry.
    async fn keep_alive(self: Arc<Self>, id: Uuid, client: Arc<Calls>, call_service: bool) {
        let _running = KeepAliveRunning(&self);
        let call = async {
            if !call_service {
                return Ok(());
            }
            KeepSessionAlive::new(&client.background).session_id(id).send().await.map(drop)
        };
        let renew = async {
            match self.supervisor.store() {
                Some(store) => {
                    let account = client.account()?;
                    self.supervisor.with_store_timeout(store.renew(account, id)).await
                }
                None => Ok(()),
            }
        };
        let (called, renewed) = join(call, renew).await;
        if let Err(error) = renewed {
            #[cfg(feature = "tracing")]
            super::trace::store_failed(id, &error);
            self.store_failed(error);
        }
        let gone = called.as_ref().is_err_and(Error::proves_gone);
        let guard = {
            let mut state = self.lock();
            if state.guard.as_ref().is_none_or(|guard| guard.id() != id) {
                return;
            }
            // A running rotation will replace the session, so the handle does not end with it.
            if gone && !state.rotating {
                state.guard.take()
            } else {
                if let Err(error) = called {
                    state.listeners.send(SessionEvent::KeepAliveFailed(Arc::new(error)));
                    let jitter = 0.5 + self.supervisor.random() / 2.0;
                    let pause = self.options.keep_alive_interval.mul_f64(jitter) / FAILED_KEEP_ALIVE_DIVISOR;
                    let retry_at = self.supervisor.clock().now() + pause;
                    state.next_keep_alive = state.next_keep_alive.min(retry_at);
                    self.schedule_next(&mut state);
                }
                return;
            }
        };
        if let Some(guard) = guard {
            self.set_ending();
            self.supervisor.remove(self.key());
            guard.ended_by_service(Arc::clone(&self)).await;
        }
    }

    /// Replaces the session before it expires; ends it if every attempt fails.
    async fn rotate(self: Arc<Self>) {
        let _rotating = RotationRunning(&self);
        let Some(template) = &self.template else { return };
        let Some(expiry) = self.lock().expiry else { return };
        for retry_at in [expiry.before(self.options.warn_before), expiry.latest] {
            if self.replace(template).await {
                return;
            }
            self.sleep_until(retry_at).await;
        }
        // An account with one slot needs the old one first. Its guard stays here until the session is replaced.
        let current = self.lock().guard.as_ref().map(|guard| (guard.id(), Arc::clone(guard.client())));
        let Some((id, client)) = current else { return };
        let reason = EndReason::MaxDuration.wire();
        // Ignore an error: if the old session still holds the slot, the start below fails.
        let _ = StopSession::new(&client.background).session_id(id).reason(reason).send().await;
        self.supervisor.clock().sleep(crate::store::SLOT_FREE_AFTER).await;
        if !self.replace(template).await {
            self.end(EndReason::MaxDuration);
        }
    }

    /// Starts a replacement and stops the old session; returns whether no further attempt is needed.
    async fn replace(self: &Arc<Self>, template: &RotationTemplate) -> bool {
        let RotationTemplate { client, body, max_duration } = template;
        let check_wanted = || match self.lock().guard {
            Some(_) => self.supervisor.check_open(),
            None => Err(Error::invalid_request("the session ended during its rotation")),
        };
        let started = mint_and_start(&self.supervisor, client, body, *max_duration, check_wanted).await;
        let new = match started {
            Ok(new) => new,
            Err(error) => {
                let state = self.lock();
                state.listeners.send(SessionEvent::RotationFailed(Arc::new(error)));
                return state.guard.is_none();
            }
        };
        let now = self.supervisor.clock().now();
        let next_keep_alive = now + first_keep_alive(&self.supervisor, &self.options);
        let expiry = Expiry::of(&new, *max_duration, now);
        let GuardedSession { guard, started, .. } = new;
        let to = guard.id();
        let unneeded = {
            let mut state = self.lock();
            if state.guard.is_none() {
                guard
            } else {
                self.supervisor.set_state(to, State::Ready);
                state.started = Arc::new(started);
                state.next_keep_alive = next_keep_alive;
                state.last_activity = None;
                state.next_transition = expiry.map(|expiry| expiry.first_transition(&self.options));
                state.expiry = expiry;
                state.rotating = false;
                let Some(old) = state.guard.replace(guard) else { return true };
                state.listeners.send(SessionEvent::Rotated { from: old.id(), to });
                self.update(&mut state, |status| {
                    status.id = to;
                    status.ends_at = expiry.map(|expiry| expiry.earliest);
                    status.ends_soon = false;
                });
                self.schedule_next(&mut state);
                old
            }
        };
        unneeded.stop(EndReason::Stopped, None);
        true
    }

    async fn sleep_until(&self, time: SystemTime) {
        let now = self.supervisor.clock().now();
        self.supervisor.clock().sleep(time.duration_since(now).unwrap_or_default()).await;
    }

    fn lock(&self) -> MutexGuard<'_, TaskState> {
        // Code that holds the lock does not panic half-way, so the state is consistent even if the lock is poisoned.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Allows the next keep-alive when dropped, even after a panic in an observer or a store.
struct KeepAliveRunning<'a>(&'a SessionTask);

impl Drop for KeepAliveRunning<'_> {
    fn drop(&mut self) {
        self.0.lock().keep_alive_running = false;
    }
}

/// Ends the session if its rotation is interrupted by a panic or a runtime shutdown, because no one else would.
struct RotationRunning<'a>(&'a Arc<SessionTask>);

impl Drop for RotationRunning<'_> {
    fn drop(&mut self) {
        let interrupted = self.0.lock().rotating;
        if interrupted {
            self.0.end(EndReason::MaxDuration);
        }
    }
}

/// A random time within the interval, so that sessions opened together do not send their keep-alives together.
fn first_keep_alive(supervisor: &Supervisor, options: &SessionOptions) -> Duration {
    options.keep_alive_interval.mul_f64(supervisor.random())
}
