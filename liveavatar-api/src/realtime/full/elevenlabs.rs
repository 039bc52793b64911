//! Commands and events that the service passes through to an ElevenLabs agent.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::packet::Packet;
use crate::realtime::event_id::new_event_id;
use crate::realtime::fields::Fields;
use crate::secret::Secret;

const COMMAND_TYPE: &str = "elevenlabs_agent_command";

/// A command to the ElevenLabs agent of a session.
///
/// The service silently drops it in a session without such an agent. A session with one does not accept
/// [`SpeakText`](super::FullCommand::SpeakText) or [`SpeakResponse`](super::FullCommand::SpeakResponse) (official SDK).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ElevenLabsCommand {
    /// A text message from the user.
    UserMessage(Secret),
    /// Context for the agent that needs no response.
    ContextualUpdate(Secret),
    /// The user is active, so the agent should wait before it speaks.
    UserActivity,
    /// The result of a client tool that the agent called.
    ClientToolResult {
        /// The id of the tool call, from the agent's event.
        tool_call_id: String,
        /// The result for the agent.
        result: Secret,
        /// Whether the tool failed.
        is_error: bool,
    },
}

impl ElevenLabsCommand {
    /// Encodes the command with a random id.
    #[must_use]
    pub fn packet(&self, session_id: Uuid) -> Packet {
        self.packet_with_id(session_id, new_event_id())
    }

    /// Encodes the command with the given id.
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
        let fields = [
            ("event_type", json!(COMMAND_TYPE)),
            ("event_id", json!(event_id)),
            ("session_id", json!(session_id)),
            ("source_event_id", Value::Null),
            ("elevenlabs_event_type", json!(name)),
        ];
        let fields = fields.into_iter().chain(data.map(|data| ("data", data)));
        let fields: Map<_, _> = fields.map(|(name, value)| (name.to_owned(), value)).collect();
        Packet::new(Some(event_id), fields)
    }

    pub(super) fn from_fields(fields: &mut Fields) -> Option<Self> {
        fields.lookup(&[(COMMAND_TYPE, ())])?;
        let text = |fields: &mut Fields| fields.take_nested_string("data", "text").map(Secret::from);
        match fields.take_string("elevenlabs_event_type")?.as_str() {
            "user_message" => Some(Self::UserMessage(text(fields)?)),
            "contextual_update" => Some(Self::ContextualUpdate(text(fields)?)),
            "user_activity" => Some(Self::UserActivity),
            "client_tool_result" => {
                let tool_call_id = fields.take_nested_string("data", "tool_call_id")?;
                let result = fields.take_nested_string("data", "result")?.into();
                let is_error = fields.take("data")?.get("is_error")?.as_bool()?;
                Some(Self::ClientToolResult { tool_call_id, result, is_error })
            }
            _ => None,
        }
    }
}

/// An unprocessed event of the ElevenLabs agent.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ElevenLabsEvent {
    /// ElevenLabs' name of the event, such as `client_tool_call`.
    pub name: String,
    /// ElevenLabs' payload, or null.
    pub data: Value,
}

impl ElevenLabsEvent {
    pub(super) fn from_fields(fields: &mut Fields) -> Option<Self> {
        let name = fields.take_string("elevenlabs_event_type")?;
        Some(Self { name, data: fields.take("data").unwrap_or_default() })
    }
}
