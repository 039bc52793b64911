//! The command sockets: events, recorded activity, rejected and dropped frames, and faults.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use liveavatar_api::realtime::audio;
use liveavatar_api::realtime::lite::LiteCommand;
use liveavatar_mock::{Builder, EventStyle, Server, SocketActivity, SocketFault, UtteranceEnd};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};
use uuid::Uuid;

use super::harness::{Auth, Mock, lite};

struct Connection {
    mock: Mock,
    id: Uuid,
    socket: WebSocketStream<TcpStream>,
}

impl Connection {
    /// A running session with a socket.
    async fn open(builder: Builder) -> Connection {
        let mock = Mock::with(builder.sockets(EventStyle::EventId)).await;
        let minted = mock.mint(lite()).await;
        let started = mock.start_with_token(&minted.text("/data/session_token")).await;
        let url = started.text("/data/ws_url");
        let address = url.split('/').nth(2).expect("a host and a port");
        let stream = TcpStream::connect(address).await.expect("a connection");
        let (socket, _) = client_async(&url, stream).await.expect("a socket");
        Connection { mock, id: minted.text("/data/session_id").parse().expect("an id"), socket }
    }

    /// A running session with a socket that is ready for commands.
    async fn ready(builder: Builder) -> Connection {
        let mut connection = Connection::open(builder).await;
        connection.until("session.state_updated connected").await;
        connection
    }

    /// Sends a complete utterance and waits for its acknowledgement.
    async fn say(&mut self, milliseconds: u64, id: &str) {
        self.send(&speak(milliseconds), id).await;
        self.send(&LiteCommand::SpeakEnd, id).await;
        self.until("agent.audio_buffer_committed").await;
    }

    fn advance(&self, milliseconds: u64) {
        self.mock.server.advance(Duration::from_millis(milliseconds));
    }

    fn activity(&self) -> SocketActivity {
        self.mock.server.socket_activity(self.id)
    }

    async fn send(&mut self, command: &LiteCommand, id: &str) {
        self.text(command.encode(id)).await;
    }

    async fn text(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.expect("a connection");
    }

    async fn json(&mut self) -> Value {
        let Some(Ok(Message::Text(text))) = self.socket.next().await else { panic!("no event") };
        serde_json::from_str(&text).expect("JSON")
    }

    /// Returns a summary of the next event, or how the socket ended.
    async fn event(&mut self) -> String {
        let text = match self.socket.next().await {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(frame))) => {
                return format!("close {:?}", frame.map(|frame| u16::from(frame.code)));
            }
            Some(Ok(other)) => return format!("{other:?}"),
            Some(Err(_)) => return "disconnected".to_owned(),
            None => return "gone".to_owned(),
        };
        let Ok(event) = serde_json::from_str::<Value>(&text) else {
            return format!("text {:?}", text.as_str());
        };
        let kind = event["type"].as_str().expect("a type").to_owned();
        let detail = ["state", "new_state", "event_id"].iter().find_map(|name| event[*name].as_str());
        let detail =
            detail.or_else(|| event["error"]["type"].as_str()).or_else(|| event["source_event_id"].as_str());
        format!("{kind} {}", detail.unwrap_or_default())
    }

    /// Returns all events up to the first with this prefix.
    async fn until(&mut self, last: &str) -> Vec<String> {
        let mut events = Vec::new();
        loop {
            let event = self.event().await;
            let is_last = event.starts_with(last);
            let is_over = ["gone", "disconnected", "close"].iter().any(|end| event.starts_with(end));
            events.push(event);
            if is_last || is_over {
                return events;
            }
        }
    }
}

/// Removes the acknowledgements of commands, which may arrive at any time.
fn without_acknowledgements(events: Vec<String>) -> String {
    let events: Vec<_> =
        events.into_iter().filter(|event| !event.starts_with("agent.audio_buffer_")).collect();
    events.join("\n")
}

fn speak(milliseconds: u64) -> LiteCommand {
    LiteCommand::Speak(vec![0; audio::bytes(Duration::from_millis(milliseconds))].into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_after_the_clock_was_moved_past_the_delay_is_not_early() {
    // Often enough that the frame arrives before the socket's task has seen the clock.
    for _ in 0..30 {
        let mut connection = Connection::open(Server::builder().socket_delay(Duration::from_secs(30))).await;
        connection.until("session.state_updated connecting").await;
        connection.advance(30_000);
        connection.send(&speak(100), "u1").await;
        connection.until("session.state_updated connected").await;
        connection.send(&LiteCommand::SpeakEnd, "u1").await;
        connection.until("agent.audio_buffer_committed").await;
        assert_eq!(connection.activity().early_frames, 0);
    }
}

#[tokio::test]
async fn frames_before_the_socket_is_ready_are_dropped_silently() {
    let mut connection = Connection::open(Server::builder().socket_delay(Duration::from_secs(3600))).await;
    connection.send(&speak(400), "early").await;
    connection.send(&LiteCommand::SpeakEnd, "early").await;
    while connection.activity().early_frames < 2 {
        tokio::task::yield_now().await;
    }
    // Otherwise the session would end first.
    connection.mock.post(Auth::Key, "/v1/sessions/keep-alive", json!({ "session_id": connection.id })).await;
    connection.advance(3_600_000);
    let events = connection.until("session.state_updated connected").await;
    assert_eq!(events, ["session.state_updated connecting", "session.state_updated connected"]);
    assert_eq!((connection.activity().utterances.len(), connection.activity().connections), (0, 1));
}

#[tokio::test]
async fn a_played_utterance_is_recorded() {
    let mut connection = Connection::ready(Server::builder()).await;
    for _ in 0..2 {
        connection.send(&speak(5000), "u1").await;
        assert!(connection.until("agent.audio_buffer_appended").await.len() <= 3);
    }
    connection.say(5000, "u1").await;
    connection.advance(10_000);
    assert_eq!(connection.activity().utterances[0].end, None);
    connection.advance(5200);
    connection.until("agent.state_updated idle").await;
    insta::assert_debug_snapshot!(connection.activity(), @r#"
    SocketActivity {
        connections: 1,
        utterances: [
            Utterance {
                event_id: "u1",
                frames: 3,
                audio: 15s,
                starvations: 0,
                end: Some(
                    Finished,
                ),
            },
        ],
        interrupts: 0,
        keep_alives: 0,
        early_frames: 0,
        rejected_frames: 0,
    }
    "#);
}

#[tokio::test]
async fn playback_reports_start_pose_and_end() {
    let mut connection = Connection::ready(Server::builder()).await;
    connection.say(5000, "u1").await;
    connection.advance(5200);
    insta::assert_snapshot!(without_acknowledgements(connection.until("agent.state_updated idle").await), @"
    agent.speak_started u1
    agent.state_updated talking
    agent.speak_ended u1
    agent.state_updated idle
    ");
}

#[tokio::test]
async fn slow_audio_is_reported_as_starvation() {
    let mut connection = Connection::ready(Server::builder()).await;
    for _ in 0..2 {
        connection.send(&speak(5000), "u1").await;
        connection.until("agent.audio_buffer_appended").await;
        connection.advance(20_000);
        connection.until("error video_starvation").await;
    }
    connection.send(&LiteCommand::SpeakEnd, "u1").await;
    connection.until("agent.speak_ended").await;
    let utterance = connection.activity().utterances.remove(0);
    assert_eq!((utterance.starvations, utterance.end), (2, Some(UtteranceEnd::Finished)));
}

#[tokio::test]
async fn an_interrupt_drops_playing_and_queued_utterances() {
    let mut connection = Connection::ready(Server::builder()).await;
    connection.say(10_000, "u1").await;
    connection.say(10_000, "u2").await;
    connection.advance(200);
    connection.send(&LiteCommand::Interrupt, "i1").await;
    let interrupted = without_acknowledgements(connection.until("agent.speak_interrupted").await);
    connection.say(5000, "u3").await;
    connection.advance(5200);
    let played = without_acknowledgements(connection.until("agent.speak_ended").await);
    insta::assert_snapshot!(format!("{interrupted}\n--\n{played}"), @"
    agent.speak_started u1
    agent.state_updated talking
    agent.speak_interrupted u1
    --
    agent.speak_started u3
    agent.state_updated talking
    agent.speak_ended u3
    ");
    let activity = connection.activity();
    let ends: Vec<_> = activity.utterances.iter().map(|it| (it.event_id.as_str(), it.end)).collect();
    let (interrupted, played) = (Some(UtteranceEnd::Interrupted), Some(UtteranceEnd::Finished));
    assert_eq!(ends, [("u1", interrupted), ("u2", interrupted), ("u3", played)]);
    assert_eq!(activity.interrupts, 1);
}

#[tokio::test]
async fn the_avatar_returns_to_the_commanded_pose() {
    let mut connection = Connection::ready(Server::builder()).await;
    connection.send(&LiteCommand::StartListening, "l1").await;
    connection.say(5000, "u1").await;
    connection.advance(5200);
    let mut events = connection.until("agent.state_updated listening").await;
    connection.send(&LiteCommand::StopListening, "l2").await;
    events.extend(connection.until("agent.state_updated idle").await);
    let poses: Vec<_> =
        events.iter().filter_map(|event| event.strip_prefix("agent.state_updated ")).collect();
    assert_eq!(poses, ["talking", "listening", "idle"]);
}

#[tokio::test]
async fn invalid_frames_are_rejected_and_the_socket_stays_open() {
    let mut connection = Connection::ready(Server::builder()).await;
    let large = speak(20_000).encode("large");
    assert!(large.len() > audio::MAX_FRAME_BYTES);
    let invalid =
        [large.as_str(), "{", "[]", r#"{"type":"agent.sing"}"#, r#"{"type":"agent.speak","audio":"%"}"#];
    for text in invalid {
        connection.text(text).await;
        assert_eq!(
            connection.event().await,
            "error invalid_request_error",
            "{}",
            &text[..text.len().min(40)]
        );
    }
    connection.send(&LiteCommand::KeepAlive, "k").await;
    connection.send(&LiteCommand::SpeakEnd, "e").await;
    assert_eq!(connection.event().await, "agent.audio_buffer_committed e");
    assert_eq!((connection.activity().rejected_frames, connection.activity().keep_alives), (5, 1));
}

#[tokio::test]
async fn events_about_a_command_without_an_id_have_a_null_id() {
    let mut connection = Connection::ready(Server::builder()).await;
    connection.text(r#"{"type":"agent.interrupt","event_id":null}"#).await;
    assert_eq!(
        connection.json().await,
        json!({ "type": "agent.audio_buffer_cleared", "source_event_id": null })
    );
    let LiteCommand::Speak(pcm) = speak(1000) else { unreachable!() };
    let audio = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pcm);
    connection.text(json!({ "type": "agent.speak", "audio": audio }).to_string()).await;
    assert_eq!(
        connection.json().await,
        json!({ "type": "agent.audio_buffer_appended", "source_event_id": null })
    );
    connection.advance(200);
    let started = json!({ "type": "agent.speak_started", "event_id": null, "task": { "id": "mock-task-1" } });
    assert_eq!(connection.json().await, started);
    connection.until("agent.state_updated").await;
    connection.text("{}").await;
    assert_eq!(connection.json().await["error"]["event_id"], Value::Null);
}

#[tokio::test]
async fn a_test_can_send_any_event_to_the_sockets_of_a_session() {
    for delay in [0, 3600] {
        let builder = Server::builder().socket_delay(Duration::from_secs(delay));
        let mut connection = Connection::open(builder).await;
        let ready =
            if delay == 0 { "session.state_updated connected" } else { "session.state_updated connecting" };
        connection.until(ready).await;
        for event in [
            json!({ "type": "warning", "warning": { "type": "quiet", "message": "the audio is hardly audible" } }),
            json!({ "type": "agent.state_updated", "state": "listening" }),
        ] {
            assert!(connection.mock.server.send_socket_event(connection.id, &event));
            assert_eq!(connection.json().await, event);
        }
    }
    let mut connection = Connection::ready(Server::builder()).await;
    let event = json!({ "type": "warning" });
    assert!(!connection.mock.server.send_socket_event(Uuid::nil(), &event));
    connection.socket.close(None).await.unwrap();
    connection.until("gone").await;
    while connection.mock.server.send_socket_event(connection.id, &event) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn socket_faults_are_injected() {
    for (fault, expected) in [
        (SocketFault::Close(4321), "close Some(4321)"),
        (SocketFault::Disconnect, "disconnected"),
        (SocketFault::Garbage("{".to_owned()), "text \"{\""),
    ] {
        let mut connection = Connection::ready(Server::builder()).await;
        let injected = fault.clone();
        connection
            .mock
            .server
            .socket_faults(move |command| (*command == LiteCommand::SpeakEnd).then(|| injected.clone()));
        connection.send(&LiteCommand::SpeakEnd, "e").await;
        assert_eq!(connection.event().await, expected, "{fault:?}");
        assert_eq!(connection.mock.server.running_sessions(), [connection.id]);
    }
}

#[tokio::test]
async fn a_hanging_socket_sends_nothing_more() {
    let mut connection = Connection::ready(Server::builder()).await;
    connection.mock.server.socket_faults(|_| Some(SocketFault::Hang));
    connection.send(&speak(500), "u1").await;
    tokio::time::pause();
    let waited = tokio::time::timeout(Duration::from_secs(3600), connection.event()).await;
    assert!(waited.is_err(), "{waited:?}");
    assert!(connection.activity().utterances.is_empty());
}

#[tokio::test]
async fn a_socket_closes_when_the_service_ends_its_session() {
    let mut connection = Connection::ready(Server::builder()).await;
    assert!(connection.mock.server.end_session(connection.id, "AGENT_HANG_UP"));
    connection.advance(1000);
    let events = connection.until("close").await;
    let expected = ["session.state_updated closing", "session.state_updated closed", "close Some(1000)"];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn activity_is_recorded_per_session() {
    let mut connection = Connection::ready(Server::builder()).await;
    connection.say(500, "u1").await;
    assert_eq!(connection.mock.server.socket_activity(Uuid::nil()), SocketActivity::default());
}
