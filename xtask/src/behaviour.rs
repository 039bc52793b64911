//! Keys that decide how the client behaves: only our overlay sets them, and only where they are safe.

use serde_json::Value;

use crate::documents::OVERLAY;
use crate::error::TaskError;
use crate::lower::METHODS;
use crate::pointer::child;

/// The keys that the overlay and the lowering set for the generator.
#[rustfmt::skip]
const KEYS: [&str; 9] = [
    "x-attempt-limit", "x-bounds", "x-handwritten", "x-method", "x-optional-body", "x-origin", "x-path", "x-repeatable",
    "x-rust-type",
];

/// Rejects our keys in the service's document, and a repeatable operation that starts or creates something.
pub(crate) fn check(upstream: &Value, corrected: &Value) -> Result<(), TaskError> {
    let mut errors = Vec::new();
    foreign(upstream, "", &mut |pointer| {
        // An action can remove the key.
        if corrected.pointer(pointer) == upstream.pointer(pointer) {
            errors.push(TaskError::new(
                format!("the service's document has a key of this client at {pointer}"),
                format!("remove the key with an action in {OVERLAY}"),
            ));
        }
    });
    let paths = corrected.get("paths").and_then(Value::as_object);
    for (path, item) in paths.into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let is_collection = item.get("get").is_some()
                || paths.into_iter().flatten().any(|(other, _)| other.starts_with(&format!("{path}/{{")));
            let is_start = path.rsplit('/').next() == Some("start");
            let once = method == "post" && (is_collection || is_start);
            if METHODS.contains(&method.as_str()) && once && operation["x-repeatable"] == true {
                let operation = format!("{} {path}", method.to_uppercase());
                errors.push(TaskError::new(
                    format!(
                        "{operation} is repeatable, but a repeated call starts or creates something twice"
                    ),
                    format!("remove `x-repeatable` from it in {OVERLAY}"),
                ));
            }
        }
    }
    TaskError::all(errors).map_or(Ok(()), Err)
}

/// Calls `found` with the pointer of each of our keys.
fn foreign(value: &Value, pointer: &str, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let pointer = child(pointer, key);
                if KEYS.contains(&key.as_str()) {
                    found(&pointer);
                }
                foreign(inner, &pointer, found);
            }
        }
        Value::Array(items) => {
            for (at, inner) in items.iter().enumerate() {
                foreign(inner, &child(pointer, &at.to_string()), found);
            }
        }
        _ => {}
    }
}
