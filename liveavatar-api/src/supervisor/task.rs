//! The state of one supervised session, shared by its handle, its driver and the supervisor.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::runtime;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::Calls;
use super::knowledge::Knowledge;
use super::status::{EndReason, Listeners, SessionEvent, SessionEvents, State, Status, StopFailed};
use crate::error::Error;
use crate::secret::Secret;
use crate::types::{self, CreateSessionTokenBody};

/// Rotation begins this many warning times before the end: a start takes 4 s, on bad days 20 to 30 s (field reports).
const ROTATION_LEAD: u32 = 2;

/// A session is not replaced earlier than this after its start, because each start costs at least one credit.
const MIN_ROTATION_INTERVAL: Duration = Duration::from_secs(15);

/// A failed keep-alive is retried within this fraction of the interval.
const FAILED_KEEP_ALIVE_DIVISOR: u32 = 4;

/// The settings of a supervised session; see [`OpenSession`](crate::session::OpenSession).
#[derive(Clone, Debug)]
pub(crate) struct SessionOptions {
    pub(crate) keep_alive_interval: Duration,
    pub(crate) warn_before: Duration,
    pub(crate) auto_rotate: bool,
}

/// Everything needed to start a session and its replacements.
pub(crate) struct Template {
    pub(crate) body: CreateSessionTokenBody,
    pub(crate) max_duration: Option<Duration>,
    pub(crate) options: SessionOptions,
}

/// A supervised session. After a rotation, it is another session of the service.
pub(crate) struct SessionTask {
    pub(super) client: Arc<Calls>,
    pub(super) options: SessionOptions,
    /// Set if the session is replaced before it expires.
    pub(super) template: Option<Arc<Template>>,
    /// Wakes the driver after a change of `end` or `keep_alive_at`.
    pub(super) wake: Notify,
    /// Created on the first call of [`watch`](Self::watch), because it uses more memory than everything else.
    watch: OnceLock<watch::Sender<Status>>,
    state: Mutex<TaskState>,
}

/// One session of the service.
pub(super) struct Life {
    pub(super) id: Uuid,
    pub(super) token: Secret,
    pub(super) knowledge: Knowledge,
    /// Whether the store may hold a slot for it.
    pub(super) has_slot: bool,
    started: Option<Started>,
}

/// A session whose start was confirmed.
struct Started {
    response: Arc<types::StartSessionResponse>,
    sent_at: SystemTime,
    expiry: Option<Expiry>,
    transition: Option<(SystemTime, Transition)>,
    /// The last proof that the service knows that the session is in use.
    last_sign: SystemTime,
    /// When the store's record was last renewed.
    last_tick: SystemTime,
    /// The earliest time of the next keep-alive call, after a failed one.
    not_before: SystemTime,
}

pub(super) struct TaskState {
    pub(super) life: Life,
    status: Status,
    /// Set once the session is to be stopped.
    end: Option<EndReason>,
    /// Set while the session is reported as possibly running.
    reported: Option<StopFailed>,
    /// The number of the driver that is in charge; older ones leave.
    driver: u32,
    /// The runtime of that driver; `None` if there is none.
    runtime: Option<runtime::Id>,
    listeners: Listeners,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transition {
    Rotate,
    Warn,
    End,
}

/// What a driver has to do next.
pub(super) enum Step {
    Wait(Option<SystemTime>),
    /// Renew the record in the store, and call the service if `call` is set.
    KeepAlive {
        id: Uuid,
        call: bool,
    },
    Rotate,
    End(EndReason),
    /// Another driver is in charge.
    Leave,
}

/// What follows from a request to end a session.
pub(super) enum Ending {
    Nothing,
    /// It is known not to run.
    Settle,
    /// Its driver stops it.
    Wake,
    /// A new driver is needed.
    Drive,
}

/// When a session expires; the service counts from an unknown time between the start's request and response.
#[derive(Clone, Copy)]
pub(super) struct Expiry {
    midpoint: SystemTime,
    /// Counted from the request.
    earliest: SystemTime,
    /// Counted from the response.
    pub(super) latest: SystemTime,
}

impl Expiry {
    /// The maximum duration is that of the response or, if it has none, that of the configuration.
    fn of(
        response: &types::StartSessionResponse,
        max_duration: Option<Duration>,
        sent_at: SystemTime,
        now: SystemTime,
    ) -> Option<Self> {
        let seconds = response.max_session_duration.and_then(|seconds| u64::try_from(seconds).ok());
        let granted = seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs);
        let duration = granted.or(max_duration)?;
        Some(Self {
            midpoint: sent_at.checked_add(duration / 2)?,
            earliest: sent_at.checked_add(duration)?,
            latest: now.checked_add(duration)?,
        })
    }

    /// The time `lead` before the end, but not before the midpoint.
    pub(super) fn before(&self, lead: Duration) -> SystemTime {
        self.earliest.checked_sub(lead).map_or(self.midpoint, |at| at.max(self.midpoint))
    }

    fn first_transition(&self, options: &SessionOptions) -> (SystemTime, Transition) {
        if options.auto_rotate {
            (self.before(options.warn_before.saturating_mul(ROTATION_LEAD)), Transition::Rotate)
        } else {
            (self.before(options.warn_before), Transition::Warn)
        }
    }
}

impl SessionTask {
    /// A session that has a token and was not started.
    pub(super) fn new(client: &Arc<Calls>, template: &Arc<Template>, id: Uuid, token: Secret) -> Self {
        let options = template.options.clone();
        let life = Life { id, token, knowledge: Knowledge::NotStarted, has_slot: false, started: None };
        let state = TaskState {
            life,
            status: Status { id, state: State::Minted, ends_at: None, ends_soon: false },
            end: None,
            reported: None,
            driver: 0,
            runtime: None,
            listeners: Listeners::default(),
        };
        Self {
            client: Arc::clone(client),
            template: options.auto_rotate.then(|| Arc::clone(template)),
            options,
            wake: Notify::new(),
            watch: OnceLock::new(),
            state: Mutex::new(state),
        }
    }

    /// Records that a start request is about to be sent; returns false if the session was ended before.
    pub(super) fn begin_start(&self, now: SystemTime) -> bool {
        let mut state = self.lock();
        if state.end.is_none() {
            state.life.knowledge = Knowledge::starting(now);
        }
        state.end.is_none()
    }

    /// Records the start's response. `random` in [0, 1) spreads the first keep-alives of sessions that are opened together.
    pub(super) fn started_with(
        &self,
        response: types::StartSessionResponse,
        max_duration: Option<Duration>,
        sent_at: SystemTime,
        now: SystemTime,
        random: f64,
    ) {
        let expiry = Expiry::of(&response, max_duration, sent_at, now);
        let last_sign = now - self.options.keep_alive_interval.mul_f64(1.0 - random);
        let mut state = self.lock();
        state.life.knowledge = Knowledge::Running;
        state.life.started = Some(Started {
            response: Arc::new(response),
            sent_at,
            expiry,
            transition: expiry.map(|expiry| expiry.first_transition(&self.options)),
            last_sign,
            last_tick: last_sign,
            not_before: now,
        });
        self.update(&mut state, |status| {
            status.ends_at = expiry.map(|expiry| expiry.earliest);
            if status.state == State::Minted {
                status.state = State::Started;
            }
        });
    }

    pub(crate) fn status(&self) -> Status {
        self.lock().status.clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Status> {
        let state = self.lock();
        self.watch.get_or_init(|| watch::Sender::new(state.status.clone())).subscribe()
    }

    /// The id of the current session, and the response to its start.
    pub(crate) fn current(&self) -> (Uuid, Arc<types::StartSessionResponse>) {
        let state = self.lock();
        let started = state.life.started.as_ref().expect("a handle exists only after the start");
        (state.life.id, Arc::clone(&started.response))
    }

    pub(crate) fn events(&self) -> SessionEvents {
        self.lock().listeners.subscribe()
    }

    /// Why the last stop failed.
    pub(crate) fn stop_failure(&self) -> Option<StopFailed> {
        self.lock().reported.clone()
    }

    /// Records that the session `id` was in use at a time, unless it was replaced.
    pub(crate) fn record_sign(&self, id: Uuid, at: SystemTime) {
        let mut state = self.lock();
        if state.life.id == id
            && let Some(started) = &mut state.life.started
        {
            started.last_sign = started.last_sign.max(at);
        }
    }

    /// Asks the service at once whether the session `id` still runs, unless it was replaced.
    #[cfg(feature = "lite")]
    pub(crate) fn check(&self, id: Uuid) {
        let mut state = self.lock();
        if state.life.id == id
            && let Some(started) = &mut state.life.started
        {
            started.last_sign = SystemTime::UNIX_EPOCH;
            started.not_before = SystemTime::UNIX_EPOCH;
            self.wake.notify_one();
        }
    }

    pub(super) fn is_ending(&self) -> bool {
        self.lock().end.is_some()
    }

    pub(super) fn expiry(&self) -> Option<Expiry> {
        self.lock().life.started.as_ref()?.expiry
    }

    pub(super) fn send(&self, event: SessionEvent) {
        self.lock().listeners.send(event);
    }

    /// Puts a new driver in charge and returns its number.
    pub(super) fn next_driver(&self, runtime: Option<runtime::Id>) -> u32 {
        let mut state = self.lock();
        state.driver = state.driver.wrapping_add(1);
        state.runtime = runtime;
        // The previous driver leaves.
        self.wake.notify_one();
        state.driver
    }

    /// What is known of the session, for the driver in charge.
    pub(super) fn known_by(&self, driver: u32) -> Option<Knowledge> {
        let state = self.lock();
        (state.driver == driver).then_some(state.life.knowledge)
    }

    /// Removes an interrupted driver; returns whether the session was to be stopped, or `None` if nothing is left to do.
    pub(super) fn driver_lost(&self, driver: u32) -> Option<bool> {
        let mut state = self.lock();
        if state.driver != driver {
            return None;
        }
        state.runtime = None;
        (!state.status.state.is_over()).then_some(state.end.is_some())
    }

    /// Requests the end of the session. One that was reported is stopped again only on an explicit request.
    ///
    /// An explicit request from another runtime than the driver's needs a new driver, because the old one may be idle.
    pub(super) fn request_end(&self, reason: EndReason, here: Option<runtime::Id>) -> Ending {
        let mut state = self.lock();
        let is_explicit = reason == EndReason::Stopped;
        let is_over = state.status.state.is_over();
        state.life.knowledge = state.life.knowledge.without_start();
        if state.reported.is_some() && !is_explicit || state.life.knowledge.is_stopped() && is_over {
            return Ending::Nothing;
        }
        if is_over {
            // It was reported, or its start took effect after the proof that it would not.
            (state.reported, state.end) = (None, Some(reason));
        } else {
            state.end.get_or_insert(reason);
        }
        if state.life.knowledge.is_stopped() {
            return Ending::Settle;
        }
        self.update(&mut state, |status| status.state = State::Ending);
        match state.runtime {
            Some(runtime) if !is_explicit || here.is_none_or(|here| here == runtime) => Ending::Wake,
            _ => Ending::Drive,
        }
    }

    /// Sets the state to ended; returns the session's id, or `None` if it already was.
    pub(super) fn settle(&self) -> Option<Uuid> {
        let mut state = self.lock();
        if state.status.state.is_over() {
            return None;
        }
        let reason = state.end.clone().unwrap_or(EndReason::Stopped);
        self.finish(&mut state, State::Ended(reason));
        Some(state.life.id)
    }

    pub(super) fn set_reported(&self, failed: StopFailed) {
        let mut state = self.lock();
        state.reported = Some(failed);
        self.finish(&mut state, State::StopFailed);
    }

    fn finish(&self, state: &mut TaskState, end: State) {
        self.update(state, |status| status.state = end);
        state.listeners.close();
    }

    /// Exchanges the current session with that of `new`, unless either is to be stopped.
    pub(super) fn replace_with(&self, new: &Self) -> bool {
        let (mut state, mut other) = (self.lock(), new.lock());
        if state.end.is_some() || other.end.is_some() {
            return false;
        }
        std::mem::swap(&mut state.life, &mut other.life);
        let (from, to) = (other.life.id, state.life.id);
        other.status.id = from;
        state.listeners.send(SessionEvent::Rotated { from, to });
        let expiry = state.life.started.as_ref().and_then(|started| started.expiry);
        self.update(&mut state, |status| {
            status.id = to;
            status.ends_at = expiry.map(|expiry| expiry.earliest);
            status.ends_soon = false;
        });
        true
    }

    /// Applies all transitions that are due, in order, and returns what `driver` has to do next.
    ///
    /// A running rotation also handles the session's end. `random` is jitter in [0, 1).
    pub(super) fn next_step(
        &self,
        driver: u32,
        now: SystemTime,
        calling: bool,
        rotating: bool,
        random: f64,
    ) -> Step {
        let mut guard = self.lock();
        let state = &mut *guard;
        if state.driver != driver {
            return Step::Leave;
        }
        if let Some(reason) = &state.end {
            return Step::End(reason.clone());
        }
        let Some(started) = &mut state.life.started else { return Step::Wait(None) };
        while let (Some((due, transition)), Some(expiry)) = (started.transition, started.expiry)
            && due <= now
        {
            let warning = expiry.before(self.options.warn_before);
            match transition {
                Transition::Rotate => {
                    started.transition = Some((warning, Transition::Warn));
                    let age = due.duration_since(started.sent_at).unwrap_or_default();
                    if age >= MIN_ROTATION_INTERVAL {
                        return Step::Rotate;
                    }
                    let least = MIN_ROTATION_INTERVAL.as_secs();
                    let error = Error::invalid_request(format!(
                        "the session ends too soon to be replaced: a rotation needs at least {least} s after the start"
                    ));
                    state.listeners.send(SessionEvent::RotationFailed(Arc::new(error)));
                }
                Transition::Warn => {
                    started.transition = Some((expiry.latest, Transition::End));
                    state.status.ends_soon = true;
                    if let Some(watch) = self.watch.get() {
                        watch.send_replace(state.status.clone());
                    }
                    let left = expiry.earliest.duration_since(now).unwrap_or_default();
                    state.listeners.send(SessionEvent::EndsSoon(left));
                }
                Transition::End if rotating => break,
                Transition::End => {
                    state.end = Some(EndReason::MaxDuration);
                    self.update(state, |status| status.state = State::Ending);
                    return Step::End(EndReason::MaxDuration);
                }
            }
        }
        let transition = started.transition.map(|(due, _)| due).filter(|due| *due > now);
        if calling {
            return Step::Wait(transition);
        }
        let interval = self.options.keep_alive_interval;
        let call_at = (started.last_sign + interval).max(started.not_before);
        // If the clock went back, the session has been silent for an unknown time.
        let went_back = now < started.last_tick;
        let due = call_at.min(started.last_tick + interval);
        if due > now && !went_back {
            return Step::Wait(Some(transition.map_or(due, |transition| transition.min(due))));
        }
        let call = call_at <= now || went_back;
        started.last_tick = now;
        if call {
            started.not_before = now + interval.mul_f64(0.5 + random / 2.0) / FAILED_KEEP_ALIVE_DIVISOR;
        }
        Step::KeepAlive { id: state.life.id, call }
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

    /// Take this lock last: no other lock is taken while it is held, except by a rotation, that of the new session.
    pub(super) fn lock(&self) -> MutexGuard<'_, TaskState> {
        // Code that holds the lock does not panic half-way, so the state is consistent even if the lock is poisoned.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
