//! Brings a document into the committed form, in which reordered keys are not a change.

use serde_json::{Map, Value, json};

use crate::error::TaskError;

/// Sorts the keys of every object. Arrays keep their order, which may have a meaning.
pub fn sort(value: &mut Value) {
    value.sort_all_objects();
}

/// Checks that a document is OpenAPI 3 with operations, brings it into the form of version 3.1, and sorts it.
///
/// # Errors
/// When it is anything else.
pub fn normalise(mut document: Value, name: &str) -> Result<Value, TaskError> {
    let reject = |problem: &str| {
        Err(TaskError::new(format!("{name} {problem}"), "name the service's OpenAPI document"))
    };
    match document.get("openapi").and_then(Value::as_str) {
        Some(version) if version.starts_with("3.1") => {}
        Some(version) if version.starts_with("3.0") => {
            upgrade(&mut document);
            document["openapi"] = "3.1.0".into();
        }
        Some(version) => return reject(&format!("is an OpenAPI {version} document, not 3.0 or 3.1")),
        None => return reject("is not an OpenAPI document: it has no `openapi` version"),
    }
    for (part, pointer) in [("paths", "/paths"), ("components.schemas", "/components/schemas")] {
        if document.pointer(pointer).and_then(Value::as_object).is_none_or(Map::is_empty) {
            return reject(&format!("has no {part}"));
        }
    }
    sort(&mut document);
    Ok(document)
}

/// Rewrites what OpenAPI 3.0 spells in another way than 3.1: null, and exclusive bounds.
fn upgrade(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                // Values, not schemas.
                if !matches!(key.as_str(), "example" | "examples" | "default" | "enum") {
                    upgrade(inner);
                }
            }
            for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
                if let Some(Value::Bool(flag)) = map.get(exclusive) {
                    let limit = if *flag { map.remove(bound) } else { None };
                    map.remove(exclusive);
                    map.extend(limit.map(|limit| (exclusive.to_owned(), limit)));
                }
            }
            if let Some(Value::Bool(nullable)) = map.get("nullable").cloned() {
                map.remove("nullable");
                if nullable {
                    let (place, mut schema): (Map<_, _>, Map<_, _>) =
                        std::mem::take(map).into_iter().partition(|(key, _)| is_of_the_place(key));
                    if let Some(Value::Array(values)) = schema.get_mut("enum") {
                        values.retain(|value| !value.is_null());
                    }
                    *map = place;
                    map.insert("anyOf".into(), json!([schema, { "type": "null" }]));
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(upgrade),
        _ => {}
    }
}

/// Whether a keyword describes the place of a value, not the value.
fn is_of_the_place(key: &str) -> bool {
    matches!(
        key,
        "title"
            | "description"
            | "default"
            | "deprecated"
            | "example"
            | "readOnly"
            | "writeOnly"
            | "externalDocs"
    ) || key.starts_with("x-")
}

/// The committed text of a document.
#[must_use]
pub fn text(document: &Value) -> String {
    // A `Value` always serialises: its keys are strings.
    format!("{document:#}\n")
}
