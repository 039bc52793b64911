//! Commands to the avatar, and reading them on its side.

use serde_json::{Map, Value, json};

use super::CONTROL_TOPIC;
use super::elevenlabs::{self, ElevenLabsCommand};
use crate::error::Error;
use crate::realtime::fields::Fields;
use crate::realtime::fresh_id;
use crate::secret::Secret;
use crate::session::{Configuration, Full};
use crate::types::{CreateSessionTokenBody, SessionInteractivityType};

/// A command to the avatar of a FULL session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Stops speech and drops everything queued.
    Interrupt,
    /// Speaks the text as it stands; the official SDK calls it `repeat`.
    SpeakText(Secret),
    /// Answers the text through the language model and speaks the answer; the official SDK calls it `message`.
    SpeakResponse(Secret),
    /// Goes from the idle to the listening pose.
    StartListening,
    /// Goes back to the idle pose.
    StopListening,
    /// Begins to take the user's audio; unmute the microphone once `user.push_to_talk_started` has come.
    StartPushToTalk(PushToTalk),
    /// Stops taking the user's audio.
    StopPushToTalk(PushToTalk),
}

/// Says that a session takes push-to-talk; elsewhere these commands have no documented effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushToTalk(());

impl PushToTalk {
    /// What the configuration of the session says; none for a conversational session.
    #[must_use]
    pub fn of(configuration: &Configuration<Full>) -> Option<Self> {
        match configuration.body() {
            CreateSessionTokenBody::FullSessionConfig(full)
                if full.interactivity_type == Some(SessionInteractivityType::PushToTalk) =>
            {
                Some(Self(()))
            }
            _ => None,
        }
    }

    /// For a session that was configured elsewhere; the caller vouches for it.
    #[must_use]
    pub fn vouched() -> Self {
        Self(())
    }
}

type Read = fn(&mut Fields) -> Option<Command>;

/// Every command by the name it has on the wire.
const COMMANDS: &[(&str, Read)] = &[
    ("avatar.interrupt", |_| Some(Command::Interrupt)),
    ("avatar.speak_text", |fields| Some(Command::SpeakText(fields.text("text")?.into()))),
    ("avatar.speak_response", |fields| Some(Command::SpeakResponse(fields.text("text")?.into()))),
    ("avatar.start_listening", |_| Some(Command::StartListening)),
    ("avatar.stop_listening", |_| Some(Command::StopListening)),
    ("user.start_push_to_talk", |_| Some(Command::StartPushToTalk(PushToTalk::vouched()))),
    ("user.stop_push_to_talk", |_| Some(Command::StopPushToTalk(PushToTalk::vouched()))),
];

impl Command {
    /// The command as a packet, under an id of its own.
    ///
    /// Interrupt and push-to-talk go without an id, as the official SDK sends them.
    #[must_use]
    pub fn packet(&self) -> Packet {
        match self {
            Self::Interrupt | Self::StartPushToTalk(_) | Self::StopPushToTalk(_) => self.encode(None),
            _ => self.packet_with_id(fresh_id()),
        }
    }

    /// The command as a packet, under the given id; events that it causes bring it as `source_event_id`.
    #[must_use]
    pub fn packet_with_id(&self, event_id: impl Into<String>) -> Packet {
        self.encode(Some(event_id.into()))
    }

    fn encode(&self, event_id: Option<String>) -> Packet {
        let mut fields = Map::new();
        fields.insert("event_type".to_owned(), json!(self.name()));
        if let Some(id) = &event_id {
            fields.insert("event_id".to_owned(), json!(id));
        }
        if let Self::SpeakText(text) | Self::SpeakResponse(text) = self {
            fields.insert("text".to_owned(), json!(text));
        }
        Packet::new(event_id, fields)
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Interrupt => "avatar.interrupt",
            Self::SpeakText(_) => "avatar.speak_text",
            Self::SpeakResponse(_) => "avatar.speak_response",
            Self::StartListening => "avatar.start_listening",
            Self::StopListening => "avatar.stop_listening",
            Self::StartPushToTalk(_) => "user.start_push_to_talk",
            Self::StopPushToTalk(_) => "user.stop_push_to_talk",
        }
    }
}

/// A data packet to publish, reliably.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packet {
    /// The topic, [`CONTROL_TOPIC`].
    pub topic: &'static str,
    /// JSON in UTF-8.
    pub payload: Vec<u8>,
    /// The command's id, if it has one.
    pub event_id: Option<String>,
}

impl Packet {
    pub(super) fn new(event_id: Option<String>, fields: Map<String, Value>) -> Self {
        Self { topic: CONTROL_TOPIC, payload: Value::Object(fields).to_string().into_bytes(), event_id }
    }
}

/// Shows the size of the payload only; it may be a prompt.
impl std::fmt::Debug for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packet")
            .field("topic", &self.topic)
            .field("event_id", &self.event_id)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

/// A command as the avatar's side reads it, for stand-ins and tests.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Received {
    /// The command's id.
    pub event_id: Option<String>,
    /// What is asked for.
    pub command: ReceivedCommand,
}

/// What a packet on [`CONTROL_TOPIC`] asks for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ReceivedCommand {
    /// A command to the avatar.
    Avatar(Command),
    /// A command to the ElevenLabs agent behind it.
    ElevenLabs(ElevenLabsCommand),
    /// One that this version does not know, by its name.
    Unknown(String),
}

impl Received {
    /// Reads a packet; none if its topic is not that of commands.
    ///
    /// # Errors
    /// When the payload is no JSON object that names its kind.
    pub fn decode(topic: &str, payload: &[u8]) -> Result<Option<Self>, Error> {
        if topic != CONTROL_TOPIC {
            return Ok(None);
        }
        let mut fields = Fields::read(payload)?;
        let event_id = fields.text("event_id");
        let known = fields.find(COMMANDS).and_then(|read| read(&mut fields)).map(ReceivedCommand::Avatar);
        let command = known
            .or_else(|| elevenlabs::command(&mut fields).map(ReceivedCommand::ElevenLabs))
            .unwrap_or_else(|| ReceivedCommand::Unknown(fields.kind().to_owned()));
        Ok(Some(Self { event_id, command }))
    }
}
