//! Neither this crate nor its dependencies log a LITE socket's address or audio.

use futures_util::stream;
use liveavatar_api::realtime::lite::{Socket, SocketOptions};
use liveavatar_api::session::LiteSession;
use liveavatar_mock::{EventStyle, Server};
use liveavatar_tests::client;

use crate::capture;
use crate::leaks::Leaks;

/// "canary" in base64, at each of the three possible offsets.
const ENCODED: [&str; 3] = ["Y2FuYXJ5", "NhbmFye", "jYW5hcn"];

#[tokio::test]
async fn the_socket_logs_neither_its_address_nor_audio() {
    capture::start();
    let server = Server::builder().sockets(EventStyle::EventId).start().await.unwrap();
    let client = client(&server);
    let configuration =
        LiteSession::builder().avatar_id("0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11").build().unwrap();
    let token = client.mint(&configuration).await.unwrap();
    let ws_url = token.start().await.unwrap().ws_url.unwrap();
    assert!(ws_url.expose().contains("canary"));

    let mut leaks = Leaks::default();
    let options = SocketOptions::new();
    leaks.look_debug("socket", "the options", &options);
    let socket = Socket::connect_with(&ws_url, options).await.unwrap();
    leaks.look_debug("socket", "the socket", &socket);
    let events = socket.events();
    leaks.look_debug("socket", "the events", &events);
    let audio = "canary".repeat(4_000).into_bytes();
    let speech = socket.speak(stream::iter([audio]));
    leaks.look_debug("socket", "the speech handle", &speech);
    leaks.look_debug("socket", "the outcome", &speech.await);
    client.session(token.id()).stop().await.unwrap();
    socket.closed().await;
    for port in [9, server.url().rsplit(':').next().unwrap().parse().unwrap()] {
        for scheme in ["ws", "wss"] {
            let unreachable = format!("{scheme}://127.0.0.1:{port}/canary-ws_url");
            let error = Socket::connect(&unreachable.into()).await.unwrap_err();
            assert!(!error.is_invalid_request());
            leaks.look_error("socket", &error);
        }
    }
    for invalid in ["", "canary", "https://canary.example/canary", "ws://canary.example", "wss://", "ws://["]
    {
        leaks.look_error("socket", &Socket::connect(&invalid.into()).await.unwrap_err());
    }

    let logged = capture::take();
    assert!(logged.contains("the LITE socket is closed"), "nothing was logged: {logged}");
    // Other tests check what REST calls log.
    leaks.look("socket", "the log", &logged);
    for encoded in ENCODED {
        assert!(!logged.contains(encoded), "the log contains audio");
    }
    leaks.assert_none(30);
}
