//! Calls to a session by its id.

use liveavatar_api::Uuid;
use liveavatar_api::types::SessionEndReason;
use liveavatar_mock::Server;
use liveavatar_tests::client;

use super::full;
use super::transcript::page;

#[tokio::test]
async fn a_stopped_session_can_be_stopped_again_but_not_kept_alive() {
    let server = Server::start().await.unwrap();
    let session = client(&server).mint(&full()).await.unwrap().start().await.unwrap();
    session.stop(SessionEndReason::UserClosed).await.unwrap();
    session.stop(SessionEndReason::UserClosed).await.unwrap();
    let error = session.keep_alive().await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.operation(), Some("keep_session_alive"));
}

#[tokio::test]
async fn the_id_is_enough_to_call_a_session() {
    let server = Server::start().await.unwrap();
    let started = client(&server).mint(&full()).await.unwrap().start().await.unwrap();
    let session = client(&server).session(started.id());
    assert_eq!(session.id(), started.id());
    session.keep_alive().await.unwrap();
    server.mock_response("get_session_transcript", page(&["a"], 10, true));
    server.mock_response("get_session_transcript", page(&["b"], 10, false));
    let lines: Vec<_> = session.transcript().await.unwrap().into_iter().map(|line| line.transcript).collect();
    assert_eq!(lines, ["a", "b"]);
    assert!(session.details().await.unwrap().end_at.is_none());
    session.stop(SessionEndReason::UserClosed).await.unwrap();
    session.stop(SessionEndReason::UserClosed).await.unwrap();
    assert!(session.details().await.unwrap().end_at.is_some());
    let unknown = client(&server).session(Uuid::from_u128(7));
    assert!(unknown.details().await.unwrap_err().is_not_found());
}
