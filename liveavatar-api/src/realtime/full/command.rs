//! Commands to the avatar.

use serde_json::{Map, json};

use super::packet::Packet;
use crate::realtime::event_id::new_event_id;
use crate::realtime::fields::Fields;
use crate::secret::Secret;
use crate::session::{Configuration, Full};
use crate::types::{CreateSessionTokenBody, SessionInteractivityType};

/// A command to the avatar of a FULL session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FullCommand {
    /// Stops speech and drops all queued speech.
    Interrupt,
    /// Speaks the text verbatim; the official SDK calls this `repeat`.
    SpeakText(Secret),
    /// Sends the text to the language model and speaks its response; the official SDK calls this `message`.
    SpeakResponse(Secret),
    /// Switches from the idle pose to the listening pose.
    StartListening,
    /// Returns to the idle pose.
    StopListening,
    /// Starts taking the user's audio. Unmute the microphone when `user.push_to_talk_started` arrives.
    StartPushToTalk(PushToTalk),
    /// Stops taking the user's audio.
    StopPushToTalk(PushToTalk),
}

/// Proof that a session uses push-to-talk.
///
/// The effect of push-to-talk commands in other sessions is undocumented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushToTalk(());

impl PushToTalk {
    /// Returns the proof if the configuration enables push-to-talk.
    #[must_use]
    pub fn from_configuration(configuration: &Configuration<Full>) -> Option<Self> {
        match configuration.body() {
            CreateSessionTokenBody::FullSessionConfig(full)
                if full.interactivity_type == Some(SessionInteractivityType::PushToTalk.into()) =>
            {
                Some(Self(()))
            }
            _ => None,
        }
    }

    /// Assumes that a session that was configured elsewhere uses push-to-talk.
    #[must_use]
    pub fn assume_enabled() -> Self {
        Self(())
    }
}

type ReadCommand = fn(&mut Fields) -> Option<FullCommand>;

const COMMANDS: &[(&str, ReadCommand)] = &[
    ("avatar.interrupt", |_| Some(FullCommand::Interrupt)),
    ("avatar.speak_text", |fields| Some(FullCommand::SpeakText(fields.take_string("text")?.into()))),
    ("avatar.speak_response", |fields| Some(FullCommand::SpeakResponse(fields.take_string("text")?.into()))),
    ("avatar.start_listening", |_| Some(FullCommand::StartListening)),
    ("avatar.stop_listening", |_| Some(FullCommand::StopListening)),
    ("user.start_push_to_talk", |_| Some(FullCommand::StartPushToTalk(PushToTalk::assume_enabled()))),
    ("user.stop_push_to_talk", |_| Some(FullCommand::StopPushToTalk(PushToTalk::assume_enabled()))),
];

impl FullCommand {
    /// Encodes the command with a random id.
    ///
    /// Interrupt and the push-to-talk commands get no id, as in the official SDK.
    #[must_use]
    pub fn packet(&self) -> Packet {
        match self {
            Self::Interrupt | Self::StartPushToTalk(_) | Self::StopPushToTalk(_) => self.encode(None),
            _ => self.packet_with_id(new_event_id()),
        }
    }

    /// Encodes the command with the given id, which its events carry as `source_event_id`.
    #[must_use]
    pub fn packet_with_id(&self, event_id: impl Into<String>) -> Packet {
        self.encode(Some(event_id.into()))
    }

    fn encode(&self, event_id: Option<String>) -> Packet {
        let mut fields = Map::new();
        fields.insert("event_type".to_owned(), json!(self.event_type()));
        if let Some(id) = &event_id {
            fields.insert("event_id".to_owned(), json!(id));
        }
        if let Self::SpeakText(text) | Self::SpeakResponse(text) = self {
            fields.insert("text".to_owned(), json!(text));
        }
        Packet::new(event_id, fields)
    }

    fn event_type(&self) -> &'static str {
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

    pub(super) fn from_fields(fields: &mut Fields) -> Option<Self> {
        fields.lookup(COMMANDS).and_then(|read| read(fields))
    }
}
