//! The socket of a supervised session whose mode is known only at run time.

use std::time::Duration;

use futures_util::stream;
use liveavatar_api::realtime::audio;
use liveavatar_api::realtime::lite::SocketOptions;
use liveavatar_api::session::{AnyConfiguration, Configuration, Lite};
use liveavatar_api::{Client, Credential};
use liveavatar_mock::{EventStyle, Server};
use serde_json::{Value, json};

const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// A client with the system's clock; with a test clock, sessions would expire at once.
fn client(server: &Server) -> Client {
    let key = Credential::api_key(server.api_key()).unwrap();
    Client::builder().base_url(server.url()).credential(key).build().unwrap()
}

fn any(value: Value) -> AnyConfiguration {
    serde_json::from_value(value).unwrap()
}

fn full() -> Value {
    json!({ "mode": "FULL", "avatar_id": ID, "voice_agent": { "id": ID } })
}

fn with_connector() -> Value {
    json!({ "mode": "LITE", "avatar_id": ID, "elevenlabs_agent_config": { "secret_id": ID, "agent_id": "agent" } })
}

#[tokio::test]
async fn a_lite_session_from_a_file_connects() {
    let server = Server::builder().sockets(EventStyle::EventId).start().await.unwrap();
    let session = client(&server).open(&any(json!({ "mode": "LITE", "avatar_id": ID }))).await.unwrap();
    let silence = || vec![0_u8; audio::bytes(Duration::from_millis(40))];
    let socket = session.connect().await.unwrap();
    assert!(socket.speak(stream::iter([silence()])).await.end.is_finished());
    socket.close().await;
    let socket = session.connect_with(SocketOptions::new()).await.unwrap();
    assert!(socket.speak(stream::iter([silence()])).await.end.is_finished());
    session.stop().await.unwrap();
}

#[tokio::test]
async fn connecting_a_session_without_a_socket_says_why_and_what_to_do() {
    let server = Server::builder().session_limit(3).sockets(EventStyle::EventId).start().await.unwrap();
    let client = client(&server);
    let mut errors = Vec::new();
    for configuration in [full(), with_connector()] {
        let session = client.open(&any(configuration)).await.unwrap();
        errors.push(session.connect().await.unwrap_err());
        errors.push(session.connect_with(SocketOptions::new()).await.unwrap_err());
        assert_eq!(server.running_sessions(), [session.id()], "the session keeps running");
        session.stop().await.unwrap();
    }
    let typed: Configuration<Lite> = serde_json::from_value(with_connector()).unwrap();
    let session = client.open(&typed).await.unwrap();
    errors.push(session.connect().await.unwrap_err());
    session.stop().await.unwrap();
    assert!(errors.iter().all(liveavatar_api::Error::is_invalid_request));
    let mut texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
    texts.dedup();
    insta::assert_snapshot!(texts.join("\n"), @"
    a FULL session has no WebSocket, because the service supplies its audio; send commands through the LiveKit room, or open a LITE session
    a connector supplies the session's audio, so there is no WebSocket; send commands through the LiveKit room
    ");
}
