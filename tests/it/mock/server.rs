//! The server itself: routes, recorded requests, queued responses, start and stop.

use liveavatar_mock::{MockResponse, Server};
use serde_json::json;

use super::harness::{Auth, Mock, lite, send};

#[tokio::test]
async fn an_unknown_path_is_a_404_of_the_framework() {
    let mock = Mock::start().await;
    let response = mock.get("/v1/nothing").await;
    assert_eq!((response.status, response.body), (404, json!({ "detail": "Not Found" })));
}

#[tokio::test]
async fn a_known_path_with_another_method_is_a_405_that_lists_the_methods() {
    let mock = Mock::start().await;
    let response = send(mock.request(Auth::Key, "DELETE", "/v1/sessions")).await;
    assert_eq!((response.status, response.body), (405, json!({ "detail": "Method Not Allowed" })));
    assert_eq!(response.headers["allow"], "GET");
    let response = send(mock.request(Auth::Key, "PUT", "/v1/contexts/x")).await;
    assert_eq!(response.headers["allow"], "GET, DELETE, PATCH");
}

#[tokio::test]
async fn every_response_has_its_own_request_id() {
    let mock = Mock::start().await;
    assert_eq!(mock.get("/v1/languages").await.headers["x-request-id"], "mock-request-1");
    assert_eq!(mock.get("/v1/nothing").await.headers["x-request-id"], "mock-request-2");
}

#[tokio::test]
async fn requests_are_recorded_in_order_with_their_statuses() {
    let mock = Mock::start().await;
    mock.get("/v1/voices?page=2").await;
    mock.post(Auth::None, "/v1/sessions/token", json!({ "a": 1 })).await;
    mock.get("/nowhere").await;
    let requests = mock.server.requests();
    let recorded: Vec<_> =
        requests.iter().map(|it| (it.operation.as_deref(), it.path.as_str(), it.status)).collect();
    assert_eq!(
        recorded,
        [
            (Some("list_voices"), "/v1/voices", Some(200)),
            (Some("create_session_token"), "/v1/sessions/token", Some(401)),
            (None, "/nowhere", Some(404))
        ]
    );
    assert_eq!(requests[0].query.as_deref(), Some("page=2"));
    assert_eq!(requests[0].header("X-Api-Key"), Some(mock.server.api_key()));
    assert_eq!(requests[1].body, br#"{"a":1}"#);
}

#[tokio::test]
async fn take_requests_clears_the_record() {
    let mock = Mock::start().await;
    mock.get("/v1/languages").await;
    assert_eq!(mock.server.take_requests().len(), 1);
    assert!(mock.server.requests().is_empty());
}

#[tokio::test]
async fn debug_output_omits_secrets() {
    let mock = Mock::start().await;
    let token = mock.mint(lite()).await.text("/data/session_token");
    mock.post(Auth::Token(&token), "/v1/sessions/keep-alive", json!({ "canary": true })).await;
    let shown = format!(
        "{:?}\n{:?}\n{:#?}\n{:?}",
        mock.server,
        Server::builder(),
        mock.server.requests(),
        MockResponse::json(200, json!({ "token": "canary" }))
    );
    assert!(!shown.contains("canary"), "{shown}");
    let host = mock.server.url().trim_start_matches("http://");
    insta::assert_snapshot!(shown.replace(host, "[host]"));
}

#[tokio::test]
async fn queued_responses_are_sent_once_in_order() {
    let mock = Mock::start().await;
    mock.server.mock_response("get_user_credits", MockResponse::raw(502, "text/html", "\"bad gateway\""));
    let limited = MockResponse::json(429, json!({ "detail": "slow down" })).header("retry-after", "1");
    mock.server.mock_response("get_user_credits", limited);
    let first = send(mock.request(Auth::None, "GET", "/v1/users/credits")).await;
    assert_eq!((first.status, first.body), (502, json!("bad gateway")));
    assert_eq!(first.headers["content-type"], "text/html");
    let second = mock.get("/v1/users/credits").await;
    assert_eq!((second.status, &second.headers["retry-after"]), (429, &"1".parse().unwrap()));
    assert_eq!(second.headers["x-request-id"], "mock-request-2");
    assert_eq!(mock.get("/v1/users/credits").await.status, 200);
    assert_eq!(mock.server.requests()[0].status, Some(502));
}

#[tokio::test]
async fn the_request_id_of_a_queued_response_is_kept() {
    let mock = Mock::start().await;
    mock.server
        .mock_response("get_languages", MockResponse::json(500, json!({})).header("X-Request-Id", "mine"));
    let response = mock.get("/v1/languages").await;
    assert_eq!(response.headers.get_all("x-request-id").iter().collect::<Vec<_>>(), ["mine"]);
}

#[tokio::test]
#[should_panic(expected = "the document has no operation \"get_weather\"")]
async fn queuing_a_response_of_an_unknown_operation_panics() {
    Mock::start().await.server.mock_response("get_weather", MockResponse::json(200, json!({})));
}

#[tokio::test]
async fn a_dropped_server_closes_its_port() {
    let mock = Mock::start().await;
    let request = mock.request(Auth::None, "GET", "/v1/languages");
    drop(mock.server);
    // The server's task ends the next time it runs.
    tokio::task::yield_now().await;
    assert!(request.send().await.is_err());
}

#[tokio::test]
async fn shutdown_closes_the_port_before_it_returns() {
    let mock = Mock::start().await;
    let request = mock.request(Auth::None, "GET", "/v1/languages");
    mock.server.shutdown().await;
    assert!(request.send().await.is_err());
}

#[tokio::test]
async fn servers_share_nothing() {
    let (one, other) = (Mock::start().await, Mock::start().await);
    one.start_session(lite()).await;
    assert_eq!(one.server.running_sessions().len(), 1);
    assert!(other.server.running_sessions().is_empty());
    assert!(other.server.requests().is_empty());
}
