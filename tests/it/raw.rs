//! The generated client with positional arguments.

use liveavatar_api::raw::Client as RawClient;
use liveavatar_api::{Client, Credential, Error, ErrorKind};
use liveavatar_mock::{MockResponse, Server};
use liveavatar_tests::TestClock;
use progenitor_client::Error as RawError;
use serde_json::json;

const KEY: &str = "canary-api-key-of-this-test";

fn client(server: &Server) -> Client {
    let credential = Credential::api_key(KEY).unwrap();
    let client = Client::builder().base_url(server.url()).credential(credential);
    client.clock(TestClock::default()).build().unwrap()
}

async fn server() -> Server {
    Server::builder().api_key(KEY).start().await.unwrap()
}

#[tokio::test]
async fn a_call_is_signed_and_retried_and_returns_the_whole_response() {
    let server = server().await;
    server.mock_response("list_voices", MockResponse::json(503, json!({})));
    let client = client(&server);
    let raw: &RawClient = client.raw();
    let response = raw.list_voices(Some(1), Some(5), None).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers().contains_key("x-request-id"));
    assert!(response.raw_data().unwrap().starts_with('{'));
    assert!(response.into_inner().into_data().is_some());
    let requests = server.take_requests();
    let sent: Vec<_> = requests.iter().map(|it| (it.path.as_str(), it.query.as_deref(), it.status)).collect();
    let query = Some("page=1&page_size=5");
    assert_eq!(sent, [("/v1/voices", query, Some(503)), ("/v1/voices", query, Some(200))]);
}

#[tokio::test]
async fn a_failed_call_is_the_services_response_without_its_secrets() {
    let server = server().await;
    let body = json!({ "code": 4001, "data": null, "message": format!("no {KEY} here") });
    server.mock_response("get_user_credits", MockResponse::json(400, body));
    let error = client(&server).raw().get_user_credits().await.unwrap_err();
    assert_eq!(error.status().unwrap(), 400);
    assert!(!format!("{error:?}{error}").contains(KEY), "{error:?}");
    let RawError::UnexpectedResponse(response) = error else { panic!("{error:?}") };
    let text = response.text().await.unwrap();
    assert!(text.contains("4001") && !text.contains(KEY), "{text}");
}

#[tokio::test]
async fn a_failed_call_makes_the_error_of_the_crate() {
    let server = server().await;
    // A failure in a success.
    let body = json!({ "code": 4033, "data": null, "message": "no credits" });
    server.mock_response("get_user_credits", MockResponse::json(200, body));
    let error = Error::from(client(&server).raw().get_user_credits().await.unwrap_err());
    assert_eq!((error.kind(), error.code()), (ErrorKind::InsufficientCredits, Some(4033)));
    let without = Client::builder().base_url(server.url()).build().unwrap();
    let error = Error::from(without.raw().get_user_credits().await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(server.take_requests().len(), 1, "a request without a credential is not sent");
}
