//! Minting a token and starting the session with it.

use liveavatar_api::ErrorKind;
use liveavatar_api::types::SessionEndReason;
use liveavatar_mock::{MockResponse, Server};
use liveavatar_tests::client;
use serde_json::{Value, json};

use super::{custom, full, lite, odd_echoes};

/// The requests so far: method, path, status and body.
fn log(server: &Server) -> String {
    let lines = server.requests().into_iter().map(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let body = if body.is_null() { String::new() } else { format!(" {body}") };
        let status = request.status.map_or("no response".to_owned(), |status| status.to_string());
        format!("{} {} -> {status}{body}", request.method, request.path)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_full_session_runs_from_token_to_transcript() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let token = client.mint(&full()).await.unwrap();
    assert!(server.running_sessions().is_empty());
    let started = token.start().await.unwrap();
    assert_eq!(server.running_sessions(), [token.id()]);
    assert!(started.livekit_client_token.is_some());
    assert_eq!(started.ws_url, None);
    assert_eq!(started.max_session_duration, Some(60));
    let session = client.session(token.id());
    session.keep_alive().await.unwrap();
    session.stop().await.unwrap();
    assert!(server.running_sessions().is_empty());
    let details = session.details().await.unwrap();
    assert_eq!(details.end_reason, Some(SessionEndReason::UserClosed.into()));
    assert!(!session.transcript().await.unwrap().is_empty());
    insta::assert_snapshot!(log(&server), @r#"
    POST /v1/sessions/token -> 200 {"avatar_id":"dd73ea75-1218-4ef3-92ce-606d5f7fbc0a","avatar_persona":{"context_id":"0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11"},"is_sandbox":true,"mode":"FULL"}
    POST /v1/sessions/start -> 201
    POST /v1/sessions/keep-alive -> 200 {"session_id":"5e551001-0000-4000-8000-000000000001"}
    POST /v1/sessions/stop -> 200 {"reason":"USER_CLOSED","session_id":"5e551001-0000-4000-8000-000000000001"}
    GET /v1/sessions/5e551001-0000-4000-8000-000000000001 -> 200
    GET /v1/sessions/5e551001-0000-4000-8000-000000000001/transcript -> 200
    "#);
}

#[tokio::test]
async fn token_requests_are_serialized_exactly() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let _ = client.mint(&full()).await.unwrap();
    let _ = client.mint(&lite()).await.unwrap();
    let _ = client.mint(&custom()).await.unwrap();
    let _ = client.mint(&custom().with_legacy_name().unwrap()).await.unwrap();
    let bodies: Vec<_> =
        server.requests().iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect();
    insta::assert_snapshot!(bodies.join("\n").replace("canary-room-token", "[secret]"), @r#"
    {"avatar_id":"dd73ea75-1218-4ef3-92ce-606d5f7fbc0a","avatar_persona":{"context_id":"0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11"},"is_sandbox":true,"mode":"FULL"}
    {"avatar_id":"0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11","mode":"LITE"}
    {"avatar_id":"0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11","livekit_config":{"livekit_client_token":"[secret]","livekit_room":"lobby","livekit_url":"wss://room.example"},"mode":"LITE"}
    {"avatar_id":"0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11","livekit_config":{"livekit_client_token":"[secret]","livekit_room":"lobby","livekit_url":"wss://room.example"},"mode":"CUSTOM"}
    "#);
}

#[tokio::test]
async fn lite_has_a_socket_and_custom_its_own_room() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let lite = client.mint(&lite()).await.unwrap().start().await.unwrap();
    assert!(lite.ws_url.is_some());
    let custom = client.mint(&custom()).await.unwrap().start().await.unwrap();
    assert_eq!(custom.livekit_url.as_deref(), Some("wss://room.example"));
    assert_eq!(server.running_sessions().len(), 2);
}

#[tokio::test]
async fn the_concurrency_limit_has_its_own_error_kind() {
    let server = Server::builder().session_limit(1).start().await.unwrap();
    let client = client(&server);
    let _running = client.mint(&full()).await.unwrap().start().await.unwrap();
    let error = client.mint(&full()).await.unwrap().start().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::ConcurrencyLimit, Some(4032)));
    assert_eq!(server.running_sessions().len(), 1);
}

#[tokio::test]
async fn a_failed_start_that_may_have_taken_effect_is_stopped() {
    let started = json!({ "code": 1000, "data": { "session": "in another shape" }, "message": null });
    for response in [
        MockResponse::json(500, json!({})),
        // A proxy that returns 408 may have forwarded the request.
        MockResponse::json(408, json!({})),
        MockResponse::json(201, started),
        MockResponse::raw(201, "text/html", "<p>"),
    ] {
        let server = Server::start().await.unwrap();
        let token = client(&server).mint(&full()).await.unwrap();
        server.mock_response("start_session", response);
        token.start().await.unwrap_err();
        let last = server.requests().pop().unwrap();
        assert_eq!(last.operation.as_deref(), Some("stop_session"));
    }
}

#[tokio::test]
async fn a_rejected_start_is_not_stopped() {
    let server = Server::start().await.unwrap();
    let token = client(&server).mint(&full()).await.unwrap();
    let no_credits = json!({ "code": 4033, "message": "No credits available" });
    server.mock_response("start_session", MockResponse::json(403, no_credits));
    assert_eq!(token.start().await.unwrap_err().kind(), ErrorKind::InsufficientCredits);
    assert_eq!(server.requests().pop().unwrap().operation.as_deref(), Some("start_session"));
}

#[tokio::test]
async fn a_start_succeeds_whatever_id_the_response_echoes() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    for mut data in odd_echoes() {
        data["livekit_url"] = json!("wss://room.example");
        let response = json!({ "code": 1000, "data": data, "message": null });
        server.mock_response("start_session", MockResponse::json(201, response));
        let token = client.mint(&full()).await.unwrap();
        let started = token.start().await.unwrap_or_else(|error| panic!("{data}: {error}"));
        assert_eq!(started.livekit_url.as_deref(), Some("wss://room.example"));
    }
}

#[tokio::test]
async fn a_token_with_an_unusable_id_is_an_error() {
    let server = Server::start().await.unwrap();
    for mut data in odd_echoes() {
        data["session_token"] = json!("token");
        let response = json!({ "code": 1000, "data": data, "message": null });
        server.mock_response("create_session_token", MockResponse::json(200, response));
        assert_eq!(client(&server).mint(&full()).await.unwrap_err().kind(), ErrorKind::Decode, "{data}");
    }
}

#[tokio::test]
async fn a_token_can_start_only_one_session() {
    let server = Server::start().await.unwrap();
    let token = client(&server).mint(&full()).await.unwrap();
    token.start().await.unwrap();
    token.start().await.unwrap_err();
    // The second start does not stop the session of the first.
    assert_eq!(server.running_sessions(), [token.id()]);
}
