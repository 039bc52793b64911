//! Amounts of credits.

use std::cmp::Ordering;
use std::fmt;

use rust_decimal::Decimal;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// An exact amount of credits; the service writes it as a text or as a number.
///
/// It compares with whole numbers: `credits < 2`. An amount that is not a number is neither less nor greater.
///
/// Serializing writes it in the form in which it was received.
#[derive(Clone, Default, PartialEq)]
pub struct Credits {
    amount: Option<Decimal>,
    wire: Value,
}

impl Credits {
    /// Returns the amount, if it is a number of up to 28 digits.
    #[must_use]
    pub fn amount(&self) -> Option<Decimal> {
        self.amount
    }
}

impl PartialEq<i64> for Credits {
    fn eq(&self, other: &i64) -> bool {
        self.amount == Some(Decimal::from(*other))
    }
}

impl PartialOrd<i64> for Credits {
    fn partial_cmp(&self, other: &i64) -> Option<Ordering> {
        self.amount?.partial_cmp(&Decimal::from(*other))
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
            // The shortest text that parses to the same float is what the service wrote.
            Value::Number(number) => exact(&number.to_string()),
            Value::Null => None,
            _ => return Err(D::Error::custom("credits are neither a number nor a text")),
        };
        Ok(Self { amount, wire })
    }
}
