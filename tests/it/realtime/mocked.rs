//! The LITE socket with the mock's: whichever way it tells utterances apart, and as long as the session runs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use liveavatar_api::realtime::audio;
use liveavatar_api::realtime::lite::{AHEAD, Closed, End, Socket};
use liveavatar_api::session::{Configuration, Lite, StartedSession};
use liveavatar_api::types::SessionEndReason;
use liveavatar_mock::{EventStyle, Server};
use liveavatar_tests::client;
use tokio::time::{Instant, sleep};

const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

async fn session(server: &Server) -> StartedSession<Lite> {
    let configuration = Configuration::<Lite>::build(|lite| lite.avatar_id(ID)).unwrap();
    client(server).mint(&configuration).await.unwrap().start().await.unwrap()
}

fn silence(time: Duration) -> Vec<u8> {
    vec![0; audio::bytes(time)]
}

const STYLES: [EventStyle; 4] =
    [EventStyle::EventId, EventStyle::SourceEventId, EventStyle::TaskId, EventStyle::NoId];

#[tokio::test]
async fn every_style_tells_of_every_end() {
    for style in STYLES {
        let server = Server::builder().sockets(style).start().await.unwrap();
        let session = session(&server).await;
        let socket = Socket::connect(session.started().ws_url.as_ref().unwrap()).await.unwrap();
        tokio::time::pause();
        let begin = Instant::now();
        let spoken = socket.speak(stream::iter([silence(Duration::from_secs(5))])).await;
        assert!(matches!(spoken.end, End::Finished), "{style:?}: {spoken:?}");
        assert_eq!(spoken.audio, Duration::from_secs(5));
        // It was played, and the end was heard at once.
        let took = begin.elapsed();
        assert!(took >= Duration::from_secs(5) && took < Duration::from_secs(6), "{style:?}: {took:?}");

        let long = socket.speak(stream::iter([silence(Duration::from_secs(60))]));
        sleep(Duration::from_secs(2)).await;
        socket.interrupt().unwrap();
        let short = socket.speak(stream::iter([silence(Duration::from_secs(1))]));
        assert!(matches!(long.await.end, End::Interrupted), "{style:?}");
        let begin = Instant::now();
        assert!(matches!(short.await.end, End::Finished), "{style:?}");
        let took = begin.elapsed();
        assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(2), "{style:?}: {took:?}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn for_three_minutes_no_more_audio_is_taken_than_is_ahead_of_playback() {
    const PIECE: Duration = Duration::from_millis(20);
    let server = Server::builder().sockets(EventStyle::EventId).start().await.unwrap();
    let session = session(&server).await;
    let socket = Socket::connect(session.started().ws_url.as_ref().unwrap()).await.unwrap();
    tokio::time::pause();
    let begin = Instant::now();
    let most = Arc::new(Mutex::new(Duration::ZERO));
    let noted = Arc::clone(&most);
    let pieces = stream::iter(1..=3 * 60 * 50_u32).map(move |at| {
        let ahead = (PIECE * at).saturating_sub(begin.elapsed());
        let mut most = noted.lock().unwrap();
        *most = ahead.max(*most);
        silence(PIECE)
    });
    let spoken = socket.speak(pieces).await;
    assert!(matches!(spoken.end, End::Finished));
    assert_eq!(spoken.audio, Duration::from_secs(180));
    // What is sent ahead, and a frame that waits for its time.
    let most = *most.lock().unwrap();
    assert!(most > Duration::from_secs(2) && most <= AHEAD + Duration::from_secs(1), "{most:?}");
}

#[tokio::test]
async fn the_socket_ends_with_its_session() {
    let server = Server::builder().sockets(EventStyle::EventId).start().await.unwrap();
    let session = session(&server).await;
    let ws_url = session.started().ws_url.clone().unwrap();
    let socket = Socket::connect(&ws_url).await.unwrap();
    session.stop(SessionEndReason::UserClosed).await.unwrap();
    tokio::time::pause();
    assert_eq!(socket.closed().await, Closed::SessionEnded);
    assert!(socket.interrupt().unwrap_err().is_invalid_request());
    assert!(Socket::connect(&ws_url).await.unwrap_err().is_transport());
}

#[tokio::test]
async fn a_socket_keeps_its_session_alive() {
    let server = Server::builder().sockets(EventStyle::EventId).start().await.unwrap();
    let session = session(&server).await;
    let socket = Socket::connect(session.started().ws_url.as_ref().unwrap()).await.unwrap();
    tokio::time::pause();
    sleep(Duration::from_secs(10 * 60)).await;
    assert_eq!(server.running_sessions(), [session.id()]);
    assert_eq!(socket.is_closed(), None);
}
