//! The parts of a document that every step relies on.

use serde_json::Value;

use super::document::METHODS;
use crate::error::TaskError;
use crate::pointer::child;

/// Parts that must be objects or arrays if present. `*` is any entry, `METHOD` an entry that is an operation.
const PARTS: &[(&str, ShapeKind)] = &[
    ("", ShapeKind::Object),
    ("paths", ShapeKind::Object),
    ("paths/*", ShapeKind::Object),
    ("paths/*/METHOD", ShapeKind::Object),
    ("paths/*/METHOD/parameters", ShapeKind::Array),
    ("paths/*/METHOD/parameters/*", ShapeKind::Object),
    ("paths/*/METHOD/parameters/*/schema", ShapeKind::Object),
    ("paths/*/METHOD/parameters/*/x-bounds", ShapeKind::Object),
    ("paths/*/METHOD/requestBody", ShapeKind::Object),
    ("paths/*/METHOD/responses", ShapeKind::Object),
    ("paths/*/METHOD/responses/*", ShapeKind::Object),
    ("components", ShapeKind::Object),
    ("components/schemas", ShapeKind::Object),
    ("x-handwritten", ShapeKind::Object),
];

#[derive(Clone, Copy)]
enum ShapeKind {
    Object,
    Array,
}

/// Rejects a document with a part of the wrong kind.
pub(super) fn check(document: &Value) -> Result<(), TaskError> {
    for (part, kind) in PARTS {
        let keys: Vec<&str> = part.split('/').filter(|key| !key.is_empty()).collect();
        if let Some(pointer) = misshapen(document, "", &keys, *kind) {
            let place = if pointer.is_empty() { "the document" } else { &pointer };
            let kind = match kind {
                ShapeKind::Object => "an object",
                ShapeKind::Array => "an array",
            };
            return Err(TaskError::new(
                format!("the document is not valid OpenAPI: {place} is not {kind}"),
                "fetch the document again, or correct it with an action in openapi/overlay.json",
            ));
        }
    }
    Ok(())
}

/// The pointer to the first part of the wrong kind.
fn misshapen(value: &Value, pointer: &str, keys: &[&str], kind: ShapeKind) -> Option<String> {
    let Some((key, rest)) = keys.split_first() else {
        let fits = match kind {
            ShapeKind::Object => value.is_object(),
            ShapeKind::Array => value.is_array(),
        };
        return (!fits).then(|| pointer.to_owned());
    };
    let matches = |name: &str| match *key {
        "*" => true,
        "METHOD" => METHODS.contains(&name),
        key => key == name,
    };
    let inner = |name: &str, value: &Value| misshapen(value, &child(pointer, name), rest, kind);
    match value {
        Value::Object(map) => {
            map.iter().filter(|(name, _)| matches(name)).find_map(|(name, value)| inner(name, value))
        }
        Value::Array(items) if *key == "*" => {
            items.iter().enumerate().find_map(|(at, value)| inner(&at.to_string(), value))
        }
        _ => None,
    }
}
