//! Opening a session, replacing it before it expires, and the guard that ends it when it is dropped.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use uuid::Uuid;

use super::knowledge::Knowledge;
use super::status::{EndReason, SessionEvent};
use super::task::{SessionTask, Template};
use super::{Calls, Supervisor};
use crate::calls::{CreateSessionToken, StartSession};
use crate::credential::Credential;
use crate::error::Error;
use crate::secret::Secret;
use crate::store::SLOT_FREE_AFTER;

/// Assumed maximum duration of a session if the plan's limit is not known.
const UNKNOWN_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// Attempts to start the replacement after the old session was stopped to free its slot.
const ATTEMPTS_WITH_FREED_SLOT: u32 = 4;

/// Owns a session: dropping it ends the session, at any stage of its start.
pub(crate) struct StopGuard {
    supervisor: Arc<Supervisor>,
    pub(crate) task: Arc<SessionTask>,
}

impl Drop for StopGuard {
    fn drop(&mut self) {
        self.supervisor.end(&self.task, EndReason::Dropped);
    }
}

impl StopGuard {
    /// Keeps the session alive from now on, on the current runtime.
    pub(crate) fn drive(&self) {
        self.supervisor.drive(&self.task, Handle::try_current().ok());
    }
}

/// Mints and starts a session, unless `check_wanted` fails before the start request.
pub(crate) async fn mint_and_start(
    supervisor: &Arc<Supervisor>,
    client: &Arc<Calls>,
    template: &Arc<Template>,
    check_wanted: impl Fn() -> Result<(), Error>,
) -> Result<StopGuard, Error> {
    check_wanted()?;
    let minted = CreateSessionToken::new(&client.raw).body(template.body.clone()).send().await?;
    check_wanted()?;
    let secret: Secret = minted.session_token;
    let bearer = Arc::new(client.raw.with_credential(Credential::session_token(secret.clone())?));
    let task = Arc::new(SessionTask::new(client, template, minted.session_id, secret));
    supervisor.track(minted.session_id, &task);
    // From here on, an error drops the guard, which releases the slot and stops what may run.
    let guard = StopGuard { supervisor: Arc::clone(supervisor), task };
    acquire_slot(&guard, minted.session_id, template.max_duration).await?;
    check_wanted()?;

    let sent_at = supervisor.clock().now();
    if !guard.task.begin_start(sent_at) {
        return Err(Error::invalid_request("the session was stopped before its start"));
    }
    let result = StartSession::new(&bearer).send().await;
    let now = supervisor.clock().now();
    match result {
        Ok(started) => {
            guard.task.started_with(started, template.max_duration, sent_at, now, supervisor.random());
            Ok(guard)
        }
        Err(error) => {
            guard.task.lock().life.knowledge = Knowledge::after_failed_start(&error, now);
            Err(error)
        }
    }
}

async fn acquire_slot(guard: &StopGuard, id: Uuid, max_duration: Option<Duration>) -> Result<(), Error> {
    let Some(store) = guard.supervisor.store() else { return Ok(()) };
    // Set first, because a cancelled or failed call may still acquire the slot.
    guard.task.lock().life.has_slot = true;
    let now = guard.supervisor.clock().now();
    let until = Knowledge::latest_end(now, max_duration.unwrap_or(UNKNOWN_DURATION));
    let acquire = store.acquire(id, until.unwrap_or(now + UNKNOWN_DURATION));
    guard.supervisor.with_store_timeout(acquire).await.map_err(|error| {
        guard.task.lock().life.has_slot = !error.is_no_slot();
        Error::from(error)
    })
}

/// Replaces the session before it expires; ends it if every attempt fails.
pub(super) async fn rotate(supervisor: Arc<Supervisor>, task: Arc<SessionTask>) {
    let (Some(template), Some(expiry)) = (&task.template, task.expiry()) else { return };
    for retry_at in [expiry.before(task.options.warn_before), expiry.latest] {
        if replace(&supervisor, &task, template).await.is_ok() {
            return;
        }
        sleep_until(&supervisor, retry_at).await;
    }
    // If every slot is taken, the old session's must go to the new one.
    if !task.is_ending() && task.stop_once(&supervisor, EndReason::MaxDuration.wire()).await.is_ok() {
        task.release_slot(&supervisor).await;
    }
    for _ in 0..ATTEMPTS_WITH_FREED_SLOT {
        supervisor.clock().sleep(SLOT_FREE_AFTER).await;
        match replace(&supervisor, &task, template).await {
            Ok(()) => return,
            Err(error) if error.is_concurrency_limit() => {}
            Err(_) => break,
        }
    }
    supervisor.end(&task, EndReason::MaxDuration);
}

/// Starts a replacement and stops the old session; succeeds also if the session has ended meanwhile.
async fn replace(
    supervisor: &Arc<Supervisor>,
    task: &Arc<SessionTask>,
    template: &Arc<Template>,
) -> Result<(), Arc<Error>> {
    let check_wanted = || {
        if task.is_ending() {
            return Err(Error::invalid_request("the session ended during its rotation"));
        }
        supervisor.check_open()
    };
    let new = mint_and_start(supervisor, &task.client, template, check_wanted).await.map_err(Arc::new);
    let new = match new {
        Ok(new) => new,
        Err(error) => {
            task.send(SessionEvent::RotationFailed(Arc::clone(&error)));
            return if task.is_ending() { Ok(()) } else { Err(error) };
        }
    };
    if task.replace_with(&new.task) {
        supervisor.track(task.status().id, task);
        supervisor.track(new.task.status().id, &new.task);
        supervisor.end(&new.task, EndReason::Stopped);
    }
    Ok(())
}

async fn sleep_until(supervisor: &Supervisor, time: SystemTime) {
    let now = supervisor.clock().now();
    supervisor.clock().sleep(time.duration_since(now).unwrap_or_default()).await;
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
