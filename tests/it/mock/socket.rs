//! Rules of the mock's command sockets: what is heard, refused, dropped, and how they go wrong.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use liveavatar_api::realtime::audio;
use liveavatar_api::realtime::lite::Command;
use liveavatar_mock::{Builder, EventStyle, SocketActivity, Server, SocketFault, UtteranceEnd};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};
use uuid::Uuid;

use crate::harness::{From, Lab, lite};

struct Line {
    lab: Lab,
    id: Uuid,
    socket: WebSocketStream<TcpStream>,
}

impl Line {
    /// A running session with a socket.
    async fn open(builder: Builder) -> Line {
        let lab = Lab::with(builder.sockets(EventStyle::EventId)).await;
        let minted = lab.mint(lite()).await;
        let started = lab.start_with(&minted.text("/data/session_token")).await;
        let url = started.text("/data/ws_url");
        let address = url.split('/').nth(2).expect("a host and a port");
        let stream = TcpStream::connect(address).await.expect("a connection");
        let (socket, _) = client_async(&url, stream).await.expect("a socket");
        Line { lab, id: minted.text("/data/session_id").parse().expect("an id"), socket }
    }

    /// The same, ready for commands.
    async fn ready(builder: Builder) -> Line {
        let mut line = Line::open(builder).await;
        line.until("session.state_updated connected").await;
        line
    }

    /// Sends a whole utterance, and waits until it is taken.
    async fn say(&mut self, milliseconds: u64, id: &str) {
        self.send(&speak(milliseconds), id).await;
        self.send(&Command::SpeakEnd, id).await;
        self.until("agent.audio_buffer_committed").await;
    }

    fn pass(&self, milliseconds: u64) {
        self.lab.server.advance(Duration::from_millis(milliseconds));
    }

    fn heard(&self) -> SocketActivity {
        self.lab.server.heard(self.id)
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
        let Ok(event) = serde_json::from_str::<Value>(&text) else {
            return format!("text {:?}", text.as_str());
        };
        let kind = event["type"].as_str().expect("a type").to_owned();
        let said = ["state", "new_state", "event_id"].iter().find_map(|name| event[*name].as_str());
        let said =
            said.or_else(|| event["error"]["type"].as_str()).or_else(|| event["source_event_id"].as_str());
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

/// What is told of speech, without the acknowledgements of commands, which may come at any time between.
fn told(events: Vec<String>) -> String {
    let told: Vec<_> = events.into_iter().filter(|event| !event.starts_with("agent.audio_buffer_")).collect();
    told.join("\n")
}

fn speak(milliseconds: u64) -> Command {
    Command::Speak(vec![0; audio::bytes(Duration::from_millis(milliseconds))].into())
}

#[tokio::test]
async fn what_comes_before_the_socket_is_ready_is_dropped_without_a_word() {
    let mut line = Line::open(Server::builder().socket_delay(Duration::from_secs(3600))).await;
    line.send(&speak(400), "early").await;
    line.send(&Command::SpeakEnd, "early").await;
    while line.heard().early < 2 {
        tokio::task::yield_now().await;
    }
    // As long as the session lives, or it would end first.
    line.lab.post(From::Key, "/v1/sessions/keep-alive", json!({ "session_id": line.id })).await;
    line.pass(3_600_000);
    let seen = line.until("session.state_updated connected").await;
    assert_eq!(seen, ["session.state_updated connecting", "session.state_updated connected"]);
    assert_eq!((line.heard().utterances.len(), line.heard().connections), (0, 1));
}

#[tokio::test]
async fn an_utterance_is_played_and_accounted_for() {
    let mut line = Line::ready(Server::builder()).await;
    for _ in 0..2 {
        line.send(&speak(5000), "u1").await;
        assert!(line.until("agent.audio_buffer_appended").await.len() <= 3);
    }
    line.say(5000, "u1").await;
    line.pass(10_000);
    assert_eq!(line.heard().utterances[0].end, None);
    line.pass(5200);
    line.until("agent.state_updated idle").await;
    insta::assert_debug_snapshot!(line.heard(), @r#"
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
        early: 0,
        refused: 0,
    }
    "#);
}

#[tokio::test]
async fn playback_tells_of_start_and_pose_and_end() {
    let mut line = Line::ready(Server::builder()).await;
    line.say(5000, "u1").await;
    line.pass(5200);
    insta::assert_snapshot!(told(line.until("agent.state_updated idle").await), @"
    agent.speak_started u1
    agent.state_updated talking
    agent.speak_ended u1
    agent.state_updated idle
    ");
}

#[tokio::test]
async fn audio_that_comes_too_slowly_starves_the_avatar() {
    let mut line = Line::ready(Server::builder()).await;
    for _ in 0..2 {
        line.send(&speak(5000), "u1").await;
        line.until("agent.audio_buffer_appended").await;
        line.pass(20_000);
        line.until("error video_starvation").await;
    }
    line.send(&Command::SpeakEnd, "u1").await;
    line.until("agent.speak_ended").await;
    let utterance = line.heard().utterances.remove(0);
    assert_eq!((utterance.starvations, utterance.end), (2, Some(UtteranceEnd::Finished)));
}

#[tokio::test]
async fn an_interrupt_drops_what_plays_and_what_waits() {
    let mut line = Line::ready(Server::builder()).await;
    line.say(10_000, "u1").await;
    line.say(10_000, "u2").await;
    line.pass(200);
    line.send(&Command::Interrupt, "i1").await;
    let cut = told(line.until("agent.speak_interrupted").await);
    line.say(5000, "u3").await;
    line.pass(5200);
    let played = told(line.until("agent.speak_ended").await);
    insta::assert_snapshot!(format!("{cut}\n--\n{played}"), @"
    agent.speak_started u1
    agent.state_updated talking
    agent.speak_interrupted u1
    --
    agent.speak_started u3
    agent.state_updated talking
    agent.speak_ended u3
    ");
    let heard = line.heard();
    let ends: Vec<_> = heard.utterances.iter().map(|it| (it.event_id.as_str(), it.end)).collect();
    let (cut, played) = (Some(UtteranceEnd::Interrupted), Some(UtteranceEnd::Finished));
    assert_eq!(ends, [("u1", cut), ("u2", cut), ("u3", played)]);
    assert_eq!(heard.interrupts, 1);
}

#[tokio::test]
async fn the_avatar_goes_back_to_the_pose_it_was_told() {
    let mut line = Line::ready(Server::builder()).await;
    line.send(&Command::StartListening, "l1").await;
    line.say(5000, "u1").await;
    line.pass(5200);
    let mut seen = line.until("agent.state_updated listening").await;
    line.send(&Command::StopListening, "l2").await;
    seen.extend(line.until("agent.state_updated idle").await);
    let poses: Vec<_> = seen.iter().filter_map(|event| event.strip_prefix("agent.state_updated ")).collect();
    assert_eq!(poses, ["talking", "listening", "idle"]);
}

#[tokio::test]
async fn frames_that_make_no_sense_are_refused_and_the_socket_stays() {
    let mut line = Line::ready(Server::builder()).await;
    let large = speak(20_000).encode("large");
    assert!(large.len() > audio::MAX_FRAME_BYTES);
    let wrong =
        [large.as_str(), "{", "[]", r#"{"type":"agent.sing"}"#, r#"{"type":"agent.speak","audio":"%"}"#];
    for text in wrong {
        line.text(text).await;
        assert_eq!(line.event().await, "error invalid_request_error", "{}", &text[..text.len().min(40)]);
    }
    line.send(&Command::KeepAlive, "k").await;
    line.send(&Command::SpeakEnd, "e").await;
    assert_eq!(line.event().await, "agent.audio_buffer_committed e");
    assert_eq!((line.heard().refused, line.heard().keep_alives), (5, 1));
}

#[tokio::test]
async fn sockets_go_wrong_on_demand() {
    for (fault, expected) in [
        (SocketFault::Close(4321), "close Some(4321)"),
        (SocketFault::Disconnect, "broken"),
        (SocketFault::Garbage("{".to_owned()), "text \"{\""),
    ] {
        let mut line = Line::ready(Server::builder()).await;
        let fails = fault.clone();
        line.lab.server.socket_faults(move |command| (*command == Command::SpeakEnd).then(|| fails.clone()));
        line.send(&Command::SpeakEnd, "e").await;
        assert_eq!(line.event().await, expected, "{fault:?}");
        assert_eq!(line.lab.server.running_sessions(), [line.id]);
    }
}

#[tokio::test]
async fn a_socket_falls_silent_on_demand() {
    let mut line = Line::ready(Server::builder()).await;
    line.lab.server.socket_faults(|_| Some(SocketFault::Hang));
    line.send(&speak(500), "u1").await;
    tokio::time::pause();
    let waited = tokio::time::timeout(Duration::from_secs(3600), line.event()).await;
    assert!(waited.is_err(), "{waited:?}");
    assert!(line.heard().utterances.is_empty());
}

#[tokio::test]
async fn a_socket_ends_with_its_session_whoever_ended_it() {
    let mut line = Line::ready(Server::builder()).await;
    assert!(line.lab.server.end_session(line.id, "AGENT_HANG_UP"));
    line.pass(1000);
    let seen = line.until("close").await;
    let expected = ["session.state_updated closing", "session.state_updated closed", "close Some(1000)"];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn nothing_is_heard_of_another_session() {
    let mut line = Line::ready(Server::builder()).await;
    line.say(500, "u1").await;
    assert_eq!(line.lab.server.heard(Uuid::nil()), SocketActivity::default());
}
