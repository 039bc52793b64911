//! Enums that keep unknown values.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::lenient::text;

/// An enum that the service may extend; unknown values keep their text.
///
/// ```
/// use liveavatar_api::{OpenEnum, types::SessionMode};
/// let known: OpenEnum<SessionMode> = "FULL".parse().unwrap();
/// assert_eq!(known, SessionMode::Full);
/// assert!(Some(known).is_some_and(|mode| mode == SessionMode::Full));
/// let unknown: OpenEnum<SessionMode> = "HOLOGRAM".parse().unwrap();
/// assert_eq!(unknown.to_string(), "HOLOGRAM");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OpenEnum<E> {
    /// A value that this version of the crate knows.
    Known(E),
    /// Any other value, as received.
    Unknown(String),
}

impl<E> OpenEnum<E> {
    /// Makes a value on purpose that this version of the crate does not know.
    ///
    /// A setter that is given text accepts listed values only. The check reports a value made here as a warning.
    pub fn other(text: impl Into<String>) -> Self {
        Self::Unknown(text.into())
    }

    /// Returns the value, if this version of the crate knows it.
    pub fn known(&self) -> Option<&E> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

/// An unknown value without text, for a null in a response.
impl<E> Default for OpenEnum<E> {
    fn default() -> Self {
        Self::Unknown(String::new())
    }
}

impl<E> From<E> for OpenEnum<E> {
    fn from(value: E) -> Self {
        Self::Known(value)
    }
}

impl<E: PartialEq> PartialEq<E> for OpenEnum<E> {
    fn eq(&self, other: &E) -> bool {
        self.known() == Some(other)
    }
}

impl<E: fmt::Display> fmt::Display for OpenEnum<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(value) => value.fmt(f),
            Self::Unknown(text) => text.fmt(f),
        }
    }
}

impl<E: FromStr> FromStr for OpenEnum<E> {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Unknown(text.to_owned()), Self::Known))
    }
}

impl<E: fmt::Display> Serialize for OpenEnum<E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, E: FromStr> Deserialize<'de> for OpenEnum<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text(deserializer)?;
        Ok(text.parse().map_or_else(|_| Self::Unknown(text.into_owned()), Self::Known))
    }
}
