//! Raw commands to, and raw events of, an ElevenLabs agent behind the avatar.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::command::Packet;
use crate::realtime::fields::Fields;
use crate::realtime::fresh_id;
use crate::secret::Secret;

/// The name that carries a command of the provider.
const COMMAND: &[(&str, ())] = &[("elevenlabs_agent_command", ())];

/// A command to the ElevenLabs agent of a session.
///
/// A session without such an agent drops it without a word, and one with it takes no
/// [`SpeakText`](super::Command::SpeakText) or [`SpeakResponse`](super::Command::SpeakResponse) (official SDK).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ElevenLabsCommand {
    /// What the user says, as text.
    UserMessage(Secret),
    /// What the agent should know without answering it.
    ContextualUpdate(Secret),
    /// The user is doing something: the agent holds back.
    UserActivity,
    /// What a tool that the agent called on the client came to.
    ClientToolResult {
        /// The call's id, from the agent's event.
        tool_call_id: String,
        /// What the agent is told.
        result: Secret,
        /// Whether the tool failed.
        is_error: bool,
    },
}

impl ElevenLabsCommand {
    /// The command as a packet, under an id of its own.
    #[must_use]
    pub fn packet(&self, session_id: Uuid) -> Packet {
        self.packet_with_id(session_id, fresh_id())
    }

    /// The command as a packet, under the given id.
    #[must_use]
    pub fn packet_with_id(&self, session_id: Uuid, event_id: impl Into<String>) -> Packet {
        let event_id = event_id.into();
        let (name, data) = match self {
            Self::UserMessage(text) => ("user_message", Some(json!({ "text": text }))),
            Self::ContextualUpdate(text) => ("contextual_update", Some(json!({ "text": text }))),
            Self::UserActivity => ("user_activity", None),
            Self::ClientToolResult { tool_call_id, result, is_error } => (
                "client_tool_result",
                Some(json!({ "tool_call_id": tool_call_id, "result": result, "is_error": is_error })),
            ),
        };
        let fields = json!({
            "event_type": COMMAND[0].0,
            "event_id": event_id,
            "session_id": session_id,
            "source_event_id": null,
            "elevenlabs_event_type": name,
        });
        let mut fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        if let Some(data) = data {
            fields.insert("data".to_owned(), data);
        }
        Packet::new(Some(event_id), fields)
    }
}

/// Reads a command on the avatar's side.
pub(super) fn command(fields: &mut Fields) -> Option<ElevenLabsCommand> {
    fields.find(COMMAND)?;
    let text = |fields: &mut Fields| fields.inner_text("data", "text").map(Secret::from);
    match fields.text("elevenlabs_event_type")?.as_str() {
        "user_message" => Some(ElevenLabsCommand::UserMessage(text(fields)?)),
        "contextual_update" => Some(ElevenLabsCommand::ContextualUpdate(text(fields)?)),
        "user_activity" => Some(ElevenLabsCommand::UserActivity),
        "client_tool_result" => {
            let tool_call_id = fields.inner_text("data", "tool_call_id")?;
            let result = fields.inner_text("data", "result")?.into();
            let is_error = fields.value("data")?.get("is_error")?.as_bool()?;
            Some(ElevenLabsCommand::ClientToolResult { tool_call_id, result, is_error })
        }
        _ => None,
    }
}

/// An event of the provider, as it came.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ElevenLabsEvent {
    /// The provider's name of the event, such as `client_tool_call`.
    pub name: String,
    /// The provider's payload; null if there is none.
    pub data: Value,
}

/// Reads an event of the provider.
pub(super) fn event(fields: &mut Fields) -> Option<ElevenLabsEvent> {
    let name = fields.text("elevenlabs_event_type")?;
    Some(ElevenLabsEvent { name, data: fields.value("data").unwrap_or_default() })
}
