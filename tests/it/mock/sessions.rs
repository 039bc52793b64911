//! The life of a session: start, keep-alive, stop, time limits, credits and end reasons.

use std::time::Duration;

use liveavatar_api::session::LiteSession;
use liveavatar_mock::Server;
use liveavatar_tests::client;
use serde_json::{Value, json};

use super::harness::{
    AVATAR, Auth, Mock, Response, SANDBOX_AVATAR, advance, document, full, lite, send, with,
};

const START: &str = "/v1/sessions/start";
const STOP: &str = "/v1/sessions/stop";
const KEEP_ALIVE: &str = "/v1/sessions/keep-alive";

async fn start(mock: &Mock, body: Value) -> Response {
    let token = mock.mint(body).await.text("/data/session_token");
    mock.start_with_token(&token).await
}

async fn end_reason(mock: &Mock, id: &str) -> Value {
    mock.get(&format!("/v1/sessions/{id}")).await.body["data"]["end_reason"].clone()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn credits_left(mock: &Mock) -> String {
    mock.get("/v1/users/credits").await.text("/data/credits_left")
}

async fn keep_alive(mock: &Mock, token: &str) -> u16 {
    send(mock.request(Auth::Token(token), "POST", KEEP_ALIVE)).await.status
}

#[tokio::test]
async fn a_session_can_be_started_kept_alive_and_stopped() {
    let mock = Mock::start().await;
    let (id, token) = mock.start_session(full()).await;
    let running: Vec<_> = mock.server.running_sessions().iter().map(ToString::to_string).collect();
    assert_eq!(running, [id.as_str()]);
    let response = send(mock.request(Auth::Token(&token), "POST", KEEP_ALIVE)).await;
    assert_eq!(
        (response.status, response.body),
        (200, json!({ "code": 1000, "data": null, "message": "Success" }))
    );
    assert_eq!(send(mock.request(Auth::Token(&token), "POST", STOP)).await.status, 200);
    assert!(mock.server.running_sessions().is_empty());
}

#[tokio::test]
async fn start_accepts_an_empty_object() {
    let mock = Mock::start().await;
    let token = mock.mint(lite()).await.text("/data/session_token");
    assert_eq!(mock.post(Auth::Token(&token), START, json!({})).await.status, 201);
}

#[tokio::test]
async fn start_rejects_an_api_key() {
    let mock = Mock::start().await;
    assert_eq!(send(mock.request(Auth::Key, "POST", START)).await.status, 401);
    assert_eq!(send(mock.request(Auth::Token(mock.server.api_key()), "POST", START)).await.status, 401);
}

#[tokio::test]
async fn a_token_starts_its_session_once() {
    let mock = Mock::start().await;
    let (_, token) = mock.start_session(lite()).await;
    let response = mock.start_with_token(&token).await;
    assert_eq!((response.status, &response.body["code"]), (400, &json!(4000)));
    send(mock.request(Auth::Token(&token), "POST", STOP)).await;
    assert_eq!(mock.start_with_token(&token).await.status, 400);
}

#[tokio::test]
async fn a_full_session_lacks_a_command_socket() {
    let data = start(&Mock::start().await, full()).await.body["data"].clone();
    insta::assert_json_snapshot!(data);
}

#[tokio::test]
async fn a_lite_session_has_a_command_socket() {
    let data = start(&Mock::start().await, lite()).await.body["data"].clone();
    insta::assert_json_snapshot!(data);
}

#[tokio::test]
async fn a_connector_replaces_the_command_socket() {
    let connector = json!({ "elevenlabs_agent_config": { "secret_id": AVATAR, "agent_id": "agent" } });
    let data = start(&Mock::start().await, with(lite(), connector)).await.body["data"].clone();
    assert_eq!(data["ws_url"], Value::Null);
}

#[tokio::test]
async fn lite_mode_returns_the_callers_room_and_full_mode_ignores_it() {
    let mock = Mock::start().await;
    let room =
        json!({ "livekit_url": "wss://own.example", "livekit_room": "r", "livekit_client_token": "own" });
    let room = json!({ "livekit_config": room });
    let data = start(&mock, with(lite(), room.clone())).await.body["data"].clone();
    assert_eq!(data["livekit_url"], "wss://own.example");
    assert_eq!(data["livekit_agent_token"], Value::Null);
    assert!(data["ws_url"].is_string());
    let data = start(&mock, with(full(), room)).await.body["data"].clone();
    assert_ne!(data["livekit_url"], "wss://own.example");
}

#[tokio::test]
async fn start_returns_the_effective_duration() {
    let mock = Mock::with(Server::builder().max_session_duration(900)).await;
    let sandbox = json!({ "is_sandbox": true, "avatar_id": SANDBOX_AVATAR });
    for (fields, seconds) in [(json!({}), 900), (json!({ "max_session_duration": 30 }), 30), (sandbox, 60)] {
        let response = start(&mock, with(lite(), fields)).await;
        assert_eq!(response.body["data"]["max_session_duration"], seconds);
    }
}

#[tokio::test]
async fn a_start_above_the_session_limit_is_a_4032_until_a_session_ends() {
    let mock = Mock::with(Server::builder().session_limit(1)).await;
    let (_, first) = mock.start_session(lite()).await;
    let token = mock.mint(lite()).await.text("/data/session_token");
    let response = mock.start_with_token(&token).await;
    let expected = json!({ "code": 4032, "data": null, "message": "Session concurrency limit reached" });
    assert_eq!((response.status, response.body), (403, expected));
    send(mock.request(Auth::Token(&first), "POST", STOP)).await;
    assert_eq!(mock.start_with_token(&token).await.status, 201);
}

#[tokio::test]
async fn a_request_with_an_api_key_must_name_its_session() {
    let mock = Mock::start().await;
    let (id, _) = mock.start_session(lite()).await;
    for path in [KEEP_ALIVE, STOP] {
        let response = mock.post(Auth::Key, path, json!({})).await;
        assert_eq!(response.status, 422);
        assert_eq!(response.body["detail"][0]["loc"], json!(["body", "session_id"]));
        assert_eq!(mock.post(Auth::Key, path, json!({ "session_id": AVATAR })).await.status, 404);
        assert_eq!(mock.post(Auth::Key, path, json!({ "session_id": id })).await.status, 200);
    }
}

#[tokio::test]
async fn the_reason_of_a_stop_without_a_body_is_user_closed() {
    let mock = Mock::start().await;
    let (id, token) = mock.start_session(lite()).await;
    send(mock.request(Auth::Token(&token), "POST", STOP)).await;
    assert_eq!(end_reason(&mock, &id).await, "USER_CLOSED");
}

#[tokio::test]
async fn the_reason_of_a_stop_without_a_reason_is_unknown() {
    let mock = Mock::start().await;
    let (id, token) = mock.start_session(lite()).await;
    mock.post(Auth::Token(&token), STOP, json!({})).await;
    assert_eq!(end_reason(&mock, &id).await, "UNKNOWN");
}

#[tokio::test]
async fn a_stop_keeps_its_reason() {
    let mock = Mock::start().await;
    let (id, token) = mock.start_session(lite()).await;
    let body = json!({ "reason": "USER_DISCONNECTED" });
    assert_eq!(mock.post(Auth::Token(&token), STOP, body).await.status, 200);
    assert_eq!(end_reason(&mock, &id).await, "USER_DISCONNECTED");
}

#[tokio::test]
async fn an_ended_session_cannot_be_stopped_or_kept_alive() {
    let mock = Mock::start().await;
    let (_, token) = mock.start_session(lite()).await;
    send(mock.request(Auth::Token(&token), "POST", STOP)).await;
    for path in [STOP, KEEP_ALIVE] {
        assert_eq!(send(mock.request(Auth::Token(&token), "POST", path)).await.status, 404);
    }
}

#[tokio::test]
async fn a_session_ends_after_five_minutes_without_a_keep_alive() {
    let mock = Mock::start().await;
    let (id, token) = mock.start_session(lite()).await;
    advance(290).await;
    assert_eq!(send(mock.request(Auth::Token(&token), "POST", KEEP_ALIVE)).await.status, 200);
    advance(290).await;
    assert_eq!(mock.server.running_sessions().len(), 1);
    advance(11).await;
    assert!(mock.server.running_sessions().is_empty());
    assert_eq!(end_reason(&mock, &id).await, "IDLE_TIMEOUT");
}

#[tokio::test]
async fn a_session_ends_after_its_duration_despite_keep_alives() {
    let mock = Mock::start().await;
    let (id, token) = mock.start_session(with(lite(), json!({ "max_session_duration": 100 }))).await;
    advance(90).await;
    assert_eq!(send(mock.request(Auth::Token(&token), "POST", KEEP_ALIVE)).await.status, 200);
    advance(11).await;
    assert_eq!(send(mock.request(Auth::Token(&token), "POST", KEEP_ALIVE)).await.status, 404);
    let session = mock.get(&format!("/v1/sessions/{id}")).await.body["data"].clone();
    assert_eq!((&session["end_reason"], &session["duration"]), (&json!("MAX_DURATION_REACHED"), &json!(100)));
}

#[tokio::test]
async fn a_timed_out_session_frees_its_slot() {
    let mock = Mock::with(Server::builder().session_limit(1)).await;
    mock.start_session(lite()).await;
    advance(301).await;
    mock.start_session(lite()).await;
}

#[tokio::test]
async fn a_duration_that_the_clock_cannot_represent_is_no_limit() {
    let mock = Mock::with(Server::builder().max_session_duration(u64::MAX)).await;
    mock.start_session(lite()).await;
    advance(299).await;
    assert_eq!(mock.server.running_sessions().len(), 1);
}

#[tokio::test]
async fn credits_are_charged_per_started_minute_and_mode() {
    let mock = Mock::with(Server::builder().credits(100)).await;
    let (_, lite_token) = mock.start_session(lite()).await;
    assert_eq!(credits_left(&mock).await, "99.00");
    let (_, full_token) = mock.start_session(full()).await;
    mock.start_session(with(lite(), json!({ "is_sandbox": true, "avatar_id": SANDBOX_AVATAR }))).await;
    assert_eq!(credits_left(&mock).await, "97.00");
    mock.server.advance(seconds(59));
    assert_eq!(credits_left(&mock).await, "97.00");
    mock.server.advance(seconds(2));
    assert_eq!(credits_left(&mock).await, "94.00");
    for token in [lite_token, full_token] {
        send(mock.request(Auth::Token(&token), "POST", STOP)).await;
    }
    mock.server.advance(seconds(600));
    assert_eq!((credits_left(&mock).await.as_str(), mock.server.credits()), ("94.00", 94));
}

#[tokio::test]
async fn a_start_without_credits_for_a_minute_is_a_4033() {
    let mock = Mock::with(Server::builder().credits(1)).await;
    let token = mock.mint(full()).await.text("/data/session_token");
    let response = mock.start_with_token(&token).await;
    let expected = json!({ "code": 4033, "data": null, "message": "No credits available" });
    assert_eq!((response.status, response.body), (403, expected));
    mock.start_session(lite()).await;
    assert_eq!(credits_left(&mock).await, "0.00");
}

#[tokio::test]
async fn a_sandbox_session_runs_without_credits() {
    let mock = Mock::with(Server::builder().credits(0)).await;
    mock.start_session(with(lite(), json!({ "is_sandbox": true, "avatar_id": SANDBOX_AVATAR }))).await;
}

#[tokio::test]
async fn a_session_ends_when_the_next_minute_is_not_covered() {
    let mock = Mock::with(Server::builder().credits(5)).await;
    let (id, _) = mock.start_session(full()).await;
    mock.server.advance(seconds(119));
    assert_eq!(mock.server.running_sessions().len(), 1);
    mock.server.advance(seconds(60));
    let session = mock.get(&format!("/v1/sessions/{id}")).await.body["data"].clone();
    let session = ["end_reason", "duration", "credits_consumed"].map(|name| session[name].clone());
    assert_eq!(session, [json!("NO_CREDITS"), json!(120), json!(4)]);
    assert_eq!(credits_left(&mock).await, "1.00");
}

#[tokio::test]
async fn sessions_are_charged_in_the_order_of_their_minutes() {
    let mock = Mock::with(Server::builder().credits(3)).await;
    let (first, _) = mock.start_session(lite()).await;
    mock.server.advance(seconds(10));
    let (second, _) = mock.start_session(lite()).await;
    // The last credit is charged for the second minute of the first session, which begins earlier.
    mock.server.advance(seconds(70));
    let running: Vec<_> = mock.server.running_sessions().iter().map(ToString::to_string).collect();
    assert_eq!(running, [first]);
    assert_eq!(end_reason(&mock, &second).await, "NO_CREDITS");
}

#[tokio::test]
async fn every_end_reason_can_be_produced() {
    let builder = Server::builder().credits(60).max_session_duration(7200).session_limit(9);
    let mock = Mock::with(builder.zombie_timeout(seconds(200))).await;
    let known = document()["components"]["schemas"]["SessionEndReasonEnum"]["enum"].clone();
    for reason in known.as_array().expect("reasons") {
        let (id, token) = mock.start_session(lite()).await;
        let body = json!({ "reason": reason });
        assert_eq!(mock.post(Auth::Token(&token), STOP, body).await.status, 200);
        assert_eq!(end_reason(&mock, &id).await, *reason, "sent with the stop");
        let (id, _) = mock.start_session(lite()).await;
        assert!(mock.server.end_session(id.parse().expect("an id"), reason.as_str().expect("text")));
        assert_eq!(end_reason(&mock, &id).await, *reason, "given by the service");
    }

    let avatar = mock.get("/v1/avatars").await.text("/data/results/0/id");
    let (deleted, _) = mock.start_session(with(lite(), json!({ "avatar_id": avatar }))).await;
    send(mock.request(Auth::Key, "DELETE", &format!("/v1/avatars/{avatar}"))).await;
    let (short, _) = mock.start_session(with(lite(), json!({ "max_session_duration": 30 }))).await;
    let (zombie, _) = mock.start_session(lite()).await;
    let (idle, token) = mock.start_session(lite()).await;
    assert_eq!(keep_alive(&mock, &token).await, 200);
    mock.server.advance(seconds(299));
    let (unpaid, token) = mock.start_session(with(lite(), json!({ "avatar_id": AVATAR }))).await;
    for _ in 0..60 {
        mock.server.advance(seconds(60));
        keep_alive(&mock, &token).await;
    }
    let mut reasons = Vec::new();
    for id in [deleted, short, zombie, idle, unpaid] {
        reasons.push(end_reason(&mock, &id).await);
    }
    assert_eq!(
        reasons,
        ["AVATAR_DELETED", "MAX_DURATION_REACHED", "ZOMBIE_SESSION_REAP", "IDLE_TIMEOUT", "NO_CREDITS"]
    );
}

#[tokio::test]
async fn the_client_reports_insufficient_credits() {
    let server = Server::builder().credits(0).start().await.unwrap();
    let configuration = LiteSession::builder().avatar_id(AVATAR).build().unwrap();
    let minted = client(&server).mint(&configuration).await.unwrap();
    let error = minted.start().await.unwrap_err();
    assert!(error.is_insufficient_credits(), "{error}");
}
