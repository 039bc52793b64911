//! Points in time.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::lenient::text;

/// A point in time, in RFC 3339; a time without a zone, which the service also sends, is UTC.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Timestamp {
    /// A valid time.
    At(DateTime<Utc>),
    /// Any other text, as received.
    Unknown(String),
}

impl Timestamp {
    /// Returns the time, if the text is a valid one.
    #[must_use]
    pub fn utc(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(time) => Some(*time),
            Self::Unknown(_) => None,
        }
    }
}

/// An unknown time without text, for a null in a response.
impl Default for Timestamp {
    fn default() -> Self {
        Self::Unknown(String::new())
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self::At(time)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            Self::Unknown(text) => f.write_str(text),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text(deserializer)?;
        let zoned = DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc());
        let time = zoned.or_else(|_| text.parse::<NaiveDateTime>().map(|naive| naive.and_utc()));
        Ok(time.map_or_else(|_| Self::Unknown(text.into_owned()), Self::At))
    }
}
