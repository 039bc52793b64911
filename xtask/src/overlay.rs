//! Applies `openapi/overlay.json`: an OpenAPI Overlay 1.0 document with our corrections of the service's document.
//!
//! Stricter than the specification asks: every action states its reason, and an action that changes nothing is told,
//! because it means that the service's document has moved on.

use std::hash::{Hash as _, Hasher as _};

use serde_json::Value;
use serde_json_path::JsonPath;

use crate::failure::Failure;

const NAME: &str = "openapi/overlay.json";

/// What the actions did.
#[derive(Debug, Default)]
pub struct Applied {
    /// One line per action that changed something.
    pub notes: Vec<String>,
    /// The actions that changed nothing.
    pub stale: Vec<Failure>,
}

/// Applies every action in order.
///
/// # Errors
/// When the overlay is malformed.
pub fn apply(document: &mut Value, overlay: &Value) -> Result<Applied, Failure> {
    let malformed =
        |what: String| Failure::new(format!("{NAME}: {what}"), "see the OpenAPI Overlay 1.0 specification");
    if overlay.get("overlay").and_then(Value::as_str).is_none_or(|version| !version.starts_with("1.")) {
        return Err(malformed("no `overlay` version 1.x".to_owned()));
    }
    let actions = overlay
        .get("actions")
        .and_then(Value::as_array)
        .ok_or_else(|| malformed("no `actions`".to_owned()))?;
    let mut applied = Applied::default();
    let mut hash = fingerprint(document);
    for (index, action) in actions.iter().enumerate() {
        let target = action
            .get("target")
            .and_then(Value::as_str)
            .ok_or_else(|| malformed(format!("action {index} has no `target`")))?;
        let reason = action
            .get("description")
            .and_then(Value::as_str)
            .filter(|reason| !reason.trim().is_empty())
            .ok_or_else(|| {
                malformed(format!("action {index} ({target}) gives no reason in `description`"))
            })?;
        let path = JsonPath::parse(target).map_err(|error| {
            malformed(format!("action {index} target {target} is not a JSONPath: {error}"))
        })?;
        let stale = |what: &str| {
            Failure::new(
                format!("{NAME}: action {index} {what}\n      target: {target}\n      reason: {reason}"),
                "drop the action if the service's document now says it itself, else correct its target",
            )
        };

        let mut pointers: Vec<String> = path
            .query_located(document)
            .locations()
            .map(serde_json_path::NormalizedPath::to_json_pointer)
            .collect();
        if pointers.is_empty() {
            applied.stale.push(stale("matches nothing"));
            continue;
        }
        if action.get("remove") == Some(&Value::Bool(true)) {
            // From the end, so that indices of one array stay right.
            pointers.reverse();
            for pointer in &pointers {
                remove(document, pointer);
            }
        } else if let Some(update) = action.get("update") {
            for pointer in &pointers {
                if let Some(at) = document.pointer_mut(pointer) {
                    merge(at, update);
                }
            }
        } else {
            return Err(malformed(format!(
                "action {index} ({target}) has neither `update` nor `remove: true`"
            )));
        }
        let now = fingerprint(document);
        if now == hash {
            applied.stale.push(stale("changes nothing"));
            continue;
        }
        hash = now;
        applied.notes.push(format!("{target}: {} place(s): {reason}", pointers.len()));
    }
    Ok(applied)
}

/// Tells whether a document has changed, without a copy of it; of use within one run only.
pub(crate) fn fingerprint(document: &Value) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    document.hash(&mut hasher);
    hasher.finish()
}

fn remove(document: &mut Value, pointer: &str) {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return };
    let key = key.replace("~1", "/").replace("~0", "~");
    match document.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            map.remove(&key);
        }
        Some(Value::Array(items)) => {
            if let Ok(index) = key.parse::<usize>()
                && index < items.len()
            {
                items.remove(index);
            }
        }
        _ => {}
    }
}

/// The specification's merge: objects key by key, an array takes what is given at its end, the rest is replaced.
fn merge(at: &mut Value, update: &Value) {
    match (at, update) {
        (Value::Object(map), Value::Object(update)) => {
            for (key, value) in update {
                match map.get_mut(key) {
                    Some(old) => merge(old, value),
                    None => {
                        map.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (Value::Array(items), Value::Array(more)) => items.extend(more.iter().cloned()),
        (Value::Array(items), one) => items.push(one.clone()),
        (at, update) => *at = update.clone(),
    }
}
