//! Parsing strict JSON, and finding duplicate keys.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::check::mode_of;
use super::mode::ModeName;
use super::rules::{DUPLICATE_KEY, INVALID_JSON};
use crate::schema::{Cursor, Diagnostic, Diagnostics, Path};

/// Parses a configuration and determines its mode.
///
/// # Errors
/// If the text is not a JSON object, has a duplicate key, or its mode is not known. As far as the rest can be checked, its
/// diagnostics are included.
pub(super) fn parse(text: &str) -> Result<(ModeName, Value), Diagnostics> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut duplicates = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Node { at: Cursor::Root, duplicates: &mut duplicates }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| Diagnostics::new(vec![invalid(text, &error)]))?;
    Ok((mode_of(&value, duplicates)?, value))
}

fn invalid(text: &str, error: &serde_json::Error) -> Diagnostic {
    if text.trim().is_empty() {
        return Diagnostic::new(&INVALID_JSON, Path::default(), "the text is empty");
    }
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let position = format!(" at line {line} column {column}");
    let what = message.strip_suffix(&position).unwrap_or(&message);
    // The reader counts bytes, people count characters.
    let before = text.split('\n').nth(line.saturating_sub(1)).and_then(|l| l.get(..column));
    let column = before.map_or(column, |before| before.chars().count()).max(1);
    let message = format!("line {line}, column {column}: {what}");
    Diagnostic::new(&INVALID_JSON, Path::default(), message)
}

/// Reads one value and collects its duplicate keys, of which the last one counts.
struct Node<'a> {
    at: Cursor<'a>,
    duplicates: &'a mut Vec<Diagnostic>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! scalars {
    ($($visit:ident: $scalar:ty),*) => {
        $(fn $visit<E: Error>(self, value: $scalar) -> Result<Value, E> {
            Ok(Value::from(value))
        })*
    };
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    scalars!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str, visit_string: String);

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let node = Node { at: Cursor::Index(&self.at, list.len()), duplicates: &mut *self.duplicates };
            match items.next_element_seed(node)? {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let at = self.at.key(&key);
            let value = entries.next_value_seed(Node { at, duplicates: &mut *self.duplicates })?;
            if object.contains_key(&key) {
                let duplicate = Diagnostic::new(&DUPLICATE_KEY, &at, "appears more than once");
                let hint = "keep one; JSON parsers disagree on which one counts".to_owned();
                self.duplicates.push(duplicate.with_hint(hint));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}
