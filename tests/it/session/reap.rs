//! Which sessions a reaper stops and keeps, and retrying an opening after it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use liveavatar_api::session::{Lite, Reap, Reaped, SessionToken};
use liveavatar_api::store::{Account, BoxFuture, FileStore, Store, StoreError};
use liveavatar_api::{Client, Clock as _, Credential, Error, Uuid};
use liveavatar_mock::{Failure, Fault, MockResponse, Server};
use liveavatar_tests::TestClock;
use serde_json::json;

use super::{MovedClock, lite};
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
    2 kept: a living owner or a browser holds it
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
    insta::assert_snapshot!(lines(&result), @"1 not stopped: stop session: 500 internal server error (request mock-request-6, 4 attempts); the session may be running and cost credits until `Client::session(id).stop()` ends it");
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
async fn this_clients_own_given_up_session_is_stopped_although_the_store_holds_it() {
    let server = Server::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let key = Credential::api_key(server.api_key()).unwrap();
    let clock = MovedClock::default();
    let builder = Client::builder().base_url(server.url()).credential(key).clock(clock.clone());
    let open_store = || FileStore::open(folder.path()).unwrap().clock(clock.clone());
    let (client, other) = (builder.session_store(open_store()).build().unwrap(), open_store());
    let [given_up, living] = [client.open(&lite()).await.unwrap(), client.open(&lite()).await.unwrap()];
    server.faults(|operation| {
        let rejected = MockResponse::json(403, json!({}));
        (operation == "stop_session").then(|| Fault::Before(Failure::Response(rejected)))
    });
    given_up.stop().await.unwrap_err();
    server.clear_faults();
    assert!(other.held(client.account().unwrap()).await.unwrap().contains(&given_up.id()));

    let reaped = client.reap().run().await;
    let mut report: Vec<_> = reaped.sessions().iter().map(|it| (it.id, it.outcome.to_string())).collect();
    report.sort();
    let held = "kept: a living owner or a browser holds it".to_owned();
    let mut expected = [(given_up.id(), "stopped".to_owned()), (living.id(), held)];
    expected.sort();
    assert_eq!(report, expected);
    assert!(reaped.is_complete());
    assert_eq!(server.running_sessions(), [living.id()]);
    assert!(!other.held(client.account().unwrap()).await.unwrap().contains(&given_up.id()));
}

#[tokio::test]
async fn a_given_up_session_is_stopped_even_if_the_store_fails() {
    let server = Server::start().await.unwrap();
    let client = client(&server, &TestClock::default());
    let session = client.open(&lite()).await.unwrap();
    server.faults(|operation| {
        let rejected = MockResponse::json(403, json!({}));
        (operation == "stop_session").then(|| Fault::Before(Failure::Response(rejected)))
    });
    session.stop().await.unwrap_err();
    server.clear_faults();
    let reaped = client.reap().store(UnreachableStore).run().await;
    assert_eq!(lines(&reaped), "1 stopped");
    assert!(!reaped.is_complete() && server.running_sessions().is_empty());
}

#[tokio::test]
async fn active_sessions_on_every_page_are_reaped_whatever_host_the_links_name() {
    let server = Server::builder().session_limit(9).start().await.unwrap();
    let client = client(&server, &TestClock::default());
    let sessions = [open(&client).await.unwrap().id(), open(&client).await.unwrap().id()];
    mock_two_pages(&server, sessions, json!("https://api.example.com/v1/sessions?page=2"));
    let reaped = client.reap().run().await;
    assert!(reaped.is_complete() && reaped.sessions().len() == 2, "{reaped:?}");
    assert!(server.running_sessions().is_empty());
}

#[tokio::test]
async fn a_list_of_active_sessions_that_is_cut_is_not_complete() {
    let server = Server::builder().session_limit(9).start().await.unwrap();
    let client = client(&server, &TestClock::default());
    let sessions = [open(&client).await.unwrap().id(), open(&client).await.unwrap().id()];
    for next in [json!(null), json!("/v1/sessions?page=1")] {
        mock_two_pages(&server, sessions, next);
        let reaped = client.reap().run().await;
        assert!(reaped.list_error().unwrap().is_decode() && !reaped.is_complete(), "{reaped:?}");
        let _ = client.list_sessions().send().await;
    }
}

/// Lets the service list two active sessions, each on its own page; `next` is the link of the first.
fn mock_two_pages(server: &Server, sessions: [Uuid; 2], next: serde_json::Value) {
    for (id, next) in sessions.into_iter().zip([next, json!(null)]) {
        let mut page = liveavatar_mock::example_response("list_sessions").unwrap();
        page["data"]["results"][0]["id"] = json!(id);
        page["data"]["count"] = json!(2);
        page["data"]["next"] = next;
        server.mock_response("list_sessions", MockResponse::json(200, page));
    }
}

#[tokio::test]
async fn at_the_concurrency_limit_or_retry_reaps_and_waits_for_the_slot() {
    let server = Server::builder().session_limit(1).start().await.unwrap();
    let clock = TestClock::default();
    let client = client(&server, &clock);
    let leftover = open(&client).await.unwrap();
    let session = client.reap().or_retry(|| open(&client)).await.unwrap();
    assert_eq!(server.running_sessions(), [session.id()]);
    assert_ne!(session.id(), leftover.id());
    assert_eq!(clock.slept(), [Duration::from_secs(1)]);
}

/// Returns an opening that fails this often at the limit, and counts its calls.
fn full_for(fails: usize, calls: &AtomicUsize) -> impl FnMut() -> std::future::Ready<Result<usize, Error>> {
    move || {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        let full = || Error::from(StoreError::no_slot(None));
        std::future::ready(if call < fails { Err(full()) } else { Ok(call) })
    }
}

#[tokio::test]
async fn or_retry_asks_again_until_a_slot_is_free_even_if_nothing_was_reaped() {
    let server = Server::start().await.unwrap();
    let clock = TestClock::default();
    let client = client(&server, &clock);
    let calls = AtomicUsize::new(0);
    let opened = client.reap().or_retry(full_for(4, &calls)).await.unwrap();
    assert_eq!(opened, 4);
    // The slot of a stopped session is free after 0.8 to 3 s.
    assert_eq!(clock.slept(), [1, 2, 4, 3].map(Duration::from_secs));
    assert_eq!(server.take_requests().len(), 1, "one list");
}

#[tokio::test]
async fn or_retry_returns_the_concurrency_limit_when_its_time_has_passed() {
    let server = Server::start().await.unwrap();
    for (limit, slept) in [
        (None, vec![1, 2, 4, 3]),
        (Some(Duration::ZERO), vec![]),
        (Some(Duration::from_secs(2)), vec![1, 1]),
        (Some(Duration::from_secs(20)), vec![1, 2, 4, 4, 4, 4, 1]),
    ] {
        let clock = TestClock::default();
        let client = client(&server, &clock);
        let reaper = limit.into_iter().fold(client.reap(), Reap::wait_for_slot);
        let calls = AtomicUsize::new(0);
        let error = reaper.or_retry(full_for(usize::MAX, &calls)).await.unwrap_err();
        assert!(error.is_concurrency_limit());
        let slept: Vec<_> = slept.into_iter().map(Duration::from_secs).collect();
        assert_eq!((clock.slept(), calls.into_inner()), (slept.clone(), slept.len() + 1), "{limit:?}");
    }
}

#[tokio::test]
async fn the_longest_wait_for_a_slot_and_the_longest_pause_do_not_overflow() {
    let server = Server::start().await.unwrap();
    let client = client(&server, &TestClock::default());
    let calls = AtomicUsize::new(0);
    let pauses = [Duration::MAX, Duration::from_secs(u64::MAX), Duration::ZERO, Duration::from_nanos(1)];
    let opening = || {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        let full = |pause| Error::from(StoreError::no_slot(Some(pause)));
        std::future::ready(pauses.get(call).map_or(Ok(call), |pause| Err(full(*pause))))
    };
    assert_eq!(client.reap().wait_for_slot(Duration::MAX).or_retry(opening).await.unwrap(), 4);
    server.mock_response(
        "start_session",
        MockResponse::json(403, json!({ "code": 4032, "message": "full" })).header("retry-after", "1e30"),
    );
    let _token = client.reap().wait_for_slot(Duration::MAX).or_retry(|| open(&client)).await.unwrap();
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
