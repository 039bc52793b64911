//! The state of one supervised session, shared by its handle, its driver and the supervisor.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::runtime;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::Calls;
use super::knowledge::Knowledge;
use super::status::{EndReason, Listeners, SessionEvent, SessionEvents, State, Status, StopFailed};
use crate::secret::Secret;
use crate::types::{self, CreateSessionTokenBody};

/// Rotation begins this many warning times before the end: a start takes 4 s, on bad days 20 to 30 s (field reports).
const ROTATION_LEAD: u32 = 2;

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
    /// Wakes the driver after a change of its state.
    pub(super) wake: Notify,
    /// Created on the first call of [`watch`](Self::watch), because it uses more memory than everything else.
    watch: OnceLock<watch::Sender<Status>>,
    state: Mutex<TaskState>,
}

pub(super) struct TaskState {
    pub(super) life: Life,
    pub(super) status: Status,
    /// Set once the session is to be stopped.
    pub(super) end: Option<EndReason>,
    /// Set while the session is reported as possibly running.
    pub(super) reported: Option<StopFailed>,
    /// Whether the current session has replaced another one.
    pub(super) is_replacement: bool,
    /// The number of the driver in charge; older ones leave.
    pub(super) driver: u32,
    /// The runtime of that driver; `None` if there is none.
    pub(super) runtime: Option<runtime::Id>,
    pub(super) listeners: Listeners,
}

/// One session of the service. All times are set by its start.
pub(super) struct Life {
    pub(super) id: Uuid,
    pub(super) token: Secret,
    pub(super) knowledge: Knowledge,
    /// Whether the store may hold a slot for it.
    pub(super) has_slot: bool,
    response: Option<Arc<types::StartSessionResponse>>,
    /// When the start request was sent: the earliest time at which the session can have started.
    pub(super) sent_at: SystemTime,
    /// When the service ends the session at the earliest.
    pub(super) ends_at: Option<SystemTime>,
    /// The steps that remain before and at the end; the end is counted from the response to the start.
    pub(super) rotate_at: Option<SystemTime>,
    pub(super) warn_at: Option<SystemTime>,
    pub(super) end_at: Option<SystemTime>,
    /// The last proof that the service knows that the session is in use.
    pub(super) last_sign: SystemTime,
    /// When the store's record was last renewed.
    pub(super) last_renewal: SystemTime,
    /// The earliest time of the next keep-alive call, after a failed one.
    pub(super) not_before: SystemTime,
}

impl SessionTask {
    /// A session that has a token and was not started.
    pub(super) fn new(client: &Arc<Calls>, template: &Arc<Template>, id: Uuid, token: Secret) -> Self {
        let life = Life {
            id,
            token,
            knowledge: Knowledge::NotStarted,
            has_slot: false,
            response: None,
            sent_at: SystemTime::UNIX_EPOCH,
            ends_at: None,
            rotate_at: None,
            warn_at: None,
            end_at: None,
            last_sign: SystemTime::UNIX_EPOCH,
            last_renewal: SystemTime::UNIX_EPOCH,
            not_before: SystemTime::UNIX_EPOCH,
        };
        let state = TaskState {
            life,
            status: Status { id, state: State::Minted, ends_at: None, ends_soon: false },
            end: None,
            reported: None,
            is_replacement: false,
            driver: 0,
            runtime: None,
            listeners: Listeners::default(),
        };
        let options = template.options.clone();
        Self {
            client: Arc::clone(client),
            template: options.auto_rotate.then(|| Arc::clone(template)),
            options,
            wake: Notify::new(),
            watch: OnceLock::new(),
            state: Mutex::new(state),
        }
    }

    /// Records the response to a start.
    ///
    /// `random` in [0, 1) spreads the first keep-alives of sessions that are opened together. The service counts the session's
    /// duration from an unknown time between the request and the response.
    pub(super) fn set_started(
        &self,
        response: types::StartSessionResponse,
        max_duration: Option<Duration>,
        now: SystemTime,
        random: f64,
    ) {
        let mut state = self.lock();
        let life = &mut state.life;
        let seconds = response.max_session_duration.and_then(|seconds| u64::try_from(seconds).ok());
        let granted = seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs);
        if let Some(duration) = granted.or(max_duration)
            && let Some(end_at) = now.checked_add(duration)
            && let Some(ends_at) = life.sent_at.checked_add(duration)
        {
            let midpoint = life.sent_at + duration / 2;
            let before = |lead| ends_at.checked_sub(lead).map_or(midpoint, |at| at.max(midpoint));
            let lead = self.options.warn_before.saturating_mul(ROTATION_LEAD);
            life.rotate_at = self.options.auto_rotate.then(|| before(lead));
            life.warn_at = Some(before(self.options.warn_before));
            (life.ends_at, life.end_at) = (Some(ends_at), Some(end_at));
        }
        life.last_sign = now - self.options.keep_alive_interval.mul_f64(1.0 - random);
        life.last_renewal = life.last_sign;
        life.knowledge = Knowledge::Running;
        life.response = Some(Arc::new(response));
        let ends_at = life.ends_at;
        self.update(&mut state, |status| {
            status.ends_at = ends_at;
            if status.state == State::Minted {
                status.state = State::Started;
            }
        });
    }

    /// Records that the client no longer waits for the response to a start.
    pub(super) fn after_start(&self, now: SystemTime) {
        let life = &mut self.lock().life;
        life.knowledge = life.knowledge.after_start(now);
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
        let life = &self.lock().life;
        (life.id, life.response.clone().expect("a handle exists only after the start"))
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
        let life = &mut self.lock().life;
        if life.id == id {
            // Also if it is earlier than the last one: the clock may have gone back.
            life.last_sign = at;
        }
    }

    /// Asks the service at once whether the session `id` still runs, unless it was replaced.
    #[cfg(feature = "lite")]
    pub(crate) fn check(&self, id: Uuid) {
        let life = &mut self.lock().life;
        if life.id == id {
            (life.last_sign, life.not_before) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH);
            self.wake.notify_one();
        }
    }

    pub(super) fn is_ending(&self) -> bool {
        self.lock().end.is_some()
    }

    pub(super) fn send(&self, event: SessionEvent) {
        self.lock().listeners.send(event);
    }

    /// Sets the final state and closes the event channel; returns the session's id, or `None` if that was already done.
    pub(super) fn finish(&self, reported: Option<StopFailed>) -> Option<Uuid> {
        let mut state = self.lock();
        if state.status.state.is_over() {
            return None;
        }
        let ended = || State::Ended(state.end.clone().unwrap_or(EndReason::Dropped));
        let end = if reported.is_some() { State::StopFailed } else { ended() };
        state.reported = reported;
        self.update(&mut state, |status| status.state = end);
        state.listeners.close();
        Some(state.life.id)
    }

    /// Exchanges the current session with that of `new`, unless either is to be stopped.
    pub(super) fn replace_with(&self, new: &Self) -> bool {
        let (mut state, mut other) = (self.lock(), new.lock());
        if state.end.is_some() || other.end.is_some() {
            return false;
        }
        std::mem::swap(&mut state.life, &mut other.life);
        let (from, to, ends_at) = (other.life.id, state.life.id, state.life.ends_at);
        (other.status.id, state.is_replacement) = (from, true);
        state.listeners.send(SessionEvent::Rotated { from, to });
        self.update(&mut state, |status| {
            (status.id, status.ends_at, status.ends_soon) = (to, ends_at, false);
        });
        true
    }

    /// Changes the status, and publishes it if it differs.
    pub(super) fn update(&self, state: &mut TaskState, change: impl FnOnce(&mut Status)) {
        let before = state.status.clone();
        change(&mut state.status);
        if state.status.state != before.state {
            state.listeners.send(SessionEvent::State(state.status.state.clone()));
        }
        if let Some(watch) = self.watch.get().filter(|_| state.status != before) {
            watch.send_replace(state.status.clone());
        }
    }

    /// While this lock is held, only that of the random numbers is taken; a rotation also locks the new session.
    pub(super) fn lock(&self) -> MutexGuard<'_, TaskState> {
        // Code that holds the lock does not panic half-way, so the state is consistent even if the lock is poisoned.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
