//! Violations of the document, in the wording of pydantic, which the live service uses for its 422 responses.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::paths::LocationSegment;
use jsonschema::{JsonType, ValidationError};
use serde_json::{Value, json};

use crate::schema::origin;

/// One entry of the `detail` list of a 422 response.
#[derive(Debug)]
pub(crate) struct Violation {
    kind: &'static str,
    location: Vec<Value>,
    message: String,
    /// The invalid value, echoed as the service does; it may be private.
    input: Value,
    context: Option<Value>,
}

impl Violation {
    pub(crate) fn new(
        kind: &'static str,
        location: Vec<Value>,
        message: impl Into<String>,
        input: Value,
    ) -> Violation {
        Violation { kind, location, message: message.into(), input, context: None }
    }

    pub(crate) fn missing(location: Vec<Value>, input: Value) -> Violation {
        Violation::new("missing", location, "Field required", input)
    }

    /// A value that is not one of `expected`.
    pub(crate) fn not_one_of(
        kind: &'static str,
        location: Vec<Value>,
        expected: &[Value],
        input: Value,
    ) -> Violation {
        let expected = either(expected);
        Violation::new(kind, location, format!("Input should be {expected}"), input)
            .with_context(json!({ "expected": expected }))
    }

    pub(crate) fn with_context(mut self, context: Value) -> Violation {
        self.context = Some(context);
        self
    }

    /// Replaces the echoed value.
    pub(crate) fn with_input(mut self, input: Value) -> Violation {
        self.input = input;
        self
    }

    pub(crate) fn into_json(self) -> Value {
        let mut entry =
            json!({ "type": self.kind, "loc": self.location, "msg": self.message, "input": self.input });
        if let Some(context) = self.context {
            entry["ctx"] = context;
        }
        entry
    }
}

/// Translates the errors of one schema; `base` is the location of the validated value, for example `["body"]`.
///
/// A value of the wrong type also fails the check for allowed values; pydantic reports only the latter.
pub(crate) fn translate(errors: &[ValidationError<'_>], base: &[Value]) -> Vec<Violation> {
    let is_type = |error: &ValidationError<'_>| matches!(error.kind(), Kind::Type { .. });
    let is_choice =
        |error: &ValidationError<'_>| matches!(error.kind(), Kind::Enum { .. } | Kind::Constant { .. });
    let is_implied = |error: &ValidationError<'_>| {
        is_type(error)
            && errors.iter().any(|other| is_choice(other) && other.instance_path() == error.instance_path())
    };
    errors.iter().filter(|error| !is_implied(error)).flat_map(|error| translate_one(error, base)).collect()
}

fn translate_one(error: &ValidationError<'_>, base: &[Value]) -> Vec<Violation> {
    let location = location(error, base);
    let input = || error.instance().as_ref().clone();
    let one = |kind, message: String| vec![Violation::new(kind, location.clone(), message, input())];
    let bounded = |kind, message: String, key: &str, limit: Value| {
        vec![Violation::new(kind, location.clone(), message, input()).with_context(json!({ key: limit }))]
    };
    let below = |segment: Value| [location.as_slice(), &[segment]].concat();
    let sized = |kind, key: &str, limit: u64| {
        let bound = if key == "min_length" { "at least" } else { "at most" };
        let s = if limit == 1 { "" } else { "s" };
        let message = if error.instance().is_string() {
            format!("String should have {bound} {limit} character{s}")
        } else {
            format!("List should have {bound} {limit} item{s} after validation")
        };
        bounded(kind, message, key, limit.into())
    };
    let compared = |kind, relation: &str, key: &str, limit: &Value| {
        bounded(kind, format!("Input should be {relation} {limit}"), key, limit.clone())
    };
    match error.kind() {
        Kind::Required { property } => {
            vec![Violation::missing(below(property.clone()), input())]
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => union(error, context, base),
        Kind::OneOfMultipleValid { .. } => overlap(error, &location),
        Kind::PropertyNames { error: name } => {
            let key = [name.instance().as_ref().clone(), "[key]".into()];
            translate_one(name, &[location.as_slice(), &key].concat())
        }
        Kind::Type { kind } => wrong_type(error, kind, location, input()),
        Kind::Format { format } => match format.as_str() {
            "uuid" => one("uuid_parsing", "Input should be a valid UUID".into()),
            "date-time" => one("datetime_parsing", "Input should be a valid datetime".into()),
            "date" => one("date_parsing", "Input should be a valid date".into()),
            "uri" => one("url_parsing", "Input should be a valid URL".into()),
            other => one("value_error", format!("Value error, not a valid {other}")),
        },
        Kind::Enum { options } => {
            let options = options.as_array().map_or(&[][..], Vec::as_slice);
            vec![Violation::not_one_of(enum_kind(error), location, options, input())]
        }
        Kind::Constant { expected_value } => {
            let expected = std::slice::from_ref(expected_value.as_ref());
            vec![Violation::not_one_of("literal_error", location, expected, input())]
        }
        Kind::Minimum { limit } => compared("greater_than_equal", "greater than or equal to", "ge", limit),
        Kind::Maximum { limit } => compared("less_than_equal", "less than or equal to", "le", limit),
        Kind::ExclusiveMinimum { limit } => compared("greater_than", "greater than", "gt", limit),
        Kind::ExclusiveMaximum { limit } => compared("less_than", "less than", "lt", limit),
        Kind::MinLength { limit } => sized("string_too_short", "min_length", *limit),
        Kind::MaxLength { limit } => sized("string_too_long", "max_length", *limit),
        Kind::MinItems { limit } => sized("too_short", "min_length", *limit),
        Kind::MaxItems { limit } => sized("too_long", "max_length", *limit),
        Kind::Pattern { pattern } => {
            let message = format!("String should match pattern '{pattern}'");
            bounded("string_pattern_mismatch", message, "pattern", json!(pattern))
        }
        Kind::AdditionalProperties { unexpected } => {
            let extra = |name: &String| {
                let value = error.instance().get(name).cloned().unwrap_or_default();
                let location = below(name.as_str().into());
                Violation::new("extra_forbidden", location, "Extra inputs are not permitted", value)
            };
            unexpected.iter().map(extra).collect()
        }
        // A keyword that the document does not use today; only its name is safe to show.
        other => one("value_error", format!("Value error, violates {:?}", other.keyword())),
    }
}

fn location(error: &ValidationError<'_>, base: &[Value]) -> Vec<Value> {
    let segments = error.instance_path().iter().map(|segment| match segment {
        LocationSegment::Property(name) => Value::from(name.into_owned()),
        LocationSegment::Index(index) => Value::from(index),
    });
    base.iter().cloned().chain(segments).collect()
}

/// Reports a failed union by its best-matching member: matching type first, then matching tag, then fewest errors.
fn union(
    error: &ValidationError<'_>,
    members: &[Vec<ValidationError<'static>>],
    base: &[Value],
) -> Vec<Violation> {
    let here = error.instance_path();
    let depth = here.iter().count();
    let wrong_type = |error: &ValidationError<'_>| {
        matches!(error.kind(), Kind::Type { .. }) && error.instance_path() == here
    };
    let wrong_tag = |error: &ValidationError<'_>| {
        matches!(error.kind(), Kind::Constant { .. }) && error.instance_path().iter().count() == depth + 1
    };
    let without = |mismatch: &dyn Fn(&ValidationError<'_>) -> bool| -> Vec<&Vec<ValidationError<'static>>> {
        members.iter().filter(|errors| !errors.iter().any(mismatch)).collect()
    };
    let typed = without(&wrong_type);
    if typed.is_empty() {
        // No member accepts this type of value: report all of them except null.
        let is_not_null = |error: &&ValidationError<'_>| {
            !matches!(error.kind(), Kind::Type { kind: TypeKind::Single(JsonType::Null) })
        };
        return members
            .iter()
            .flatten()
            .filter(is_not_null)
            .flat_map(|error| translate_one(error, base))
            .collect();
    }
    let tagged: Vec<_> = typed.iter().copied().filter(|errors| !errors.iter().any(wrong_tag)).collect();
    if tagged.is_empty() {
        return unknown_tag(typed.iter().copied().flatten().filter(|error| wrong_tag(error)), base);
    }
    let closest = tagged.into_iter().min_by_key(|errors| errors.len());
    closest.map(|errors| translate(errors, base)).unwrap_or_default()
}

/// Returns one violation that lists the tags of all members, as a tagged union reports it.
fn unknown_tag<'a>(
    errors: impl Iterator<Item = &'a ValidationError<'static>>,
    base: &[Value],
) -> Vec<Violation> {
    let mut expected = Vec::new();
    let mut sent = None;
    for error in errors {
        if let Kind::Constant { expected_value } = error.kind() {
            expected.push(expected_value.as_ref().clone());
            sent.get_or_insert_with(|| (location(error, base), error.instance().as_ref().clone()));
        }
    }
    let violation = |(location, input)| Violation::not_one_of("literal_error", location, &expected, input);
    sent.map(violation).into_iter().collect()
}

/// Several members of a `oneOf` match: the service rejects a missing discriminator, but not an overlap.
fn overlap(error: &ValidationError<'_>, location: &[Value]) -> Vec<Violation> {
    let tag = origin(error).and_then(|(schema, _)| schema.pointer("/discriminator/propertyName")?.as_str());
    let Some(tag) = tag.filter(|tag| error.instance().get(tag).is_none()) else {
        return Vec::new();
    };
    let message = format!("Unable to extract tag using discriminator '{tag}'");
    let violation =
        Violation::new("union_tag_not_found", location.to_vec(), message, error.instance().as_ref().clone());
    vec![violation.with_context(json!({ "discriminator": format!("'{tag}'") }))]
}

fn wrong_type(
    error: &ValidationError<'_>,
    kind: &TypeKind,
    location: Vec<Value>,
    input: Value,
) -> Vec<Violation> {
    let expected = match kind {
        TypeKind::Single(expected) => Some(*expected),
        TypeKind::Multiple(expected) => expected.iter().find(|expected| *expected != JsonType::Null),
    };
    let (kind, message) = match expected {
        Some(JsonType::String) if is_uuid(error) => {
            ("uuid_type", "UUID input should be a string, bytes or UUID object")
        }
        Some(JsonType::String) => ("string_type", "Input should be a valid string"),
        Some(JsonType::Integer) if input.is_string() => {
            ("int_parsing", "Input should be a valid integer, unable to parse string as an integer")
        }
        Some(JsonType::Integer) if input.is_number() => {
            ("int_from_float", "Input should be a valid integer, got a number with a fractional part")
        }
        Some(JsonType::Integer) => ("int_type", "Input should be a valid integer"),
        Some(JsonType::Number) if input.is_string() => {
            ("float_parsing", "Input should be a valid number, unable to parse string as a number")
        }
        Some(JsonType::Number) => ("float_type", "Input should be a valid number"),
        Some(JsonType::Boolean) if input.is_string() => {
            ("bool_parsing", "Input should be a valid boolean, unable to interpret input")
        }
        Some(JsonType::Boolean) => ("bool_type", "Input should be a valid boolean"),
        Some(JsonType::Array) => ("list_type", "Input should be a valid list"),
        Some(JsonType::Object) if is_map(error) => ("dict_type", "Input should be a valid dictionary"),
        Some(JsonType::Object) => {
            ("model_attributes_type", "Input should be a valid dictionary or object to extract fields from")
        }
        Some(JsonType::Null) | None => ("none_required", "Input should be None"),
    };
    vec![Violation::new(kind, location, message, input)]
}

fn is_uuid(error: &ValidationError<'_>) -> bool {
    origin(error).is_some_and(|(schema, _)| schema["format"] == "uuid")
}

/// A free-form map has a schema for its values but lists no properties.
fn is_map(error: &ValidationError<'_>) -> bool {
    origin(error).is_some_and(|(schema, _)| schema.get("properties").is_none())
}

/// Pydantic reports enum classes (named schemas) and literals (inline schemas) differently.
fn enum_kind(error: &ValidationError<'_>) -> &'static str {
    let named = |(_, pointer): (_, String)| {
        pointer.strip_prefix("/components/schemas/").is_some_and(|name| !name.contains('/'))
    };
    if origin(error).is_some_and(named) { "enum" } else { "literal_error" }
}

/// Lists the allowed values as pydantic does: `'a', 'b' or 'c'`.
fn either(values: &[Value]) -> String {
    let quoted: Vec<_> = values
        .iter()
        .map(|value| value.as_str().map_or_else(|| value.to_string(), |text| format!("'{text}'")))
        .collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}
