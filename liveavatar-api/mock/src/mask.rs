//! Hiding secrets in JSON, by the fields that the client reads as a secret.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Map, Value};

pub(crate) const MASK: &str = "[redacted]";

static SECRET_FIELDS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let document: Value =
        serde_json::from_str(liveavatar_api::raw::DOCUMENT).expect("a test checks the embedded document");
    let schemas = document["components"]["schemas"].as_object().into_iter().flat_map(Map::values);
    let fields = schemas.filter_map(|schema| schema["properties"].as_object()).flatten();
    fields
        .filter(|(_, field)| field["x-rust-type"]["path"] == "liveavatar_api::Secret")
        .map(|(name, _)| name.clone())
        .collect()
});

/// Parses JSON and hides its secrets; `None` if it is not JSON.
pub(crate) fn masked_json(text: &[u8]) -> Option<Value> {
    let mut value = serde_json::from_slice(text).ok()?;
    mask(&mut value);
    Some(value)
}

pub(crate) fn mask(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                if SECRET_FIELDS.contains(name) && !value.is_null() {
                    *value = MASK.into();
                } else {
                    mask(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}
