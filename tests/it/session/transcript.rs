//! Reading a transcript once, and following it while it grows.

use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use liveavatar_api::session::{FullSession, SessionRef};
use liveavatar_api::types::AvatarPersona;
use liveavatar_api::{Client, Credential, Error};
use liveavatar_mock::{MockResponse, Server};
use liveavatar_tests::TestClock;
use serde_json::{Value, json};

use super::{ID, full};

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

/// A page of lines with their timestamps.
fn timed(lines: &[(&str, i64)], next: impl Into<Value>, active: bool) -> MockResponse {
    let line = |(text, at): &(&str, i64)| json!({ "role": "user", "transcript": text, "absolute_timestamp": at, "relative_timestamp": at });
    let lines: Vec<_> = lines.iter().map(line).collect();
    let data = json!({ "session_active": active, "next_timestamp": next.into(), "transcript_data": lines });
    MockResponse::json(200, json!({ "code": 1000, "data": data, "message": null }))
}

#[tokio::test]
async fn each_line_comes_once_whether_a_page_includes_its_first_timestamp_or_not() {
    let end = Value::Null;
    let cases = [
        vec![
            timed(&[("0", 0), ("1", 1)], 1, true),
            timed(&[("1", 1), ("2", 2)], 2, true),
            timed(&[("2", 2)], end.clone(), false),
        ],
        vec![
            timed(&[("0", 0), ("1", 1)], 1, true),
            timed(&[("2", 2)], 2, true),
            timed(&[], end.clone(), false),
        ],
        vec![timed(&[("0", 0), ("1", 1)], 2, true), timed(&[("2", 2)], end.clone(), false)],
        // The last page links to itself.
        vec![
            timed(&[("0", 0), ("1", 1)], 1, true),
            timed(&[("1", 1), ("2", 2)], 2, true),
            timed(&[("2", 2)], 2, false),
        ],
        // Several lines at the boundary, one of which a later poll adds.
        vec![
            timed(&[("0", 0), ("1", 1)], 1, true),
            timed(&[("1", 1)], end.clone(), true),
            timed(&[("1", 1), ("2", 2)], end.clone(), true),
            timed(&[("1", 1), ("2", 2)], end.clone(), false),
        ],
    ];
    for (number, pages) in cases.into_iter().enumerate() {
        let (_server, session, _) = running(pages.clone()).await;
        assert_eq!(follow(&session).await.unwrap(), ["0", "1", "2"], "case {number}");
        let (_server, session, _) = running(pages).await;
        let lines = session.transcript().await.unwrap().into_iter().map(|line| line.transcript);
        // The transcript so far ends with the first page that links to no later one.
        let expected = if number == 4 { vec!["0", "1"] } else { vec!["0", "1", "2"] };
        assert_eq!(lines.collect::<Vec<_>>(), expected, "case {number}");
    }
}

#[tokio::test]
async fn equal_lines_at_a_boundary_are_kept() {
    let pages = || {
        [
            timed(&[("yes", 1), ("yes", 1)], 1, true),
            timed(&[("yes", 1), ("yes", 1), ("yes", 1), ("no", 2)], Value::Null, false),
        ]
    };
    let (_server, session, _) = running(pages()).await;
    assert_eq!(follow(&session).await.unwrap(), ["yes", "yes", "yes", "no"]);
    let (_server, session, _) = running(pages()).await;
    let lines = session.transcript().await.unwrap();
    assert_eq!(lines.iter().map(|line| &*line.transcript).collect::<Vec<_>>(), ["yes", "yes", "yes", "no"]);
}

#[tokio::test(start_paused = true)]
async fn overlapping_pages_of_the_mock_have_the_same_lines_as_others() {
    let mut transcripts = Vec::new();
    for builder in [Server::builder(), Server::builder().overlapping_transcripts()] {
        let server = builder.start().await.unwrap();
        let client = liveavatar_tests::client(&server);
        let persona = AvatarPersona::builder().context_id(ID);
        let full = FullSession::builder().avatar_id(ID).avatar_persona(persona).build().unwrap();
        let token = client.mint(&full).await.unwrap();
        token.start().await.unwrap();
        server.advance(Duration::from_secs(290));
        let lines = client.session(token.id()).transcript().await.unwrap();
        transcripts.push(lines.into_iter().map(|line| line.transcript).collect::<Vec<_>>());
        assert_eq!(server.requests().iter().filter(|it| it.path.ends_with("/transcript")).count(), 2);
    }
    assert_eq!((transcripts[0].len(), &transcripts[0]), (30, &transcripts[1]));
}
