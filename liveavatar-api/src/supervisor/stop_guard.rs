//! The guard to stop a session: it begins before the start is sent, and ends with certainty or with a report.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::Calls;
use super::Supervisor;
use super::status::{EndReason, State, StopFailed, StopFailedCause};
use super::task::SessionTask;
use crate::calls::Call as _;
use crate::credential::Credential;
use crate::error::Error;
use crate::types::{self, CreateSessionTokenBody, SessionEndReason};

/// How long the stop of a session is repeated before the session is reported as not certainly stopped.
///
/// It is the time after which the service ends a session without a sign of life (documentation), so that what was lost by
/// then is at most what a crash would have cost.
pub const STOP_LIMIT: Duration = Duration::from_secs(5 * 60);

/// The first pause between two stops; each later one is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// No pause between two stops is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A start that was sent and not answered may still take effect for so long: what the crate grants one anyway.
///
/// Until then a 404 on stop only says that the session does not run yet.
const START_OPEN: Duration = Duration::from_secs(45);

/// Where the plan's limit is not known, a session is taken to end within a day.
const UNKNOWN_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// A slot is given back so many times before it is left to its lease.
const GIVE_BACKS: u32 = 6;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was sent that starts it.
    Minted,
    /// It may run.
    Live,
    /// Its stop is under way; whoever drops this now has nobody left to do it.
    Stopping,
    /// It does not run, or was reported.
    Settled,
}

/// Answers for one session until it is certain that it does not run.
///
/// Dropped before, by a panic, a cancelled task or a runtime's end, it passes the guard on to a task; where none can run, it
/// reports the session.
pub(crate) struct StopGuard {
    supervisor: Arc<Supervisor>,
    client: Arc<Calls>,
    id: Uuid,
    stage: Stage,
    /// Whether the store holds a slot for it.
    taken: bool,
    /// The start's outcome is open until then.
    unsure_until: Option<SystemTime>,
    /// Who wants to know how it ended; only while it is being stopped.
    line: Option<Arc<SessionTask>>,
}

/// A session that has just been started.
pub(crate) struct Begun {
    pub(crate) guard: StopGuard,
    pub(crate) started: types::StartSessionResponse,
    /// When the start was sent: the service counts from then at the earliest.
    pub(crate) sent: SystemTime,
}

/// Mints and starts a session, unless nobody `wants` it any more before it is started.
pub(crate) async fn begin(
    supervisor: &Arc<Supervisor>,
    client: &Arc<Calls>,
    body: &CreateSessionTokenBody,
    longest: Option<Duration>,
    wanted: impl Fn() -> Result<(), Error>,
) -> Result<Begun, Error> {
    wanted()?;
    let token = client.raw.create_session_token().body(body.clone()).data().await?;
    wanted()?;
    let bearer = client.raw.with_credential(Credential::session_token(token.session_token)?);
    let mut guard = StopGuard::minted(supervisor, client, token.session_id);
    guard.take_slot(longest).await?;
    // Dropping the guard gives the slot back.
    wanted()?;

    guard.stage = Stage::Live;
    let sent = supervisor.clock().now();
    let error = match bearer.start_session().data().await {
        Ok(started) => {
            supervisor.note(guard.id, State::Started);
            return Ok(Begun { guard, started, sent });
        }
        Err(error) => error,
    };
    if certainly_not_started(&error) {
        guard.stage = Stage::Minted;
    } else {
        guard.unsure_until = supervisor.clock().now().checked_add(START_OPEN);
        guard.stop(EndReason::Dropped, None);
    }
    Err(error)
}

impl StopGuard {
    fn minted(supervisor: &Arc<Supervisor>, client: &Arc<Calls>, id: Uuid) -> Self {
        supervisor.note(id, State::Minted);
        Self {
            supervisor: Arc::clone(supervisor),
            client: Arc::clone(client),
            id,
            stage: Stage::Minted,
            taken: false,
            unsure_until: None,
            line: None,
        }
    }

    /// The guard for a session that was reported, to try again.
    pub(crate) fn again(supervisor: &Arc<Supervisor>, client: Arc<Calls>, id: Uuid) -> Self {
        let supervisor = Arc::clone(supervisor);
        Self { supervisor, client, id, stage: Stage::Live, taken: true, unsure_until: None, line: None }
    }

    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    pub(crate) fn client(&self) -> &Arc<Calls> {
        &self.client
    }

    async fn take_slot(&mut self, longest: Option<Duration>) -> Result<(), Error> {
        let Some(store) = self.supervisor.store() else { return Ok(()) };
        // A slot whose taking was cancelled may be taken.
        self.taken = true;
        let now = self.supervisor.clock().now();
        let until = now.checked_add(longest.unwrap_or(UNKNOWN_DURATION) + START_OPEN);
        let take = store.acquire(self.id, until.unwrap_or(now + UNKNOWN_DURATION));
        self.supervisor.within(take).await.map_err(|error| {
            self.taken = !error.is_no_slot();
            Error::from(error)
        })
    }

    /// Stops the session in a task of its own, and tells `line` how it ended.
    pub(crate) fn stop(mut self, reason: EndReason, line: Option<Arc<SessionTask>>) {
        self.stage = Stage::Stopping;
        self.line = line;
        self.supervisor.note(self.id, State::Ending);
        let supervisor = Arc::clone(&self.supervisor);
        supervisor.spawn(self.stopping(reason));
    }

    async fn stopping(mut self, reason: EndReason) {
        match self.until_certain(reason.wire()).await {
            Ok(()) => self.ended(reason).await,
            Err(cause) => self.report(cause),
        }
    }

    /// The service does not know the session any more; asks why, makes sure of it, and tells `line`.
    pub(crate) async fn gone(mut self, line: Arc<SessionTask>) {
        self.stage = Stage::Stopping;
        self.line = Some(line);
        self.supervisor.note(self.id, State::Ending);
        let details = self.client.background.get_session().session_id(self.id.to_string()).data().await;
        let reason = details.ok().and_then(|details| details.end_reason);
        self.stopping(EndReason::Service(reason)).await;
    }

    /// The session certainly does not run.
    async fn ended(mut self, reason: EndReason) {
        let line = self.line.take();
        let given = self.release().await;
        self.stage = Stage::Settled;
        self.supervisor.forget(self.id);
        if let Some(line) = line {
            line.ended(reason);
        }
        if given {
            return;
        }
        let mut pause = FIRST_PAUSE;
        for _ in 1..GIVE_BACKS {
            self.pause(&mut pause).await;
            if self.release().await {
                return;
            }
        }
    }

    /// Repeats the stop until it is certain that the session does not run, or that no stop helps.
    async fn until_certain(&mut self, reason: SessionEndReason) -> Result<(), StopFailedCause> {
        let began = self.supervisor.clock().now();
        let mut pause = FIRST_PAUSE;
        loop {
            let body = types::StopSession::builder().session_id(self.id).reason(reason);
            let result = self.client.background.stop_session().body(body).data().await;
            let now = self.supervisor.clock().now();
            let last = match result {
                Ok(_) => return Ok(()),
                Err(error) if error.is_not_found() && self.unsure_until.is_none_or(|until| now >= until) => {
                    return Ok(());
                }
                Err(error) if error.is_not_found() => None,
                Err(error) if is_definite(&error) => return Err(StopFailedCause::Refused(Arc::new(error))),
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

    /// Waits, with jitter, and longer the next time.
    async fn pause(&self, pause: &mut Duration) {
        let time = pause.mul_f64(0.5 + self.supervisor.random() / 2.0);
        *pause = (*pause * 2).min(LONGEST_PAUSE);
        self.supervisor.clock().sleep(time).await;
    }

    /// Gives the store's slot back; whether there is none left to give back.
    async fn release(&mut self) -> bool {
        if let Some(store) = self.supervisor.store().filter(|_| self.taken) {
            let given = self.supervisor.within(store.release(self.id)).await;
            if let Some(error) = given.err() {
                #[cfg(feature = "tracing")]
                super::trace::store_failed(self.id, &error);
                if let Some(line) = &self.line {
                    line.store_failed(error);
                }
                return false;
            }
        }
        self.taken = false;
        true
    }

    /// Gives up: the session may run, and everybody is told.
    fn report(&mut self, cause: StopFailedCause) {
        self.stage = Stage::Settled;
        let line = self.line.take();
        let unstopped = StopFailed { id: self.id, cause };
        self.supervisor.report(&unstopped, Arc::clone(&self.client), line.as_ref());
        if let Some(line) = line {
            line.unstopped(unstopped);
        }
    }
}

impl Drop for StopGuard {
    fn drop(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Settled);
        let heir = || Self {
            supervisor: Arc::clone(&self.supervisor),
            client: Arc::clone(&self.client),
            id: self.id,
            stage,
            taken: self.taken,
            unsure_until: self.unsure_until,
            line: None,
        };
        match stage {
            Stage::Settled => {}
            Stage::Minted if self.taken => {
                let mut heir = heir();
                heir.stage = Stage::Settled;
                self.supervisor.spawn(heir.ended(EndReason::Dropped));
                // Where nothing runs, the slot's lease ends by itself; there is no session that could go on.
                self.supervisor.forget(self.id);
            }
            Stage::Minted => self.supervisor.forget(self.id),
            // Dropped while its start was under way, or by a panic.
            Stage::Live => {
                let mut heir = heir();
                heir.unsure_until = self.supervisor.clock().now().checked_add(START_OPEN);
                heir.stop(EndReason::Dropped, None);
            }
            Stage::Stopping => self.report(StopFailedCause::NoRuntime),
        }
    }
}

/// Whether the service said no, so that nothing runs; anything else but a success leaves it open.
pub(crate) fn certainly_not_started(error: &Error) -> bool {
    let refused = match error.status() {
        // A start that was repeated may be refused because the one before has started the session after all.
        Some(400 | 409) => error.attempts() < 2,
        Some(status) => (300..500).contains(&status) && status != 408,
        None => false,
    };
    refused || !error.may_have_been_sent()
}

/// Whether the same call would fail the same way again.
pub(crate) fn is_definite(error: &Error) -> bool {
    let refused = error.status().is_some_and(|status| (400..500).contains(&status));
    error.is_invalid_request() || (refused && !matches!(error.status(), Some(408 | 429)))
}

/// Runs a future in the span of whoever asked for it.
pub(crate) fn in_this_span<F: Future<Output = ()> + Send>(future: F) -> impl Future<Output = ()> + Send {
    #[cfg(feature = "tracing")]
    {
        use tracing::Instrument as _;
        future.in_current_span()
    }
    #[cfg(not(feature = "tracing"))]
    future
}
