//! Calls to a session by its id.

use liveavatar_api::Uuid;
use liveavatar_api::session::SessionRef;
use liveavatar_mock::{MockResponse, Server};
use liveavatar_tests::client;
use serde_json::{Value, json};

use super::transcript::page;
use super::{full, odd_echoes};

async fn running(server: &Server) -> SessionRef {
    let client = client(server);
    let token = client.mint(&full()).await.unwrap();
    token.start().await.unwrap();
    client.session(token.id())
}

#[tokio::test]
async fn a_stopped_session_can_be_stopped_again_but_not_kept_alive() {
    let server = Server::start().await.unwrap();
    let session = running(&server).await;
    session.stop().await.unwrap();
    session.stop().await.unwrap();
    let error = session.keep_alive().await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.operation(), Some("keep_session_alive"));
}

#[tokio::test]
async fn the_id_is_enough_to_call_a_session() {
    let server = Server::start().await.unwrap();
    let id = running(&server).await.id();
    let session = client(&server).session(id);
    assert_eq!(session.id(), id);
    session.keep_alive().await.unwrap();
    server.mock_response("get_session_transcript", page(&["a"], 10, true));
    server.mock_response("get_session_transcript", page(&["b"], 10, false));
    let lines: Vec<_> = session.transcript().await.unwrap().into_iter().map(|line| line.transcript).collect();
    assert_eq!(lines, ["a", "b"]);
    assert!(session.details().await.unwrap().end_at.is_none());
    session.stop().await.unwrap();
    session.stop().await.unwrap();
    assert!(session.details().await.unwrap().end_at.is_some());
    let unknown = client(&server).session(Uuid::from_u128(7));
    assert!(unknown.details().await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_keep_alive_and_a_stop_succeed_whatever_id_the_response_echoes() {
    let server = Server::start().await.unwrap();
    let session = running(&server).await;
    let others = [json!({}), json!({ "id": "odd" }), json!("odd"), json!([]), json!(7), Value::Null];
    for data in odd_echoes().into_iter().chain(others) {
        let response = MockResponse::json(200, json!({ "code": 1000, "data": data, "message": null }));
        server.mock_response("keep_session_alive", response.clone());
        server.mock_response("stop_session", response);
        session.keep_alive().await.unwrap_or_else(|error| panic!("{data}: {error}"));
        session.stop().await.unwrap_or_else(|error| panic!("{data}: {error}"));
    }
    let without_data = MockResponse::json(200, json!({ "code": 1000, "message": null }));
    server.mock_response("keep_session_alive", without_data.clone());
    server.mock_response("stop_session", without_data);
    session.keep_alive().await.unwrap();
    session.stop().await.unwrap();
}
