//! The messages of the socket: text frames with one JSON object each.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::realtime::fields::Fields;

/// A command to the avatar of a LITE session.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Appends audio to the utterance, and opens one if none is open: PCM as in [`audio`](crate::realtime::audio).
    Speak(Bytes),
    /// Closes the utterance; without it the avatar does not go back to idle or listening.
    SpeakEnd,
    /// Drops speech that is queued or playing.
    Interrupt,
    /// Goes to the listening pose.
    StartListening,
    /// Goes back to the idle pose.
    StopListening,
    /// Restarts the service's idle countdown of 5 minutes.
    KeepAlive,
}

/// Shows the size of audio only.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Speak(pcm) => write!(f, "Speak({} bytes)", pcm.len()),
            Self::SpeakEnd => f.write_str("SpeakEnd"),
            Self::Interrupt => f.write_str("Interrupt"),
            Self::StartListening => f.write_str("StartListening"),
            Self::StopListening => f.write_str("StopListening"),
            Self::KeepAlive => f.write_str("KeepAlive"),
        }
    }
}

type ReadCommand = fn(&mut Fields) -> Option<Command>;

const COMMANDS: &[(&str, ReadCommand)] = &[
    ("agent.speak", |fields| {
        STANDARD.decode(fields.text("audio")?).ok().map(|pcm| Command::Speak(pcm.into()))
    }),
    ("agent.speak_end", |_| Some(Command::SpeakEnd)),
    ("agent.interrupt", |_| Some(Command::Interrupt)),
    ("agent.start_listening", |_| Some(Command::StartListening)),
    ("agent.stop_listening", |_| Some(Command::StopListening)),
    ("session.keep_alive", |_| Some(Command::KeepAlive)),
];

impl Command {
    /// The command as the text of a frame, under an id.
    #[must_use]
    pub fn encode(&self, event_id: &str) -> String {
        let name = match self {
            Self::Speak(_) => "agent.speak",
            Self::SpeakEnd => "agent.speak_end",
            Self::Interrupt => "agent.interrupt",
            Self::StartListening => "agent.start_listening",
            Self::StopListening => "agent.stop_listening",
            Self::KeepAlive => "session.keep_alive",
        };
        let mut message = json!({ "type": name, "event_id": event_id });
        if let Self::Speak(pcm) = self {
            message["audio"] = STANDARD.encode(pcm).into();
        }
        message.to_string()
    }

    /// Reads a command and its id on the avatar's side, for stand-ins and tests; none that this version does not know.
    ///
    /// # Errors
    /// When the text is no JSON object that names its kind.
    pub fn decode(text: &[u8]) -> Result<(Option<Self>, Option<String>), Error> {
        let mut fields = Fields::read(text)?;
        let command = fields.find(COMMANDS).and_then(|read| read(&mut fields));
        Ok((command, fields.text("event_id")))
    }
}

/// An event of the avatar.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LiteEvent {
    /// What happened.
    pub kind: EventKind,
    /// The kind as it was written.
    pub event_type: String,
    /// The event's id: that of the command that caused it, or one that the server made.
    pub event_id: Option<String>,
    /// The id of the command that caused it, from servers that say so.
    pub source_event_id: Option<String>,
    /// The id of the server's task, the same from the start of speech to its end.
    pub task_id: Option<String>,
    /// Whatever else came with it.
    pub rest: Map<String, Value>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// The session's state.
    SessionState(SessionState),
    /// Playback begins.
    SpeakStarted,
    /// Playback ended.
    SpeakEnded,
    /// Playback was cut off.
    SpeakInterrupted,
    /// The avatar's pose.
    AgentState {
        /// The pose before.
        previous: Option<AgentState>,
        /// The pose now.
        new: AgentState,
    },
    /// Audio was taken.
    BufferAppended,
    /// The end of an utterance was taken.
    BufferCommitted,
    /// Queued audio was dropped.
    BufferCleared,
    /// A command, or the server, failed.
    Error(Notice),
    /// Something is not as it should be, and goes on.
    Warning(Notice),
    /// One that this version does not know, or with another payload than it knows; see [`LiteEvent::event_type`] and
    /// [`LiteEvent::rest`].
    Unknown,
}

/// The state of a session, as the socket tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionState {
    /// Not there yet.
    New,
    /// On its way; commands would be dropped without a word.
    Connecting,
    /// Ready for commands.
    Connected,
    /// About to end.
    Closing,
    /// Ended.
    Closed,
    /// Ended, in other words (field reports).
    Disconnected,
    /// Another one.
    Other(String),
}

/// The pose of the avatar.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AgentState {
    /// Waiting.
    Idle,
    /// Listening.
    Listening,
    /// Speaking.
    Talking,
    /// Another one.
    Other(String),
}

/// What the server says of an error or a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// Its type, such as `invalid_request_error`, `server_error` or `video_starvation`.
    pub kind: String,
    /// A text for people.
    pub message: String,
    /// The id of the command that it is about.
    pub event_id: Option<String>,
}

impl Notice {
    /// Whether audio came too slowly, which stops no speech: pieces should come faster than they play.
    #[must_use]
    pub fn is_starvation(&self) -> bool {
        self.kind == "video_starvation"
    }
}

type ReadEvent = fn(&mut Fields) -> Option<EventKind>;

const EVENTS: &[(&str, ReadEvent)] = &[
    ("session.state_updated", |fields| {
        let state = fields.text("state").or_else(|| fields.text("new_state"))?;
        Some(EventKind::SessionState(session_state(state)))
    }),
    ("agent.speak_started", |_| Some(EventKind::SpeakStarted)),
    ("agent.speak_ended", |_| Some(EventKind::SpeakEnded)),
    ("agent.speak_interrupted", |_| Some(EventKind::SpeakInterrupted)),
    ("agent.state_updated", |fields| {
        let new = agent_state(fields.text("new_state").or_else(|| fields.text("state"))?);
        Some(EventKind::AgentState { previous: fields.text("previous_state").map(agent_state), new })
    }),
    ("agent.audio_buffer_appended", |_| Some(EventKind::BufferAppended)),
    ("agent.audio_buffer_committed", |_| Some(EventKind::BufferCommitted)),
    ("agent.audio_buffer_cleared", |_| Some(EventKind::BufferCleared)),
    ("error", |fields| Some(EventKind::Error(notice(fields, "error")))),
    ("warning", |fields| Some(EventKind::Warning(notice(fields, "warning")))),
];

fn session_state(state: String) -> SessionState {
    match state.as_str() {
        "new" => SessionState::New,
        "connecting" => SessionState::Connecting,
        "connected" => SessionState::Connected,
        "closing" => SessionState::Closing,
        "closed" => SessionState::Closed,
        "disconnected" => SessionState::Disconnected,
        _ => SessionState::Other(state),
    }
}

fn agent_state(state: String) -> AgentState {
    match state.as_str() {
        "idle" => AgentState::Idle,
        "listening" => AgentState::Listening,
        "talking" => AgentState::Talking,
        _ => AgentState::Other(state),
    }
}

fn notice(fields: &mut Fields, name: &str) -> Notice {
    // Some write the text where the object belongs.
    let plain = fields.text(name);
    Notice {
        kind: fields.inner_text(name, "type").unwrap_or_default(),
        message: plain.or_else(|| fields.inner_text(name, "message")).unwrap_or_default(),
        event_id: fields.inner_text(name, "event_id"),
    }
}

impl LiteEvent {
    /// Reads the text of a frame.
    ///
    /// Names are read with dots and underscores in either place.
    ///
    /// # Errors
    /// When the text is no JSON object that names its kind.
    pub fn decode(text: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::read(text)?;
        let kind = fields.find(EVENTS).and_then(|read| read(&mut fields)).unwrap_or(EventKind::Unknown);
        let event_id = fields.text("event_id");
        let source_event_id = fields.text("source_event_id");
        let task_id = fields.inner_text("task", "id").or_else(|| fields.text("task_id"));
        let (event_type, rest) = fields.into_parts();
        Ok(Self { kind, event_type, event_id, source_event_id, task_id, rest })
    }
}
