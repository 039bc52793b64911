//! A supervised LITE session and its socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::stream;
use liveavatar_api::realtime::audio;
use liveavatar_api::realtime::lite::{CloseReason, SocketOptions};
use liveavatar_api::session::{EndReason, SessionEvent, State};
use liveavatar_api::types::SessionEndReason;
use liveavatar_mock::{EventStyle, Failure, Fault, MockResponse, Server, SocketFault};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{Lab, lasting, lite, settle};

async fn lab() -> Lab {
    Lab::with(Server::builder().max_session_duration(86_400).sockets(EventStyle::EventId), None).await
}

#[tokio::test]
async fn the_socket_speaks_and_closes_when_the_session_is_stopped() {
    let lab = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let socket = session.connect().await.unwrap();
    tokio::time::pause();
    let spoken = socket.speak(stream::iter([vec![0_u8; audio::bytes(Duration::from_secs(2))]])).await;
    assert!(spoken.end.is_finished(), "{spoken:?}");
    session.stop().await.unwrap();
    assert_eq!(socket.closed().await, CloseReason::SessionEnded { reason: None });
}

#[tokio::test]
async fn received_frames_replace_keep_alive_calls() {
    let lab = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let activity = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&activity);
    let options = SocketOptions::new().on_activity(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let socket = session.connect_with(options).await.unwrap();
    tokio::time::pause();
    for _ in 0..30 {
        // The service reports each change of the pose.
        socket.start_listening().unwrap();
        socket.stop_listening().unwrap();
        sleep(Duration::from_secs(20)).await;
    }
    let calls = lab.count("keep_session_alive");
    // The first call is sent at a random time, possibly before the first frame.
    assert!(calls <= 1, "{calls} calls in addition to the frames");
    assert!(activity.load(Ordering::Relaxed) >= 60, "the caller's callback runs, too");
    assert_eq!(lab.server.running_sessions(), [session.id()]);
    // Without the socket, the calls resume.
    socket.close().await;
    sleep(Duration::from_secs(10 * 60)).await;
    assert!(lab.count("keep_session_alive") >= calls + 9);
    assert_eq!(lab.server.running_sessions(), [session.id()]);
}

#[tokio::test]
async fn sent_frames_do_not_replace_keep_alive_calls() {
    let lab = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let options = SocketOptions::new().keep_alive_interval(Some(Duration::from_secs(20)));
    let _socket = session.connect_with(options).await.unwrap();
    tokio::time::pause();
    // The service does not respond to the socket's keep-alives, and might not even read them.
    sleep(Duration::from_secs(10 * 60)).await;
    let calls = lab.count("keep_session_alive");
    assert!((9..=11).contains(&calls), "{calls} calls");
}

#[tokio::test]
async fn the_socket_of_a_replaced_session_does_not_keep_the_new_one_alive() {
    let lab = lab().await;
    let session = lab.client.open(&lasting(120)).auto_rotate().await.unwrap();
    let first = session.id();
    let socket = session.connect().await.unwrap();
    tokio::time::pause();
    // The old session keeps running, with its socket.
    lab.server.faults(|operation| {
        let failure = Failure::Response(MockResponse::json(503, json!({})));
        (operation == "stop_session").then_some(Fault::Before(failure))
    });
    let mut since_rotation = 0;
    while since_rotation < 70 {
        let _ = socket.start_listening().and_then(|()| socket.stop_listening());
        sleep(Duration::from_secs(5)).await;
        since_rotation += if session.id() == first { 0 } else { 5 };
    }
    let new = session.id().to_string();
    let requests = lab.server.requests();
    let calls = requests.iter().filter(|it| it.operation.as_deref() == Some("keep_session_alive"));
    assert_ne!(calls.filter(|it| String::from_utf8_lossy(&it.body).contains(&new)).count(), 0);
    assert_eq!(socket.close_reason(), Some(CloseReason::SessionEnded { reason: None }));
}

#[tokio::test]
async fn a_session_that_was_given_up_is_not_kept_alive_by_its_socket() {
    let lab = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let socket = session.connect().await.unwrap();
    tokio::time::pause();
    lab.server.faults(|operation| {
        let failure = Failure::Response(MockResponse::json(401, json!({})));
        (operation == "stop_session").then_some(Fault::Before(failure))
    });
    assert!(session.stop().await.unwrap_err().is_stop_failed());
    assert_eq!(lab.server.running_sessions(), [session.id()]);
    sleep(Duration::from_secs(6 * 60)).await;
    assert!(lab.server.running_sessions().is_empty(), "the service does not end it for idleness");
    assert_eq!(socket.closed().await, CloseReason::SessionEnded { reason: None });
}

#[tokio::test]
async fn the_socket_closes_when_its_session_ends() {
    let lab = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let socket = session.connect().await.unwrap();
    tokio::time::pause();
    // The service confirms the stop without closing the socket.
    let stopped = MockResponse::json(200, json!({ "code": 1000, "data": null, "message": null }));
    lab.server.mock_response("stop_session", stopped);
    session.stop().await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(5), socket.closed()).await;
    assert_eq!(closed.expect("it stays open"), CloseReason::SessionEnded { reason: None });
    assert!(session.connect().await.is_err());
}

#[tokio::test]
async fn a_session_ends_at_once_when_its_socket_learns_that_it_was_stopped() {
    let lab = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let socket = session.connect().await.unwrap();
    let mut events = session.events();
    tokio::time::pause();
    assert!(lab.server.end_session(session.id(), "NO_CREDITS"));
    assert_eq!(socket.closed().await, CloseReason::SessionEnded { reason: None });
    let ended = tokio::time::timeout(Duration::from_secs(5), session.ended()).await;
    let reason = EndReason::Service(Some(SessionEndReason::NoCredits.into()));
    assert_eq!(ended.expect("the session does not notice").unwrap(), reason);
    assert!(matches!(events.next().await, Some(SessionEvent::State(State::Ending))));
}

#[tokio::test]
async fn a_session_ends_at_once_when_its_socket_says_so() {
    let lab = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let socket = session.connect().await.unwrap();
    tokio::time::pause();
    assert!(lab.server.end_session(session.id(), "NO_CREDITS"));
    // Before the server's own check of the session.
    let stopped = r#"{"type":"session.stopped","stop_reason":"NO_CREDITS"}"#;
    lab.server.socket_faults(|_| Some(SocketFault::Garbage(stopped.to_owned())));
    let begin = Instant::now();
    let speech = socket.speak(stream::iter([vec![0_u8; audio::bytes(Duration::from_secs(2))]]));
    assert!(speech.await.end.is_lost());
    let reason = Some(SessionEndReason::NoCredits.into());
    assert_eq!(socket.closed().await, CloseReason::SessionEnded { reason: reason.clone() });
    assert_eq!(session.ended().await.unwrap(), EndReason::Service(reason));
    assert!(begin.elapsed() < Duration::from_millis(500), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_session_that_its_socket_calls_stopped_keeps_running_if_the_service_knows_it() {
    let lab = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let socket = session.connect().await.unwrap();
    tokio::time::pause();
    let stopped = r#"{"type":"session.stopped"}"#;
    lab.server.socket_faults(|_| Some(SocketFault::Garbage(stopped.to_owned())));
    socket.start_listening().unwrap();
    assert_eq!(socket.closed().await, CloseReason::SessionEnded { reason: None });
    sleep(Duration::from_secs(60)).await;
    assert_eq!(lab.server.running_sessions(), [session.id()]);
    assert!(matches!(session.status().state, State::Started));
}

#[tokio::test]
async fn a_session_ends_at_once_when_the_server_closes_its_socket_for_good() {
    let lab = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let socket = session.connect().await.unwrap();
    tokio::time::pause();
    assert!(lab.server.end_session(session.id(), "IDLE_TIMEOUT"));
    lab.server.socket_faults(|_| Some(SocketFault::Close(4001)));
    let begin = Instant::now();
    socket.start_listening().unwrap();
    let closed = CloseReason::ClosedByServer { code: 4001, reason: String::new() };
    assert_eq!(socket.closed().await, closed);
    let reason = EndReason::Service(Some(SessionEndReason::IdleTimeout.into()));
    assert_eq!(session.ended().await.unwrap(), reason);
    assert!(begin.elapsed() < Duration::from_millis(500), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_session_ends_at_once_when_its_socket_cannot_reconnect() {
    let lab = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let socket = session.connect().await.unwrap();
    tokio::time::pause();
    assert!(lab.server.end_session(session.id(), "IDLE_TIMEOUT"));
    lab.server.reject_sockets();
    lab.server.socket_faults(|_| Some(SocketFault::Disconnect));
    let begin = Instant::now();
    socket.start_listening().unwrap();
    assert_eq!(socket.closed().await, CloseReason::ConnectionLost);
    let reason = EndReason::Service(Some(SessionEndReason::IdleTimeout.into()));
    assert_eq!(session.ended().await.unwrap(), reason);
    assert!(begin.elapsed() < Duration::from_millis(500), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn socket_options_out_of_range_are_errors_and_long_durations_are_no_panic() {
    let lab = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let never = SocketOptions::new().keep_alive_interval(Some(Duration::ZERO));
    insta::assert_snapshot!(session.connect_with(never).await.unwrap_err(), @"keep_alive_interval: 0 s is less than 1 s; use `None` to send no keep-alives");
    let longest = SocketOptions::new().ready_timeout(Duration::MAX).end_margin(Duration::MAX);
    let longest = longest.ahead(Duration::MAX).keep_alive_interval(Some(Duration::MAX));
    let socket = session.connect_with(longest).await.unwrap();
    tokio::time::pause();
    let spoken = socket.speak(stream::iter([vec![0_u8; audio::bytes(Duration::from_secs(2))]])).await;
    assert!(spoken.end.is_finished(), "{spoken:?}");
}

#[tokio::test]
async fn a_session_whose_socket_is_rejected_is_stopped() {
    let lab = lab().await;
    lab.server.reject_sockets();
    let opened = async {
        let session = lab.client.open(&lite()).await?;
        session.connect().await?;
        Ok::<_, liveavatar_api::Error>(session)
    };
    let error = opened.await.unwrap_err();
    assert!(error.is_transport(), "{error}");
    tokio::time::pause();
    settle().await;
    assert_eq!(lab.count("start_session"), 1);
    lab.check_nothing_leaked("socket rejected").await;
    assert!(lab.server.running_sessions().is_empty());
}
