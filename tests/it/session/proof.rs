//! A 404 proves that a session has ended only if it is the service's own.

use std::time::Duration;

use liveavatar_api::session::{EndReason, ReapOutcome, SessionEvent, State};
use liveavatar_api::store::{FileStore, Store as _};
use liveavatar_api::{Client, Clock as _, Credential};
use liveavatar_mock::{Failure, Fault, MockResponse, Server};
use liveavatar_tests::TestClock;
use serde_json::json;
use tokio::time::sleep;

use super::lite;
use crate::store::later;

/// Responses of others: proxies, gateways, and the service's framework for a path that it does not have.
fn foreign_404s() -> Vec<(&'static str, MockResponse)> {
    let json = |body| MockResponse::json(404, body);
    vec![
        ("a proxy's HTML", MockResponse::raw(404, "text/html", "<html><h1>404 Not Found</h1></html>")),
        ("an empty body", MockResponse::raw(404, "", "")),
        ("plain text", MockResponse::raw(404, "text/plain", "404 page not found")),
        ("an unknown path", json(json!({ "detail": "Not Found" }))),
        ("a gateway's message", json(json!({ "message": "no Route matched with those values" }))),
        ("a gateway's code", json(json!({ "code": 404, "message": "Route Not Found" }))),
        ("a problem document", json(json!({ "title": "Not Found", "status": 404, "detail": "No resource" }))),
        ("an empty object", json(json!({}))),
        ("no object", json(json!("Not Found"))),
    ]
}

fn client(server: &Server) -> Client {
    let key = Credential::api_key(server.api_key()).unwrap();
    Client::builder().base_url(server.url()).credential(key).seed(1).build().unwrap()
}

/// Sends this response to each call of an operation.
fn respond(server: &Server, operation: &'static str, response: &MockResponse) {
    let response = response.clone();
    let fault = move || Fault::Before(Failure::Response(response.clone()));
    server.faults(move |called| (called == operation).then(&fault));
}

#[tokio::test]
async fn only_the_services_own_404_is_a_successful_stop() {
    let server = Server::builder().session_limit(50).start().await.unwrap();
    let client = client(&server);
    for (name, response) in foreign_404s() {
        let token = client.mint(&lite()).await.unwrap();
        token.start().await.unwrap();
        let session = client.session(token.id());
        respond(&server, "stop_session", &response);
        let error = session.stop().await.unwrap_err();
        assert!(error.is_not_found() && server.running_sessions().contains(&token.id()), "{name}: {error}");
        server.clear_faults();
        session.stop().await.unwrap();
        session.stop().await.unwrap();
        assert!(server.running_sessions().is_empty(), "{name}");
    }
    let own =
        [json!({ "detail": "Session not found" }), json!({ "code": 404, "data": null, "message": "gone" })];
    for own in own {
        respond(&server, "stop_session", &MockResponse::json(404, own));
        client.session(liveavatar_api::Uuid::from_u128(1)).stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_reaper_forgets_no_session_after_a_404_that_is_not_the_services_own() {
    let server = Server::builder().session_limit(50).start().await.unwrap();
    for (name, response) in foreign_404s() {
        let folder = tempfile::tempdir().unwrap();
        let client = client(&server);
        let token = client.mint(&lite()).await.unwrap();
        token.start().await.unwrap();
        let dead = FileStore::open(folder.path()).unwrap();
        dead.acquire(client.account().unwrap(), token.id(), later()).await.unwrap();
        drop(dead);
        let clock = TestClock::default();
        let reaper = client.reap().store(FileStore::open(folder.path()).unwrap().clock(clock.clone()));
        respond(&server, "stop_session", &response);
        let result = reaper.run().await;
        assert!(!result.is_complete() && !result.freed_slots(), "{name}");
        assert!(matches!(result.sessions()[0].outcome, ReapOutcome::Failed(_)), "{name}: {result:?}");
        server.clear_faults();
        // The claim ends after a minute.
        clock.sleep(Duration::from_secs(60)).await;
        let result = reaper.run().await;
        assert!(result.is_complete() && server.running_sessions().is_empty(), "{name}: {result:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_supervised_session_ends_only_after_the_services_own_proof() {
    let server = Server::builder().session_limit(50).start().await.unwrap();
    let client = client(&server);
    for (name, response) in foreign_404s() {
        let session = client.open(&lite()).await.unwrap();
        respond(&server, "stop_session", &response);
        let mut stop = std::pin::pin!(session.stop());
        let early = tokio::time::timeout(Duration::from_secs(20), &mut stop).await;
        assert!(early.is_err(), "{name}: {early:?}");
        assert_eq!((session.state(), server.running_sessions().len()), (State::Ending, 1), "{name}");
        server.clear_faults();
        stop.await.unwrap();
        assert_eq!(session.state(), State::Ended(EndReason::Stopped), "{name}");
        assert!(server.running_sessions().is_empty(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_foreign_404_on_keep_alive_does_not_end_the_session() {
    let server = Server::builder().session_limit(50).start().await.unwrap();
    let client = client(&server);
    for (name, response) in foreign_404s() {
        let session = client.open(&lite()).keep_alive_interval(Duration::from_secs(10)).await.unwrap();
        let mut events = session.events();
        respond(&server, "keep_session_alive", &response);
        while !matches!(events.next().await.expect(name), SessionEvent::KeepAliveFailed(_)) {}
        sleep(Duration::from_secs(10)).await;
        server.clear_faults();
        sleep(Duration::from_secs(20)).await;
        assert!(!session.state().is_over(), "{name}: {:?}", session.state());
        assert_eq!(server.running_sessions(), [session.id()], "{name}");
        session.stop().await.unwrap();
    }
}
