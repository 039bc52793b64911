//! The LITE socket against the mock server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use liveavatar_api::Secret;
use liveavatar_api::realtime::audio;
use liveavatar_api::realtime::lite::{AHEAD, CloseReason, Socket};
use liveavatar_api::session::{LiteSession, SessionRef};
use liveavatar_mock::{EventStyle, Server};
use liveavatar_tests::client;
use tokio::time::{Instant, sleep};

const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// Starts a session; returns its handle and its `ws_url`.
async fn session(server: &Server) -> (SessionRef, Secret) {
    let configuration = LiteSession::builder().avatar_id(ID).build().unwrap();
    let client = client(server);
    let token = client.mint(&configuration).await.unwrap();
    let ws_url = token.start().await.unwrap().ws_url.unwrap();
    (client.session(token.id()), ws_url)
}

fn silence(time: Duration) -> Vec<u8> {
    vec![0; audio::bytes(time)]
}

const STYLES: [EventStyle; 4] =
    [EventStyle::EventId, EventStyle::SourceEventId, EventStyle::TaskId, EventStyle::NoId];

#[tokio::test]
async fn every_event_style_reports_every_end() {
    for style in STYLES {
        let server = Server::builder().sockets(style).start().await.unwrap();
        let (_, ws_url) = session(&server).await;
        let socket = Socket::connect(&ws_url).await.unwrap();
        tokio::time::pause();
        let begin = Instant::now();
        let outcome = socket.speak(stream::iter([silence(Duration::from_secs(5))])).await;
        assert!(outcome.end.is_finished(), "{style:?}: {outcome:?}");
        assert_eq!(outcome.audio, Duration::from_secs(5));
        // The end arrives right after playback.
        let took = begin.elapsed();
        assert!(took >= Duration::from_secs(5) && took < Duration::from_secs(6), "{style:?}: {took:?}");

        let long = socket.speak(stream::iter([silence(Duration::from_secs(60))]));
        sleep(Duration::from_secs(2)).await;
        socket.interrupt().unwrap();
        let short = socket.speak(stream::iter([silence(Duration::from_secs(1))]));
        assert!(long.await.end.is_interrupted(), "{style:?}");
        let begin = Instant::now();
        assert!(short.await.end.is_finished(), "{style:?}");
        let took = begin.elapsed();
        assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(2), "{style:?}: {took:?}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn the_source_is_polled_only_a_limited_time_ahead_of_playback() {
    const CHUNK: Duration = Duration::from_millis(20);
    let server = Server::builder().sockets(EventStyle::EventId).start().await.unwrap();
    let (_, ws_url) = session(&server).await;
    let socket = Socket::connect(&ws_url).await.unwrap();
    tokio::time::pause();
    let begin = Instant::now();
    let max_ahead = Arc::new(Mutex::new(Duration::ZERO));
    let recorded = Arc::clone(&max_ahead);
    let chunks = stream::iter(1..=3 * 60 * 50_u32).map(move |at| {
        let ahead = (CHUNK * at).saturating_sub(begin.elapsed());
        let mut max = recorded.lock().unwrap();
        *max = ahead.max(*max);
        silence(CHUNK)
    });
    let outcome = socket.speak(chunks).await;
    assert!(outcome.end.is_finished());
    assert_eq!(outcome.audio, Duration::from_secs(180));
    // The audio sent ahead, plus one frame that is not due yet.
    let max = *max_ahead.lock().unwrap();
    assert!(max > Duration::from_secs(2) && max <= AHEAD + Duration::from_secs(1), "{max:?}");
}

#[tokio::test]
async fn the_socket_closes_when_its_session_ends() {
    let server = Server::builder().sockets(EventStyle::EventId).start().await.unwrap();
    let (session, ws_url) = session(&server).await;
    let socket = Socket::connect(&ws_url).await.unwrap();
    session.stop().await.unwrap();
    tokio::time::pause();
    assert_eq!(socket.closed().await, CloseReason::SessionEnded { reason: None });
    assert!(socket.interrupt().unwrap_err().is_invalid_request());
    assert!(Socket::connect(&ws_url).await.unwrap_err().is_transport());
}

#[tokio::test]
async fn a_socket_keeps_its_session_alive() {
    let server = Server::builder().sockets(EventStyle::EventId).start().await.unwrap();
    let (session, ws_url) = session(&server).await;
    let socket = Socket::connect(&ws_url).await.unwrap();
    tokio::time::pause();
    sleep(Duration::from_secs(10 * 60)).await;
    assert_eq!(server.running_sessions(), [session.id()]);
    assert_eq!(socket.close_reason(), None);
}
