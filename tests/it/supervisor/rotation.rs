//! Replacing a session before it expires.

use std::time::Duration;

use liveavatar_api::session::{EndReason, SessionEvent, State};
use liveavatar_mock::{MockResponse, Server};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{Lab, lasting, settle};

#[tokio::test(start_paused = true)]
async fn a_rotation_leaves_no_gap_and_stops_the_old_session() {
    let lab = Lab::start().await;
    let session = lab.client.open(&lasting(120)).auto_rotate().await.unwrap();
    let mut events = session.events();
    let first = session.id();
    for _ in 0..600 {
        sleep(Duration::from_secs(1)).await;
        assert!(lab.server.running_sessions().contains(&session.id()));
        assert_eq!(session.started().session_id, session.id().to_string());
        assert!(session.time_left().unwrap() > Duration::from_secs(25));
    }
    let Some(SessionEvent::Rotated { from, to }) = events.next().await else { panic!("no rotation") };
    assert_eq!(from, first);
    assert_ne!(to, first);
    assert_eq!(session.state(), State::Started);
    assert_eq!(lab.server.running_sessions(), [session.id()]);
    session.stop().await.unwrap();
    assert!(lab.server.running_sessions().is_empty());
    insta::assert_snapshot!(lab.calls(), @"
    create_session_token 200
    start_session 201
    keep_session_alive 200
    create_session_token 200
    start_session 201
    stop_session 200
    keep_session_alive 200
    create_session_token 200
    start_session 201
    stop_session 200
    keep_session_alive 200 x2
    create_session_token 200
    start_session 201
    stop_session 200
    keep_session_alive 200
    create_session_token 200
    start_session 201
    stop_session 200
    keep_session_alive 200 x2
    create_session_token 200
    start_session 201
    stop_session 200
    keep_session_alive 200
    create_session_token 200
    start_session 201
    stop_session 200
    keep_session_alive 200
    stop_session 200
    ");
}

#[tokio::test(start_paused = true)]
async fn with_one_slot_the_old_session_runs_to_its_end_first() {
    let lab = Lab::with(Server::builder().session_limit(1), None).await;
    let session = lab.client.open(&lasting(120)).auto_rotate().await.unwrap();
    let start = Instant::now();
    let mut timeline = Vec::new();
    let mut events = session.events();
    while timeline.len() < 5 {
        let event = events.next().await.unwrap();
        timeline.push(format!("{:4.0} s  {event:?}", start.elapsed().as_secs_f64()));
    }
    let timeline: Vec<_> = timeline.iter().map(|line| line.split(" code:").next().unwrap()).collect();
    insta::assert_snapshot!(timeline.join("\n"), @r#"
     90 s  RotationFailed(Error { kind: ConcurrencyLimit, operation: Some("start_session"), status: Some(403),
    105 s  EndsSoon(15s)
    105 s  RotationFailed(Error { kind: ConcurrencyLimit, operation: Some("start_session"), status: Some(403),
    123 s  Rotated { from: 5e551001-0000-4000-8000-000000000001, to: 5e551001-0000-4000-8000-000000000004 }
    213 s  RotationFailed(Error { kind: ConcurrencyLimit, operation: Some("start_session"), status: Some(403),
    "#);
    assert_eq!(lab.server.running_sessions(), [session.id()]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_cannot_be_replaced_ends_at_its_maximum_duration() {
    let lab = Lab::start().await;
    let session = lab.client.open(&lasting(120)).auto_rotate().await.unwrap();
    for _ in 0..3 {
        lab.server.mock_response("create_session_token", MockResponse::json(402, json!({})));
    }
    assert_eq!(session.ended().await.unwrap(), EndReason::MaxDuration);
    settle().await;
    lab.check_nothing_leaked("without credits").await;
    assert!(lab.reported().is_empty());
}
