//! Lenient reading of the JSON messages of both protocols.

use serde_json::{Map, Value};

use crate::error::Error;
use crate::types::SessionEndReason;
use crate::wire::OpenEnum;

/// The field that holds a message's type: FULL uses the first name, LITE the second.
const TYPE_FIELDS: [&str; 2] = ["event_type", "type"];

/// The fields of one message. Readers take the fields they know; the rest is kept for the caller.
#[derive(Debug)]
pub(super) struct Fields {
    event_type: String,
    rest: Map<String, Value>,
}

impl Fields {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let value = serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Error::decode(format!("the message is not valid JSON at line {line} column {column}"))
        })?;
        let Value::Object(mut rest) = value else {
            return Err(Error::decode("the message is not a JSON object"));
        };
        let event_type = TYPE_FIELDS.into_iter().find_map(|name| match rest.remove(name) {
            Some(Value::String(event_type)) => Some(event_type),
            Some(other) => {
                rest.insert(name.to_owned(), other);
                None
            }
            None => None,
        });
        let missing = || Error::decode("the message has no `event_type` or `type` string");
        Ok(Self { event_type: event_type.ok_or_else(missing)?, rest })
    }

    pub(super) fn event_type(&self) -> &str {
        &self.event_type
    }

    /// Looks up the event type in a table. Dots and underscores are equal, because the service's own pages mix them.
    pub(super) fn lookup<T>(&self, table: &'static [(&'static str, T)]) -> Option<&'static T> {
        table.iter().find(|(name, _)| same_name(name, &self.event_type)).map(|(_, entry)| entry)
    }

    pub(super) fn take_string(&mut self, name: &str) -> Option<String> {
        take_string(&mut self.rest, name)
    }

    pub(super) fn take_nested_string(&mut self, object: &str, name: &str) -> Option<String> {
        take_string(self.rest.get_mut(object)?.as_object_mut()?, name)
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.rest.remove(name)
    }

    pub(super) fn into_parts(self) -> (String, Map<String, Value>) {
        // An emptied map keeps its memory, and an event may wait long for its reader.
        let rest = if self.rest.is_empty() { Map::new() } else { self.rest };
        (self.event_type, rest)
    }
}

/// Takes the reason of a `session.stopped`: the official SDK reads `stop_reason`; the official agent guide writes `end_reason`.
pub(super) fn stop_reason(fields: &mut Fields) -> Option<OpenEnum<SessionEndReason>> {
    let reason = fields.take_string("stop_reason").or_else(|| fields.take_string("end_reason"))?;
    // An `OpenEnum` accepts any text.
    reason.parse().ok()
}

/// Some servers write null for an absent string. A value of another type stays in the map.
fn take_string(fields: &mut Map<String, Value>, name: &str) -> Option<String> {
    match fields.get_mut(name)? {
        Value::String(text) => {
            let text = std::mem::take(text);
            fields.remove(name);
            Some(text)
        }
        Value::Null => {
            fields.remove(name);
            None
        }
        _ => None,
    }
}

fn same_name(known: &str, received: &str) -> bool {
    let normalize = |byte: u8| if byte == b'.' { b'_' } else { byte };
    known.bytes().map(normalize).eq(received.bytes().map(normalize))
}
