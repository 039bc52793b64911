//! The command socket of LITE sessions: as much of it as the recorded facts say, and no picture.
//!
//! It is ready after a moment, plays audio at its own pace, tells of start and end in one of the four ways that servers
//! were seen to use, and ends with its session.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_websockets::{CloseCode, Message, ServerBuilder, WebSocketStream};
use uuid::Uuid;

use super::server::lock;
use super::sessions::Sessions;
use crate::realtime::audio;
use crate::realtime::lite::Command;

/// Speech is heard of about so long after its first frame (field report).
const START_DELAY: Duration = Duration::from_millis(200);

/// How often to look whether the session still runs.
const LOOK: Duration = Duration::from_secs(1);

/// How the events of a mock's sockets tell which utterance they are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventStyle {
    /// The id of the command comes back as `event_id`, as documented.
    #[default]
    EventId,
    /// The id of the command comes back as `source_event_id`.
    SourceEventId,
    /// Start and end share a `task.id`, and the ids are the server's.
    Task,
    /// Nothing tells.
    Nothing,
}

/// Serves sockets until the server is dropped.
pub(super) async fn serve(listener: TcpListener, style: EventStyle, sessions: Arc<Mutex<Sessions>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        // A frame that waits for another would be late.
        let _ = stream.set_nodelay(true);
        let sessions = Arc::clone(&sessions);
        connections.spawn(async move {
            let Ok((request, connection)) = ServerBuilder::new().accept(stream).await else { return };
            let id = request.uri().path().rsplit('/').next().and_then(|id| Uuid::parse_str(id).ok());
            let mut socket = Socket {
                connection,
                style,
                sessions,
                id: id.unwrap_or_default(),
                utterance: None,
                play_until: Instant::now(),
                count: 0,
            };
            // What fails is the connection, and then nobody is left to tell.
            let _ = socket.run().await;
        });
    }
}

struct Socket {
    connection: WebSocketStream<TcpStream>,
    style: EventStyle,
    sessions: Arc<Mutex<Sessions>>,
    id: Uuid,
    utterance: Option<Utterance>,
    play_until: Instant,
    /// Ids and tasks that were made so far.
    count: u64,
}

struct Utterance {
    id: String,
    task: u64,
    /// When its start is told of; none once it is.
    starts: Option<Instant>,
    closed: bool,
}

type Sent = Result<(), tokio_websockets::Error>;

impl Socket {
    async fn run(&mut self) -> Sent {
        self.state("connecting").await?;
        if !lock(&self.sessions).keep_alive(self.id) {
            return self.end(CloseCode::POLICY_VIOLATION).await;
        }
        self.state("connected").await?;
        let mut look = Instant::now() + LOOK;
        loop {
            let next = self.next_event().map_or(look, |event| event.min(look));
            match timeout_at(next, self.connection.next()).await {
                Ok(Some(message)) => self.received(&message?).await?,
                Ok(None) => return Ok(()),
                Err(_) => {}
            }
            let now = Instant::now();
            self.play(now).await?;
            if look <= now {
                look = now + LOOK;
                if !lock(&self.sessions).runs(self.id) {
                    self.state("closing").await?;
                    return self.end(CloseCode::NORMAL_CLOSURE).await;
                }
            }
        }
    }

    /// When there is something to tell if nothing comes.
    fn next_event(&self) -> Option<Instant> {
        let utterance = self.utterance.as_ref()?;
        utterance.starts.or(utterance.closed.then_some(self.play_until))
    }

    async fn received(&mut self, message: &Message) -> Sent {
        let Some(Ok((command, id))) = message.as_text().map(|text| Command::decode(text.as_bytes())) else {
            return Ok(());
        };
        let id = id.unwrap_or_default();
        let Some(command) = command else {
            let error = json!({ "type": "invalid_request_error", "message": "unknown type", "event_id": id });
            return self.say(json!({ "type": "error", "error": error })).await;
        };
        let _ = lock(&self.sessions).keep_alive(self.id);
        let now = Instant::now();
        match command {
            Command::Speak(pcm) => {
                self.count += 1;
                let task = self.count;
                self.utterance.get_or_insert_with(|| Utterance {
                    id: id.clone(),
                    task,
                    starts: Some(now + START_DELAY),
                    closed: false,
                });
                self.play_until = self.play_until.max(now + START_DELAY) + audio::duration(pcm.len());
                self.acknowledge("agent.audio_buffer_appended", &id).await
            }
            Command::SpeakEnd => {
                if let Some(utterance) = &mut self.utterance {
                    utterance.closed = true;
                }
                self.acknowledge("agent.audio_buffer_committed", &id).await
            }
            Command::Interrupt => {
                self.play_until = now;
                self.acknowledge("agent.audio_buffer_cleared", &id).await?;
                match self.utterance.take() {
                    Some(utterance) if utterance.starts.is_none() => {
                        self.tell("agent.speak_interrupted", &utterance.id, utterance.task).await
                    }
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Tells of what playback has come to.
    async fn play(&mut self, now: Instant) -> Sent {
        let Some(utterance) = &mut self.utterance else { return Ok(()) };
        let (id, task) = (utterance.id.clone(), utterance.task);
        if utterance.starts.is_some_and(|starts| starts <= now) {
            utterance.starts = None;
            return self.tell("agent.speak_started", &id, task).await;
        }
        if utterance.starts.is_none() && utterance.closed && self.play_until <= now {
            self.utterance = None;
            return self.tell("agent.speak_ended", &id, task).await;
        }
        Ok(())
    }

    async fn tell(&mut self, kind: &str, id: &str, task: u64) -> Sent {
        self.count += 1;
        let made = format!("mock-event-{}", self.count);
        let task = json!({ "id": format!("mock-task-{task}") });
        self.say(match self.style {
            EventStyle::EventId => json!({ "type": kind, "event_id": id, "task": task }),
            EventStyle::SourceEventId => json!({ "type": kind, "event_id": made, "source_event_id": id }),
            EventStyle::Task => json!({ "type": kind, "event_id": made, "task": task }),
            EventStyle::Nothing => json!({ "type": kind }),
        })
        .await
    }

    async fn acknowledge(&mut self, kind: &str, id: &str) -> Sent {
        if self.style == EventStyle::Nothing {
            return self.say(json!({ "type": kind })).await;
        }
        self.say(json!({ "type": kind, "source_event_id": id })).await
    }

    async fn state(&mut self, state: &str) -> Sent {
        self.say(json!({ "type": "session.state_updated", "state": state })).await
    }

    async fn say(&mut self, event: Value) -> Sent {
        self.connection.send(Message::text(event.to_string())).await
    }

    async fn end(&mut self, code: CloseCode) -> Sent {
        self.state("closed").await?;
        self.connection.send(Message::close(Some(code), "")).await?;
        while self.connection.next().await.is_some_and(|message| message.is_ok()) {}
        Ok(())
    }
}
