//! Reading events as tolerantly as both protocols need: one JSON object, names in either spelling, any value in any place.

use serde_json::{Map, Value};

use crate::error::Error;

/// What names the kind of a message: FULL writes the first, LITE the second.
const KINDS: [&str; 2] = ["event_type", "type"];

/// The fields of one message, taken out one by one; what remains is what this version does not know.
#[derive(Debug)]
pub(crate) struct Fields {
    kind: String,
    rest: Map<String, Value>,
}

impl Fields {
    /// Reads one JSON object that names its kind.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Error> {
        let value = serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Error::decode(format!("the message is not JSON, at line {line} column {column}"))
        })?;
        let Value::Object(mut rest) = value else {
            return Err(Error::decode("the message is JSON and no object"));
        };
        let kind = KINDS.into_iter().find_map(|name| match rest.remove(name) {
            Some(Value::String(kind)) => Some(kind),
            // KeepReason for whoever reads the unknown parts.
            Some(other) => {
                rest.insert(name.to_owned(), other);
                None
            }
            None => None,
        });
        let kind = kind.ok_or_else(|| Error::decode("the message names no `event_type` or `type`"))?;
        Ok(Self { kind, rest })
    }

    /// The kind of message, as it was written.
    pub(crate) fn kind(&self) -> &str {
        &self.kind
    }

    /// Finds the entry of a table by its name; sources disagree about where names have a dot and where an underscore.
    pub(crate) fn find<T>(&self, table: &'static [(&'static str, T)]) -> Option<&'static T> {
        table.iter().find(|(name, _)| same(name, &self.kind)).map(|(_, entry)| entry)
    }

    /// Takes a text out.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        text(&mut self.rest, name)
    }

    /// Takes a text out of an object within.
    pub(crate) fn inner_text(&mut self, object: &str, name: &str) -> Option<String> {
        text(self.rest.get_mut(object)?.as_object_mut()?, name)
    }

    /// Takes any value out.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.rest.remove(name)
    }

    pub(crate) fn into_parts(self) -> (String, Map<String, Value>) {
        (self.kind, self.rest)
    }
}

/// Null is what some servers write for absent; any other value that is no text stays where it is.
fn text(fields: &mut Map<String, Value>, name: &str) -> Option<String> {
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

fn same(known: &str, read: &str) -> bool {
    let plain = |byte: u8| if byte == b'.' { b'_' } else { byte };
    known.bytes().map(plain).eq(read.bytes().map(plain))
}
