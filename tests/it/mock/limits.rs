//! Rules of credits, rate limits, end reasons and the server's clock.

use std::time::{Duration, Instant};

use liveavatar_api::session::{Configuration, Lite};
use liveavatar_api::{Call as _, RequestOptions};
use liveavatar_mock::{Fault, Server};
use liveavatar_tests::client;
use serde_json::{Value, json};

use crate::harness::{AVATAR, From, Lab, SANDBOX_AVATAR, full, lite, send, with};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn left(lab: &Lab) -> String {
    lab.get("/v1/users/credits").await.text("/data/credits_left")
}

async fn end_reason(lab: &Lab, id: &str) -> Value {
    lab.get(&format!("/v1/sessions/{id}")).await.body["data"]["end_reason"].clone()
}

async fn keep_alive(lab: &Lab, token: &str) -> u16 {
    send(lab.request(From::Token(token), "POST", "/v1/sessions/keep-alive")).await.status
}

#[tokio::test]
async fn credits_go_by_begun_minutes_of_each_mode() {
    let lab = Lab::with(Server::builder().credits(100)).await;
    let (_, lite) = lab.running(lite()).await;
    assert_eq!(left(&lab).await, "99.00");
    let (_, full) = lab.running(full()).await;
    lab.running(with(super::harness::lite(), json!({ "is_sandbox": true, "avatar_id": SANDBOX_AVATAR })))
        .await;
    assert_eq!(left(&lab).await, "97.00");
    lab.server.advance(seconds(59));
    assert_eq!(left(&lab).await, "97.00");
    lab.server.advance(seconds(2));
    assert_eq!(left(&lab).await, "94.00");
    for token in [lite, full] {
        send(lab.request(From::Token(&token), "POST", "/v1/sessions/stop")).await;
    }
    lab.server.advance(seconds(600));
    assert_eq!((left(&lab).await.as_str(), lab.server.credits()), ("94.00", 94));
}

#[tokio::test]
async fn a_start_that_cannot_pay_its_first_minute_is_a_4033() {
    let lab = Lab::with(Server::builder().credits(1)).await;
    let token = lab.mint(full()).await.text("/data/session_token");
    let reply = lab.start_with(&token).await;
    let expected = json!({ "code": 4033, "data": null, "message": "No credits available" });
    assert_eq!((reply.status, reply.body), (403, expected));
    lab.running(lite()).await;
    assert_eq!(left(&lab).await, "0.00");
}

#[tokio::test]
async fn the_sandbox_runs_without_credits() {
    let lab = Lab::with(Server::builder().credits(0)).await;
    lab.running(with(lite(), json!({ "is_sandbox": true, "avatar_id": SANDBOX_AVATAR }))).await;
}

#[tokio::test]
async fn a_minute_that_nobody_can_pay_ends_the_session() {
    let lab = Lab::with(Server::builder().credits(5)).await;
    let (id, _) = lab.running(full()).await;
    lab.server.advance(seconds(119));
    assert_eq!(lab.server.running_sessions().len(), 1);
    lab.server.advance(seconds(60));
    let session = lab.get(&format!("/v1/sessions/{id}")).await.body["data"].clone();
    let told = ["end_reason", "duration", "credits_consumed"].map(|name| session[name].clone());
    assert_eq!(told, [json!("NO_CREDITS"), json!(120), json!(4)]);
    assert_eq!(left(&lab).await, "1.00");
}

#[tokio::test]
async fn sessions_that_share_credits_end_in_the_order_of_their_minutes() {
    let lab = Lab::with(Server::builder().credits(3)).await;
    let (first, _) = lab.running(lite()).await;
    lab.server.advance(seconds(10));
    let (second, _) = lab.running(lite()).await;
    // One credit is left: the first session's second minute comes earlier.
    lab.server.advance(seconds(70));
    let running: Vec<_> = lab.server.running_sessions().iter().map(ToString::to_string).collect();
    assert_eq!(running, [first]);
    assert_eq!(end_reason(&lab, &second).await, "NO_CREDITS");
}

/// Every reason that the document knows, and how it comes about.
#[tokio::test]
async fn every_end_reason_can_be_reached() {
    let builder = Server::builder().credits(60).max_session_duration(7200).session_limit(9);
    let lab = Lab::with(builder.zombie_timeout(seconds(200))).await;
    let document: Value = serde_json::from_str(include_str!("../../../liveavatar-api/openapi/service.json"))
        .expect("the document");
    let known = document["components"]["schemas"]["SessionEndReasonEnum"]["enum"].clone();
    let mut seen: Vec<Value> = Vec::new();

    for reason in known.as_array().expect("reasons") {
        let (id, token) = lab.running(lite()).await;
        let body = json!({ "reason": reason });
        assert_eq!(lab.post(From::Token(&token), "/v1/sessions/stop", body).await.status, 200);
        assert_eq!(end_reason(&lab, &id).await, *reason, "given by who stops");
        let (id, _) = lab.running(lite()).await;
        assert!(lab.server.end_session(id.parse().expect("an id"), reason.as_str().expect("text")));
        assert_eq!(end_reason(&lab, &id).await, *reason, "given by the service");
    }

    let avatar = lab.get("/v1/avatars").await.text("/data/results/0/id");
    let (deleted, _) = lab.running(with(lite(), json!({ "avatar_id": avatar }))).await;
    send(lab.request(From::Key, "DELETE", &format!("/v1/avatars/{avatar}"))).await;
    let (short, _) = lab.running(with(lite(), json!({ "max_session_duration": 30 }))).await;
    let (zombie, _) = lab.running(lite()).await;
    let (idle, token) = lab.running(lite()).await;
    assert_eq!(keep_alive(&lab, &token).await, 200);
    lab.server.advance(seconds(299));
    let (poor, token) = lab.running(with(lite(), json!({ "avatar_id": AVATAR }))).await;
    for _ in 0..60 {
        lab.server.advance(seconds(60));
        keep_alive(&lab, &token).await;
    }
    for id in [deleted, short, zombie, idle, poor] {
        seen.push(end_reason(&lab, &id).await);
    }
    assert_eq!(
        seen,
        ["AVATAR_DELETED", "MAX_DURATION_REACHED", "ZOMBIE_SESSION_REAP", "IDLE_TIMEOUT", "NO_CREDITS"]
    );
}

#[tokio::test]
async fn each_caller_may_call_each_operation_so_often_a_second() {
    tokio::time::pause();
    let lab = Lab::with(Server::builder().rate_limit(2).session_limit(9)).await;
    let (_, one) = lab.running(lite()).await;
    let (_, other) = lab.running(lite()).await;
    let mut told = Vec::new();
    for (name, from, method, path) in [
        ("a key", From::Key, "GET", "/v1/voices"),
        ("the same key elsewhere", From::Key, "GET", "/v1/contexts"),
        ("a token", From::Token(&one), "POST", "/v1/sessions/keep-alive"),
        ("another token", From::Token(&other), "POST", "/v1/sessions/keep-alive"),
    ] {
        let mut statuses = Vec::new();
        for _ in 0..3 {
            let reply = send(lab.request(from, method, path)).await;
            statuses.push(reply.status);
            if reply.status == 429 {
                assert_eq!(reply.headers["retry-after"], "1");
                assert_eq!(reply.headers["x-ratelimit-reset"], "1767225601");
            }
        }
        told.push(format!("{name}: {statuses:?}"));
    }
    insta::assert_snapshot!(told.join("\n"), @"
    a key: [200, 200, 429]
    the same key elsewhere: [200, 200, 429]
    a token: [200, 200, 429]
    another token: [200, 200, 429]
    ");
    lab.server.advance(seconds(1));
    assert_eq!(lab.get("/v1/voices").await.status, 200);
}

#[tokio::test]
async fn a_client_is_told_how_long_to_wait_for_the_rate_limit() {
    let server = Server::builder().rate_limit(1).start().await.unwrap();
    tokio::time::pause();
    let client = client(&server).with_options(RequestOptions::new().max_attempts(1));
    client.get_user_credits().data().await.unwrap();
    let error = client.get_user_credits().data().await.unwrap_err();
    assert!(error.is_rate_limited(), "{error}");
    server.advance(error.retry_after().unwrap());
    client.get_user_credits().data().await.unwrap();
}

#[tokio::test]
async fn minutes_pass_at_once_on_a_real_clock() {
    let begin = Instant::now();
    let lab = Lab::with(Server::builder().latency(seconds(3600))).await;
    let request = lab.request(From::Nobody, "GET", "/v1/languages");
    let waiting = tokio::spawn(send(request));
    while !waiting.is_finished() {
        lab.server.advance(seconds(3600));
        tokio::task::yield_now().await;
    }
    assert_eq!(waiting.await.expect("no panic").status, 200);
    assert!(begin.elapsed() < seconds(60));
}

#[tokio::test]
async fn a_late_answer_is_late_by_the_servers_clock() {
    let lab = Lab::start().await;
    lab.server.inject_fault("get_languages", 1, Fault::Delayed(seconds(600)));
    let waiting = tokio::spawn(send(lab.request(From::Nobody, "GET", "/v1/languages")));
    while !waiting.is_finished() {
        lab.server.advance(seconds(600));
        tokio::task::yield_now().await;
    }
    assert_eq!(waiting.await.expect("no panic").status, 200);
}

#[tokio::test]
async fn transcripts_and_timestamps_follow_the_servers_clock() {
    let lab = Lab::start().await;
    let (id, _) = lab.running(full()).await;
    lab.server.advance(seconds(20));
    let transcript = lab.get(&format!("/v1/sessions/{id}/transcript")).await.body["data"].clone();
    assert_eq!(transcript["transcript_data"].as_array().map(Vec::len), Some(3));
    let session = lab.get(&format!("/v1/sessions/{id}")).await;
    assert_eq!(session.text("/data/updated_at"), "2026-01-01T00:00:20Z");
    lab.server.advance(Duration::MAX);
    assert!(lab.server.running_sessions().is_empty());
}

#[tokio::test]
async fn the_client_knows_a_start_without_credits() {
    let server = Server::builder().credits(0).start().await.unwrap();
    let configuration = Configuration::<Lite>::build(|lite| lite.avatar_id(AVATAR)).unwrap();
    let minted = client(&server).mint(&configuration).await.unwrap();
    let error = minted.start().await.unwrap_err();
    assert!(error.is_insufficient_credits(), "{error}");
}
