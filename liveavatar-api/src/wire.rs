//! The types that the lowered document names through `x-rust-type`: what a generator cannot make of a schema.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

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

/// The code is a number in every recorded answer; a text that is one is read as such, anything else as none.
pub(crate) fn integer_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match Plain::deserialize(deserializer)? {
        Plain::Integer(number) => Some(number),
        Plain::Text(text) => text.trim().parse().ok(),
        Plain::Other => None,
    })
}

/// The message is text in every recorded answer; anything else says nothing to people.
fn text_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Plain::deserialize(deserializer)? {
        Plain::Text(text) => Some(text),
        Plain::Integer(_) | Plain::Other => None,
    })
}

/// A value that should be a number or a text, read without building what else it may be.
enum Plain {
    Integer(i64),
    Text(String),
    Other,
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Plain;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_i64<E>(self, number: i64) -> Result<Plain, E> {
                Ok(Plain::Integer(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Plain, E> {
                Ok(i64::try_from(number).map_or(Plain::Other, Plain::Integer))
            }

            fn visit_str<E>(self, text: &str) -> Result<Plain, E> {
                Ok(Plain::Text(text.to_owned()))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Plain, E> {
                Ok(Plain::Other)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Plain, E> {
                Ok(Plain::Other)
            }

            fn visit_unit<E>(self) -> Result<Plain, E> {
                Ok(Plain::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Plain, A::Error> {
                IgnoredAny.visit_seq(list)?;
                Ok(Plain::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Plain, A::Error> {
                IgnoredAny.visit_map(map)?;
                Ok(Plain::Other)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

pub(crate) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A number that an answer may also write as text, such as `"60"`.
pub(crate) trait Numeric: Sized {
    fn of(value: &Value) -> Option<Self>;
}

impl Numeric for i64 {
    fn of(value: &Value) -> Option<Self> {
        integer(value).or_else(|| {
            let float = f64::of(value)?;
            // Above 2^53 a float names no single integer.
            let whole = float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0;
            whole.then(|| format!("{float:.0}").parse().ok()).flatten()
        })
    }
}

impl Numeric for f64 {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        }
    }
}

/// Reads a number in any of its forms, null as none.
pub(crate) fn number_or_none<'de, D: Deserializer<'de>, N: Numeric>(
    deserializer: D,
) -> Result<Option<N>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        value => N::of(&value).map(Some).ok_or_else(|| D::Error::custom("not a number")),
    }
}

/// Reads a number in any of its forms, null as zero.
pub(crate) fn number<'de, D: Deserializer<'de>, N: Numeric + Default>(
    deserializer: D,
) -> Result<N, D::Error> {
    Ok(number_or_none(deserializer)?.unwrap_or_default())
}

/// Reads a field of a PATCH body: serde alone would take null for absent.
pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Nullable<T>>, D::Error> {
    Nullable::deserialize(deserializer).map(Some)
}

/// Reads null as nothing of the kind: no text, no entries, an unknown value.
pub(crate) fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// One page of a list.
///
/// Pages are numbered from 1 and hold up to 100 entries, 20 unless asked otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
#[non_exhaustive]
pub struct Page<T> {
    /// How many entries all pages hold together.
    #[serde(default, deserialize_with = "number_or_none")]
    pub count: Option<i64>,
    /// The address of the next page, none on the last.
    #[serde(default)]
    pub next: Option<String>,
    /// The address of the page before.
    #[serde(default)]
    pub previous: Option<String>,
    /// The entries of this page; null and absent read as none.
    #[serde(default = "Vec::new", deserialize_with = "null_as_default")]
    pub results: Vec<T>,
}

/// An enum in an answer, which the service may extend: unknown values keep their text.
///
/// ```
/// use liveavatar_api::{Open, types::SessionMode};
/// let known: Open<SessionMode> = "FULL".parse().unwrap();
/// assert_eq!(known, SessionMode::Full);
/// let unknown: Open<SessionMode> = "HOLOGRAM".parse().unwrap();
/// assert_eq!(unknown.to_string(), "HOLOGRAM");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Open<E> {
    /// A value that this version of the crate knows.
    Known(E),
    /// Any other value, as received.
    Unknown(String),
}

impl<E> Open<E> {
    /// The value, if this version of the crate knows it.
    pub fn known(&self) -> Option<&E> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

/// An unknown value without text, which stands where an answer has null.
impl<E> Default for Open<E> {
    fn default() -> Self {
        Self::Unknown(String::new())
    }
}

impl<E> From<E> for Open<E> {
    fn from(value: E) -> Self {
        Self::Known(value)
    }
}

impl<E: PartialEq> PartialEq<E> for Open<E> {
    fn eq(&self, other: &E) -> bool {
        self.known() == Some(other)
    }
}

impl<E: fmt::Display> fmt::Display for Open<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(value) => value.fmt(f),
            Self::Unknown(text) => text.fmt(f),
        }
    }
}

impl<E: FromStr> FromStr for Open<E> {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Unknown(text.to_owned()), Self::Known))
    }
}

impl<E: fmt::Display> Serialize for Open<E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, E: FromStr> Deserialize<'de> for Open<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text(deserializer)?;
        Ok(text.parse().map_or_else(|_| Self::Unknown(text.into_owned()), Self::Known))
    }
}

/// A text, borrowed from the input where it holds no escapes.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, str>, D::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
    Ok(Borrowed::deserialize(deserializer)?.0)
}

/// A field of a PATCH body inside `Option`: `None` leaves it as it is, `Some(Null)` clears it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Nullable<T> {
    /// An explicit `null`: clear the field.
    Null,
    /// A new value.
    Value(T),
}

impl<T> From<T> for Nullable<T> {
    fn from(value: T) -> Self {
        Self::Value(value)
    }
}

impl<T: Serialize> Serialize for Nullable<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Value(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Nullable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

/// A point in time: RFC 3339, or without a zone as the service also sends it, which is taken as UTC.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Timestamp {
    /// A time that was understood.
    At(DateTime<Utc>),
    /// Any other text, as received.
    Unknown(String),
}

impl Timestamp {
    /// The time, if the text was understood.
    #[must_use]
    pub fn utc(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(time) => Some(*time),
            Self::Unknown(_) => None,
        }
    }
}

/// An unknown time without text, which stands where an answer has null.
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

/// An amount of credits, exact; the service sends it as text in one place and as a number in another.
///
/// It is written back in the form in which it came.
#[derive(Clone, Default, PartialEq)]
pub struct Credits {
    amount: Option<Decimal>,
    wire: Value,
}

impl Credits {
    /// The amount, unless the service sent something that is no number of up to 28 digits.
    #[must_use]
    pub fn amount(&self) -> Option<Decimal> {
        self.amount
    }
}

impl fmt::Debug for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credits({self})")
    }
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.amount, &self.wire) {
            (Some(amount), _) => amount.fmt(f),
            (None, Value::String(text)) => f.write_str(text),
            (None, other) => other.fmt(f),
        }
    }
}

impl Serialize for Credits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Credits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Value::deserialize(deserializer)?;
        let exact =
            |text: &str| Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).ok();
        let amount = match &wire {
            Value::String(text) => exact(text.trim()),
            // The shortest text that reads back as the same number is the decimal that the service wrote.
            Value::Number(number) => exact(&number.to_string()),
            Value::Null => None,
            _ => return Err(D::Error::custom("credits are neither a number nor a text")),
        };
        Ok(Self { amount, wire })
    }
}
