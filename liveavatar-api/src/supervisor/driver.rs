//! The task of one session: it keeps the session alive, has it replaced or ended in time, and stops it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use futures_util::future::join;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::Supervisor;
use super::knowledge::{Knowledge, Proof};
use super::open::rotate;
use super::status::{EndReason, SessionEvent, StopFailedCause};
use super::task::{SessionTask, Step};
use crate::calls::{GetSession, KeepSessionAlive, StopSession};
use crate::credential::Credential;
use crate::error::Error;
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

/// A call on the side. It is boxed, so that a waiting driver is small.
type Call<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Drives one session. If it is interrupted, another one takes over, or the session is reported.
pub(super) struct Driver {
    supervisor: Arc<Supervisor>,
    task: Arc<SessionTask>,
    number: u32,
    runtime: Option<Handle>,
}

impl Driver {
    pub(super) fn new(
        supervisor: &Arc<Supervisor>,
        task: &Arc<SessionTask>,
        number: u32,
        runtime: Option<Handle>,
    ) -> Self {
        Self { supervisor: Arc::clone(supervisor), task: Arc::clone(task), number, runtime }
    }

    pub(super) async fn run(self) {
        let (supervisor, task) = (&self.supervisor, &self.task);
        let Some(reason) = self.supervise().await else { return };
        match self.stop(reason.wire()).await {
            Some(Ok(())) => {}
            Some(Err(cause)) => return supervisor.report(task, cause),
            None => return,
        }
        let mut released = task.release_slot(supervisor).await;
        supervisor.settle(task);
        let mut pause = FIRST_PAUSE;
        for _ in 1..RELEASE_ATTEMPTS {
            if released {
                return;
            }
            self.pause(&mut pause, None).await;
            released = task.release_slot(supervisor).await;
        }
    }

    /// Keeps the session alive until it is to be stopped; returns `None` if another driver is in charge.
    async fn supervise(&self) -> Option<EndReason> {
        let (supervisor, task) = (&self.supervisor, &self.task);
        let (mut keep_alive, mut rotation) = (None::<Call<Option<EndReason>>>, None::<Call<()>>);
        loop {
            let (now, random) = (supervisor.clock().now(), supervisor.random());
            let step = task.next_step(self.number, now, keep_alive.is_some(), rotation.is_some(), random);
            let until = match step {
                Step::Wait(until) => until,
                Step::KeepAlive { id, call } => {
                    keep_alive =
                        Some(Box::pin(self::keep_alive(Arc::clone(supervisor), Arc::clone(task), id, call)));
                    continue;
                }
                Step::Rotate => {
                    rotation = Some(Box::pin(rotate(Arc::clone(supervisor), Arc::clone(task))));
                    continue;
                }
                Step::End(_) | Step::Leave => {
                    if let Some(rotation) = rotation {
                        // It may be starting a session; it completes and then stops that session.
                        tokio::spawn(rotation);
                    }
                    return if let Step::End(reason) = step { Some(reason) } else { None };
                }
            };
            let mut sleep =
                until.map(|until| supervisor.clock().sleep(until.duration_since(now).unwrap_or_default()));
            let mut woken = pin!(task.wake.notified());
            let ended = poll_fn(|context| {
                let ended = poll_call(&mut keep_alive, context);
                if ended.is_ready() {
                    return ended.map(Option::flatten);
                }
                let rotated = poll_call(&mut rotation, context).is_ready();
                let slept = sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(context).is_ready());
                if rotated || slept || woken.as_mut().poll(context).is_ready() {
                    return Poll::Ready(None);
                }
                Poll::Pending
            });
            // A running rotation replaces the session, so the handle does not end with it.
            if let Some(reason) = ended.await
                && rotation.is_none()
            {
                supervisor.end(task, reason);
            }
        }
    }

    /// Retries the stop until it is proved, or fails for good. Returns `None` if another driver is in charge.
    async fn stop(&self, reason: SessionEndReason) -> Option<Result<(), StopFailedCause>> {
        let clock = self.supervisor.clock();
        let began = clock.now();
        let mut pause = FIRST_PAUSE;
        loop {
            let known = self.task.known_by(self.number)?;
            if known.is_stopped() {
                return Some(Ok(()));
            }
            let sent_at = clock.now();
            let stopped = Box::pin(self.task.stop_once(&self.supervisor, reason)).await;
            let open_until = known.open_until(sent_at);
            match stopped {
                Ok(()) => continue,
                // While the start is open, no response is final.
                Err(_) if open_until.is_some() => {}
                Err(None) => {}
                Err(Some(error)) if is_permanent(&error) => {
                    return Some(Err(StopFailedCause::Rejected(Arc::new(error))));
                }
                Err(Some(error)) => {
                    if clock.now().duration_since(began).unwrap_or_default() >= STOP_LIMIT {
                        return Some(Err(StopFailedCause::Failed(Arc::new(error))));
                    }
                }
            }
            self.pause(&mut pause, open_until).await;
        }
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
    fn drop(&mut self) {
        let Self { supervisor, task, number, runtime } = self;
        let lost = task.driver_lost(*number);
        let panics = std::thread::panicking();
        if let Some(runtime) = &runtime {
            supervisor.leave(runtime.id(), lost.is_some() && !panics);
        }
        let Some(is_stopping) = lost else { return };
        if task.lock().life.knowledge.is_stopped() {
            supervisor.settle(task);
            return;
        }
        let next = if panics { runtime.take().filter(|_| !is_stopping) } else { supervisor.other_runtime() };
        match next {
            Some(_) => supervisor.drive(task, next),
            None => supervisor.report(task, StopFailedCause::NoRuntime),
        }
    }
}

/// Polls a call if there is one, and removes it when it has completed.
fn poll_call<T>(call: &mut Option<Call<T>>, context: &mut std::task::Context<'_>) -> Poll<Option<T>> {
    let Some(running) = call else { return Poll::Pending };
    running.as_mut().poll(context).map(|result| {
        *call = None;
        Some(result)
    })
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
            Some(store) => supervisor.with_store_timeout(store.renew(id)).await,
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
    /// Sends one stop and records a proof; an error is `None` if the stop succeeded without being a proof.
    pub(super) async fn stop_once(
        &self,
        supervisor: &Supervisor,
        reason: SessionEndReason,
    ) -> Result<(), Option<Error>> {
        let (id, known, token) = {
            let life = &self.lock().life;
            (life.id, life.knowledge, life.token.clone())
        };
        let sent_at = supervisor.clock().now();
        let client = &self.client.background;
        let mut result = StopSession::new(client).session_id(id).reason(reason).send().await.map(drop);
        if let Err(error) = &result
            && matches!(error.status(), Some(401 | 403))
            && let Ok(token) = Credential::session_token(token)
        {
            // The API key was revoked, for example; the session's own token can stop it, too.
            let bearer = Arc::new(client.with_credential(token));
            let by_token = StopSession::new(&bearer).session_id(id).reason(reason).send().await.map(drop);
            if !by_token.as_ref().is_err_and(is_permanent) {
                result = by_token;
            }
        }
        match Proof::of_stop(known, sent_at, &result) {
            Some(proof) => {
                let life = &mut self.lock().life;
                if life.id == id {
                    life.knowledge = Knowledge::Stopped(proof);
                }
                Ok(())
            }
            None => Err(result.err()),
        }
    }

    /// Releases the store's slot; returns whether none is left to release.
    pub(super) async fn release_slot(&self, supervisor: &Supervisor) -> bool {
        let (id, has_slot) = {
            let life = &self.lock().life;
            (life.id, life.has_slot)
        };
        if let Some(store) = supervisor.store().filter(|_| has_slot)
            && let Err(error) = supervisor.with_store_timeout(store.release(id)).await
        {
            self.store_failed(id, error);
            return false;
        }
        self.lock().life.has_slot = false;
        true
    }

    fn store_failed(&self, id: Uuid, error: crate::store::StoreError) {
        #[cfg(feature = "tracing")]
        super::trace::store_failed(id, &error);
        #[cfg(not(feature = "tracing"))]
        let _ = id;
        self.send(SessionEvent::StoreFailed(Arc::new(error)));
    }
}

/// Whether the same call would fail again in the same way. A 404 that is no proof may be a proxy's.
fn is_permanent(error: &Error) -> bool {
    let rejected = error.status().is_some_and(|status| (400..500).contains(&status));
    error.is_invalid_request() || (rejected && !matches!(error.status(), Some(404 | 408 | 429)))
}
