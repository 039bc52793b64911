//! Opening a session, replacing it before it expires, and the guard that ends it when it is dropped.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;

use super::knowledge::{Knowledge, START_PENDING};
use super::status::{EndReason, SessionEvent};
use super::task::{SessionTask, Template};
use super::{Calls, Supervisor};
use crate::calls::{CreateSessionToken, StartSession};
use crate::credential::Credential;
use crate::error::{Error, Stop};
use crate::store::SLOT_FREE_AFTER;
use progenitor_client::ClientInfo as _;

/// Assumed maximum duration of a session if the plan's limit is not known.
pub(crate) const UNKNOWN_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// Attempts to start the replacement after the old session was stopped to free its slot.
const ATTEMPTS_WITH_FREED_SLOT: u32 = 4;

/// Owns a session: dropping it ends the session, at any stage of its start.
pub(crate) struct StopGuard {
    supervisor: Arc<Supervisor>,
    pub(crate) task: Arc<SessionTask>,
}

impl Drop for StopGuard {
    fn drop(&mut self) {
        let now = self.supervisor.clock().now();
        self.task.after_start(now);
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
    let id = minted.session_id;
    let bearer = Credential::session_token(minted.session_token.clone())?;
    let task = Arc::new(SessionTask::new(client, template, id, minted.session_token));
    supervisor.lock().sessions.insert(id, Arc::clone(&task));
    // From here on, an error drops the guard, which releases the slot and stops what may run.
    let guard = StopGuard { supervisor: Arc::clone(supervisor), task };
    let clock = supervisor.clock();
    if let Some(store) = supervisor.store() {
        let account = client.account()?;
        // Set first, because a cancelled or failed call may still acquire the slot.
        guard.task.lock().life.has_slot = true;
        let now = clock.wall_clock();
        let duration = template.max_duration.unwrap_or(UNKNOWN_DURATION).saturating_add(START_PENDING);
        let until = now.checked_add(duration).unwrap_or(now + UNKNOWN_DURATION);
        if let Err(error) = supervisor.with_store_timeout(store.acquire(account, id, until)).await {
            guard.task.lock().life.has_slot = !error.is_no_slot();
            return Err(error.into());
        }
    }
    check_wanted()?;
    {
        let mut state = guard.task.lock();
        if state.end.is_some() {
            return Err(Error::invalid_request("the session was stopped before its start"));
        }
        state.life.sent_at = clock.now();
        state.life.knowledge = Knowledge::starting(clock.now(), client.raw.inner().options.time_limit());
    }
    match StartSession::new(&Arc::new(client.raw.with_credential(bearer))).send().await {
        Ok(started) => {
            guard.task.set_started(started, template.max_duration, clock.now(), supervisor.random());
            Ok(guard)
        }
        Err(error) => {
            guard.task.lock().life.knowledge = Knowledge::after_failed_start(&error, clock.now());
            Err(error.about_session(id, Stop::InBackground))
        }
    }
}

/// Replaces the session before it expires; ends it if every attempt fails. The last retry is at the session's end.
pub(super) async fn rotate(supervisor: Arc<Supervisor>, task: Arc<SessionTask>, retries: [SystemTime; 2]) {
    let (Some(template), clock) = (&task.template, supervisor.clock()) else { return };
    for retry_at in retries {
        if replace(&supervisor, &task, template).await.is_ok() {
            return;
        }
        clock.sleep(retry_at.duration_since(clock.now()).unwrap_or_default()).await;
    }
    // If every slot is taken, that of the old session must go to the new one.
    if !task.is_ending() {
        task.stop_once(&supervisor, EndReason::MaxDuration.wire()).await;
        if task.lock().life.knowledge.is_stopped() {
            task.release_slot(&supervisor).await;
        }
    }
    for _ in 0..ATTEMPTS_WITH_FREED_SLOT {
        clock.sleep(SLOT_FREE_AFTER).await;
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
    match mint_and_start(supervisor, &task.client, template, check_wanted).await {
        Ok(new) => {
            if task.replace_with(&new.task) {
                for task in [task, &new.task] {
                    supervisor.lock().sessions.insert(task.status().id, Arc::clone(task));
                }
                supervisor.end(&new.task, EndReason::Stopped);
            }
            Ok(())
        }
        Err(error) => {
            let error = Arc::new(error);
            task.send(SessionEvent::RotationFailed(Arc::clone(&error)));
            if task.is_ending() { Ok(()) } else { Err(error) }
        }
    }
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
