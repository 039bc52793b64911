//! Amounts of credits.

use std::fmt;

use rust_decimal::Decimal;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

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
