//! A supervised LITE session and its socket: one session, one keep-alive, one end.

use std::time::Duration;

use futures_util::stream;
use liveavatar_api::realtime::audio;
use liveavatar_api::realtime::lite::{CloseReason, SocketOptions, SpeechEnd};
use liveavatar_mock::{EventStyle, Server};
use tokio::time::sleep;

use super::{Lab, lite, settle};

async fn lab() -> Lab {
    Lab::with(Server::builder().max_session_duration(86_400).sockets(EventStyle::EventId), None).await
}

#[tokio::test]
async fn a_session_speaks_over_its_own_socket_which_ends_with_it() {
    let lab = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let socket = session.connect().await.unwrap();
    tokio::time::pause();
    let spoken = socket.speak(stream::iter([vec![0_u8; audio::bytes(Duration::from_secs(2))]])).await;
    assert!(matches!(spoken.end, SpeechEnd::Finished), "{spoken:?}");
    session.stop().await.unwrap();
    assert_eq!(socket.closed().await, CloseReason::SessionEnded);
}

#[tokio::test]
async fn what_the_socket_sends_spares_the_keep_alive_call() {
    let lab = lab().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let told = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = std::sync::Arc::clone(&told);
    let options =
        SocketOptions::new().keep_alive_interval(Some(Duration::from_secs(20))).on_activity(move || {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        });
    let socket = session.connect_with(options).await.unwrap();
    tokio::time::pause();
    sleep(Duration::from_secs(10 * 60)).await;
    let calls = lab.count("keep_session_alive");
    // The first call comes at a random time, before which the socket may have sent nothing.
    assert!(calls <= 1, "{calls} calls beside the socket's own");
    assert!(told.load(std::sync::atomic::Ordering::Relaxed) >= 29, "the caller is told too");
    assert_eq!(lab.server.running_sessions(), [session.id()]);
    // Without the socket the calls are needed again.
    socket.close().await;
    sleep(Duration::from_secs(10 * 60)).await;
    assert!(lab.count("keep_session_alive") >= calls + 9);
    assert_eq!(lab.server.running_sessions(), [session.id()]);
}

#[tokio::test]
async fn a_session_whose_socket_is_refused_after_the_start_is_stopped() {
    let lab = lab().await;
    lab.server.refuse_sockets();
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
    lab.check_nothing_leaked("refused").await;
    assert!(lab.server.running_sessions().is_empty());
}
