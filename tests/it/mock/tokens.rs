//! Rules that are checked when a token is minted.

use liveavatar_mock::Server;
use serde_json::{Map, Value, json};

use crate::harness::{AVATAR, From, Lab, SANDBOX_AVATAR, full, lite, problem, with};

fn bad_request(field: &str, reason: &str) -> Value {
    json!({
        "code": 4000,
        "data": [{ "loc": [field], "message": reason, "params": {} }],
        "message": "Bad request error",
    })
}

#[tokio::test]
async fn a_minted_token_is_a_canary_in_the_shape_of_a_jwt() {
    let lab = Lab::start().await;
    let reply = lab.mint(lite()).await;
    assert_eq!(
        (reply.status, &reply.body["code"], &reply.body["message"]),
        (200, &json!(1000), &json!("Success"))
    );
    let token = reply.text("/data/session_token");
    assert_eq!(token.split('.').count(), 3);
    assert!(token.contains("canary"));
}

#[tokio::test]
async fn a_token_is_bound_to_its_own_session() {
    let lab = Lab::start().await;
    let (one, other) = (lab.mint(lite()).await, lab.mint(lite()).await);
    assert_ne!(one.body["data"]["session_id"], other.body["data"]["session_id"]);
    assert_ne!(one.body["data"]["session_token"], other.body["data"]["session_token"]);
}

#[tokio::test]
async fn minting_alone_starts_nothing() {
    let lab = Lab::start().await;
    let id = lab.mint(lite()).await.text("/data/session_id");
    assert!(lab.server.running_sessions().is_empty());
    assert_eq!(lab.get(&format!("/v1/sessions/{id}")).await.status, 404);
}

#[tokio::test]
async fn a_session_token_cannot_mint() {
    let lab = Lab::start().await;
    let token = lab.mint(lite()).await.text("/data/session_token");
    assert_eq!(lab.post(From::Token(&token), "/v1/sessions/token", lite()).await.status, 401);
}

#[tokio::test]
async fn full_needs_exactly_one_of_persona_and_agent() {
    let lab = Lab::start().await;
    let neither = json!({ "mode": "FULL", "avatar_id": AVATAR });
    let both = with(full(), json!({ "voice_agent": { "id": AVATAR } }));
    for body in [neither, both] {
        let reply = lab.mint(body.clone()).await;
        let message = "Provide exactly one of avatar_persona or voice_agent";
        let expected = problem("value_error", json!(["body"]), message, body, Value::Null);
        assert_eq!((reply.status, reply.body), (422, expected));
    }
}

#[tokio::test]
async fn lite_ignores_what_belongs_to_full() {
    let lab = Lab::start().await;
    let body = with(lite(), json!({ "avatar_persona": {}, "voice_agent": { "id": "nine" } }));
    assert_eq!(lab.mint(body).await.status, 200);
}

#[tokio::test]
async fn the_mode_follows_from_the_fields_when_it_is_omitted() {
    let lab = Lab::with(Server::builder().session_limit(9)).await;
    for (fields, mode) in [
        (json!({ "voice_agent": { "id": AVATAR } }), "FULL"),
        (json!({ "avatar_persona": {} }), "FULL"),
        (json!({}), "LITE"),
    ] {
        let (id, _) = lab.running(with(json!({ "avatar_id": AVATAR }), fields)).await;
        assert_eq!(lab.get(&format!("/v1/sessions/{id}")).await.text("/data/mode"), mode);
    }
}

#[tokio::test]
async fn the_legacy_mode_makes_a_lite_session() {
    let lab = Lab::start().await;
    let (id, _) = lab.running(with(lite(), json!({ "mode": "CUSTOM" }))).await;
    assert_eq!(lab.get(&format!("/v1/sessions/{id}")).await.text("/data/mode"), "LITE");
}

#[tokio::test]
async fn the_sandbox_knows_one_avatar() {
    let lab = Lab::start().await;
    let reply = lab.mint(with(lite(), json!({ "is_sandbox": true }))).await;
    let expected = bad_request("avatar_id", "This avatar is not supported in sandbox mode");
    assert_eq!((reply.status, reply.body), (400, expected));
    let body = json!({ "is_sandbox": true, "avatar_id": SANDBOX_AVATAR });
    assert_eq!(lab.mint(with(lite(), body)).await.status, 200);
}

#[tokio::test]
async fn the_sandbox_allows_a_minute() {
    let lab = Lab::start().await;
    let sandbox = json!({ "is_sandbox": true, "avatar_id": SANDBOX_AVATAR, "max_session_duration": 1800 });
    let reply = lab.mint(with(lite(), sandbox)).await;
    let reason = "max_session_duration (1800s) exceeds the maximum allowed (60s)";
    assert_eq!((reply.status, reply.body), (400, bad_request("max_session_duration", reason)));
}

#[tokio::test]
async fn a_plan_caps_the_duration() {
    let lab = Lab::with(Server::builder().max_session_duration(300)).await;
    let reply = lab.mint(with(lite(), json!({ "max_session_duration": 301 }))).await;
    let reason = "max_session_duration (301s) exceeds the maximum allowed (300s)";
    assert_eq!((reply.status, reply.body), (400, bad_request("max_session_duration", reason)));
    assert_eq!(lab.mint(with(lite(), json!({ "max_session_duration": 300 }))).await.status, 200);
}

#[tokio::test]
async fn variables_are_set_in_one_place() {
    let lab = Lab::start().await;
    let variables = json!({ "name": "Ann" });
    let agent = json!({ "id": AVATAR, "dynamic_variables": variables });
    let body = json!({ "mode": "FULL", "avatar_id": AVATAR, "voice_agent": agent });
    assert_eq!(lab.mint(body.clone()).await.status, 200);
    let reply = lab.mint(with(body, json!({ "dynamic_variables": variables }))).await;
    assert_eq!((reply.status, &reply.body["code"]), (400, &json!(4000)));
    assert_eq!(reply.body["data"][0]["loc"], json!(["dynamic_variables"]));
}

#[tokio::test]
async fn variables_have_limits() {
    let lab = Lab::start().await;
    let mint = |variables: Value| lab.mint(with(full(), json!({ "dynamic_variables": variables })));
    let entries =
        |count: usize| -> Map<String, Value> { (0..count).map(|n| (n.to_string(), "v".into())).collect() };
    assert_eq!(mint(entries(50).into()).await.status, 200);
    assert_eq!(mint(entries(51).into()).await.body["detail"][0]["type"], "too_long");
    assert_eq!(mint(json!({ "k": "v".repeat(1000) })).await.status, 200);
    let reply = mint(json!({ "k": "v".repeat(1001) })).await;
    assert_eq!(reply.body["detail"][0]["loc"], json!(["body", "dynamic_variables", "k"]));
    assert_eq!(mint(Value::Object([("k".repeat(65), "v".into())].into_iter().collect())).await.status, 422);
}
