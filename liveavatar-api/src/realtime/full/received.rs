//! Decoding commands on the avatar's side.

use super::command::FullCommand;
use super::elevenlabs::ElevenLabsCommand;
use super::packet::CONTROL_TOPIC;
use crate::error::Error;
use crate::realtime::fields::Fields;

/// A command as the avatar's side receives it, for mocks and tests.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Received {
    /// The command's id.
    pub event_id: Option<String>,
    /// The command.
    pub command: ReceivedCommand,
}

/// The command in a packet on [`CONTROL_TOPIC`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ReceivedCommand {
    /// A command to the avatar.
    Avatar(FullCommand),
    /// A command to the ElevenLabs agent behind the avatar.
    ElevenLabs(ElevenLabsCommand),
    /// The event type of a command that this version does not know.
    Unknown(String),
}

impl Received {
    /// Decodes a packet. Returns `None` if its topic is not [`CONTROL_TOPIC`].
    ///
    /// # Errors
    /// If the payload is not a JSON object with an event type.
    pub fn decode(topic: &str, payload: &[u8]) -> Result<Option<Self>, Error> {
        if topic != CONTROL_TOPIC {
            return Ok(None);
        }
        let mut fields = Fields::parse(payload)?;
        let event_id = fields.take_string("event_id");
        let command = FullCommand::from_fields(&mut fields)
            .map(ReceivedCommand::Avatar)
            .or_else(|| ElevenLabsCommand::from_fields(&mut fields).map(ReceivedCommand::ElevenLabs))
            .unwrap_or_else(|| ReceivedCommand::Unknown(fields.event_type().to_owned()));
        Ok(Some(Self { event_id, command }))
    }
}
