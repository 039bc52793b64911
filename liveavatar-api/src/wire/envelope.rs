//! The envelope around every JSON response.

use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::body::{Body, FromBody, text};
use super::lenient::{integer_or_none, text_or_none};

/// The envelope of every JSON response: a code, the data, a message.
///
/// `code` is 100 in the document's default and 1000 in recorded responses; both mean success.
///
/// The envelope keeps the raw data next to the decoded data: [`raw_data`](Self::raw_data) has the fields that the type does not
/// know, and serializing writes the same data back. Data that does not fit the type does not fail the envelope, so that
/// status and headers are not lost.
#[derive(Clone)]
pub struct Envelope<T> {
    code: Option<i64>,
    message: Option<String>,
    /// Valid JSON, and usually a part of the response's body.
    raw: Option<Bytes>,
    data: Result<Option<T>, Undecodable>,
}

/// Where the data of an envelope does not decode; its text is not quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undecodable {
    /// Line within the data, from 1.
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl<T> Envelope<T> {
    /// Returns the service's own code.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.code
    }

    /// Returns the message, which is meant for people.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Returns the data, if there is any and it is of the documented shape.
    #[must_use]
    pub fn data(&self) -> Option<&T> {
        self.data.as_ref().ok()?.as_ref()
    }

    /// Returns the data as received: JSON, including fields that the type does not know. It may contain secrets.
    #[must_use]
    pub fn raw_data(&self) -> Option<&str> {
        self.raw.as_ref().map(text)
    }

    /// Returns the data, if there is any and it is of the documented shape.
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
        let raw: Option<&RawValue> =
            self.raw_data().map(serde_json::from_str).transpose().map_err(serde::ser::Error::custom)?;
        envelope.serialize_field("data", &raw)?;
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
        let Frame { code, message, data } = Frame::deserialize(deserializer)?;
        let raw = data.map(|raw| Bytes::from(Box::<str>::from(raw).into_boxed_bytes()));
        Ok(Self::decode(code, message, raw))
    }
}

impl<T: DeserializeOwned> FromBody for Envelope<T> {
    /// Always succeeds: the envelope itself was read before.
    fn from_body(body: Body) -> serde_json::Result<Self> {
        Ok(Self::decode(body.code, body.message, body.data))
    }
}

impl<T: DeserializeOwned> Envelope<T> {
    fn decode(code: Option<i64>, message: Option<String>, raw: Option<Bytes>) -> Self {
        let data = raw.as_ref().map(|raw| serde_json::from_str(text(raw))).transpose();
        let data = data.map_err(|error| Undecodable { line: error.line(), column: error.column() });
        Self { code, message, raw, data }
    }
}
