//! Which sessions a reaper stops and keeps, and retrying an opening after it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use liveavatar_api::session::{Lite, Reaped, SessionToken};
use liveavatar_api::store::{Account, BoxFuture, FileStore, SLOT_FREE_AFTER, Store, StoreError};
use liveavatar_api::{Client, Clock as _, Credential, Error, Uuid};
use liveavatar_mock::{MockResponse, Server};
use liveavatar_tests::TestClock;
use serde_json::json;

use super::lite;
use crate::store::later;

fn client(server: &Server, clock: &TestClock) -> Client {
    let key = Credential::api_key(server.api_key()).unwrap();
    Client::builder().base_url(server.url()).credential(key).clock(clock.clone()).build().unwrap()
}

async fn open(client: &Client) -> Result<SessionToken<Lite>, Error> {
    let token = client.mint(&lite()).await?;
    token.start().await?;
    Ok(token)
}

/// One line per session, with the number that the mock assigned to it.
fn lines(reaped: &Reaped) -> String {
    let line = |session: &liveavatar_api::session::ReapedSession| {
        format!("{} {}", session.id.as_u128() & 0xffff, session.outcome)
    };
    reaped.sessions().iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn abandoned_sessions_are_stopped_first_then_all_that_no_one_holds_or_keeps() {
    let server = Server::builder().session_limit(9).start().await.unwrap();
    let client = client(&server, &TestClock::default());
    let folder = tempfile::tempdir().unwrap();
    let [dead, living] = [(); 2].map(|()| FileStore::open(folder.path()).unwrap());
    let mut sessions = Vec::new();
    for _ in 0..6 {
        sessions.push(open(&client).await.unwrap());
    }
    dead.acquire(client.account().unwrap(), sessions[5].id(), later()).await.unwrap();
    let ended = Uuid::from_u128(0x99);
    dead.acquire(client.account().unwrap(), ended, later()).await.unwrap();
    living.acquire(client.account().unwrap(), sessions[1].id(), later()).await.unwrap();
    drop(dead);
    let reaper = client.reap().store(FileStore::open(folder.path()).unwrap()).keep([sessions[2].id()]);
    let fourth = sessions[3].id();
    let reaper = reaper.keep_if(move |session| session.id == fourth);
    let mut report = lines(&reaper.run().await).lines().map(str::to_owned).collect::<Vec<_>>();
    // The two abandoned sessions are stopped concurrently, and so are the two leftovers.
    report[..2].sort();
    report[5..].sort();
    insta::assert_snapshot!(report.join("\n"), @r"
    153 had ended
    6 stopped
    4 kept: the caller asked to keep it
    3 kept: the caller asked to keep it
    2 kept: a living owner holds it
    1 stopped
    5 stopped
    ");
    let mut running: Vec<Uuid> = server.running_sessions();
    running.sort();
    assert_eq!(running, [1, 2, 3].map(|position: usize| sessions[position].id()));
    assert!(living.claim_abandoned(client.account().unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn only_stops_exactly_the_named_sessions_even_held_ones() {
    let server = Server::builder().session_limit(9).start().await.unwrap();
    let client = client(&server, &TestClock::default());
    let folder = tempfile::tempdir().unwrap();
    let [dead, living] = [(); 2].map(|()| FileStore::open(folder.path()).unwrap());
    let (held, other, abandoned) =
        (open(&client).await.unwrap(), open(&client).await.unwrap(), open(&client).await.unwrap());
    living.acquire(client.account().unwrap(), held.id(), later()).await.unwrap();
    dead.acquire(client.account().unwrap(), abandoned.id(), later()).await.unwrap();
    drop(dead);
    let named = client.reap().store(FileStore::open(folder.path()).unwrap());
    let _ = server.take_requests();
    let reaped = named.only([held.id(), Uuid::from_u128(0x99)]).run().await;
    assert!(reaped.is_complete());
    let mut sessions = reaped.into_sessions();
    sessions.sort_by_key(|session| session.id != held.id());
    let outcomes: Vec<_> = sessions.iter().map(|session| session.outcome.to_string()).collect();
    assert_eq!(outcomes, ["stopped", "had ended"]);
    let bodies: Vec<serde_json::Value> = server
        .take_requests()
        .into_iter()
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect();
    assert!(bodies.iter().all(|body| body["reason"] == "USER_CLOSED") && bodies.len() == 2, "{bodies:?}");
    assert_eq!(server.running_sessions(), [other.id(), abandoned.id()]);
    assert!(!living.held(client.account().unwrap()).await.unwrap().contains(&held.id()));
}

#[tokio::test]
async fn only_abandoned_leaves_other_active_sessions_alone() {
    let server = Server::start().await.unwrap();
    let client = client(&server, &TestClock::default());
    let folder = tempfile::tempdir().unwrap();
    let (mine, theirs) = (open(&client).await.unwrap(), open(&client).await.unwrap());
    let dead = FileStore::open(folder.path()).unwrap();
    dead.acquire(client.account().unwrap(), mine.id(), later()).await.unwrap();
    drop(dead);
    let reaped = client.reap().store(FileStore::open(folder.path()).unwrap()).only_abandoned().run().await;
    assert_eq!(lines(&reaped), "1 stopped");
    assert_eq!(server.running_sessions(), [theirs.id()]);
}

#[tokio::test]
async fn a_failed_stop_is_in_the_result_and_the_session_can_be_claimed_again() {
    let server = Server::start().await.unwrap();
    let clock = TestClock::default();
    let client = client(&server, &clock);
    let folder = tempfile::tempdir().unwrap();
    let session = open(&client).await.unwrap();
    let dead = FileStore::open(folder.path()).unwrap();
    dead.acquire(client.account().unwrap(), session.id(), later()).await.unwrap();
    drop(dead);
    for _ in 0..10 {
        server.mock_response("stop_session", MockResponse::json(500, json!({})));
    }
    let reaper = client.reap().store(FileStore::open(folder.path()).unwrap().clock(clock.clone()));
    let reaper = reaper.only_abandoned();
    let result = reaper.run().await;
    assert!(!result.is_complete() && !result.freed_slots());
    insta::assert_snapshot!(lines(&result), @"1 not stopped: stop session: 500 internal server error (request mock-request-6, 4 attempts)");
    assert_eq!(lines(&reaper.run().await), "");
    for _ in 0..10 {
        // Consumes the remaining mock responses, which would fail the next stop.
        let _ = client.stop_session().send().await;
    }
    clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(lines(&reaper.run().await), "1 stopped");
}

/// A store whose calls all fail.
#[derive(Debug)]
struct UnreachableStore;

fn unreachable<T>() -> BoxFuture<'static, Result<T, StoreError>>
where
    T: Send + 'static,
{
    Box::pin(async { Err(StoreError::unavailable("unreachable")) })
}

impl Store for UnreachableStore {
    fn acquire(&self, _: Account, _: Uuid, _: SystemTime) -> BoxFuture<'_, Result<(), StoreError>> {
        unreachable()
    }

    fn renew(&self, _: Account, _: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        unreachable()
    }

    fn release(&self, _: Account, _: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        unreachable()
    }

    fn claim_abandoned(&self, _: Account) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>> {
        unreachable()
    }

    fn held(&self, _: Account) -> BoxFuture<'_, Result<BTreeSet<Uuid>, StoreError>> {
        unreachable()
    }
}

#[tokio::test]
async fn a_failing_store_keeps_every_session_whose_owner_is_unknown() {
    let server = Server::start().await.unwrap();
    let client = client(&server, &TestClock::default());
    let session = open(&client).await.unwrap();
    let reaped = client.reap().store(UnreachableStore).run().await;
    assert_eq!(lines(&reaped), "1 kept: the store failed, so its owner is unknown");
    assert!(reaped.store_error().is_some() && !reaped.is_complete());
    assert_eq!(server.running_sessions(), [session.id()]);
}

#[tokio::test]
async fn abandoned_sessions_are_stopped_even_if_the_active_ones_cannot_be_listed() {
    let server = Server::start().await.unwrap();
    let client = client(&server, &TestClock::default());
    let folder = tempfile::tempdir().unwrap();
    let session = open(&client).await.unwrap();
    let dead = FileStore::open(folder.path()).unwrap();
    dead.acquire(client.account().unwrap(), session.id(), later()).await.unwrap();
    drop(dead);
    server.mock_response("list_sessions", MockResponse::json(403, json!({})));
    let reaped = client.reap().store(FileStore::open(folder.path()).unwrap()).run().await;
    assert_eq!(lines(&reaped), "1 stopped");
    assert!(reaped.list_error().unwrap().is_forbidden());
}

#[tokio::test]
async fn at_the_concurrency_limit_or_retry_reaps_waits_for_the_slot_and_retries_once() {
    let server = Server::builder().session_limit(1).start().await.unwrap();
    let clock = TestClock::default();
    let client = client(&server, &clock);
    let leftover = open(&client).await.unwrap();
    let session = client.reap().or_retry(|| open(&client)).await.unwrap();
    assert_eq!(server.running_sessions(), [session.id()]);
    assert_ne!(session.id(), leftover.id());
    assert_eq!(clock.slept(), [SLOT_FREE_AFTER]);
}

#[tokio::test]
async fn at_the_concurrency_limit_with_nothing_to_reap_or_retry_returns_the_first_error() {
    let server = Server::builder().session_limit(1).start().await.unwrap();
    let clock = TestClock::default();
    let client = client(&server, &clock);
    let kept = open(&client).await.unwrap();
    let attempts = AtomicUsize::new(0);
    let attempt = || {
        attempts.fetch_add(1, Ordering::Relaxed);
        open(&client)
    };
    let error = client.reap().keep([kept.id()]).or_retry(attempt).await.unwrap_err();
    assert!(error.is_concurrency_limit());
    assert_eq!((attempts.load(Ordering::Relaxed), clock.slept().len()), (1, 0));
}

#[tokio::test]
async fn after_any_other_error_or_retry_reaps_nothing() {
    let server = Server::start().await.unwrap();
    let client = client(&server, &TestClock::default());
    let running = open(&client).await.unwrap();
    server.mock_response("start_session", MockResponse::json(400, json!({})));
    client.reap().or_retry(|| open(&client)).await.unwrap_err();
    assert_eq!(server.running_sessions(), [running.id()]);
}
