//! Readers of values that the service writes in several forms.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Nullable;

/// Reads an envelope's code: a number in every recorded response, but a numeric text is accepted; anything else is `None`.
pub(crate) fn integer_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match Plain::deserialize(deserializer)? {
        Plain::Integer(number) => Some(number),
        Plain::Text(text) => text.trim().parse().ok(),
        Plain::Other => None,
    })
}

/// Reads an envelope's message: a text in every recorded response; anything else is `None`.
pub(super) fn text_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Plain::deserialize(deserializer)? {
        Plain::Text(text) => Some(text),
        Plain::Integer(_) | Plain::Other => None,
    })
}

/// Reads an id that the caller knows already: a text, or a number as text; anything else is empty.
pub(crate) fn echo<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Plain::deserialize(deserializer)? {
        Plain::Text(text) => text,
        Plain::Integer(number) => number.to_string(),
        Plain::Other => String::new(),
    })
}

/// A value that should be a number or a text. Other values are skipped, at any depth, which a [`Value`] limits.
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

/// A number that a response may also write as text, such as `"60"`.
pub(crate) trait Numeric: Sized {
    fn of(value: &Value) -> Option<Self>;
}

/// Returns the integer that a float represents, if it is exact: above 2^53, several integers share a float.
pub(crate) fn exact_integer(float: f64) -> Option<i64> {
    let is_exact = float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
    is_exact.then_some(float as i64)
}

impl Numeric for i64 {
    fn of(value: &Value) -> Option<Self> {
        integer(value).or_else(|| exact_integer(f64::of(value)?))
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

/// Reads a number in any form; null is `None`.
pub(crate) fn number_or_none<'de, D: Deserializer<'de>, N: Numeric>(
    deserializer: D,
) -> Result<Option<N>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        value => N::of(&value).map(Some).ok_or_else(|| D::Error::custom("not a number")),
    }
}

/// Reads a number in any form; null is zero.
pub(crate) fn number<'de, D: Deserializer<'de>, N: Numeric + Default>(
    deserializer: D,
) -> Result<N, D::Error> {
    Ok(number_or_none(deserializer)?.unwrap_or_default())
}

/// Reads a field of a PATCH body; serde alone reads null as an absent field.
pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Nullable<T>>, D::Error> {
    Nullable::deserialize(deserializer).map(Some)
}

/// Reads null as the default: an empty text or list, an unknown value.
pub(crate) fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a text, borrowed from the input unless it contains escapes.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, str>, D::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
    Ok(Borrowed::deserialize(deserializer)?.0)
}
