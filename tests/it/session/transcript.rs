//! Reading a transcript once, and following it while it grows.

use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use liveavatar_api::session::SessionRef;
use liveavatar_api::{Client, Credential, Error};
use liveavatar_mock::{MockResponse, Server};
use liveavatar_tests::TestClock;
use serde_json::{Value, json};

use super::full;

const INTERVAL: Duration = Duration::from_secs(2);

pub(super) fn page(lines: &[&str], next: impl Into<Value>, active: bool) -> MockResponse {
    let line = |text: &&str| json!({ "role": "user", "transcript": text, "absolute_timestamp": 1, "relative_timestamp": 1 });
    let lines: Vec<_> = lines.iter().map(line).collect();
    let data = json!({ "session_active": active, "next_timestamp": next.into(), "transcript_data": lines });
    MockResponse::json(200, json!({ "code": 1000, "data": data, "message": null }))
}

/// A server with a running session and prepared pages, and the clock of the session's client.
async fn running(pages: impl IntoIterator<Item = MockResponse>) -> (Server, SessionRef, TestClock) {
    let server = Server::start().await.unwrap();
    let clock = TestClock::default();
    let builder = Client::builder().base_url(server.url()).clock(clock.clone());
    let client = builder.credential(Credential::api_key(server.api_key()).unwrap()).build().unwrap();
    let token = client.mint(&full()).await.unwrap();
    token.start().await.unwrap();
    let _ = server.take_requests();
    for page in pages {
        server.mock_response("get_session_transcript", page);
    }
    (server, client.session(token.id()), clock)
}

async fn follow(session: &SessionRef) -> Result<Vec<String>, Error> {
    session.follow_transcript(INTERVAL).map_ok(|line| line.transcript).try_collect().await
}

#[tokio::test]
async fn all_pages_are_read_up_to_one_that_points_back() {
    let pages = [page(&["a"], 10, true), page(&["b"], 20, true), page(&["c"], 10, true)];
    let (server, session, _) = running(pages).await;
    let lines: Vec<_> = session.transcript().await.unwrap().into_iter().map(|line| line.transcript).collect();
    assert_eq!(lines, ["a", "b", "c"]);
    let queries: Vec<_> = server.requests().into_iter().filter_map(|request| request.query).collect();
    assert_eq!(queries, ["start_timestamp=10", "start_timestamp=20"]);
}

#[tokio::test]
async fn a_followed_transcript_yields_each_line_once() {
    let (server, session, clock) = running([
        page(&[], Value::Null, true),
        page(&["a"], Value::Null, true),
        page(&["a", "b"], 10, true),
        page(&["c"], Value::Null, true),
        page(&["c"], Value::Null, true),
        page(&["c", "c", "d"], Value::Null, false),
    ])
    .await;
    assert_eq!(follow(&session).await.unwrap(), ["a", "b", "c", "c", "d"]);
    let queries: Vec<_> = server.take_requests().into_iter().map(|request| request.query).collect();
    let first = None;
    let second = || Some("start_timestamp=10".to_owned());
    assert_eq!(queries, [first.clone(), first.clone(), first, second(), second(), second()]);
    // The page after a full one is requested without a pause.
    assert_eq!(clock.slept(), [INTERVAL; 4]);
}

#[tokio::test]
async fn following_an_ended_session_does_not_pause() {
    // The last page points back, which ends the transcript.
    let pages = [page(&["a"], 10, false), page(&["b"], 20, false), page(&["c"], 10, false)];
    let (_server, session, clock) = running(pages).await;
    assert_eq!(follow(&session).await.unwrap(), ["a", "b", "c"]);
    assert!(clock.slept().is_empty());
}

#[tokio::test]
async fn a_followed_transcript_is_lazy_and_ends_with_an_error() {
    let pages = [page(&["a"], Value::Null, true), MockResponse::json(404, json!({}))];
    let (server, session, clock) = running(pages).await;
    let mut lines = pin!(session.follow_transcript(INTERVAL));
    assert_eq!(server.requests().len(), 0, "before polling");
    assert_eq!(lines.next().await.unwrap().unwrap().transcript, "a");
    assert_eq!((server.requests().len(), clock.slept().len()), (1, 0), "before the second poll");
    assert!(lines.next().await.unwrap().unwrap_err().is_not_found());
    assert!(lines.next().await.is_none());
}
