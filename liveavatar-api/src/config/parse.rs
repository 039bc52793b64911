//! Reading a configuration: strict JSON, no key twice, and the mode it is for.

use super::hint::nearest;
use super::mode_rules::{MODE_HINT, missing_mode};
use super::path::Path;
use super::problem::{Diagnostic, Diagnostics, ModeName};
use super::rules::{
    DUPLICATE_KEY, INVALID_JSON, MODE_MISSING, MODE_UNKNOWN, NOT_AN_OBJECT, NULL_NOT_ALLOWED,
};
use super::schema::Schema;
use super::values::{not_allowed, wrong_type};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

const MODE: &str = "mode";

/// Reads a configuration and the mode it is for.
///
/// # Errors
///
/// Where the text is no configuration, or its mode cannot be told, or a key stands twice. As far as
/// the rest can be checked all the same, the problems of the rest are among them.
pub(crate) fn parse(text: &str) -> Result<(ModeName, Value), Diagnostics> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (value, mut problems) = read(text).map_err(|problem| Diagnostics::new(vec![problem]))?;
    let Some(object) = value.as_object() else {
        let message = "a configuration is one JSON object, `{…}`";
        problems.push(Diagnostic::new(&NOT_AN_OBJECT, &Path::default(), message));
        return Err(Diagnostics::new(problems));
    };
    let (mode, problem) = mode_of(object);
    problems.extend(problem);
    match mode {
        Some(mode) if problems.is_empty() => Ok((mode, value)),
        Some(mode) => {
            let reported = problems.iter().any(|problem| problem.path() == MODE);
            let rest = super::check(mode, &value).into_iter();
            problems.extend(rest.filter(|problem| !(reported && problem.path() == MODE)));
            Err(Diagnostics::new(problems))
        }
        None => Err(Diagnostics::new(problems)),
    }
}

/// The mode to check for, and what is wrong with its name.
fn mode_of(object: &Map<String, Value>) -> (Option<ModeName>, Option<Diagnostic>) {
    let path = Path::of(&[MODE]);
    let all = ModeName::ALL.map(ModeName::as_str);
    let named = |name: &str| ModeName::ALL.into_iter().find(|mode| mode.as_str() == name);
    let agent = object.get("voice_agent").is_some_and(|agent| !agent.is_null());
    match object.get(MODE) {
        Some(Value::String(name)) => {
            if let Some(mode) = named(name) {
                return (Some(mode), None);
            }
            let meant = nearest(name, &all).first().and_then(|name| named(name));
            let problem = not_allowed(&MODE_UNKNOWN, name, &all, Some(MODE_HINT), &path);
            (meant.or_else(|| likely_mode(object)), Some(problem))
        }
        Some(Value::Null) => {
            let problem = Diagnostic::new(&NULL_NOT_ALLOWED, &path, "null is no mode");
            let hint = if agent { "leave the field out" } else { MODE_HINT };
            (likely_mode(object), Some(problem.with_hint(hint.to_owned())))
        }
        Some(other) => {
            let problem = wrong_type(other, &["string"], &path);
            (likely_mode(object), Some(problem.with_hint(MODE_HINT.to_owned())))
        }
        None if agent => (Some(ModeName::Full), None),
        None => {
            let finding = missing_mode();
            let problem = Diagnostic::new(&MODE_MISSING, &path, finding.message);
            (likely_mode(object), Some(problem.with_hint(finding.hint)))
        }
    }
}

/// The mode whose fields are there, so that a configuration without one is checked as well.
///
/// LITE where the fields fit both: it asks for nothing that FULL does not. None where fields of both
/// are there.
fn likely_mode(object: &Map<String, Value>) -> Option<ModeName> {
    let (full, lite) = (Schema::of(ModeName::Full), Schema::of(ModeName::Lite));
    let only = |one: Schema<'_>, other: Schema<'_>| {
        let mut set = object.iter().filter(|(_, value)| !value.is_null());
        set.any(|(name, _)| one.property(name).is_some() && other.property(name).is_none())
    };
    match (only(full, lite), only(lite, full)) {
        (true, false) => Some(ModeName::Full),
        (false, _) => Some(ModeName::Lite),
        (true, true) => None,
    }
}

/// Reads strict JSON; keys that stand twice are problems, the last one counts.
fn read(text: &str) -> Result<(Value, Vec<Diagnostic>), Diagnostic> {
    let mut duplicates = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(text);
    let seed = Node { path: Path::default(), duplicates: &mut duplicates };
    let value = seed
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| invalid(text, &error))?;
    let problem = |path: &Path| {
        let problem = Diagnostic::new(&DUPLICATE_KEY, path, "stands more than once");
        problem.with_hint("keep one; readers of JSON disagree on which one counts".to_owned())
    };
    Ok((value, duplicates.iter().map(problem).collect()))
}

fn invalid(text: &str, error: &serde_json::Error) -> Diagnostic {
    if text.trim().is_empty() {
        return Diagnostic::new(&INVALID_JSON, &Path::default(), "the text is empty");
    }
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let position = format!(" at line {line} column {column}");
    let what = message.strip_suffix(&position).unwrap_or(&message);
    // The reader counts bytes, people count characters.
    let before = text.split('\n').nth(line.saturating_sub(1)).and_then(|l| l.get(..column));
    let column = before.map_or(column, |before| before.chars().count()).max(1);
    let message = format!("line {line}, column {column}: {what}");
    Diagnostic::new(&INVALID_JSON, &Path::default(), message)
}

/// Reads one value and notes the keys that stand twice in it.
struct Node<'a> {
    path: Path,
    duplicates: &'a mut Vec<Path>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let path = self.path.index(list.len());
            match items.next_element_seed(Node { path, duplicates: &mut *self.duplicates })? {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let path = self.path.key(&key);
            let seed = Node { path: path.clone(), duplicates: &mut *self.duplicates };
            let value = entries.next_value_seed(seed)?;
            if object.insert(key, value).is_some() {
                self.duplicates.push(path);
            }
        }
        Ok(Value::Object(object))
    }
}
