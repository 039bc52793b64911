//! The envelope around every JSON response.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::lenient::{integer_or_none, text_or_none};

/// The frame around every JSON answer: a code of the service, the data, a message.
///
/// `code` is 100 in the document's default and 1000 in recorded answers; both mean success.
///
/// The data is decoded when the envelope is, and kept as it was sent beside that: what a type does not know can be read
/// from [`raw_data`](Self::raw_data), and the envelope writes back exactly what it was made of. Data of another shape than
/// the type's is no failure of the envelope, so that status and headers are not lost with it.
#[derive(Clone)]
pub struct Envelope<T> {
    code: Option<i64>,
    message: Option<String>,
    raw: Option<Box<RawValue>>,
    data: Result<Option<T>, Undecodable>,
}

/// Why the data of an envelope does not decode, without quoting it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undecodable {
    /// Counted within the data, from 1.
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl<T> Envelope<T> {
    /// The service's own code.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.code
    }

    /// A text for people.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// What the operation answers, if there is any and it has the document's shape.
    #[must_use]
    pub fn data(&self) -> Option<&T> {
        self.data.as_ref().ok()?.as_ref()
    }

    /// The data as it was sent: JSON, with whatever the type does not know. It may hold secrets.
    #[must_use]
    pub fn raw_data(&self) -> Option<&str> {
        self.raw.as_deref().map(RawValue::get)
    }

    /// Takes the data out, if there is any and it has the document's shape.
    #[must_use]
    pub fn into_data(self) -> Option<T> {
        self.data.ok()?
    }

    pub(crate) fn into_decoded(self) -> Result<Option<T>, Undecodable> {
        self.data
    }
}

impl<T: fmt::Debug> fmt::Debug for Envelope<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, message, data, raw: _ } = self;
        f.debug_struct("Envelope").field("code", code).field("data", data).field("message", message).finish()
    }
}

impl<T: PartialEq> PartialEq for Envelope<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.code, &self.message, &self.data, self.raw_data())
            == (other.code, &other.message, &other.data, other.raw_data())
    }
}

impl<T> Serialize for Envelope<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut envelope = serializer.serialize_struct("Envelope", 3)?;
        envelope.serialize_field("code", &self.code)?;
        envelope.serialize_field("data", &self.raw)?;
        envelope.serialize_field("message", &self.message)?;
        envelope.end()
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Envelope<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Frame {
            #[serde(default, deserialize_with = "integer_or_none")]
            code: Option<i64>,
            #[serde(default, deserialize_with = "text_or_none")]
            message: Option<String>,
            #[serde(default)]
            data: Option<Box<RawValue>>,
        }
        let Frame { code, message, data: raw } = Frame::deserialize(deserializer)?;
        let data = raw.as_deref().map(|raw| serde_json::from_str(raw.get())).transpose();
        let data = data.map_err(|error| Undecodable { line: error.line(), column: error.column() });
        Ok(Self { code, message, raw, data })
    }
}
