//! The session operations: minting tokens, listing sessions, and getting one session.

use liveavatar_mock::Server;
use serde_json::{Map, Value, json};

use super::harness::{
    AVATAR, Auth, Mock, SANDBOX_AVATAR, advance, entries, full, lite, send, stop, violation, with,
};

fn bad_request(field: &str, reason: &str) -> Value {
    json!({
        "code": 4000,
        "data": [{ "loc": [field], "message": reason, "params": {} }],
        "message": "Bad request error",
    })
}

fn ids(page: &Value) -> Vec<String> {
    entries(page).iter().map(|entry| entry["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn a_token_contains_the_canary_and_has_the_form_of_a_jwt() {
    let mock = Mock::start().await;
    let response = mock.mint(lite()).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.text("/data/session_token").split('.').count(), 3);
    insta::assert_json_snapshot!(response.body);
}

#[tokio::test]
async fn every_token_has_its_own_session() {
    let mock = Mock::start().await;
    let (one, other) = (mock.mint(lite()).await, mock.mint(lite()).await);
    assert_ne!(one.body["data"]["session_id"], other.body["data"]["session_id"]);
    assert_ne!(one.body["data"]["session_token"], other.body["data"]["session_token"]);
}

#[tokio::test]
async fn minting_a_token_starts_no_session() {
    let mock = Mock::start().await;
    let id = mock.mint(lite()).await.text("/data/session_id");
    assert!(mock.server.running_sessions().is_empty());
    assert_eq!(mock.get(&format!("/v1/sessions/{id}")).await.status, 404);
}

#[tokio::test]
async fn a_session_token_cannot_mint_a_token() {
    let mock = Mock::start().await;
    let token = mock.mint(lite()).await.text("/data/session_token");
    assert_eq!(mock.post(Auth::Token(&token), "/v1/sessions/token", lite()).await.status, 401);
}

#[tokio::test]
async fn full_mode_requires_either_a_persona_or_a_voice_agent() {
    let mock = Mock::start().await;
    let neither = json!({ "mode": "FULL", "avatar_id": AVATAR });
    let both = with(full(), json!({ "voice_agent": { "id": AVATAR } }));
    for body in [neither, both] {
        let response = mock.mint(body.clone()).await;
        let message = "Provide exactly one of avatar_persona or voice_agent";
        let expected = violation("value_error", json!(["body"]), message, body, Value::Null);
        assert_eq!((response.status, response.body), (422, expected));
    }
}

#[tokio::test]
async fn lite_mode_ignores_fields_of_full_mode() {
    let mock = Mock::start().await;
    let body = with(lite(), json!({ "avatar_persona": {}, "voice_agent": { "id": "nine" } }));
    assert_eq!(mock.mint(body).await.status, 200);
}

#[tokio::test]
async fn an_omitted_mode_follows_from_the_other_fields() {
    let mock = Mock::with(Server::builder().session_limit(9)).await;
    for (fields, mode) in [
        (json!({ "voice_agent": { "id": AVATAR } }), "FULL"),
        (json!({ "avatar_persona": {} }), "FULL"),
        (json!({}), "LITE"),
    ] {
        let (id, _) = mock.start_session(with(json!({ "avatar_id": AVATAR }), fields)).await;
        assert_eq!(mock.get(&format!("/v1/sessions/{id}")).await.text("/data/mode"), mode);
    }
}

#[tokio::test]
async fn custom_mode_creates_a_lite_session() {
    let mock = Mock::start().await;
    let (id, _) = mock.start_session(with(lite(), json!({ "mode": "CUSTOM" }))).await;
    assert_eq!(mock.get(&format!("/v1/sessions/{id}")).await.text("/data/mode"), "LITE");
}

#[tokio::test]
async fn the_sandbox_accepts_only_its_avatar() {
    let mock = Mock::start().await;
    let response = mock.mint(with(lite(), json!({ "is_sandbox": true }))).await;
    let expected = bad_request("avatar_id", "This avatar is not supported in sandbox mode");
    assert_eq!((response.status, response.body), (400, expected));
    let body = json!({ "is_sandbox": true, "avatar_id": SANDBOX_AVATAR });
    assert_eq!(mock.mint(with(lite(), body)).await.status, 200);
}

#[tokio::test]
async fn a_sandbox_session_lasts_at_most_a_minute() {
    let mock = Mock::start().await;
    let sandbox = json!({ "is_sandbox": true, "avatar_id": SANDBOX_AVATAR, "max_session_duration": 1800 });
    let response = mock.mint(with(lite(), sandbox)).await;
    let reason = "max_session_duration (1800s) exceeds the maximum allowed (60s)";
    assert_eq!((response.status, response.body), (400, bad_request("max_session_duration", reason)));
}

#[tokio::test]
async fn the_plan_limits_the_duration() {
    let mock = Mock::with(Server::builder().max_session_duration(300)).await;
    let response = mock.mint(with(lite(), json!({ "max_session_duration": 301 }))).await;
    let reason = "max_session_duration (301s) exceeds the maximum allowed (300s)";
    assert_eq!((response.status, response.body), (400, bad_request("max_session_duration", reason)));
    assert_eq!(mock.mint(with(lite(), json!({ "max_session_duration": 300 }))).await.status, 200);
}

#[tokio::test]
async fn dynamic_variables_are_rejected_in_two_places() {
    let mock = Mock::start().await;
    let variables = json!({ "name": "Ann" });
    let agent = json!({ "id": AVATAR, "dynamic_variables": variables });
    let body = json!({ "mode": "FULL", "avatar_id": AVATAR, "voice_agent": agent });
    assert_eq!(mock.mint(body.clone()).await.status, 200);
    let response = mock.mint(with(body, json!({ "dynamic_variables": variables }))).await;
    assert_eq!((response.status, &response.body["code"]), (400, &json!(4000)));
    assert_eq!(response.body["data"][0]["loc"], json!(["dynamic_variables"]));
}

#[tokio::test]
async fn dynamic_variables_have_limits() {
    let mock = Mock::start().await;
    let mint = |variables: Value| mock.mint(with(full(), json!({ "dynamic_variables": variables })));
    let entries =
        |count: usize| -> Map<String, Value> { (0..count).map(|n| (n.to_string(), "v".into())).collect() };
    assert_eq!(mint(entries(50).into()).await.status, 200);
    assert_eq!(mint(entries(51).into()).await.body["detail"][0]["type"], "too_long");
    assert_eq!(mint(json!({ "k": "v".repeat(1000) })).await.status, 200);
    let response = mint(json!({ "k": "v".repeat(1001) })).await;
    assert_eq!(response.body["detail"][0]["loc"], json!(["body", "dynamic_variables", "k"]));
    assert_eq!(mint(Value::Object([("k".repeat(65), "v".into())].into_iter().collect())).await.status, 422);
}

#[tokio::test]
async fn a_session_moves_from_the_active_to_the_historic_list() {
    let mock = Mock::start().await;
    let (id, token) = mock.start_session(full()).await;
    assert_eq!(ids(&mock.get("/v1/sessions?type=active").await.body), [id.as_str()]);
    assert_eq!(mock.get("/v1/sessions?type=historic").await.body["data"]["count"], 0);
    stop(&mock, &token).await;
    assert_eq!(mock.get("/v1/sessions?type=active").await.body["data"]["count"], 0);
    assert_eq!(ids(&mock.get("/v1/sessions?type=historic").await.body), [id.as_str()]);
}

#[tokio::test]
async fn a_list_applies_its_filters() {
    let mock = Mock::start().await;
    let persona = json!({ "avatar_persona": { "context_id": SANDBOX_AVATAR } });
    let (with_context, _) = mock.start_session(with(full(), persona)).await;
    mock.start_session(full()).await;
    let list = async |filter: &str| mock.get(&format!("/v1/sessions?type=active&{filter}")).await.body;
    assert_eq!(ids(&list(&format!("context_id={SANDBOX_AVATAR}")).await), [with_context]);
    assert_eq!(list(&format!("avatar_id={SANDBOX_AVATAR}")).await["data"]["count"], 0);
    assert_eq!(list("embed_id=x").await["data"]["count"], 0);
}

#[tokio::test]
async fn a_session_includes_mode_duration_and_credits() {
    let mock = Mock::start().await;
    let (id, token) = mock.start_session(full()).await;
    advance(90).await;
    let session = mock.get(&format!("/v1/sessions/{id}")).await.body["data"].clone();
    assert_eq!(session.get("end_reason"), None);
    stop(&mock, &token).await;
    let session = mock.get(&format!("/v1/sessions/{id}")).await.body["data"].clone();
    assert_eq!(
        session,
        json!({
            "id": id,
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:01:30Z",
            "end_at": "2026-01-01T00:01:30Z",
            "end_reason": "USER_CLOSED",
            "duration": 90,
            "source": "API",
            "mode": "FULL",
            "is_sandbox": false,
            "credits_consumed": 4,
        })
    );
}

#[tokio::test]
async fn a_sandbox_session_consumes_no_credits() {
    let mock = Mock::start().await;
    let (id, _) =
        mock.start_session(with(lite(), json!({ "is_sandbox": true, "avatar_id": SANDBOX_AVATAR }))).await;
    let session = mock.get(&format!("/v1/sessions/{id}")).await.body["data"].clone();
    assert_eq!((&session["credits_consumed"], &session["is_sandbox"]), (&json!(0), &json!(true)));
}

#[tokio::test]
async fn an_unknown_session_is_not_found() {
    let mock = Mock::start().await;
    let expected = json!({ "code": 4040, "data": null, "message": "Session not found" });
    for (method, path) in
        [("GET", "/v1/sessions/x"), ("GET", "/v1/sessions/x/transcript"), ("DELETE", "/v1/sessions/x/events")]
    {
        let response = send(mock.request(Auth::Key, method, path)).await;
        assert_eq!((response.status, response.body), (404, expected.clone()), "{method} {path}");
    }
}
