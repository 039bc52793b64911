//! What a reaper stops, what it keeps and why, and opening a session once more after it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use liveavatar_api::session::{Configuration, Lite, Reaped, StartedSession};
use liveavatar_api::store::SLOT_FREE_AFTER;
use liveavatar_api::store::{BoxFuture, FileStore, Store, StoreError};
use liveavatar_api::{Client, Clock as _, Credential, Error, Uuid};
use liveavatar_mock::{MockResponse, Server};
use liveavatar_tests::TestClock;
use serde_json::json;

use super::later;

fn lite() -> Configuration<Lite> {
    Configuration::<Lite>::build(|lite| lite.avatar_id(Uuid::from_u128(7))).unwrap()
}

fn client(server: &Server, clock: &TestClock) -> Client {
    let key = Credential::api_key(server.api_key()).unwrap();
    Client::builder().base_url(server.url()).credential(key).clock(clock.clone()).build().unwrap()
}

async fn open(client: &Client) -> Result<StartedSession<Lite>, Error> {
    client.mint(&lite()).await?.start().await
}

/// The report in lines, a session by the number under which the mock counts it.
fn lines(reaped: &Reaped) -> String {
    let line = |session: &liveavatar_api::session::ReapedSession| {
        format!("{} {}", session.id.as_u128() & 0xffff, session.outcome)
    };
    reaped.sessions().iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn abandoned_sessions_come_first_and_everything_that_nobody_keeps_is_stopped() {
    let server = Server::builder().session_limit(9).start().await.unwrap();
    let client = client(&server, &TestClock::default());
    let folder = tempfile::tempdir().unwrap();
    let [gone, living] = [(); 2].map(|()| FileStore::open(folder.path()).unwrap());
    let mut sessions = Vec::new();
    for _ in 0..6 {
        sessions.push(open(&client).await.unwrap());
    }
    gone.acquire(sessions[5].id(), later()).await.unwrap();
    let ended = Uuid::from_u128(0x99);
    gone.acquire(ended, later()).await.unwrap();
    living.acquire(sessions[1].id(), later()).await.unwrap();
    drop(gone);
    let reaper = client.reap().store(FileStore::open(folder.path()).unwrap()).keep([sessions[2].id()]);
    let fourth = sessions[3].id();
    let reaper = reaper.keep_if(move |session| session.id == fourth);
    let mut report = lines(&reaper.run().await).lines().map(str::to_owned).collect::<Vec<_>>();
    // The two abandoned ones are stopped at the same time, and so are the two strays.
    report[..2].sort();
    report[5..].sort();
    insta::assert_snapshot!(report.join("\n"), @r"
    153 had ended
    6 stopped
    4 kept: the caller keeps it
    3 kept: the caller keeps it
    2 kept: a living owner holds it
    1 stopped
    5 stopped
    ");
    let mut running: Vec<Uuid> = server.running_sessions();
    running.sort();
    assert_eq!(running, [1, 2, 3].map(|position: usize| sessions[position].id()));
    assert!(living.claim_abandoned().await.unwrap().is_empty());
}

#[tokio::test]
async fn those_that_are_named_are_stopped_whoever_holds_them_and_no_others() {
    let server = Server::builder().session_limit(9).start().await.unwrap();
    let client = client(&server, &TestClock::default());
    let folder = tempfile::tempdir().unwrap();
    let [gone, living] = [(); 2].map(|()| FileStore::open(folder.path()).unwrap());
    let (held, other, abandoned) =
        (open(&client).await.unwrap(), open(&client).await.unwrap(), open(&client).await.unwrap());
    living.acquire(held.id(), later()).await.unwrap();
    gone.acquire(abandoned.id(), later()).await.unwrap();
    drop(gone);
    let named = client.reap().store(FileStore::open(folder.path()).unwrap());
    let _ = server.take_requests();
    let reaped = named.only([held.id(), Uuid::from_u128(0x99)]).run().await;
    assert!(reaped.is_complete());
    let mut sessions = reaped.into_sessions();
    sessions.sort_by_key(|session| session.id != held.id());
    let told: Vec<_> = sessions.iter().map(|session| session.outcome.to_string()).collect();
    assert_eq!(told, ["stopped", "had ended"]);
    let bodies: Vec<serde_json::Value> = server
        .take_requests()
        .into_iter()
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect();
    assert!(bodies.iter().all(|body| body["reason"] == "USER_CLOSED") && bodies.len() == 2, "{bodies:?}");
    assert_eq!(server.running_sessions(), [other.id(), abandoned.id()]);
    assert!(!living.held().await.unwrap().contains(&held.id()));
}

#[tokio::test]
async fn only_what_is_abandoned_is_stopped_where_others_use_the_account() {
    let server = Server::start().await.unwrap();
    let client = client(&server, &TestClock::default());
    let folder = tempfile::tempdir().unwrap();
    let (mine, theirs) = (open(&client).await.unwrap(), open(&client).await.unwrap());
    let gone = FileStore::open(folder.path()).unwrap();
    gone.acquire(mine.id(), later()).await.unwrap();
    drop(gone);
    let reaped = client.reap().store(FileStore::open(folder.path()).unwrap()).only_abandoned().run().await;
    assert_eq!(lines(&reaped), "1 stopped");
    assert_eq!(server.running_sessions(), [theirs.id()]);
}

#[tokio::test]
async fn a_session_that_could_not_be_stopped_is_reported_and_offered_again() {
    let server = Server::start().await.unwrap();
    let clock = TestClock::default();
    let client = client(&server, &clock);
    let folder = tempfile::tempdir().unwrap();
    let session = open(&client).await.unwrap();
    let gone = FileStore::open(folder.path()).unwrap();
    gone.acquire(session.id(), later()).await.unwrap();
    drop(gone);
    for _ in 0..10 {
        server.mock_response("stop_session", MockResponse::json(500, json!({})));
    }
    let reaper = client.reap().store(FileStore::open(folder.path()).unwrap().clock(clock.clone()));
    let reaper = reaper.only_abandoned();
    let report = reaper.run().await;
    assert!(!report.is_complete() && !report.freed_slots());
    assert!(lines(&report).starts_with("1 not stopped: stop session: 500"), "{}", lines(&report));
    assert_eq!(lines(&reaper.run().await), "");
    for _ in 0..10 {
        // What is left of the answers would fail it again.
        let _ = client.stop_session().send().await;
    }
    clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(lines(&reaper.run().await), "1 stopped");
}

/// A store that cannot be reached.
#[derive(Debug)]
struct Away;

fn away<T>() -> BoxFuture<'static, Result<T, StoreError>>
where
    T: Send + 'static,
{
    Box::pin(async { Err(StoreError::unavailable("away")) })
}

impl Store for Away {
    fn acquire(&self, _: Uuid, _: SystemTime) -> BoxFuture<'_, Result<(), StoreError>> {
        away()
    }

    fn renew(&self, _: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        away()
    }

    fn release(&self, _: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        away()
    }

    fn claim_abandoned(&self) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>> {
        away()
    }

    fn held(&self) -> BoxFuture<'_, Result<BTreeSet<Uuid>, StoreError>> {
        away()
    }
}

#[tokio::test]
async fn without_a_store_to_ask_nothing_is_stopped_that_may_be_somebody_elses() {
    let server = Server::start().await.unwrap();
    let client = client(&server, &TestClock::default());
    let session = open(&client).await.unwrap();
    let reaped = client.reap().store(Away).run().await;
    assert_eq!(lines(&reaped), "1 kept: the store cannot say whether somebody holds it");
    assert!(reaped.store_error().is_some() && !reaped.is_complete());
    assert_eq!(server.running_sessions(), [session.id()]);
}

#[tokio::test]
async fn a_list_that_cannot_be_had_is_reported_and_abandoned_sessions_are_stopped_all_the_same() {
    let server = Server::start().await.unwrap();
    let client = client(&server, &TestClock::default());
    let folder = tempfile::tempdir().unwrap();
    let session = open(&client).await.unwrap();
    let gone = FileStore::open(folder.path()).unwrap();
    gone.acquire(session.id(), later()).await.unwrap();
    drop(gone);
    server.mock_response("list_sessions", MockResponse::json(403, json!({})));
    let reaped = client.reap().store(FileStore::open(folder.path()).unwrap()).run().await;
    assert_eq!(lines(&reaped), "1 stopped");
    assert!(reaped.list_error().unwrap().is_forbidden());
}

#[tokio::test]
async fn at_the_limit_of_sessions_it_reaps_waits_for_the_slot_and_tries_once_more() {
    let server = Server::builder().session_limit(1).start().await.unwrap();
    let clock = TestClock::default();
    let client = client(&server, &clock);
    let left_over = open(&client).await.unwrap();
    let session = client.reap().or_retry(|| open(&client)).await.unwrap();
    assert_eq!(server.running_sessions(), [session.id()]);
    assert_ne!(session.id(), left_over.id());
    assert_eq!(clock.slept(), [SLOT_FREE_AFTER]);
}

#[tokio::test]
async fn at_the_limit_with_nothing_to_reap_the_first_error_comes_at_once() {
    let server = Server::builder().session_limit(1).start().await.unwrap();
    let clock = TestClock::default();
    let client = client(&server, &clock);
    let wanted = open(&client).await.unwrap();
    let tries = AtomicUsize::new(0);
    let attempt = || {
        tries.fetch_add(1, Ordering::Relaxed);
        open(&client)
    };
    let error = client.reap().keep([wanted.id()]).or_retry(attempt).await.unwrap_err();
    assert!(error.is_concurrency_limit());
    assert_eq!((tries.load(Ordering::Relaxed), clock.slept().len()), (1, 0));
}

#[tokio::test]
async fn another_error_than_the_limit_reaps_nothing() {
    let server = Server::start().await.unwrap();
    let client = client(&server, &TestClock::default());
    let running = open(&client).await.unwrap();
    server.mock_response("start_session", MockResponse::json(400, json!({})));
    client.reap().or_retry(|| open(&client)).await.unwrap_err();
    assert_eq!(server.running_sessions(), [running.id()]);
}
