//! The control API, as a test in another language uses it.

use futures_util::{SinkExt as _, StreamExt as _};
use liveavatar_api::realtime::lite::LiteCommand;
use liveavatar_mock::{EventStyle, Server};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};
use uuid::Uuid;

use super::harness::{Auth, Mock, lite, send};

impl Mock {
    async fn control(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let response = send(self.request(Auth::None, method, path).json(&body)).await;
        (response.status, response.body)
    }
}

const CREDITS: &str = "/v1/users/credits";

#[tokio::test]
async fn faults_clock_and_credits_are_controlled_over_http() {
    let mock = Mock::start().await;
    mock.start_session(lite()).await;
    assert_eq!(mock.control("PUT", "/_mock/credits", json!({ "credits": 7 })).await, (204, Value::Null));
    assert_eq!(mock.server.credits(), 7);
    assert_eq!(mock.control("POST", "/_mock/clock", json!({ "seconds": 61.5 })).await.0, 204);
    assert_eq!(mock.control("GET", "/_mock/credits", json!({})).await, (200, json!({ "credits": 6 })));

    let busy = json!({ "status": 503, "headers": { "retry-after": "9" }, "body": { "busy": true } });
    let fault = json!({ "operation": "get_user_credits", "times": 2, "fault": { "before": busy } });
    assert_eq!(mock.control("POST", "/_mock/faults", fault).await.0, 204);
    let failed = mock.get(CREDITS).await;
    assert_eq!(
        (failed.status, &failed.headers["retry-after"], failed.body),
        (503, &"9".parse().unwrap(), json!({ "busy": true }))
    );
    assert_eq!(mock.control("DELETE", "/_mock/faults", json!({})).await.0, 204);
    assert_eq!(mock.get(CREDITS).await.status, 200);

    for fault in [
        json!({ "mutated": "ExtraField" }),
        json!({ "after": "disconnect" }),
        json!({ "before": "hang" }),
        json!({ "delayed": 0.001 }),
    ] {
        let fault = json!({ "operation": "get_user_credits", "fault": fault });
        assert_eq!(mock.control("POST", "/_mock/faults", fault).await.0, 204);
    }
    assert!(mock.get(CREDITS).await.body["data"]["brand_new"].is_object());
    assert!(mock.request(Auth::Key, "GET", CREDITS).send().await.is_err());
    assert!(mock.server.requests().iter().all(|request| !request.path.starts_with("/_mock")));
}

#[tokio::test]
async fn an_invalid_control_request_says_what_is_wrong() {
    let mock = Mock::start().await;
    let fault = |operation: &str, fault: Value| json!({ "operation": operation, "fault": fault });
    let mut seen = Vec::new();
    for (method, path, body) in [
        ("POST", "/_mock/clock", json!({ "second": 1 })),
        ("POST", "/_mock/clock", json!({ "seconds": -1 })),
        ("PUT", "/_mock/credits", json!({ "credits": "many" })),
        ("POST", "/_mock/faults", fault("get_weather", json!({ "delayed": 1 }))),
        ("POST", "/_mock/faults", fault("get_languages", json!({ "mutated": "Nothing" }))),
        ("POST", "/_mock/faults", fault("get_languages", json!({ "later": 1 }))),
        ("POST", "/_mock/faults", fault("get_languages", json!({ "before": { "status": 99 } }))),
        (
            "POST",
            "/_mock/faults",
            fault("get_languages", json!({ "before": { "status": 200, "headers": { "a b": "" } } })),
        ),
        ("GET", "/_mock/sessions/0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11/audio", json!({})),
        ("POST", "/_mock/sessions/0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11/events", json!({ "type": "warning" })),
        ("GET", "/_mock/sessions/none/activity", json!({})),
        ("POST", "/_mock/socket-faults", json!({ "command": "agent.sing", "fault": "hang" })),
        ("POST", "/_mock/socket-faults", json!({ "command": "agent.speak", "fault": "burn" })),
        ("GET", "/_mock/weather", json!({})),
    ] {
        let (status, answer) = mock.control(method, path, body.clone()).await;
        seen.push(format!("{method} {path} {body}\n{status} {}", answer["detail"].as_str().unwrap()));
    }
    insta::assert_snapshot!(seen.join("\n"));
}

type Socket = WebSocketStream<TcpStream>;

/// Starts a session and opens its socket.
async fn open_socket(mock: &Mock) -> (Uuid, Socket) {
    let minted = mock.mint(lite()).await;
    let started = mock.start_with_token(&minted.text("/data/session_token")).await;
    let url = started.text("/data/ws_url");
    let stream = TcpStream::connect(url.split('/').nth(2).unwrap()).await.unwrap();
    let (socket, _) = client_async(&url, stream).await.unwrap();
    (minted.text("/data/session_id").parse().unwrap(), socket)
}

/// Returns the event of this type, skipping those before it.
async fn event_of(socket: &mut Socket, kind: &str) -> Value {
    loop {
        let event: Value =
            serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
        if event["type"] == kind {
            return event;
        }
    }
}

#[tokio::test]
async fn the_activity_of_a_session_is_the_same_as_in_rust() {
    let mock = Mock::with(Server::builder().sockets(EventStyle::EventId)).await;
    let (id, mut socket) = open_socket(&mock).await;
    let path = format!("/_mock/sessions/{id}/activity");
    let unused = json!({
        "connections": 0,
        "utterances": [],
        "interrupts": 0,
        "keep_alives": 0,
        "early_frames": 0,
        "rejected_frames": 0,
    });
    assert_eq!(
        mock.control("GET", &format!("/_mock/sessions/{}/activity", Uuid::nil()), json!({})).await,
        (200, unused)
    );
    event_of(&mut socket, "session.state_updated").await;
    let speak = LiteCommand::Speak(vec![0; 24_000].into()).encode("u1");
    for text in [&speak, &LiteCommand::Interrupt.encode("i1"), &speak, "{}"] {
        socket.send(Message::text(text.to_owned())).await.unwrap();
    }
    event_of(&mut socket, "error").await;
    let spoken = |end: Option<&str>| json!({ "event_id": "u1", "frames": 1, "audio": 0.5, "starvations": 0, "end": end });
    let expected = json!({
        "connections": 1,
        "utterances": [spoken(Some("interrupted")), spoken(None)],
        "interrupts": 1,
        "keep_alives": 0,
        "early_frames": 0,
        "rejected_frames": 1,
    });
    assert_eq!(mock.control("GET", &path, json!({})).await, (200, expected));
}

#[tokio::test]
async fn socket_faults_affect_the_next_commands_of_one_type() {
    let mock = Mock::with(Server::builder().sockets(EventStyle::EventId)).await;
    let (_, mut socket) = open_socket(&mock).await;
    let garbage = json!({ "command": "agent.speak_end", "times": 2, "fault": { "garbage": "{}" } });
    assert_eq!(mock.control("POST", "/_mock/socket-faults", garbage).await.0, 204);
    for command in
        [LiteCommand::KeepAlive, LiteCommand::SpeakEnd, LiteCommand::SpeakEnd, LiteCommand::SpeakEnd]
    {
        socket.send(Message::text(command.encode("u1"))).await.unwrap();
    }
    let mut seen = Vec::new();
    while seen.iter().filter(|text: &&String| text.contains("committed")).count() < 3 {
        seen.push(socket.next().await.unwrap().unwrap().to_text().unwrap().to_owned());
    }
    assert_eq!(seen.iter().filter(|text| *text == "{}").count(), 2, "{seen:?}");

    let close = json!({ "command": "agent.speak", "fault": { "close": 1011 } });
    assert_eq!(mock.control("POST", "/_mock/socket-faults", close).await.0, 204);
    let speak = LiteCommand::Speak(vec![0; 4800].into());
    socket.send(Message::text(speak.encode("u2"))).await.unwrap();
    let Some(Ok(Message::Close(Some(frame)))) = socket.next().await else { panic!("the socket is open") };
    assert_eq!(u16::from(frame.code), 1011);
}

#[tokio::test]
async fn sockets_receive_events_and_the_audio_that_they_heard_is_a_wav_file() {
    let mock = Mock::with(Server::builder().sockets(EventStyle::EventId).record_audio()).await;
    let (id, mut socket) = open_socket(&mock).await;
    let event = json!({ "type": "warning", "warning": { "type": "quiet", "message": "hardly audible" } });
    let sent = event.to_string();
    let path = format!("/_mock/sessions/{id}/events");
    let first = socket.next().await.unwrap().unwrap();
    assert!(first.to_text().unwrap().contains("connecting"), "{first}");
    assert_eq!(mock.control("POST", &path, event).await.0, 204);
    while socket.next().await.unwrap().unwrap().to_text().unwrap() != sent {}
    let samples: Vec<i16> = (0..2400).collect();
    for half in samples.chunks(1200) {
        let pcm: Vec<u8> = half.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        socket.send(Message::text(LiteCommand::Speak(pcm.into()).encode("u1"))).await.unwrap();
    }
    while mock.server.socket_activity(id).utterances.first().is_none_or(|it| it.frames < 2) {
        tokio::task::yield_now().await;
    }
    let path = format!("/_mock/sessions/{id}/audio");
    let response = mock.request(Auth::None, "GET", &path).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "audio/wav");
    let file = response.bytes().await.unwrap();
    assert_eq!(mock.server.heard_audio(id).unwrap(), file);
    let (format, data) = file.split_at(44);
    assert_eq!((&format[..4], &format[8..12]), (&b"RIFF"[..], &b"WAVE"[..]));
    assert_eq!(u32::from_le_bytes(format[24..28].try_into().unwrap()), 24_000);
    let heard: Vec<i16> = data.as_chunks::<2>().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect();
    assert_eq!(heard, samples);
}
