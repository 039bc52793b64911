//! The check of a single value: its type, its allowed values, its range, its form.

use super::hint::{list, nearest};
use super::path::Path;
use super::problem::Diagnostic;
use super::rules::{NOT_A_UUID, NOT_ALLOWED_VALUE, OUT_OF_RANGE, Rule, WRONG_TYPE};
use super::schema::Schema;
use serde_json::{Number, Value};
use uuid::Uuid;

/// Longer lists of allowed values are cut down to the nearest ones.
const LONGEST_LIST: usize = 8;

/// Longer misspelt words are not shown, in bytes.
const LONGEST_SHOWN: usize = 48;

const AVATAR_ID: &str = "avatar_id";
const AVATAR_ID_LISTS: &str = "GET /v1/avatars/public and GET /v1/avatars list the ids";
const AVATAR_NAME_HINT: &str = "avatar names of the older HeyGen product are not ids; \
    GET /v1/avatars/public and GET /v1/avatars list the ids";

pub(super) fn check_text(
    text: &str,
    schema: Schema<'_>,
    description: Option<&str>,
    path: &Path,
) -> Option<Diagnostic> {
    if let Some(allowed) = schema.allowed() {
        let allowed: Vec<&str> = allowed.into_iter().filter_map(Value::as_str).collect();
        let description = schema.description().or(description);
        return (!allowed.contains(&text))
            .then(|| not_allowed(&NOT_ALLOWED_VALUE, text, &allowed, description, path));
    }
    if schema.format() == Some("uuid") && Uuid::try_parse(text).is_err() {
        let hint = match path.last_key() {
            Some(AVATAR_ID) => Some(AVATAR_NAME_HINT),
            _ => description,
        };
        let problem = Diagnostic::new(&NOT_A_UUID, path, "is not a UUID");
        return Some(problem.with_hint(hint.map(str::to_owned)));
    }
    let characters = text.chars().count();
    let (least, most) = (schema.length("minLength"), schema.length("maxLength"));
    let fits = least.is_none_or(|n| characters >= n) && most.is_none_or(|n| characters <= n);
    let bounds = [least.map(|n| format!("at least {n}")), most.map(|n| format!("at most {n}"))];
    (!fits).then(|| {
        let message = format!("has {characters} characters, allowed is {}", joined(bounds));
        Diagnostic::new(&OUT_OF_RANGE, path, message)
    })
}

pub(super) fn check_number(
    value: Option<f64>,
    shown: &Number,
    schema: Schema<'_>,
    path: &Path,
) -> Option<Diagnostic> {
    let value = value?;
    let bound = |keyword, phrase, fits: fn(f64, f64) -> bool| {
        let limit = schema.number(keyword)?;
        Some((format!("{phrase} {limit}"), fits(value, limit)))
    };
    let bounds = [
        bound("minimum", "at least", |value, limit| value >= limit),
        bound("exclusiveMinimum", "more than", |value, limit| value > limit),
        bound("maximum", "at most", |value, limit| value <= limit),
        bound("exclusiveMaximum", "less than", |value, limit| value < limit),
    ];
    let fits = bounds.iter().flatten().all(|(_, fits)| *fits);
    (!fits).then(|| {
        let allowed = joined(bounds.map(|bound| bound.map(|(text, _)| text)));
        Diagnostic::new(&OUT_OF_RANGE, path, format!("is {shown}, allowed is {allowed}"))
    })
}

fn joined<const N: usize>(bounds: [Option<String>; N]) -> String {
    bounds.into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

/// A string that is none of the allowed ones.
///
/// It is shown only if it resembles one of them; anything else may be a secret in the wrong place.
pub(super) fn not_allowed(
    rule: &Rule,
    written: &str,
    allowed: &[&str],
    description: Option<&str>,
    path: &Path,
) -> Diagnostic {
    let near = nearest(written, allowed);
    let printable = written.len() <= LONGEST_SHOWN && written.bytes().all(|b| b.is_ascii_graphic());
    let what = if near.is_empty() || !printable { "the value".to_owned() } else { format!("`{written}`") };
    let message = match allowed {
        [only] => format!("{what} is not allowed here, only `{only}` is"),
        _ if allowed.len() <= LONGEST_LIST => {
            format!("{what} is none of {}", list(allowed, "and"))
        }
        _ => format!("{what} is none of the {} allowed values", allowed.len()),
    };
    let hint = match near.as_slice() {
        [] if allowed.len() > LONGEST_LIST => {
            Some(format!("allowed are {} and others", list(&allowed[..LONGEST_LIST], "")))
        }
        [] => description.map(str::to_owned),
        near => Some(format!("did you mean {}?", list(near, "or"))),
    };
    Diagnostic::new(rule, path, message).with_hint(hint)
}

/// A value of another type; the value itself is never shown.
pub(super) fn wrong_type(value: &Value, expected: &[&str], path: &Path) -> Diagnostic {
    let numeric = expected.iter().any(|name| matches!(*name, "number" | "integer"));
    let unquoted = |text: &str| {
        numeric && text.parse::<f64>().is_ok()
            || expected.contains(&"boolean") && matches!(text, "true" | "false")
    };
    let hint = match value {
        Value::String(text) if unquoted(text) => Some("write it without quotes"),
        Value::Number(number) if numeric && number.as_f64().is_some_and(|number| number.fract() == 0.0) => {
            Some("the number is too large to be one")
        }
        Value::Number(_) | Value::Bool(_) if expected.contains(&"string") => Some("write it in quotes"),
        _ => None,
    };
    let whole_covered = expected.contains(&"number");
    let expected: Vec<&str> = expected
        .iter()
        .filter(|name| !(whole_covered && **name == "integer"))
        .map(|name| with_article(name))
        .collect();
    let expected = match expected.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => expected.concat(),
    };
    let got = match value {
        Value::Number(_) if numeric => "a fraction",
        _ => with_article(type_of(value)),
    };
    let message = format!("must be {expected}, not {got}");
    Diagnostic::new(&WRONG_TYPE, path, message).with_hint(hint.map(str::to_owned))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn with_article(type_name: &str) -> &str {
    match type_name {
        "boolean" => "a boolean",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a string",
        "array" => "a list",
        "object" => "an object",
        other => other,
    }
}

const TWO_TO_53: f64 = 9_007_199_254_740_992.0;

pub(super) fn is_type(value: &Value, type_name: &str) -> bool {
    match type_name {
        // The request's types hold 64 bits, and above 2^53 a number with a point names no single integer.
        "integer" => {
            value.is_i64()
                || value.as_f64().is_some_and(|v| value.is_f64() && v.fract() == 0.0 && v.abs() < TWO_TO_53)
        }
        other => type_of(value) == other,
    }
}

/// What a required field is for.
pub(super) fn missing_hint(schema: Schema<'_>, name: &str) -> Option<String> {
    match schema.property(name)?.description() {
        _ if name == AVATAR_ID => Some(AVATAR_ID_LISTS.to_owned()),
        description => description.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::{Path, Schema, check_number, check_text, is_type, wrong_type};
    use serde_json::{Value, json};

    fn text_message(schema: &Value, text: &str) -> Option<String> {
        let problem = check_text(text, Schema::root(schema), None, &Path::default());
        problem.map(|problem| problem.message().to_owned())
    }

    fn number_message(schema: &Value, value: &Value) -> Option<String> {
        let number = value.as_number().expect("a number");
        let problem = check_number(value.as_f64(), number, Schema::root(schema), &Path::default());
        problem.map(|problem| problem.message().to_owned())
    }

    #[test]
    fn lengths_count_characters_and_include_their_bounds() {
        let schema = json!({"minLength": 2, "maxLength": 3});
        assert_eq!(text_message(&schema, "äöü"), None);
        assert_eq!(text_message(&schema, "äö"), None);
        let expected = "has 1 characters, allowed is at least 2 and at most 3";
        assert_eq!(text_message(&schema, "ä").as_deref(), Some(expected));
        assert!(text_message(&schema, "äöüß").is_some());
    }

    #[test]
    fn exclusive_bounds_exclude_themselves() {
        let schema = json!({"exclusiveMinimum": 0, "exclusiveMaximum": 1});
        assert_eq!(number_message(&schema, &json!(0.5)), None);
        let expected = "is 0, allowed is more than 0 and less than 1";
        assert_eq!(number_message(&schema, &json!(0)).as_deref(), Some(expected));
        assert!(number_message(&schema, &json!(1)).is_some());
    }

    #[test]
    fn inclusive_bounds_include_themselves() {
        let schema = json!({"minimum": 0.8, "maximum": 1.2});
        assert_eq!(number_message(&schema, &json!(0.8)), None);
        assert_eq!(number_message(&schema, &json!(1.2)), None);
        assert!(number_message(&schema, &json!(1.21)).is_some());
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_fraction_of_zero() {
        assert!(is_type(&json!(60.0), "integer"));
        assert!(!is_type(&json!(60.5), "integer"));
    }

    #[test]
    fn a_quoted_number_gets_the_hint_to_unquote_it() {
        let hint = |value: Value, expected: &[&str]| {
            let problem = wrong_type(&value, expected, &Path::default());
            problem.hint().map(str::to_owned)
        };
        assert_eq!(hint(json!("60"), &["integer"]).as_deref(), Some("write it without quotes"));
        assert_eq!(hint(json!("true"), &["boolean"]).as_deref(), Some("write it without quotes"));
        assert_eq!(hint(json!("true"), &["integer"]), None);
        assert_eq!(hint(json!(7), &["string"]).as_deref(), Some("write it in quotes"));
    }
}
