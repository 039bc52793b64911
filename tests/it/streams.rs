//! What comes in pieces: a transcript that grows.

use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use liveavatar_api::session::{Configuration, Lite, SANDBOX_AVATAR_ID, StartedSession};
use liveavatar_api::types::SessionEndReason;
use liveavatar_api::{Client, Credential, Error, Uuid};
use liveavatar_mock::{MockResponse, Server};
use liveavatar_tests::TestClock;
use serde_json::{Value, json};

/// A client whose pauses can be read.
fn clocked(server: &Server) -> (Client, TestClock) {
    let clock = TestClock::default();
    let builder = Client::builder().base_url(server.url()).clock(clock.clone());
    let client = builder.credential(Credential::api_key(server.api_key()).unwrap()).build().unwrap();
    (client, clock)
}

/// A running session, with its client's clock.
async fn running(server: &Server) -> (StartedSession<Lite>, TestClock) {
    let (client, clock) = clocked(server);
    let lite =
        Configuration::<Lite>::build(|lite| lite.avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true)).unwrap();
    let session = client.mint(&lite).await.unwrap().start().await.unwrap();
    let _ = server.take_requests();
    (session, clock)
}

fn transcript(lines: &[&str], next: impl Into<Value>, active: bool) -> MockResponse {
    let line = |text: &&str| json!({ "role": "user", "transcript": text, "absolute_timestamp": 1, "relative_timestamp": 1 });
    let lines: Vec<_> = lines.iter().map(line).collect();
    let data = json!({ "session_active": active, "next_timestamp": next.into(), "transcript_data": lines });
    MockResponse::json(200, json!({ "code": 1000, "data": data, "message": null }))
}

const INTERVAL: Duration = Duration::from_secs(2);

async fn followed(session: &StartedSession<Lite>) -> Result<Vec<String>, Error> {
    session.follow_transcript(INTERVAL).map_ok(|line| line.transcript).try_collect().await
}

#[tokio::test]
async fn a_session_is_reached_by_its_id_alone() {
    let server = Server::start().await.unwrap();
    let (started, _) = running(&server).await;
    let session = clocked(&server).0.session(started.id());
    assert_eq!(session.id(), started.id());
    session.keep_alive().await.unwrap();
    server.mock_response("get_session_transcript", transcript(&["a"], 10, true));
    server.mock_response("get_session_transcript", transcript(&["b"], 10, false));
    let said: Vec<_> = session.transcript().await.unwrap().into_iter().map(|line| line.transcript).collect();
    assert_eq!(said, ["a", "b"]);
    assert!(session.details().await.unwrap().end_at.is_none());
    session.stop(SessionEndReason::UserClosed).await.unwrap();
    session.stop(SessionEndReason::UserClosed).await.unwrap();
    assert!(session.details().await.unwrap().end_at.is_some());
    let nobody = clocked(&server).0.session(Uuid::from_u128(7));
    assert!(nobody.details().await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_followed_transcript_tells_each_line_once() {
    let server = Server::start().await.unwrap();
    let (session, clock) = running(&server).await;
    for answer in [
        transcript(&[], Value::Null, true),
        transcript(&["a"], Value::Null, true),
        transcript(&["a", "b"], 10, true),
        transcript(&["c"], Value::Null, true),
        transcript(&["c"], Value::Null, true),
        transcript(&["c", "c", "d"], Value::Null, false),
    ] {
        server.mock_response("get_session_transcript", answer);
    }
    assert_eq!(followed(&session).await.unwrap(), ["a", "b", "c", "c", "d"]);
    let asked: Vec<_> = server.take_requests().into_iter().map(|request| request.query).collect();
    let first = None;
    let second = || Some("start_timestamp=10".to_owned());
    assert_eq!(asked, [first.clone(), first.clone(), first, second(), second(), second()]);
    // The page after a full one is asked for at once.
    assert_eq!(clock.slept(), [INTERVAL; 4]);
}

#[tokio::test]
async fn a_followed_transcript_of_an_ended_session_is_read_without_a_pause() {
    let server = Server::start().await.unwrap();
    let (session, clock) = running(&server).await;
    for answer in [
        transcript(&["a"], 10, false),
        transcript(&["b"], 20, false),
        // Points back, and so is the last.
        transcript(&["c"], 10, false),
    ] {
        server.mock_response("get_session_transcript", answer);
    }
    assert_eq!(followed(&session).await.unwrap(), ["a", "b", "c"]);
    assert!(clock.slept().is_empty());
}

#[tokio::test]
async fn a_followed_transcript_is_lazy_and_ends_with_an_error() {
    let server = Server::start().await.unwrap();
    let (session, clock) = running(&server).await;
    server.mock_response("get_session_transcript", transcript(&["a"], Value::Null, true));
    server.mock_response("get_session_transcript", MockResponse::json(404, json!({})));
    let mut lines = pin!(session.follow_transcript(INTERVAL));
    assert_eq!(server.requests().len(), 0, "before polling");
    assert_eq!(lines.next().await.unwrap().unwrap().transcript, "a");
    assert_eq!((server.requests().len(), clock.slept().len()), (1, 0), "nobody asked for more");
    assert!(lines.next().await.unwrap().unwrap_err().is_not_found());
    assert!(lines.next().await.is_none());
}
