//! Rules of the server itself: routes, recording, scripted answers, start and stop.

use liveavatar_mock::{MockResponse, Server};
use serde_json::json;

use crate::harness::{From, Lab, lite, send};

#[tokio::test]
async fn an_unknown_path_is_a_404_of_the_framework() {
    let lab = Lab::start().await;
    let reply = lab.get("/v1/nothing").await;
    assert_eq!((reply.status, reply.body), (404, json!({ "detail": "Not Found" })));
}

#[tokio::test]
async fn a_known_path_with_another_method_is_a_405_that_names_the_methods() {
    let lab = Lab::start().await;
    let reply = send(lab.request(From::Key, "DELETE", "/v1/sessions")).await;
    assert_eq!((reply.status, reply.body), (405, json!({ "detail": "Method Not Allowed" })));
    assert_eq!(reply.headers["allow"], "GET");
    let reply = send(lab.request(From::Key, "PUT", "/v1/contexts/x")).await;
    assert_eq!(reply.headers["allow"], "GET, DELETE, PATCH");
}

#[tokio::test]
async fn every_answer_has_its_own_request_id() {
    let lab = Lab::start().await;
    assert_eq!(lab.get("/v1/languages").await.headers["x-request-id"], "mock-request-1");
    assert_eq!(lab.get("/v1/nothing").await.headers["x-request-id"], "mock-request-2");
}

#[tokio::test]
async fn requests_are_recorded_in_order_with_their_answers() {
    let lab = Lab::start().await;
    lab.get("/v1/voices?page=2").await;
    lab.post(From::Nobody, "/v1/sessions/token", json!({ "a": 1 })).await;
    lab.get("/nowhere").await;
    let requests = lab.server.requests();
    let seen: Vec<_> =
        requests.iter().map(|it| (it.operation.as_deref(), it.path.as_str(), it.status)).collect();
    assert_eq!(
        seen,
        [
            (Some("list_voices"), "/v1/voices", 200),
            (Some("create_session_token"), "/v1/sessions/token", 401),
            (None, "/nowhere", 404)
        ]
    );
    assert_eq!(requests[0].query.as_deref(), Some("page=2"));
    assert_eq!(requests[0].header("X-Api-Key"), Some(lab.server.api_key()));
    assert_eq!(requests[1].body, br#"{"a":1}"#);
}

#[tokio::test]
async fn taken_requests_are_forgotten() {
    let lab = Lab::start().await;
    lab.get("/v1/languages").await;
    assert_eq!(lab.server.take_requests().len(), 1);
    assert!(lab.server.requests().is_empty());
}

#[tokio::test]
async fn debug_output_holds_no_secret() {
    let lab = Lab::start().await;
    let token = lab.mint(lite()).await.text("/data/session_token");
    lab.post(From::Token(&token), "/v1/sessions/keep-alive", json!({ "canary": true })).await;
    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        lab.server,
        Server::builder(),
        lab.server.requests(),
        MockResponse::json(200, json!({ "token": "canary" }))
    );
    assert!(!shown.contains("canary"), "{shown}");
    assert!(shown.contains("[redacted]"), "{shown}");
}

#[tokio::test]
async fn scripted_answers_come_in_order_and_only_once() {
    let lab = Lab::start().await;
    lab.server.mock_response("get_user_credits", MockResponse::raw(502, "text/html", "\"bad gateway\""));
    let limited = MockResponse::json(429, json!({ "detail": "slow down" })).header("retry-after", "1");
    lab.server.mock_response("get_user_credits", limited);
    let first = send(lab.request(From::Nobody, "GET", "/v1/users/credits")).await;
    assert_eq!((first.status, first.body), (502, json!("bad gateway")));
    assert_eq!(first.headers["content-type"], "text/html");
    let second = lab.get("/v1/users/credits").await;
    assert_eq!((second.status, &second.headers["retry-after"]), (429, &"1".parse().unwrap()));
    assert_eq!(second.headers["x-request-id"], "mock-request-2");
    assert_eq!(lab.get("/v1/users/credits").await.status, 200);
    assert_eq!(lab.server.requests()[0].status, 502);
}

#[tokio::test]
async fn a_scripted_request_id_is_kept() {
    let lab = Lab::start().await;
    lab.server
        .mock_response("get_languages", MockResponse::json(500, json!({})).header("X-Request-Id", "mine"));
    let reply = lab.get("/v1/languages").await;
    assert_eq!(reply.headers.get_all("x-request-id").iter().collect::<Vec<_>>(), ["mine"]);
}

#[tokio::test]
#[should_panic(expected = "the document has no operation \"get_weather\"")]
async fn scripting_an_unknown_operation_panics() {
    Lab::start().await.server.mock_response("get_weather", MockResponse::json(200, json!({})));
}

#[tokio::test]
async fn a_dropped_server_closes_its_port() {
    let lab = Lab::start().await;
    let request = lab.request(From::Nobody, "GET", "/v1/languages");
    drop(lab.server);
    // The task that listens ends when it runs next.
    tokio::task::yield_now().await;
    assert!(request.send().await.is_err());
}

#[tokio::test]
async fn shutdown_closes_the_port_before_it_returns() {
    let lab = Lab::start().await;
    let request = lab.request(From::Nobody, "GET", "/v1/languages");
    lab.server.shutdown().await;
    assert!(request.send().await.is_err());
}

#[tokio::test]
async fn servers_share_nothing() {
    let (one, other) = (Lab::start().await, Lab::start().await);
    one.running(lite()).await;
    assert_eq!(one.server.running_sessions().len(), 1);
    assert!(other.server.running_sessions().is_empty());
    assert!(other.server.requests().is_empty());
}
