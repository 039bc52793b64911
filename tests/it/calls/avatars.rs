//! Waiting for an avatar's training.

use std::time::Duration;

use liveavatar_api::{Client, Credential, ErrorKind};
use liveavatar_mock::{MockResponse, Server, example_response};
use liveavatar_tests::TestClock;
use serde_json::{Value, json};

const AVATAR: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

const INTERVAL: Duration = Duration::from_secs(2);

/// Returns a client and the clock that records its pauses.
fn clocked(server: &Server) -> (Client, TestClock) {
    let clock = TestClock::default();
    let builder = Client::builder().base_url(server.url()).clock(clock.clone());
    let client = builder.credential(Credential::api_key(server.api_key()).unwrap()).build().unwrap();
    (client, clock)
}

/// Makes the mock return the avatar with each of the statuses, in their order.
fn training(server: &Server, statuses: &[Value]) {
    for status in statuses {
        let mut response = example_response("get_avatar_by_id").unwrap();
        response["data"]["status"] = status.clone();
        response["data"]["error_message"] = json!("no face in the picture");
        server.mock_response("get_avatar_by_id", MockResponse::json(200, response));
    }
}

#[tokio::test]
async fn waiting_for_an_avatar_ends_once_it_is_active() {
    let server = Server::start().await.unwrap();
    let (client, clock) = clocked(&server);
    let statuses = ["INIT", "DEPLOYING", "BRAND_NEW"].map(Value::from);
    training(&server, &statuses);
    training(&server, &[Value::Null, json!("ACTIVE")]);
    let avatar = client.wait_for_avatar(AVATAR, INTERVAL, Duration::from_secs(60)).await.unwrap();
    assert_eq!(avatar.status.unwrap().to_string(), "ACTIVE");
    assert_eq!(clock.slept(), [INTERVAL; 4]);
}

#[tokio::test]
async fn waiting_for_an_avatar_reports_why_its_training_failed() {
    let server = Server::start().await.unwrap();
    let (client, _) = clocked(&server);
    training(&server, &[json!("INIT"), json!("FAILED")]);
    let error = client.wait_for_avatar(AVATAR, INTERVAL, Duration::from_secs(60)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Service);
    insta::assert_snapshot!(error, @"get avatar by id: the avatar's training failed: no face in the picture");
}

#[tokio::test]
async fn waiting_for_an_avatar_ends_at_the_time_limit() {
    let server = Server::start().await.unwrap();
    let (client, clock) = clocked(&server);
    training(&server, &vec![json!("DEPLOYING"); 3]);
    let error = client.wait_for_avatar(AVATAR, INTERVAL, Duration::from_secs(5)).await.unwrap_err();
    assert_eq!((error.kind(), server.requests().len()), (ErrorKind::Timeout, 3));
    assert_eq!(clock.slept(), [INTERVAL; 2]);
    insta::assert_snapshot!(error, @"get avatar by id: the time limit passed, and the avatar is still in training");

    // Even with a time limit of zero, the status is requested once.
    training(&server, &[json!("ACTIVE")]);
    client.wait_for_avatar(AVATAR, INTERVAL, Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn waiting_for_an_unknown_avatar_is_an_error_at_once() {
    let server = Server::start().await.unwrap();
    let (client, clock) = clocked(&server);
    server.mock_response("get_avatar_by_id", MockResponse::json(404, json!({})));
    let error = client.wait_for_avatar(AVATAR, INTERVAL, Duration::from_secs(60)).await.unwrap_err();
    assert!(error.is_not_found());
    assert!(clock.slept().is_empty());
}
