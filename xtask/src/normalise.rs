//! Brings a document into the one form that is committed, so that reordered keys are no change.

use serde_json::{Map, Value};

use crate::failure::Failure;

/// Sorts every object's keys; arrays keep their order, which carries meaning.
pub fn sort(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = std::mem::take(map).into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            for (_, value) in &mut entries {
                sort(value);
            }
            *map = entries.into_iter().collect::<Map<_, _>>();
        }
        Value::Array(items) => items.iter_mut().for_each(sort),
        _ => {}
    }
}

/// Checks that this is an OpenAPI 3.1 document with operations, and sorts it.
///
/// # Errors
/// When it is some other JSON.
pub fn normalise(mut document: Value, name: &str) -> Result<Value, Failure> {
    let refuse =
        |what: &str| Err(Failure::new(format!("{name} {what}"), "name the service's OpenAPI 3.1 document"));
    match document.get("openapi").and_then(Value::as_str) {
        Some(version) if version.starts_with("3.1") => {}
        Some(version) => return refuse(&format!("is an OpenAPI {version} document, not 3.1")),
        None => return refuse("is not an OpenAPI document: it has no `openapi` version"),
    }
    for part in ["/paths", "/components/schemas"] {
        if document.pointer(part).and_then(Value::as_object).is_none_or(Map::is_empty) {
            return refuse(&format!("has no {}", part.trim_start_matches('/').replace('/', ".")));
        }
    }
    sort(&mut document);
    Ok(document)
}

/// The committed text of a document.
#[must_use]
pub fn text(document: &Value) -> String {
    // `Value` prints without fail: its keys are strings.
    let mut text = format!("{document:#}");
    text.push('\n');
    text
}
