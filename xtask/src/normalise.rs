//! Brings a document into the committed form, in which reordered keys are not a change.

use serde_json::{Map, Value};

use crate::error::TaskError;

/// Sorts the keys of every object. Arrays keep their order, which may have a meaning.
pub fn sort(value: &mut Value) {
    value.sort_all_objects();
}

/// Checks that a document is OpenAPI 3.1 with operations, and sorts it.
///
/// # Errors
/// When it is anything else.
pub fn normalise(mut document: Value, name: &str) -> Result<Value, TaskError> {
    let reject = |problem: &str| {
        Err(TaskError::new(format!("{name} {problem}"), "name the service's OpenAPI 3.1 document"))
    };
    match document.get("openapi").and_then(Value::as_str) {
        Some(version) if version.starts_with("3.1") => {}
        Some(version) => return reject(&format!("is an OpenAPI {version} document, not 3.1")),
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

/// The committed text of a document.
#[must_use]
pub fn text(document: &Value) -> String {
    // A `Value` always serialises: its keys are strings.
    format!("{document:#}\n")
}
