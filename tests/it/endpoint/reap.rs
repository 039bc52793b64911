//! A reaper keeps the sessions that browsers start with the endpoint's tokens.

use std::path::Path;
use std::time::Duration;

use liveavatar_api::endpoint::TokenEndpoint;
use liveavatar_api::session::{KeepReason, ReapOutcome, Reaped};
use liveavatar_api::store::{FileStore, Store as _};
use liveavatar_api::{Client, Credential, Uuid};
use liveavatar_mock::Server;
use serde_json::{Value, json};

use super::{AVATAR, ServedEndpoint, authorize, configuration, send, start_with};
use crate::session::MovedClock;

/// The configured maximum duration of a session.
const DURATION: Duration = Duration::from_secs(100);

/// How long the endpoint assumes that a token of the mock is valid.
const TOKEN: Duration = Duration::from_secs(24 * 60 * 60);

/// One process: its client and its endpoint.
struct Process {
    client: Client,
    endpoint: ServedEndpoint,
}

impl Process {
    async fn start(server: &Server, clock: &MovedClock, store: Option<&Path>) -> Self {
        let key = Credential::api_key(server.api_key()).unwrap();
        let mut builder = Client::builder().base_url(server.url()).credential(key).clock(clock.clone());
        if let Some(folder) = store {
            builder = builder.session_store(FileStore::open(folder).unwrap().clock(clock.clone()));
        }
        let client = builder.build().unwrap();
        let base = json!({ "mode": "LITE", "avatar_id": AVATAR, "max_session_duration": DURATION.as_secs() });
        let endpoint = TokenEndpoint::new(client.clone(), configuration(&base), authorize);
        Self { endpoint: ServedEndpoint::start(endpoint).await, client }
    }

    /// Opens a session that a browser starts.
    async fn open(&self, server: &Server, user: &str) -> Uuid {
        let opened = self.endpoint.open(user).await;
        start_with(server, opened["session_token"].as_str().unwrap()).await;
        id(&opened)
    }
}

fn id(opened: &Value) -> Uuid {
    opened["session_id"].as_str().unwrap().parse().unwrap()
}

/// A service whose sessions no one ends, so that only reapers do.
async fn service() -> Server {
    Server::builder().session_limit(100).max_session_duration(1_000_000).start().await.unwrap()
}

fn assert_kept(reaped: &Reaped, id: Uuid) {
    let outcomes: Vec<_> = reaped.sessions().iter().map(|session| (session.id, &session.outcome)).collect();
    assert!(
        matches!(outcomes[..], [(kept, ReapOutcome::Kept(KeepReason::Held))] if kept == id),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_session_that_a_browser_started_is_kept_as_long_as_it_can_live() {
    let (server, clock) = (service().await, MovedClock::default());
    let process = Process::start(&server, &clock, None).await;
    let browser = process.open(&server, "ada").await;
    let leftover = configuration(&json!({ "mode": "LITE", "avatar_id": AVATAR }));
    let leftover = process.client.mint(&leftover).await.unwrap();
    leftover.start().await.unwrap();

    let reaped = process.client.reap().run().await;
    assert!(reaped.is_complete());
    assert_eq!(server.running_sessions(), [browser], "{reaped:?}");

    // The browser may have started it with the last breath of its token.
    clock.advance(TOKEN + Duration::from_secs(99));
    assert_kept(&process.client.reap().run().await, browser);
    clock.advance(Duration::from_secs(1));
    assert!(process.client.reap().run().await.is_complete());
    assert!(server.running_sessions().is_empty());
}

#[tokio::test]
async fn a_session_that_is_stopped_through_the_endpoint_is_not_kept_any_more() {
    let (server, clock) = (service().await, MovedClock::default());
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&server, &clock, Some(folder.path())).await;
    let opened = process.endpoint.open("ada").await;
    let other = FileStore::open(folder.path()).unwrap().clock(clock.clone());
    assert!(other.held(process.client.account().unwrap()).await.unwrap().contains(&id(&opened)));
    assert_eq!(send(process.endpoint.delete("ada")).await.0, 204);
    assert!(other.held(process.client.account().unwrap()).await.unwrap().is_empty());
    start_with(&server, opened["session_token"].as_str().unwrap()).await;
    assert!(process.client.reap().run().await.freed_slots());
    assert!(server.running_sessions().is_empty());
}

#[tokio::test]
async fn a_store_gives_back_the_slot_when_the_service_has_ended_the_session() {
    let (server, clock) = (service().await, MovedClock::default());
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&server, &clock, Some(folder.path())).await;
    let first = process.open(&server, "ada").await;
    assert!(server.end_session(first, "USER_CLOSED"));
    let second = process.open(&server, "ada").await;
    let other = FileStore::open(folder.path()).unwrap().clock(clock.clone());
    assert_eq!(
        other.held(process.client.account().unwrap()).await.unwrap().into_iter().collect::<Vec<_>>(),
        [second]
    );
}

#[tokio::test]
async fn a_store_keeps_it_for_every_process_even_after_the_one_that_minted_it() {
    let (server, clock) = (service().await, MovedClock::default());
    let folder = tempfile::tempdir().unwrap();
    let [minting, other] = [
        Process::start(&server, &clock, Some(folder.path())).await,
        Process::start(&server, &clock, Some(folder.path())).await,
    ];
    let browser = minting.open(&server, "ada").await;
    assert_kept(&other.client.reap().run().await, browser);

    // The process ends: nothing renews what it recorded.
    drop(minting);
    clock.advance(DURATION);
    assert_eq!(other.client.reap().only_abandoned().run().await.sessions().len(), 0);
    let restarted = Process::start(&server, &clock, Some(folder.path())).await;
    assert_kept(&restarted.client.reap().run().await, browser);

    // 5 min to start it are over, too.
    clock.advance(Duration::from_secs(300));
    assert_eq!(other.client.reap().only_abandoned().run().await.sessions().len(), 0);
    assert!(other.client.reap().run().await.is_complete());
    assert!(server.running_sessions().is_empty());
}

#[tokio::test]
async fn a_token_that_the_store_cannot_record_is_not_given_to_a_browser() {
    let (server, clock) = (service().await, MovedClock::default());
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&server, &clock, Some(folder.path())).await;
    std::fs::remove_dir_all(folder.path()).unwrap();
    std::fs::write(folder.path(), "not a folder").unwrap();
    let (status, body) = send(process.endpoint.post("ada", "{}")).await;
    assert_eq!((status, &body["code"]), (503, &json!("unavailable")));
}
