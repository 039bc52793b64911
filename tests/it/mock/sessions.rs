//! Rules of a session's life: start, keep-alive, stop, limits, clock.

use liveavatar_mock::Server;
use serde_json::{Value, json};

use crate::harness::{AVATAR, From, Lab, Reply, SANDBOX_AVATAR, advance, full, lite, send, with};

const START: &str = "/v1/sessions/start";
const STOP: &str = "/v1/sessions/stop";
const KEEP_ALIVE: &str = "/v1/sessions/keep-alive";

async fn start(lab: &Lab, body: Value) -> Reply {
    let token = lab.mint(body).await.text("/data/session_token");
    lab.start_with(&token).await
}

async fn end_reason(lab: &Lab, id: &str) -> Value {
    lab.get(&format!("/v1/sessions/{id}")).await.body["data"]["end_reason"].clone()
}

#[tokio::test]
async fn a_session_goes_from_token_to_stop() {
    let lab = Lab::start().await;
    let (id, token) = lab.running(full()).await;
    let running: Vec<_> = lab.server.running_sessions().iter().map(ToString::to_string).collect();
    assert_eq!(running, [id.as_str()]);
    let reply = send(lab.request(From::Token(&token), "POST", KEEP_ALIVE)).await;
    assert_eq!(
        (reply.status, reply.body),
        (200, json!({ "code": 1000, "data": null, "message": "Success" }))
    );
    assert_eq!(send(lab.request(From::Token(&token), "POST", STOP)).await.status, 200);
    assert!(lab.server.running_sessions().is_empty());
}

#[tokio::test]
async fn start_takes_an_empty_object_or_nothing() {
    let lab = Lab::start().await;
    let token = lab.mint(lite()).await.text("/data/session_token");
    assert_eq!(lab.post(From::Token(&token), START, json!({})).await.status, 201);
}

#[tokio::test]
async fn start_refuses_an_api_key() {
    let lab = Lab::start().await;
    assert_eq!(send(lab.request(From::Key, "POST", START)).await.status, 401);
    assert_eq!(send(lab.request(From::Token(lab.server.api_key()), "POST", START)).await.status, 401);
}

#[tokio::test]
async fn a_token_starts_once() {
    let lab = Lab::start().await;
    let (_, token) = lab.running(lite()).await;
    let reply = lab.start_with(&token).await;
    assert_eq!((reply.status, &reply.body["code"]), (400, &json!(4000)));
    send(lab.request(From::Token(&token), "POST", STOP)).await;
    assert_eq!(lab.start_with(&token).await.status, 400);
}

#[tokio::test]
async fn a_full_session_has_no_command_socket() {
    let data = start(&Lab::start().await, full()).await.body["data"].clone();
    assert_eq!(data["ws_url"], Value::Null);
    assert_eq!(data["livekit_agent_token"], Value::Null);
    assert!(data["livekit_url"].as_str().is_some_and(|url| url.starts_with("wss://")));
    assert!(data["livekit_client_token"].as_str().is_some_and(|token| token.contains("canary")));
}

#[tokio::test]
async fn a_lite_session_has_a_command_socket() {
    let data = start(&Lab::start().await, lite()).await.body["data"].clone();
    assert!(data["ws_url"].as_str().is_some_and(|url| url.starts_with("wss://")));
    assert!(data["livekit_agent_token"].as_str().is_some_and(|token| token.contains("canary")));
}

#[tokio::test]
async fn a_connector_replaces_the_command_socket() {
    let connector = json!({ "elevenlabs_agent_config": { "secret_id": AVATAR, "agent_id": "agent" } });
    let data = start(&Lab::start().await, with(lite(), connector)).await.body["data"].clone();
    assert_eq!(data["ws_url"], Value::Null);
}

#[tokio::test]
async fn an_own_room_is_repeated_in_lite_and_ignored_in_full() {
    let lab = Lab::start().await;
    let room =
        json!({ "livekit_url": "wss://own.example", "livekit_room": "r", "livekit_client_token": "own" });
    let room = json!({ "livekit_config": room });
    let data = start(&lab, with(lite(), room.clone())).await.body["data"].clone();
    assert_eq!(data["livekit_url"], "wss://own.example");
    assert_eq!(data["livekit_agent_token"], Value::Null);
    assert!(data["ws_url"].is_string());
    let data = start(&lab, with(full(), room)).await.body["data"].clone();
    assert_ne!(data["livekit_url"], "wss://own.example");
}

#[tokio::test]
async fn start_returns_the_duration_in_effect() {
    let lab = Lab::with(Server::builder().max_session_duration(900)).await;
    let sandbox = json!({ "is_sandbox": true, "avatar_id": SANDBOX_AVATAR });
    for (fields, seconds) in [(json!({}), 900), (json!({ "max_session_duration": 30 }), 30), (sandbox, 60)] {
        let reply = start(&lab, with(lite(), fields)).await;
        assert_eq!(reply.body["data"]["max_session_duration"], seconds);
    }
}

#[tokio::test]
async fn the_limit_of_running_sessions_is_a_4032_until_one_ends() {
    let lab = Lab::with(Server::builder().session_limit(1)).await;
    let (_, first) = lab.running(lite()).await;
    let token = lab.mint(lite()).await.text("/data/session_token");
    let reply = lab.start_with(&token).await;
    let expected = json!({ "code": 4032, "data": null, "message": "Session concurrency limit reached" });
    assert_eq!((reply.status, reply.body), (403, expected));
    send(lab.request(From::Token(&first), "POST", STOP)).await;
    assert_eq!(lab.start_with(&token).await.status, 201);
}

#[tokio::test]
async fn an_api_key_names_the_session_it_means() {
    let lab = Lab::start().await;
    let (id, _) = lab.running(lite()).await;
    for path in [KEEP_ALIVE, STOP] {
        let reply = lab.post(From::Key, path, json!({})).await;
        assert_eq!(reply.status, 422);
        assert_eq!(reply.body["detail"][0]["loc"], json!(["body", "session_id"]));
        assert_eq!(lab.post(From::Key, path, json!({ "session_id": AVATAR })).await.status, 404);
        assert_eq!(lab.post(From::Key, path, json!({ "session_id": id })).await.status, 200);
    }
}

#[tokio::test]
async fn stop_without_a_body_means_that_the_user_closed() {
    let lab = Lab::start().await;
    let (id, token) = lab.running(lite()).await;
    send(lab.request(From::Token(&token), "POST", STOP)).await;
    assert_eq!(end_reason(&lab, &id).await, "USER_CLOSED");
}

#[tokio::test]
async fn stop_without_a_reason_means_unknown() {
    let lab = Lab::start().await;
    let (id, token) = lab.running(lite()).await;
    lab.post(From::Token(&token), STOP, json!({})).await;
    assert_eq!(end_reason(&lab, &id).await, "UNKNOWN");
}

#[tokio::test]
async fn stop_keeps_the_reason_it_is_given() {
    let lab = Lab::start().await;
    let (id, token) = lab.running(lite()).await;
    let body = json!({ "reason": "USER_DISCONNECTED" });
    assert_eq!(lab.post(From::Token(&token), STOP, body).await.status, 200);
    assert_eq!(end_reason(&lab, &id).await, "USER_DISCONNECTED");
}

#[tokio::test]
async fn a_session_that_is_over_cannot_be_stopped_or_kept_alive() {
    let lab = Lab::start().await;
    let (_, token) = lab.running(lite()).await;
    send(lab.request(From::Token(&token), "POST", STOP)).await;
    for path in [STOP, KEEP_ALIVE] {
        assert_eq!(send(lab.request(From::Token(&token), "POST", path)).await.status, 404);
    }
}

#[tokio::test]
async fn five_minutes_without_keep_alive_end_a_session() {
    let lab = Lab::start().await;
    let (id, token) = lab.running(lite()).await;
    advance(290).await;
    assert_eq!(send(lab.request(From::Token(&token), "POST", KEEP_ALIVE)).await.status, 200);
    advance(290).await;
    assert_eq!(lab.server.running_sessions().len(), 1);
    advance(11).await;
    assert!(lab.server.running_sessions().is_empty());
    assert_eq!(end_reason(&lab, &id).await, "IDLE_TIMEOUT");
}

#[tokio::test]
async fn the_duration_ends_a_session_in_spite_of_keep_alive() {
    let lab = Lab::start().await;
    let (id, token) = lab.running(with(lite(), json!({ "max_session_duration": 100 }))).await;
    advance(90).await;
    assert_eq!(send(lab.request(From::Token(&token), "POST", KEEP_ALIVE)).await.status, 200);
    advance(11).await;
    assert_eq!(send(lab.request(From::Token(&token), "POST", KEEP_ALIVE)).await.status, 404);
    let session = lab.get(&format!("/v1/sessions/{id}")).await.body["data"].clone();
    assert_eq!((&session["end_reason"], &session["duration"]), (&json!("MAX_DURATION_REACHED"), &json!(100)));
}

#[tokio::test]
async fn a_session_that_timed_out_frees_its_slot() {
    let lab = Lab::with(Server::builder().session_limit(1)).await;
    lab.running(lite()).await;
    advance(301).await;
    lab.running(lite()).await;
}

#[tokio::test]
async fn a_limit_beyond_the_clock_is_no_limit() {
    let lab = Lab::with(Server::builder().max_session_duration(u64::MAX)).await;
    lab.running(lite()).await;
    advance(299).await;
    assert_eq!(lab.server.running_sessions().len(), 1);
}
