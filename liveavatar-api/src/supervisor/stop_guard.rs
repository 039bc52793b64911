//! The guard that ensures that a session is stopped or reported, from before its start request until its stop is confirmed.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::Calls;
use super::Supervisor;
use super::status::{EndReason, State, StopFailed, StopFailedCause};
use super::task::SessionTask;
use crate::calls::{CreateSessionToken, GetSession, StartSession, StopSession};
use crate::credential::Credential;
use crate::error::Error;
use crate::types::{self, CreateSessionTokenBody, SessionEndReason};

/// How long a failed stop is retried before the session is reported: 5 min.
///
/// By then the service has ended the session for idleness (documentation), so a failed stop costs at most as much as a crash.
pub const STOP_LIMIT: Duration = Duration::from_secs(5 * 60);

/// The first pause between two stops; it doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);

const MAX_PAUSE: Duration = Duration::from_secs(30);

/// How long a start without a response may still take effect: this crate's own timeout for a start.
///
/// Until then, a 404 on stop only means that the session is not running yet.
const START_PENDING: Duration = Duration::from_secs(45);

/// Assumed maximum duration of a session if the plan's limit is not known.
const UNKNOWN_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// Attempts to release a slot before it is left to expire.
const RELEASE_ATTEMPTS: u32 = 6;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No start request was sent.
    Minted,
    /// The session may run.
    Live,
    /// A task is stopping the session; if it drops the guard, the session is reported.
    Stopping,
    /// The session does not run, or was reported.
    Settled,
}

/// Owns the obligation to stop one session.
///
/// If it is dropped early, by a panic, a cancelled task or a runtime shutdown, another task takes over. Without a running
/// runtime, the session is reported instead.
pub(crate) struct StopGuard {
    supervisor: Arc<Supervisor>,
    client: Arc<Calls>,
    id: Uuid,
    stage: Stage,
    /// Whether the store may hold a slot for the session.
    has_slot: bool,
    /// Until then, a start without a response may still take effect.
    start_pending_until: Option<SystemTime>,
    /// The task to notify of the result; set only while the session is being stopped.
    task: Option<Arc<SessionTask>>,
}

/// A session that has just been started, and its guard.
pub(crate) struct GuardedSession {
    pub(crate) guard: StopGuard,
    pub(crate) started: types::StartSessionResponse,
    /// When the start request was sent: the earliest time at which the session can have started.
    pub(crate) sent_at: SystemTime,
}

/// Mints and starts a session, unless `check_wanted` fails before the start request.
pub(crate) async fn mint_and_start(
    supervisor: &Arc<Supervisor>,
    client: &Arc<Calls>,
    body: &CreateSessionTokenBody,
    max_duration: Option<Duration>,
    check_wanted: impl Fn() -> Result<(), Error>,
) -> Result<GuardedSession, Error> {
    check_wanted()?;
    let token = CreateSessionToken::new(&client.raw).body(body.clone()).send().await?;
    check_wanted()?;
    let bearer = Arc::new(client.raw.with_credential(Credential::session_token(token.session_token)?));
    let mut guard = StopGuard::minted(supervisor, client, token.session_id);
    guard.acquire_slot(max_duration).await?;
    // On an error, the dropped guard releases the slot.
    check_wanted()?;

    guard.stage = Stage::Live;
    let sent_at = supervisor.clock().now();
    let error = match StartSession::new(&bearer).send().await {
        Ok(started) => {
            supervisor.set_state(guard.id, State::Started);
            return Ok(GuardedSession { guard, started, sent_at });
        }
        Err(error) => error,
    };
    if proves_not_started(&error) {
        guard.stage = Stage::Minted;
    } else {
        guard.start_pending_until = supervisor.clock().now().checked_add(START_PENDING);
        guard.stop(EndReason::Dropped, None);
    }
    Err(error)
}

impl StopGuard {
    fn minted(supervisor: &Arc<Supervisor>, client: &Arc<Calls>, id: Uuid) -> Self {
        supervisor.set_state(id, State::Minted);
        Self::new(supervisor, client, id, Stage::Minted, false)
    }

    /// A guard for retrying the stop of a reported session.
    pub(crate) fn for_retry(supervisor: &Arc<Supervisor>, client: &Arc<Calls>, id: Uuid) -> Self {
        Self::new(supervisor, client, id, Stage::Live, true)
    }

    fn new(
        supervisor: &Arc<Supervisor>,
        client: &Arc<Calls>,
        id: Uuid,
        stage: Stage,
        has_slot: bool,
    ) -> Self {
        let (supervisor, client) = (Arc::clone(supervisor), Arc::clone(client));
        Self { supervisor, client, id, stage, has_slot, start_pending_until: None, task: None }
    }

    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    pub(crate) fn client(&self) -> &Arc<Calls> {
        &self.client
    }

    async fn acquire_slot(&mut self, max_duration: Option<Duration>) -> Result<(), Error> {
        let Some(store) = self.supervisor.store() else { return Ok(()) };
        // Set first, because a cancelled or failed call may still acquire the slot.
        self.has_slot = true;
        let account = self.client.account()?;
        let now = self.supervisor.clock().wall_clock();
        let until = now.checked_add(max_duration.unwrap_or(UNKNOWN_DURATION) + START_PENDING);
        let acquire = store.acquire(account, self.id, until.unwrap_or(now + UNKNOWN_DURATION));
        self.supervisor.with_store_timeout(acquire).await.map_err(|error| {
            self.has_slot = !error.is_no_slot();
            Error::from(error)
        })
    }

    /// Stops the session in the background and notifies `task` of the result.
    pub(crate) fn stop(mut self, reason: EndReason, task: Option<Arc<SessionTask>>) {
        self.stage = Stage::Stopping;
        self.task = task;
        self.supervisor.set_state(self.id, State::Ending);
        let supervisor = Arc::clone(&self.supervisor);
        supervisor.spawn(self.run_stop(reason));
    }

    async fn run_stop(mut self, reason: EndReason) {
        match self.stop_until_confirmed(reason.wire()).await {
            Ok(()) => self.ended(reason).await,
            Err(cause) => self.report(cause),
        }
    }

    /// Handles a session that the service no longer knows: asks for the reason, confirms the stop and notifies `task`.
    pub(crate) async fn ended_by_service(mut self, task: Arc<SessionTask>) {
        self.stage = Stage::Stopping;
        self.task = Some(task);
        self.supervisor.set_state(self.id, State::Ending);
        let details = GetSession::new(&self.client.background).session_id(self.id).send().await;
        let reason = details.ok().and_then(|details| details.end_reason);
        self.run_stop(EndReason::Service(reason)).await;
    }

    /// Settles a session that is confirmed not to run.
    async fn ended(mut self, reason: EndReason) {
        let task = self.task.take();
        let released = self.release_slot().await;
        self.stage = Stage::Settled;
        self.supervisor.forget(self.id);
        if let Some(task) = task {
            task.finish(State::Ended(reason), None);
        }
        if released {
            return;
        }
        let mut pause = FIRST_PAUSE;
        for _ in 1..RELEASE_ATTEMPTS {
            self.pause(&mut pause).await;
            if self.release_slot().await {
                return;
            }
        }
    }

    /// Retries the stop until it is confirmed, is rejected, or [`STOP_LIMIT`] has passed.
    async fn stop_until_confirmed(&mut self, reason: SessionEndReason) -> Result<(), StopFailedCause> {
        let began = self.supervisor.clock().now();
        let mut pause = FIRST_PAUSE;
        loop {
            let stop = StopSession::new(&self.client.background).session_id(self.id).reason(reason);
            let result = stop.send().await;
            let now = self.supervisor.clock().now();
            let start_pending = self.start_pending_until.is_some_and(|until| now < until);
            let last = match result {
                Ok(_) => return Ok(()),
                Err(error) if error.proves_gone() && !start_pending => return Ok(()),
                Err(error) if error.proves_gone() => None,
                Err(error) if is_permanent(&error) => return Err(StopFailedCause::Rejected(Arc::new(error))),
                Err(error) => Some(error),
            };
            if let Some(last) = last
                && now.duration_since(began).unwrap_or_default() >= STOP_LIMIT
            {
                return Err(StopFailedCause::Failed(Arc::new(last)));
            }
            self.pause(&mut pause).await;
        }
    }

    /// Waits for `pause`, with jitter, and doubles it for the next time.
    async fn pause(&self, pause: &mut Duration) {
        let time = pause.mul_f64(0.5 + self.supervisor.random() / 2.0);
        *pause = (*pause * 2).min(MAX_PAUSE);
        self.supervisor.clock().sleep(time).await;
    }

    /// Releases the store's slot; returns whether none is left to release.
    async fn release_slot(&mut self) -> bool {
        if let Some(store) = self.supervisor.store().filter(|_| self.has_slot) {
            let released = match self.client.account() {
                Ok(account) => self.supervisor.with_store_timeout(store.release(account, self.id)).await,
                Err(error) => Err(error),
            };
            if let Some(error) = released.err() {
                #[cfg(feature = "tracing")]
                super::trace::store_failed(self.id, &error);
                if let Some(task) = &self.task {
                    task.store_failed(error);
                }
                return false;
            }
        }
        self.has_slot = false;
        true
    }

    /// Gives up and reports the session.
    fn report(&mut self, cause: StopFailedCause) {
        self.stage = Stage::Settled;
        let task = self.task.take();
        let failed = StopFailed { id: self.id, cause };
        self.supervisor.report(&failed, Arc::clone(&self.client), task.as_ref());
        if let Some(task) = task {
            task.finish(State::StopFailed, Some(failed));
        }
    }
}

impl Drop for StopGuard {
    fn drop(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Settled);
        let successor = |stage| Self::new(&self.supervisor, &self.client, self.id, stage, self.has_slot);
        match stage {
            Stage::Settled => {}
            Stage::Minted if self.has_slot => {
                self.supervisor.spawn(successor(Stage::Settled).ended(EndReason::Dropped));
                // Without a runtime the slot expires by itself; no session was started.
                self.supervisor.forget(self.id);
            }
            Stage::Minted => self.supervisor.forget(self.id),
            // Dropped during the start request, or by a panic.
            Stage::Live => {
                let mut successor = successor(Stage::Live);
                successor.start_pending_until = self.supervisor.clock().now().checked_add(START_PENDING);
                successor.stop(EndReason::Dropped, None);
            }
            Stage::Stopping => self.report(StopFailedCause::NoRuntime),
        }
    }
}

/// Whether a failed start proves that the session does not run; any other error leaves that open.
pub(crate) fn proves_not_started(error: &Error) -> bool {
    let rejected = match error.status() {
        // The service may reject a retry because an earlier attempt has started the session.
        Some(400 | 409) => error.attempts() < 2,
        Some(status) => (300..500).contains(&status) && status != 408,
        None => false,
    };
    rejected || !error.may_have_been_sent()
}

/// Whether the same call would fail again in the same way. A 404 that is no proof may be a proxy's.
fn is_permanent(error: &Error) -> bool {
    let rejected = error.status().is_some_and(|status| (400..500).contains(&status));
    error.is_invalid_request() || (rejected && !matches!(error.status(), Some(404 | 408 | 429)))
}

/// Runs a future in the caller's tracing span.
pub(crate) fn in_current_span<F: Future<Output = ()> + Send>(future: F) -> impl Future<Output = ()> + Send {
    #[cfg(feature = "tracing")]
    {
        use tracing::Instrument as _;
        future.in_current_span()
    }
    #[cfg(not(feature = "tracing"))]
    future
}
