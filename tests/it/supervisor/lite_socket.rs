//! A supervised LITE session and its socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::stream;
use liveavatar_api::realtime::audio;
use liveavatar_api::realtime::lite::{CloseReason, SocketOptions};
use liveavatar_mock::{EventStyle, Server};
use tokio::time::sleep;

use super::{Lab, lite, settle};

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
    assert_eq!(socket.closed().await, CloseReason::SessionEnded);
}

#[tokio::test]
async fn keep_alives_of_the_socket_replace_keep_alive_calls() {
    let lab = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let activity = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&activity);
    let options =
        SocketOptions::new().keep_alive_interval(Some(Duration::from_secs(20))).on_activity(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
    let socket = session.connect_with(options).await.unwrap();
    tokio::time::pause();
    sleep(Duration::from_secs(10 * 60)).await;
    let calls = lab.count("keep_session_alive");
    // The first call is sent at a random time, possibly before the socket's first keep-alive.
    assert!(calls <= 1, "{calls} calls in addition to the socket's keep-alives");
    assert!(activity.load(Ordering::Relaxed) >= 29, "the caller's callback runs, too");
    assert_eq!(lab.server.running_sessions(), [session.id()]);
    // Without the socket, the calls resume.
    socket.close().await;
    sleep(Duration::from_secs(10 * 60)).await;
    assert!(lab.count("keep_session_alive") >= calls + 9);
    assert_eq!(lab.server.running_sessions(), [session.id()]);
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
