//! The check of a single value.

use serde::de::DeserializeOwned;
use serde_json::{Number, Value};
use uuid::Uuid;

use super::diagnostic::Diagnostic;
use super::path::{Cursor, Path};
use super::rule::{NOT_A_UUID, NOT_ALLOWED_VALUE, OUT_OF_RANGE, RuleInfo, UNLISTED_VALUE, WRONG_TYPE};
use super::shape::{Shape, Variant};
use super::words::{enumeration, list, nearest, one_of, some_of};
use crate::wire::exact_integer;

const AVATAR_ID: &str = "avatar_id";
const AVATAR_ID_LISTS: &str = "GET /v1/avatars/public and GET /v1/avatars list the ids";
const AVATAR_NAME_HINT: &str = "avatar names of the older HeyGen product are not ids; \
    GET /v1/avatars/public and GET /v1/avatars list the ids";

/// Longer misspelt values are not shown, in bytes.
const LONGEST_SHOWN: usize = 48;

/// The diagnostic of a text; `is_strict` says whether it must be one of the listed values.
pub(super) fn wrong_text(
    text: &str,
    variant: &Variant,
    of_field: Option<&str>,
    at: &Cursor<'_>,
    is_strict: impl FnOnce() -> bool,
) -> Option<Diagnostic> {
    if !variant.allowed.is_empty() {
        if variant.allowed.contains(&text) {
            return None;
        }
        // A constant is a tag, which decides how the rest is read.
        return Some(if variant.allowed.len() == 1 || is_strict() {
            not_allowed(NOT_ALLOWED_VALUE, text, &variant.allowed, variant.description.or(of_field), at)
        } else {
            unlisted(text, &variant.allowed, at)
        });
    }
    if variant.is_uuid && Uuid::try_parse(text).is_err() {
        let hint = if at.keys().last() == Some(&AVATAR_ID) { Some(AVATAR_NAME_HINT) } else { of_field };
        let wrong = Diagnostic::new(NOT_A_UUID, at, "is not a UUID");
        return Some(wrong.with_hint(hint.map(str::to_owned)));
    }
    if variant.bounds.is_empty() {
        return None;
    }
    wrong_count(text.chars().count(), "character", variant, at)
}

/// The diagnostic of a number of characters, items or fields.
pub(super) fn wrong_count(
    count: usize,
    noun: &str,
    variant: &Variant,
    at: &Cursor<'_>,
) -> Option<Diagnostic> {
    #[expect(clippy::cast_precision_loss, reason = "counts of what is in memory are below 2^53")]
    let range = variant.range_without(count as f64)?;
    let s = if count == 1 { "" } else { "s" };
    Some(Diagnostic::new(OUT_OF_RANGE, at, format!("has {count} {noun}{s}, must have {range}")))
}

/// The diagnostic of a value of another type; it never shows the value.
pub(crate) fn wrong_type(value: &Value, expected: &[&str], at: impl Into<Path>) -> Diagnostic {
    let is_numeric = expected.iter().any(|kind| matches!(*kind, "integer" | "number"));
    let is_quoted = |text: &str| {
        is_numeric && text.parse::<f64>().is_ok()
            || expected.contains(&"boolean") && matches!(text, "true" | "false")
    };
    let hint = match value {
        Value::String(text) if is_quoted(text) => Some("remove the quotes"),
        Value::Number(number)
            if is_numeric && number.as_f64().is_some_and(|number| number.fract() == 0.0) =>
        {
            return Diagnostic::new(WRONG_TYPE, at, "is too large for a 64-bit integer");
        }
        Value::Number(_) | Value::Bool(_) if expected.contains(&"string") => Some("put it in quotes"),
        _ => None,
    };
    let got = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) if is_numeric => "a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let message = format!("must be {}, not {got}", one_kind_of(expected));
    Diagnostic::new(WRONG_TYPE, at, message).with_hint(hint.map(str::to_owned))
}

/// Types by their English names: a string, a number or a boolean.
fn one_kind_of(kinds: &[&str]) -> String {
    let name = |kind: &&str| match *kind {
        "boolean" => Some("a boolean"),
        "integer" if kinds.contains(&"number") => None,
        "integer" => Some("a whole number"),
        "number" => Some("a number"),
        "string" => Some("a string"),
        "array" => Some("a list"),
        _ => Some("an object"),
    };
    let mut names: Vec<&str> = kinds.iter().filter_map(name).collect();
    names.dedup();
    enumeration(&names, "or")
}

pub(super) fn is_kind(value: &Value, kind: &str) -> bool {
    match value {
        Value::Null => kind == "null",
        Value::Bool(_) => kind == "boolean",
        Value::Number(number) => kind == "number" || kind == "integer" && as_integer(number).is_some(),
        Value::String(_) => kind == "string",
        Value::Array(_) => kind == "array",
        Value::Object(_) => kind == "object",
    }
}

/// A whole number, also one written as `60.0`; the request's types hold 64 bits.
fn as_integer(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| exact_integer(number.as_f64().filter(|_| number.is_f64())?))
}

/// What a required field is for.
pub(super) fn missing_hint(shape: &Shape, name: &str) -> Option<String> {
    if name == AVATAR_ID { Some(AVATAR_ID_LISTS.to_owned()) } else { shape.description.map(str::to_owned) }
}

/// The diagnostic of a text that is not one of the allowed values.
///
/// The text is shown only if it resembles one of them; otherwise it may be a secret in the wrong place.
pub(crate) fn not_allowed(
    rule: impl Into<RuleInfo>,
    written: &str,
    allowed: &[&str],
    description: Option<&str>,
    at: impl Into<Path>,
) -> Diagnostic {
    let near = nearest(written, allowed);
    let is_shown = !near.is_empty()
        && written.len() <= LONGEST_SHOWN
        && written.bytes().all(|byte| byte.is_ascii_graphic());
    let expected = one_of(allowed);
    let message =
        if is_shown { format!("must be {expected}, not `{written}`") } else { format!("must be {expected}") };
    let hint = did_you_mean(&near).or_else(|| some_of(allowed)).or_else(|| description.map(str::to_owned));
    Diagnostic::new(rule, at, message).with_hint(hint)
}

/// The diagnostic of a text that is not listed and was typed on purpose.
fn unlisted(written: &str, allowed: &[&str], at: &Cursor<'_>) -> Diagnostic {
    let known = || format!("the listed values are {}", list(allowed, "and"));
    let hint = did_you_mean(&nearest(written, allowed)).or_else(|| some_of(allowed)).unwrap_or_else(known);
    let message = "is a value that this version does not know, and is sent as given";
    Diagnostic::new(UNLISTED_VALUE, at, message).with_hint(hint)
}

fn did_you_mean(near: &[&str]) -> Option<String> {
    (!near.is_empty()).then(|| format!("did you mean {}?", list(near, "or")))
}

/// Reads a value that has passed the check.
pub(crate) fn read<T: DeserializeOwned>(mut value: Value) -> Result<T, serde_json::Error> {
    remove_decimal_points(&mut value);
    serde_json::from_value(value)
}

/// Rewrites whole numbers such as `60.0`, which the check accepts and serde rejects for integers.
pub(super) fn remove_decimal_points(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(integer) = as_integer(number) {
                *number = integer.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(remove_decimal_points),
        Value::Object(map) => map.values_mut().for_each(remove_decimal_points),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Number, Value, json};

    use super::{as_integer, wrong_type};

    #[test]
    fn a_whole_number_may_have_a_decimal_point() {
        let integer = |float| Number::from_f64(float).as_ref().and_then(as_integer);
        assert_eq!(integer(60.0), Some(60));
        assert_eq!(integer(60.5), None);
    }

    #[test]
    fn the_hint_for_a_quoted_number_is_to_remove_the_quotes() {
        let hint =
            |value: Value, expected| wrong_type(&value, &[expected], [""; 0]).hint().map(str::to_owned);
        assert_eq!(hint(json!("60"), "integer").as_deref(), Some("remove the quotes"));
        assert_eq!(hint(json!("true"), "boolean").as_deref(), Some("remove the quotes"));
        assert_eq!(hint(json!("true"), "integer"), None);
        assert_eq!(hint(json!(7), "string").as_deref(), Some("put it in quotes"));
    }
}
