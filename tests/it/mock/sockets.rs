//! Rules of the mock's command sockets: what is heard, refused, dropped, and how they go wrong.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use liveavatar_api::mock::{EventStyle, Server, SocketFault, UtteranceEnd};
use liveavatar_api::realtime::audio;
use liveavatar_api::realtime::lite::Command;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use uuid::Uuid;

use super::harness::{Lab, lite};

struct Line {
    lab: Lab,
    id: Uuid,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Line {
    /// A running session with an open socket, and time that stands still unless everybody waits.
    async fn open(builder: liveavatar_api::mock::Builder) -> Line {
        let lab = Lab::with(builder.sockets(EventStyle::EventId)).await;
        let minted = lab.mint(lite()).await;
        let started = lab.start_with(&minted.text("/data/session_token")).await;
        let (socket, _) = connect_async(started.text("/data/ws_url")).await.expect("a socket");
        tokio::time::pause();
        Line { lab, id: minted.text("/data/session_id").parse().expect("an id"), socket }
    }

    async fn send(&mut self, command: &Command, id: &str) {
        self.text(command.encode(id)).await;
    }

    async fn text(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.expect("a connection");
    }

    /// The next event in short, or how the socket ended.
    async fn event(&mut self) -> String {
        let text = match self.socket.next().await {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(frame))) => {
                return format!("close {:?}", frame.map(|frame| u16::from(frame.code)));
            }
            Some(Ok(other)) => return format!("{other:?}"),
            Some(Err(_)) => return "broken".to_owned(),
            None => return "gone".to_owned(),
        };
        let Ok(event) = serde_json::from_str::<Value>(&text) else { return format!("text {text:?}") };
        let kind = event["type"].as_str().expect("a type").to_owned();
        let said = ["state", "new_state", "event_id"].iter().find_map(|name| event[*name].as_str());
        let said = said.or_else(|| event["error"]["type"].as_str()).or_else(|| event["source_event_id"].as_str());
        format!("{kind} {}", said.unwrap_or_default())
    }

    /// All events up to one that begins so.
    async fn until(&mut self, last: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let event = self.event().await;
            let is_last = event.starts_with(last);
            let is_over = ["gone", "broken", "close"].iter().any(|end| event.starts_with(end));
            seen.push(event);
            if is_last || is_over {
                return seen;
            }
        }
    }
}

fn speak(milliseconds: u64) -> Command {
    Command::Speak(vec![0; audio::bytes(Duration::from_millis(milliseconds))].into())
}

#[tokio::test]
async fn what_comes_before_the_socket_is_ready_is_dropped_without_a_word() {
    let mut line = Line::open(Server::builder().socket_delay(Duration::from_millis(300))).await;
    line.send(&speak(400), "early").await;
    line.send(&Command::SpeakEnd, "early").await;
    let seen = line.until("session.state_updated connected").await;
    assert_eq!(seen, ["session.state_updated connecting", "session.state_updated connected"]);
    let heard = line.lab.server.heard(line.id);
    assert_eq!((heard.early, heard.utterances.len(), heard.connections), (2, 0, 1));
}

#[tokio::test]
async fn an_utterance_is_played_and_accounted_for() {
    let mut line = Line::open(Server::builder()).await;
    line.until("session.state_updated connected").await;
    for _ in 0..3 {
        line.send(&speak(500), "u1").await;
    }
    line.send(&Command::SpeakEnd, "u1").await;
    insta::assert_snapshot!(line.until("agent.state_updated idle").await.join("\n"), @"");
    insta::assert_debug_snapshot!(line.lab.server.heard(line.id), @"");
}

#[tokio::test]
async fn audio_that_comes_too_slowly_starves_the_avatar() {
    let mut line = Line::open(Server::builder()).await;
    line.until("session.state_updated connected").await;
    for _ in 0..2 {
        line.send(&speak(500), "u1").await;
        line.until("error video_starvation").await;
    }
    line.send(&Command::SpeakEnd, "u1").await;
    line.until("agent.speak_ended").await;
    let heard = line.lab.server.heard(line.id);
    assert_eq!((heard.utterances[0].starvations, heard.utterances[0].end), (2, Some(UtteranceEnd::Finished)));
}

#[tokio::test]
async fn an_interrupt_drops_what_plays_and_what_waits() {
    let mut line = Line::open(Server::builder()).await;
    line.until("session.state_updated connected").await;
    for id in ["u1", "u2"] {
        line.send(&speak(5000), id).await;
        line.send(&Command::SpeakEnd, id).await;
    }
    line.until("agent.speak_started").await;
    line.send(&Command::Interrupt, "i1").await;
    line.send(&speak(500), "u3").await;
    line.send(&Command::SpeakEnd, "u3").await;
    insta::assert_snapshot!(line.until("agent.speak_ended").await.join("\n"), @"");
    let heard = line.lab.server.heard(line.id);
    let ends: Vec<_> = heard.utterances.iter().map(|it| (it.event_id.as_str(), it.end)).collect();
    let (cut, played) = (Some(UtteranceEnd::Interrupted), Some(UtteranceEnd::Finished));
    assert_eq!(ends, [("u1", cut), ("u2", cut), ("u3", played)]);
    assert_eq!(heard.interrupts, 1);
}

#[tokio::test]
async fn the_avatar_goes_back_to_the_pose_it_was_told() {
    let mut line = Line::open(Server::builder()).await;
    line.until("session.state_updated connected").await;
    line.send(&Command::StartListening, "l1").await;
    line.send(&speak(500), "u1").await;
    line.send(&Command::SpeakEnd, "u1").await;
    let mut poses = Vec::new();
    while poses.len() < 3 {
        poses.push(line.until("agent.state_updated").await.pop().expect("a pose"));
    }
    line.send(&Command::StopListening, "l2").await;
    poses.push(line.event().await);
    let expected = ["listening", "talking", "listening", "idle"].map(|pose| format!("agent.state_updated {pose}"));
    assert_eq!(poses, expected);
}

#[tokio::test]
async fn frames_that_make_no_sense_are_refused_and_the_socket_stays() {
    let mut line = Line::open(Server::builder()).await;
    line.until("session.state_updated connected").await;
    let large = speak(20_000).encode("large");
    assert!(large.len() > audio::MAX_FRAME_BYTES);
    for text in [large.as_str(), "{", "[]", r#"{"type":"agent.sing"}"#, r#"{"type":"agent.speak","audio":"%"}"#] {
        line.text(text).await;
        assert_eq!(line.event().await, "error invalid_request_error", "{}", &text[..text.len().min(40)]);
    }
    line.send(&Command::KeepAlive, "k").await;
    line.send(&Command::SpeakEnd, "e").await;
    assert_eq!(line.event().await, "agent.audio_buffer_committed e");
    let heard = line.lab.server.heard(line.id);
    assert_eq!((heard.refused, heard.keep_alives), (5, 1));
}

#[tokio::test]
async fn sockets_go_wrong_on_demand() {
    for (fault, expected) in [
        (SocketFault::Close(4321), "close Some(4321)"),
        (SocketFault::Break, "broken"),
        (SocketFault::Garbage("{".to_owned()), "text \"{\""),
    ] {
        let mut line = Line::open(Server::builder()).await;
        line.until("session.state_updated connected").await;
        let fails = fault.clone();
        line.lab.server.socket_faults(move |command| (*command == Command::SpeakEnd).then(|| fails.clone()));
        line.send(&Command::SpeakEnd, "e").await;
        assert_eq!(line.event().await, expected, "{fault:?}");
        assert_eq!(line.lab.server.running_sessions(), [line.id]);
    }
}

#[tokio::test]
async fn a_socket_falls_silent_on_demand() {
    let mut line = Line::open(Server::builder()).await;
    line.until("session.state_updated connected").await;
    line.lab.server.socket_faults(|_| Some(SocketFault::Silence));
    line.send(&speak(500), "u1").await;
    let waited = tokio::time::timeout(Duration::from_secs(3600), line.event()).await;
    assert!(waited.is_err(), "{waited:?}");
    assert_eq!(line.lab.server.heard(line.id).utterances.len(), 0);
}

#[tokio::test]
async fn a_socket_ends_with_its_session_whoever_ended_it() {
    let mut line = Line::open(Server::builder()).await;
    line.until("session.state_updated connected").await;
    assert!(line.lab.server.end_session(line.id, "AGENT_HANG_UP"));
    let seen = line.until("close").await;
    let expected = ["session.state_updated closing", "session.state_updated closed", "close Some(1000)"];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn playback_follows_the_servers_clock() {
    let mut line = Line::open(Server::builder()).await;
    tokio::time::resume();
    let begin = std::time::Instant::now();
    line.until("session.state_updated connected").await;
    for _ in 0..10 {
        line.send(&speak(10_000), "u1").await;
    }
    line.send(&Command::SpeakEnd, "u1").await;
    line.until("agent.audio_buffer_committed").await;
    line.lab.server.advance(Duration::from_secs(101));
    line.until("agent.speak_ended").await;
    assert!(begin.elapsed() < Duration::from_secs(60));
}
