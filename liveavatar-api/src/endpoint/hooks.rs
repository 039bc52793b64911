//! The functions that a server sets to learn which sessions were granted and when they ended.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::{Either, select};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use crate::client::Client;
use crate::session::{AnyConfiguration, EndReason, State, Status};

/// A session that a user got; see [`TokenEndpoint::on_granted`](super::TokenEndpoint::on_granted).
#[derive(Debug)]
#[non_exhaustive]
pub struct Granted<'a, U> {
    /// The user that `authorize` returned.
    pub user: &'a U,
    /// The session's id.
    pub session_id: Uuid,
    /// The configuration with the browser's choices.
    pub configuration: &'a AnyConfiguration,
    /// How long the session can last; `None` if only the plan limits it and the service has not said.
    pub max_session_duration: Option<Duration>,
}

/// A granted session that has ended; see [`TokenEndpoint::on_ended`](super::TokenEndpoint::on_ended).
#[derive(Debug)]
#[non_exhaustive]
pub struct Ended<'a, U> {
    /// The user that `authorize` returned.
    pub user: &'a U,
    /// The session's id.
    pub session_id: Uuid,
    /// Why it ended. [`EndReason::Stopped`] means a `DELETE`, a replacement, or a shutdown of the client.
    pub reason: EndReason,
}

pub(super) type OnGranted<U> = Box<dyn Fn(Granted<'_, U>) + Send + Sync>;
pub(super) type OnEnded<U> = Arc<dyn Fn(Ended<'_, U>) + Send + Sync>;

/// How the end of a session becomes known.
pub(super) enum EndSignal {
    /// The endpoint sends the reason. Without it, the session is over at this time.
    Minted(oneshot::Receiver<EndReason>, SystemTime),
    /// The supervisor publishes it.
    Started(watch::Receiver<Status>),
}

/// Waits for the end of a session and calls the hook.
///
/// This task is the only one that calls it, so it is called once, and after [`Granted`].
pub(super) async fn report_end<U>(
    client: Client,
    hook: OnEnded<U>,
    user: U,
    session_id: Uuid,
    signal: EndSignal,
) {
    let reason = match signal {
        EndSignal::Minted(stopped, over_at) => match select(stopped, sleep_until(&client, over_at)).await {
            Either::Left((reason, _)) => reason.ok(),
            Either::Right(_) => Some(EndReason::MaxDuration),
        },
        EndSignal::Started(status) => end_of(&client, status).await,
    };
    // Without a reason, the endpoint was dropped and the browser's session may still run.
    if let Some(reason) = reason {
        hook(Ended { user: &user, session_id, reason });
    }
}

async fn end_of(client: &Client, mut status: watch::Receiver<Status>) -> Option<EndReason> {
    loop {
        let Status { state, ends_at, .. } = status.borrow_and_update().clone();
        let over = match (state, ends_at) {
            (State::Ended(reason), _) => return Some(reason),
            // It may run until then, unless a later stop succeeds.
            (State::StopFailed, Some(ends_at)) => Either::Left(sleep_until(client, ends_at)),
            _ => Either::Right(std::future::pending()),
        };
        match select(Box::pin(status.changed()), over).await {
            Either::Left((changed, _)) => changed.ok()?,
            Either::Right(_) => return Some(EndReason::MaxDuration),
        }
    }
}

fn sleep_until(client: &Client, time: SystemTime) -> crate::store::BoxFuture<'_, ()> {
    let clock = client.clock();
    clock.sleep(time.duration_since(clock.now()).unwrap_or_default())
}
