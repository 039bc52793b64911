//! The messages of the socket. Each is a text frame with one JSON object.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::realtime::fields::{Fields, stop_reason};
use crate::types::SessionEndReason;
use crate::wire::OpenEnum;

/// A command to the avatar of a LITE session.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LiteCommand {
    /// Appends PCM in the format of [`audio`](crate::realtime::audio) to the utterance, and starts one if none is open.
    Speak(Bytes),
    /// Ends the utterance; without it the avatar does not return to idle or listening.
    SpeakEnd,
    /// Stops speech and drops all queued speech.
    Interrupt,
    /// Switches to the listening pose.
    StartListening,
    /// Returns to the idle pose.
    StopListening,
    /// Restarts the service's idle countdown of 5 minutes.
    KeepAlive,
}

/// Shows only the size of audio.
impl fmt::Debug for LiteCommand {
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

type ReadCommand = fn(&mut Fields) -> Option<LiteCommand>;

const COMMANDS: &[(&str, ReadCommand)] = &[
    ("agent.speak", |fields| {
        STANDARD.decode(fields.take_string("audio")?).ok().map(|pcm| LiteCommand::Speak(pcm.into()))
    }),
    ("agent.speak_end", |_| Some(LiteCommand::SpeakEnd)),
    ("agent.interrupt", |_| Some(LiteCommand::Interrupt)),
    ("agent.start_listening", |_| Some(LiteCommand::StartListening)),
    ("agent.stop_listening", |_| Some(LiteCommand::StopListening)),
    ("session.keep_alive", |_| Some(LiteCommand::KeepAlive)),
];

impl LiteCommand {
    /// Encodes the command as the text of a frame.
    #[must_use]
    pub fn encode(&self, event_id: &str) -> String {
        let event_type = match self {
            Self::Speak(_) => "agent.speak",
            Self::SpeakEnd => "agent.speak_end",
            Self::Interrupt => "agent.interrupt",
            Self::StartListening => "agent.start_listening",
            Self::StopListening => "agent.stop_listening",
            Self::KeepAlive => "session.keep_alive",
        };
        let mut message = json!({ "type": event_type, "event_id": event_id });
        if let Self::Speak(pcm) = self {
            message["audio"] = STANDARD.encode(pcm).into();
        }
        message.to_string()
    }

    /// Decodes a command and its id on the avatar's side, for mocks and tests.
    ///
    /// The command is `None` if this version does not know it.
    ///
    /// # Errors
    /// If the text is not a JSON object with an event type.
    pub fn decode(text: &[u8]) -> Result<(Option<Self>, Option<String>), Error> {
        let mut fields = Fields::parse(text)?;
        let command = fields.lookup(COMMANDS).and_then(|read| read(&mut fields));
        Ok((command, fields.take_string("event_id")))
    }
}

/// An event of the avatar in a LITE session.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LiteEvent {
    /// What happened.
    pub kind: LiteEventKind,
    /// The event type exactly as received.
    pub event_type: String,
    /// The id of the command that caused the event, or an id that the server made.
    pub event_id: Option<String>,
    /// The id of the command that caused the event, if the server sends it.
    pub source_event_id: Option<String>,
    /// The id of the server's task, the same for the start and the end of speech.
    pub task_id: Option<String>,
    /// All other fields.
    pub rest: Map<String, Value>,
}

/// What happened in a LITE session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LiteEventKind {
    /// The session's state changed.
    SessionState(SessionState),
    /// The service ended the session, for this reason if it sent one. The socket closes.
    SessionStopped(Option<OpenEnum<SessionEndReason>>),
    /// Playback started.
    SpeakStarted,
    /// Playback ended.
    SpeakEnded,
    /// Playback was interrupted.
    SpeakInterrupted,
    /// The avatar started to be idle.
    IdleStarted,
    /// The avatar stopped being idle.
    IdleEnded,
    /// The avatar's pose changed.
    AgentState {
        /// The previous pose.
        previous: Option<AgentState>,
        /// The new pose.
        new: AgentState,
    },
    /// The server received audio.
    BufferAppended,
    /// The server received the end of an utterance.
    BufferCommitted,
    /// The server dropped queued audio.
    BufferCleared,
    /// A command or the server failed.
    Error(ServerNotice),
    /// A problem that is not fatal.
    ///
    /// The server reports it, or this crate does if the audio of an utterance ends with half a sample.
    Warning(ServerNotice),
    /// An event type or payload that this version does not know; see [`LiteEvent::event_type`] and [`LiteEvent::rest`].
    Unknown,
}

/// The state of a session on its socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionState {
    /// Created.
    New,
    /// Connecting; the service silently drops commands.
    Connecting,
    /// Ready for commands.
    Connected,
    /// Ending.
    Closing,
    /// Ended.
    Closed,
    /// Ended; another name that some servers use (field report).
    Disconnected,
    /// A state that this version does not know.
    Other(String),
}

/// The pose of the avatar.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AgentState {
    /// Idle.
    Idle,
    /// Listening.
    Listening,
    /// Speaking.
    Talking,
    /// A pose that this version does not know.
    Other(String),
}

/// An error or a warning from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerNotice {
    /// The type; `None` if the server sent none.
    pub kind: Option<NoticeKind>,
    /// The human-readable message; empty if the server sent none.
    pub message: String,
    /// The id of the command that caused it.
    pub event_id: Option<String>,
}

impl ServerNotice {
    /// Returns whether audio arrived more slowly than it plays; the speech continues.
    #[must_use]
    pub fn is_starvation(&self) -> bool {
        self.kind == Some(NoticeKind::VideoStarvation)
    }
}

/// The type of an error or a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoticeKind {
    /// A command is invalid: `invalid_request_error`.
    InvalidRequest,
    /// The server failed: `server_error`.
    Server,
    /// Audio arrived more slowly than it plays: `video_starvation`.
    VideoStarvation,
    /// The audio of an utterance ended with half a sample, so its bytes may be misaligned: `misaligned_audio`, from this crate.
    MisalignedAudio,
    /// A type that this version does not know.
    Other(String),
}

impl NoticeKind {
    /// Returns the type as the server writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::InvalidRequest => "invalid_request_error",
            Self::Server => "server_error",
            Self::VideoStarvation => "video_starvation",
            Self::MisalignedAudio => "misaligned_audio",
            Self::Other(kind) => kind,
        }
    }
}

type ReadEvent = fn(&mut Fields) -> Option<LiteEventKind>;

const EVENTS: &[(&str, ReadEvent)] = &[
    ("session.state_updated", |fields| {
        let state = fields.take_string("state").or_else(|| fields.take_string("new_state"))?;
        Some(LiteEventKind::SessionState(session_state(state)))
    }),
    ("session.stopped", |fields| Some(LiteEventKind::SessionStopped(stop_reason(fields)))),
    ("agent.speak_started", |_| Some(LiteEventKind::SpeakStarted)),
    ("agent.speak_ended", |_| Some(LiteEventKind::SpeakEnded)),
    ("agent.speak_interrupted", |_| Some(LiteEventKind::SpeakInterrupted)),
    ("agent.idle_started", |_| Some(LiteEventKind::IdleStarted)),
    ("agent.idle_ended", |_| Some(LiteEventKind::IdleEnded)),
    ("agent.state_updated", |fields| {
        let new = agent_state(fields.take_string("new_state").or_else(|| fields.take_string("state"))?);
        Some(LiteEventKind::AgentState {
            previous: fields.take_string("previous_state").map(agent_state),
            new,
        })
    }),
    ("agent.audio_buffer_appended", |_| Some(LiteEventKind::BufferAppended)),
    ("agent.audio_buffer_committed", |_| Some(LiteEventKind::BufferCommitted)),
    ("agent.audio_buffer_cleared", |_| Some(LiteEventKind::BufferCleared)),
    ("error", |fields| Some(LiteEventKind::Error(notice(fields, "error")))),
    ("warning", |fields| Some(LiteEventKind::Warning(notice(fields, "warning")))),
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

fn notice(fields: &mut Fields, name: &str) -> ServerNotice {
    // Some servers send a string instead of an object, or the message next to it.
    let message = fields
        .take_string(name)
        .or_else(|| fields.take_nested_string(name, "message"))
        .or_else(|| fields.take_string("message"));
    ServerNotice {
        kind: fields.take_nested_string(name, "type").map(notice_kind),
        message: message.unwrap_or_default(),
        event_id: fields.take_nested_string(name, "event_id"),
    }
}

fn notice_kind(kind: String) -> NoticeKind {
    let known = [NoticeKind::InvalidRequest, NoticeKind::Server, NoticeKind::VideoStarvation];
    known.into_iter().find(|known| known.as_str() == kind).unwrap_or(NoticeKind::Other(kind))
}

impl LiteEvent {
    /// The audio of an utterance ended within a sample.
    pub(super) fn misaligned_audio(event_id: &str) -> Self {
        let notice = ServerNotice {
            kind: Some(NoticeKind::MisalignedAudio),
            message: "the audio ended with half a sample, so its bytes may be misaligned".to_owned(),
            event_id: Some(event_id.to_owned()),
        };
        Self {
            kind: LiteEventKind::Warning(notice),
            event_type: "warning".to_owned(),
            event_id: Some(event_id.to_owned()),
            source_event_id: None,
            task_id: None,
            rest: Map::new(),
        }
    }

    /// Decodes the text of a frame.
    ///
    /// Dots and underscores in event types are interchangeable.
    ///
    /// # Errors
    /// If the text is not a JSON object with an event type.
    pub fn decode(text: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::parse(text)?;
        let kind = fields.lookup(EVENTS).and_then(|read| read(&mut fields)).unwrap_or(LiteEventKind::Unknown);
        let event_id = fields.take_string("event_id");
        let source_event_id = fields.take_string("source_event_id");
        let task_id = fields.take_nested_string("task", "id").or_else(|| fields.take_string("task_id"));
        let (event_type, rest) = fields.into_parts();
        Ok(Self { kind, event_type, event_id, source_event_id, task_id, rest })
    }
}
