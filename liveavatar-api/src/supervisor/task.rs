//! One supervised session as its handle sees it: kept alive, warned, rotated, ended.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::join;
use tokio::sync::watch;
use uuid::Uuid;

use super::Calls;
use super::Supervisor;
use super::status::{EndReason, Listeners, SessionEvent, SessionEvents, State, Status, StopFailed};
use super::stop_guard::{Begun, begin};
use crate::calls::Call as _;
use crate::error::Error;
use crate::store::StoreError;
use crate::types::{self, CreateSessionTokenBody};

/// A rotation begins so many warning times before the end: a start takes 4 s, and 20 to 30 s on bad days (field reports).
const ROTATE_BEFORE: u32 = 2;

/// After a failed keep-alive the next one comes after this part of the interval.
const SOONER: u32 = 4;

/// How a session is looked after.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) keep_alive: Duration,
    pub(crate) warn_before: Duration,
    pub(crate) rotating: bool,
}

/// What a further session is made of, as long as the handle lives.
pub(crate) struct RotationTemplate {
    pub(crate) client: Arc<Calls>,
    pub(crate) body: CreateSessionTokenBody,
    pub(crate) longest: Option<Duration>,
}

/// A supervised session; its handle and the supervisor share it.
pub(crate) struct SessionTask {
    supervisor: Arc<Supervisor>,
    terms: Terms,
    recipe: Option<Box<RotationTemplate>>,
    key: OnceLock<u64>,
    /// Made when somebody first watches; it takes more memory than all the rest.
    watch: OnceLock<watch::Sender<Status>>,
    plan: Mutex<Plan>,
}

struct Plan {
    status: Status,
    /// None as soon as the session is being ended.
    guard: Option<super::stop_guard::StopGuard>,
    started: Arc<types::StartSessionResponse>,
    /// When the next keep-alive is due.
    beat: SystemTime,
    beating: bool,
    /// The last sign of life that the service was given some other way.
    heard: Option<SystemTime>,
    /// What comes next on the way to the end, and when.
    step: Option<(SystemTime, Step)>,
    times: Option<Times>,
    /// A rotation is under way, and answers for the end.
    rotating: bool,
    /// The earliest time in the supervisor's queue.
    queued: Option<SystemTime>,
    listeners: Listeners,
    unstopped: Option<StopFailed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Rotate,
    Warn,
    End,
}

/// The end of a session's time, as far as it is known from outside.
#[derive(Clone, Copy)]
struct Times {
    half: SystemTime,
    /// The service may end it from here on, counted from when the start was sent.
    ends: SystemTime,
    /// It has ended by then, counted from when the start was answered.
    over: SystemTime,
}

impl Times {
    fn new(sent: SystemTime, answered: SystemTime, duration: Duration) -> Option<Self> {
        Some(Self {
            half: sent.checked_add(duration / 2)?,
            ends: sent.checked_add(duration)?,
            over: answered.checked_add(duration)?,
        })
    }

    /// So long before the end, but not in the session's first half.
    fn before(&self, lead: Duration) -> SystemTime {
        self.ends.checked_sub(lead).map_or(self.half, |at| at.max(self.half))
    }
}

impl SessionTask {
    /// Takes over a session that has just been started.
    pub(crate) fn new(
        supervisor: &Arc<Supervisor>,
        begun: Begun,
        terms: Terms,
        recipe: RotationTemplate,
    ) -> Arc<Self> {
        let now = supervisor.clock().now();
        let times = times(&begun, recipe.longest, now);
        // Sessions that are opened together are not kept alive together.
        let phase = terms.keep_alive.mul_f64(supervisor.random());
        let plan = Plan {
            status: Status {
                id: begun.guard.id(),
                state: State::Started,
                ends_at: times.map(|times| times.ends),
                ends_soon: false,
            },
            step: first_step(times.as_ref(), &terms),
            guard: Some(begun.guard),
            started: Arc::new(begun.started),
            beat: now + phase,
            beating: false,
            heard: None,
            times,
            rotating: false,
            queued: None,
            listeners: Listeners::default(),
            unstopped: None,
        };
        let recipe = terms.rotating.then(|| Box::new(recipe));
        let line = Self {
            supervisor: Arc::clone(supervisor),
            terms,
            recipe,
            key: OnceLock::new(),
            watch: OnceLock::new(),
            plan: Mutex::new(plan),
        };
        let line = Arc::new(line);
        supervisor.enrol(&line);
        line
    }

    pub(crate) fn supervisor(&self) -> &Arc<Supervisor> {
        &self.supervisor
    }

    pub(crate) fn set_key(&self, key: u64) {
        // Set once, by the one call of `enrol`.
        let _ = self.key.set(key);
    }

    fn key(&self) -> u64 {
        self.key.get().copied().unwrap_or_default()
    }

    pub(crate) fn status(&self) -> Status {
        self.plan().status.clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Status> {
        let plan = self.plan();
        self.watch.get_or_init(|| watch::Sender::new(plan.status.clone())).subscribe()
    }

    pub(crate) fn started(&self) -> Arc<types::StartSessionResponse> {
        Arc::clone(&self.plan().started)
    }

    pub(crate) fn events(&self) -> SessionEvents {
        self.plan().listeners.listen()
    }

    /// Why it may still run.
    pub(crate) fn failure(&self) -> Option<StopFailed> {
        self.plan().unstopped.clone()
    }

    /// The session takes commands from now on.
    ///
    /// Called by whoever knows: with the start today, by the LITE socket or the FULL room where there is one.
    pub(crate) fn ready(&self) {
        let mut plan = self.plan();
        if plan.status.state == State::Started {
            self.supervisor.note(plan.status.id, State::Ready);
            self.update(&mut plan, |status| status.state = State::Ready);
        }
    }

    /// The service has just had a sign of life of another kind, so that the next call can be spared.
    pub(crate) fn sign_of_life(&self) {
        self.plan().heard = Some(self.supervisor.clock().now());
    }

    /// Ends the session for a reason of ours; a session that was reported is tried again only where somebody asks for it.
    pub(crate) fn end(self: &Arc<Self>, reason: EndReason) {
        let (guard, id, state) = {
            let mut plan = self.plan();
            plan.step = None;
            let guard = plan.guard.take();
            if guard.is_some() {
                self.update(&mut plan, |status| status.state = State::Ending);
            }
            (guard, plan.status.id, plan.status.state.clone())
        };
        if let Some(guard) = guard {
            guard.stop(reason, Some(Arc::clone(self)));
            self.supervisor.leave(self.key());
        } else if state == State::StopFailed && reason == EndReason::Stopped {
            self.supervisor.stop_again(id, reason);
        }
    }

    /// Its stop is under way.
    pub(crate) fn ending(&self) {
        self.update(&mut self.plan(), |status| status.state = State::Ending);
    }

    /// It certainly does not run any more.
    pub(crate) fn ended(&self, reason: EndReason) {
        self.over(State::Ended(reason), None);
    }

    /// It was reported.
    pub(crate) fn unstopped(&self, unstopped: StopFailed) {
        self.over(State::StopFailed, Some(unstopped));
    }

    fn over(&self, state: State, unstopped: Option<StopFailed>) {
        let mut plan = self.plan();
        plan.unstopped = unstopped;
        self.update(&mut plan, |status| status.state = state);
        plan.listeners.close();
    }

    pub(crate) fn store_failed(&self, error: StoreError) {
        self.plan().listeners.tell(SessionEvent::StoreFailed(Arc::new(error)));
    }

    /// Changes the status for everybody who looks, and tells another state as an event.
    fn update(&self, plan: &mut Plan, change: impl FnOnce(&mut Status)) {
        let before = plan.status.clone();
        change(&mut plan.status);
        if plan.status == before {
            return;
        }
        if plan.status.state != before.state {
            plan.listeners.tell(SessionEvent::State(plan.status.state.clone()));
        }
        if let Some(watch) = self.watch.get() {
            watch.send_replace(plan.status.clone());
        }
    }

    /// Puts the next time at which there is something to do into the supervisor's queue.
    pub(crate) fn schedule(&self) {
        self.queue_next(&mut self.plan());
    }

    fn queue_next(&self, plan: &mut Plan) {
        if plan.guard.is_none() {
            return;
        }
        let next = plan.step.map_or(plan.beat, |(at, _)| at.min(plan.beat));
        if plan.queued.is_none_or(|queued| next < queued) {
            plan.queued = Some(next);
            self.supervisor.queue(next, self.key());
        }
    }

    /// Does what is due; `at` is the time in the queue that has come.
    pub(crate) fn attend(self: &Arc<Self>, at: SystemTime, now: SystemTime) {
        let (mut beats, mut rotates, mut ends) = (None, false, false);
        {
            let mut plan = self.plan();
            if plan.queued == Some(at) {
                plan.queued = None;
            }
            let Some(guard) = &plan.guard else { return };
            let (id, client) = (guard.id(), Arc::clone(guard.client()));
            while let (Some((due, step)), Some(times)) = (plan.step, plan.times)
                && due <= now
            {
                plan.step = match step {
                    Step::Rotate => {
                        plan.rotating = true;
                        rotates = true;
                        Some((times.before(self.terms.warn_before), Step::Warn))
                    }
                    Step::Warn => {
                        self.update(&mut plan, |status| status.ends_soon = true);
                        let left = times.ends.duration_since(now).unwrap_or_default();
                        plan.listeners.tell(SessionEvent::EndsSoon(left));
                        Some((times.over, Step::End))
                    }
                    Step::End => {
                        ends = !plan.rotating;
                        None
                    }
                };
            }
            if plan.beat <= now {
                // By the plan and not by now, so that a late one does not delay those after it.
                let interval = self.terms.keep_alive;
                plan.beat = (plan.beat + interval).max(now + interval / 2);
                let spared = plan
                    .heard
                    .is_some_and(|heard| now.duration_since(heard).is_ok_and(|since| since < interval));
                if !plan.beating {
                    plan.beating = true;
                    beats = Some((id, client, !spared));
                }
            }
            self.queue_next(&mut plan);
        }
        if ends {
            self.end(EndReason::MaxDuration);
        } else {
            if rotates {
                self.supervisor.spawn(Arc::clone(self).rotate());
            }
            if let Some((id, client, calls)) = beats {
                self.supervisor.spawn(Arc::clone(self).beat(id, client, calls));
            }
        }
    }

    /// Tells the service and the store that the session is alive.
    async fn beat(self: Arc<Self>, id: Uuid, client: Arc<Calls>, calls: bool) {
        let _beating = Beating(&self);
        let call = async {
            if !calls {
                return Ok(());
            }
            let body = types::KeepSessionAlive::builder().session_id(id);
            client.background.keep_session_alive().body(body).data().await.map(drop)
        };
        let renew = async {
            match self.supervisor.store() {
                Some(store) => self.supervisor.within(store.renew(id)).await,
                None => Ok(()),
            }
        };
        let (called, renewed) = join(call, renew).await;
        if let Err(error) = renewed {
            #[cfg(feature = "tracing")]
            super::trace::store_failed(id, &error);
            self.store_failed(error);
        }
        let gone = called.as_ref().is_err_and(Error::is_not_found);
        let guard = {
            let mut plan = self.plan();
            if plan.guard.as_ref().is_none_or(|guard| guard.id() != id) {
                return;
            }
            // While a rotation is under way the handle outlives the session.
            if gone && !plan.rotating {
                plan.guard.take()
            } else {
                if let Err(error) = called {
                    plan.listeners.tell(SessionEvent::KeepAliveFailed(Arc::new(error)));
                    let sooner = self.terms.keep_alive.mul_f64(0.5 + self.supervisor.random() / 2.0) / SOONER;
                    plan.beat = plan.beat.min(self.supervisor.clock().now() + sooner);
                    self.queue_next(&mut plan);
                }
                return;
            }
        };
        if let Some(guard) = guard {
            self.ending();
            self.supervisor.leave(self.key());
            guard.gone(Arc::clone(&self)).await;
        }
    }

    /// Puts another session into this one's place before its time is over; where that fails to the last, ends it.
    async fn rotate(self: Arc<Self>) {
        let _rotating = Rotating(&self);
        let Some(recipe) = &self.recipe else { return };
        let Some(times) = self.plan().times else { return };
        for again_at in [times.before(self.terms.warn_before), times.over] {
            if self.replace(recipe).await {
                return;
            }
            self.sleep_until(again_at).await;
        }
        // Where the account has one slot, it is free only now; the guard to stop stays with the line until it is replaced.
        let current = self.plan().guard.as_ref().map(|guard| (guard.id(), Arc::clone(guard.client())));
        let Some((id, client)) = current else { return };
        let body = types::StopSession::builder().session_id(id).reason(EndReason::MaxDuration.wire());
        // An error is no news: if the session has not ended, the start says so.
        let _ = client.background.stop_session().body(body).data().await;
        self.supervisor.clock().sleep(crate::store::SLOT_FREE_AFTER).await;
        if !self.replace(recipe).await {
            self.end(EndReason::MaxDuration);
        }
    }

    /// Opens another session for the handle and stops the one until now; whether no further try is needed.
    async fn replace(self: &Arc<Self>, recipe: &RotationTemplate) -> bool {
        let wanted = || match self.plan().guard {
            Some(_) => self.supervisor.check_open(),
            None => Err(Error::invalid_request("the session was ended meanwhile")),
        };
        let begun = match begin(&self.supervisor, &recipe.client, &recipe.body, recipe.longest, wanted).await
        {
            Ok(begun) => begun,
            Err(error) => {
                let plan = self.plan();
                plan.listeners.tell(SessionEvent::RotationFailed(Arc::new(error)));
                return plan.guard.is_none();
            }
        };
        let now = self.supervisor.clock().now();
        let phase = self.terms.keep_alive.mul_f64(self.supervisor.random());
        let times = times(&begun, recipe.longest, now);
        let Begun { guard, started, .. } = begun;
        let to = guard.id();
        let unneeded = {
            let mut plan = self.plan();
            if plan.guard.is_none() {
                guard
            } else {
                self.supervisor.note(to, State::Ready);
                plan.started = Arc::new(started);
                plan.beat = now + phase;
                plan.heard = None;
                plan.step = first_step(times.as_ref(), &self.terms);
                plan.times = times;
                plan.rotating = false;
                let Some(old) = plan.guard.replace(guard) else { return true };
                plan.listeners.tell(SessionEvent::Rotated { from: old.id(), to });
                self.update(&mut plan, |status| {
                    status.id = to;
                    status.ends_at = times.map(|times| times.ends);
                    status.ends_soon = false;
                });
                self.queue_next(&mut plan);
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

    fn plan(&self) -> MutexGuard<'_, Plan> {
        // Nothing under the lock panics half-way.
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the next keep-alive come, also after a panic in an observer or a store.
struct Beating<'a>(&'a SessionTask);

impl Drop for Beating<'_> {
    fn drop(&mut self) {
        self.0.plan().beating = false;
    }
}

/// Ends the session whose rotation was broken off, by a panic or with its runtime: nobody else answers for its end.
struct Rotating<'a>(&'a Arc<SessionTask>);

impl Drop for Rotating<'_> {
    fn drop(&mut self) {
        let broken_off = self.0.plan().rotating;
        if broken_off {
            self.0.end(EndReason::MaxDuration);
        }
    }
}

/// When the session's time is over, as the start said or, where it did not, as was asked for.
fn times(begun: &Begun, longest: Option<Duration>, now: SystemTime) -> Option<Times> {
    let said = begun.started.max_session_duration.and_then(|seconds| u64::try_from(seconds).ok());
    let said = said.filter(|seconds| *seconds > 0).map(Duration::from_secs);
    Times::new(begun.sent, now, said.or(longest)?)
}

fn first_step(times: Option<&Times>, terms: &Terms) -> Option<(SystemTime, Step)> {
    let times = times?;
    Some(if terms.rotating {
        (times.before(terms.warn_before * ROTATE_BEFORE), Step::Rotate)
    } else {
        (times.before(terms.warn_before), Step::Warn)
    })
}
