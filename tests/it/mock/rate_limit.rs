//! The rate limit of each caller and operation.

use std::time::Duration;

use liveavatar_api::RequestOptions;
use liveavatar_mock::Server;
use liveavatar_tests::client;

use super::harness::{Auth, Mock, lite, send};

#[tokio::test]
async fn the_rate_limit_applies_to_each_caller_and_operation() {
    tokio::time::pause();
    let mock = Mock::with(Server::builder().rate_limit(2).session_limit(9)).await;
    let (_, one) = mock.start_session(lite()).await;
    let (_, other) = mock.start_session(lite()).await;
    let mut report = Vec::new();
    for (name, auth, method, path) in [
        ("a key", Auth::Key, "GET", "/v1/voices"),
        ("the same key on another operation", Auth::Key, "GET", "/v1/contexts"),
        ("a token", Auth::Token(&one), "POST", "/v1/sessions/keep-alive"),
        ("another token", Auth::Token(&other), "POST", "/v1/sessions/keep-alive"),
    ] {
        let mut statuses = Vec::new();
        for _ in 0..3 {
            let response = send(mock.request(auth, method, path)).await;
            statuses.push(response.status);
            if response.status == 429 {
                assert_eq!(response.headers["retry-after"], "1");
                assert_eq!(response.headers["x-ratelimit-reset"], "1767225601");
            }
        }
        report.push(format!("{name}: {statuses:?}"));
    }
    insta::assert_snapshot!(report.join("\n"), @"
    a key: [200, 200, 429]
    the same key on another operation: [200, 200, 429]
    a token: [200, 200, 429]
    another token: [200, 200, 429]
    ");
    mock.server.advance(Duration::from_secs(1));
    assert_eq!(mock.get("/v1/voices").await.status, 200);
}

#[tokio::test]
async fn after_the_retry_after_time_a_client_is_below_the_limit() {
    let server = Server::builder().rate_limit(1).start().await.unwrap();
    tokio::time::pause();
    let client = client(&server).with_options(RequestOptions::new().max_attempts(1));
    client.get_user_credits().send().await.unwrap();
    let error = client.get_user_credits().send().await.unwrap_err();
    assert!(error.is_rate_limited(), "{error}");
    server.advance(error.retry_after().unwrap());
    client.get_user_credits().send().await.unwrap();
}
