//! Data packets for the LiveKit room.

use std::fmt;

use serde_json::{Map, Value};

/// The topic of commands, from the client to the avatar (official SDK).
pub const CONTROL_TOPIC: &str = "agent-control";

/// A data packet to publish, with reliable delivery.
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

/// Shows only the size of the payload, which may hold a prompt.
impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packet")
            .field("topic", &self.topic)
            .field("event_id", &self.event_id)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}
