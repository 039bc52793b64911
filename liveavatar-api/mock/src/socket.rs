//! The command socket of LITE sessions: as much of it as the recorded facts say, and no picture.
//!
//! It is ready after a moment and drops what comes before, plays audio at its own pace, complains when audio comes too slowly,
//! tells of start and end in one of the four ways that servers were seen to use, and ends with its session.
//!
//! What is invented, because nothing is on record: the texts of errors and close codes, and that a frame above the documented
//! size is refused with an error.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_websockets::{CloseCode, Message, ServerBuilder, WebSocketStream};
use uuid::Uuid;

use super::clock::Clock;
use super::heard::{Ear, Heard, SocketFault, Utterance, UtteranceEnd};
use super::playback::{Playback, Pose, Turn};
use super::server::lock;
use super::world::World;
use liveavatar_api::realtime::audio;
use liveavatar_api::realtime::lite::Command;

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

/// What is behind all sockets of a server.
#[derive(Clone)]
pub(super) struct Behind {
    pub(super) style: EventStyle,
    /// How long a socket takes to get ready.
    pub(super) delay: Duration,
    pub(super) clock: Clock,
    pub(super) world: Arc<Mutex<World>>,
    pub(super) ear: Arc<Mutex<Ear>>,
}

/// Serves sockets until the server is dropped.
pub(super) async fn serve(listener: TcpListener, behind: Behind) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        // A frame that waits for another would be late.
        let _ = stream.set_nodelay(true);
        let behind = behind.clone();
        connections.spawn(async move {
            let Ok((request, connection)) = ServerBuilder::new().accept(stream).await else { return };
            let id = request.uri().path().rsplit('/').next().and_then(|id| Uuid::parse_str(id).ok());
            let mut socket = Socket {
                connection,
                moved: behind.clock.moved(),
                behind,
                id: id.unwrap_or_default(),
                playback: Playback::default(),
                pose: Pose::default(),
                count: 0,
            };
            // What fails is the connection, and then nobody is left to tell.
            let _ = socket.run().await;
        });
    }
}

struct Socket {
    connection: WebSocketStream<TcpStream>,
    moved: watch::Receiver<Duration>,
    behind: Behind,
    id: Uuid,
    playback: Playback,
    /// The pose that was told last.
    pose: Pose,
    /// Events that were made so far.
    count: u64,
}

/// What comes next on the connection.
enum Next {
    Message(Message),
    /// Time has passed.
    Time,
    Gone,
}

/// Whether the socket goes on.
#[derive(PartialEq, Eq)]
enum Onward {
    Yes,
    No,
}

type Sent<T = ()> = Result<T, tokio_websockets::Error>;

impl Socket {
    async fn run(&mut self) -> Sent {
        self.state("connecting").await?;
        if !self.keep_alive() {
            return self.end(CloseCode::POLICY_VIOLATION).await;
        }
        self.note(|heard| heard.connections += 1);
        let ready = self.behind.clock.now() + self.behind.delay;
        while self.behind.clock.now() < ready {
            match self.next(ready).await? {
                Next::Message(message) if message.is_text() => self.note(|heard| heard.early += 1),
                Next::Message(_) | Next::Time => {}
                Next::Gone => return Ok(()),
            }
        }
        self.state("connected").await?;
        let mut look = self.behind.clock.now() + LOOK;
        loop {
            let until = self.playback.next().map_or(look, |next| next.min(look));
            let next = self.next(until).await?;
            // What was due comes before what has just arrived.
            self.play(self.behind.clock.now()).await?;
            match next {
                Next::Message(message) => {
                    if self.received(&message).await? == Onward::No {
                        return Ok(());
                    }
                }
                Next::Time => {}
                Next::Gone => return Ok(()),
            }
            let now = self.behind.clock.now();
            self.play(now).await?;
            if look <= now {
                look = now + LOOK;
                if !lock(&self.behind.world).sessions.runs(self.id) {
                    self.state("closing").await?;
                    return self.end(CloseCode::NORMAL_CLOSURE).await;
                }
            }
        }
    }

    /// What comes until a moment of the server's clock.
    async fn next(&mut self, until: Instant) -> Sent<Next> {
        let left = until.saturating_duration_since(self.behind.clock.now());
        let moved = pin!(self.moved.changed());
        match timeout(left, select(self.connection.next(), moved)).await {
            Ok(Either::Left((Some(message), _))) => message.map(Next::Message),
            Ok(Either::Left((None, _))) => Ok(Next::Gone),
            Ok(Either::Right(_)) | Err(_) => Ok(Next::Time),
        }
    }

    async fn received(&mut self, message: &Message) -> Sent<Onward> {
        let Some(text) = message.as_text() else { return Ok(Onward::Yes) };
        if text.len() > audio::MAX_FRAME_BYTES {
            self.refuse("message is larger than 1 MB", "").await?;
            return Ok(Onward::Yes);
        }
        let Ok((command, id)) = Command::decode(text.as_bytes()) else {
            self.refuse("message is no JSON object with a type", "").await?;
            return Ok(Onward::Yes);
        };
        let id = id.unwrap_or_default();
        let Some(command) = command else {
            self.refuse("unknown type, or a field of it is missing or wrong", &id).await?;
            return Ok(Onward::Yes);
        };
        let fault = lock(&self.behind.ear).fault(&command);
        match fault {
            Some(SocketFault::Close(code)) => {
                let code = CloseCode::try_from(code).unwrap_or(CloseCode::INTERNAL_SERVER_ERROR);
                self.close(code).await?;
                return Ok(Onward::No);
            }
            Some(SocketFault::Break) => return Ok(Onward::No),
            Some(SocketFault::Silence) => {
                while self.connection.next().await.is_some_and(|message| message.is_ok()) {}
                return Ok(Onward::No);
            }
            Some(SocketFault::Garbage(text)) => self.connection.send(Message::text(text)).await?,
            None => {}
        }
        self.obey(command, id).await?;
        Ok(Onward::Yes)
    }

    async fn obey(&mut self, command: Command, id: String) -> Sent {
        let _ = self.keep_alive();
        let now = self.behind.clock.now();
        match command {
            Command::Speak(pcm) => {
                if self.playback.is_between() {
                    let number = self.note(|heard| {
                        heard.utterances.push(Utterance { event_id: id.clone(), ..Utterance::default() });
                        heard.utterances.len() - 1
                    });
                    self.playback.open(&id, number, now);
                }
                let time = audio::duration(pcm.len());
                if let Some(number) = self.playback.append(time, now) {
                    self.utterance(number, |utterance| {
                        utterance.frames += 1;
                        utterance.audio += time;
                    });
                }
                self.acknowledge("agent.audio_buffer_appended", &id).await
            }
            Command::SpeakEnd => {
                self.playback.close();
                self.acknowledge("agent.audio_buffer_committed", &id).await
            }
            Command::Interrupt => {
                self.note(|heard| heard.interrupts += 1);
                self.acknowledge("agent.audio_buffer_cleared", &id).await?;
                for (speech, is_told) in self.playback.interrupt() {
                    self.utterance(speech.number, |it| it.end = Some(UtteranceEnd::Interrupted));
                    if is_told {
                        self.tell("agent.speak_interrupted", &speech.id, speech.number).await?;
                    }
                }
                self.posed().await
            }
            Command::StartListening | Command::StopListening => {
                let listens = command == Command::StartListening;
                self.playback.rest_in(if listens { Pose::Listening } else { Pose::Idle });
                self.posed().await
            }
            Command::KeepAlive => {
                self.note(|heard| heard.keep_alives += 1);
                Ok(())
            }
            // The mock is released together with the crate that defines the commands.
            _ => Ok(()),
        }
    }

    /// Tells of what playback has come to.
    async fn play(&mut self, now: Instant) -> Sent {
        while let Some(turn) = self.playback.turn(now) {
            match turn {
                Turn::Started(speech) => {
                    self.tell("agent.speak_started", &speech.id, speech.number).await?;
                }
                Turn::Ended(speech) => {
                    self.utterance(speech.number, |it| it.end = Some(UtteranceEnd::Finished));
                    self.tell("agent.speak_ended", &speech.id, speech.number).await?;
                }
                Turn::Starved(speech) => {
                    self.utterance(speech.number, |it| it.starvations += 1);
                    self.error("video_starvation", "audio came too slowly", &speech.id).await?;
                }
            }
            self.posed().await?;
        }
        Ok(())
    }

    /// Tells of the pose if it is another one.
    async fn posed(&mut self) -> Sent {
        let (previous, new) = (self.pose, self.playback.pose());
        if previous == new {
            return Ok(());
        }
        self.pose = new;
        let (previous, new) = (previous.as_str(), new.as_str());
        let kind = "agent.state_updated";
        self.say(json!({ "type": kind, "previous_state": previous, "new_state": new })).await
    }

    fn keep_alive(&self) -> bool {
        lock(&self.behind.world).sessions.keep_alive(self.id)
    }

    fn note<T>(&self, change: impl FnOnce(&mut Heard) -> T) -> T {
        change(lock(&self.behind.ear).of(self.id))
    }

    fn utterance(&self, number: usize, change: impl FnOnce(&mut Utterance)) {
        self.note(|heard| heard.utterances.get_mut(number).map(change));
    }

    async fn tell(&mut self, kind: &str, id: &str, number: usize) -> Sent {
        self.count += 1;
        let made = format!("mock-event-{}", self.count);
        let task = json!({ "id": format!("mock-task-{}", number + 1) });
        self.say(match self.behind.style {
            EventStyle::EventId => json!({ "type": kind, "event_id": id, "task": task }),
            EventStyle::SourceEventId => json!({ "type": kind, "event_id": made, "source_event_id": id }),
            EventStyle::Task => json!({ "type": kind, "event_id": made, "task": task }),
            EventStyle::Nothing => json!({ "type": kind }),
        })
        .await
    }

    async fn acknowledge(&mut self, kind: &str, id: &str) -> Sent {
        if self.behind.style == EventStyle::Nothing {
            return self.say(json!({ "type": kind })).await;
        }
        self.say(json!({ "type": kind, "source_event_id": id })).await
    }

    async fn refuse(&mut self, message: &str, id: &str) -> Sent {
        self.note(|heard| heard.refused += 1);
        self.error("invalid_request_error", message, id).await
    }

    async fn error(&mut self, kind: &str, message: &str, id: &str) -> Sent {
        let error = json!({ "type": kind, "message": message, "event_id": id });
        self.say(json!({ "type": "error", "error": error })).await
    }

    async fn state(&mut self, state: &str) -> Sent {
        self.say(json!({ "type": "session.state_updated", "state": state })).await
    }

    async fn say(&mut self, event: Value) -> Sent {
        self.connection.send(Message::text(event.to_string())).await
    }

    async fn end(&mut self, code: CloseCode) -> Sent {
        self.state("closed").await?;
        self.close(code).await
    }

    async fn close(&mut self, code: CloseCode) -> Sent {
        self.connection.send(Message::close(Some(code), "")).await?;
        while self.connection.next().await.is_some_and(|message| message.is_ok()) {}
        Ok(())
    }
}
