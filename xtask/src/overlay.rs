//! Applies `openapi/overlay.json`, an OpenAPI Overlay 1.0 document with our corrections.
//!
//! Stricter than the specification: every action needs a reason, and an action that changes nothing is an error, because
//! the service's document has moved on.

use std::hash::{Hash as _, Hasher as _};

use serde_json::Value;
use serde_json_path::JsonPath;

use crate::documents::OVERLAY;
use crate::error::TaskError;
use crate::pointer;
use crate::shell::count;

/// What the actions did.
#[derive(Debug, Default)]
pub struct OverlayReport {
    /// One line per action that changed something.
    pub notes: Vec<String>,
    /// The actions that changed nothing.
    pub stale: Vec<TaskError>,
}

/// Applies every action in order.
///
/// # Errors
/// When the overlay is malformed.
pub fn apply(document: &mut Value, overlay: &Value) -> Result<OverlayReport, TaskError> {
    let malformed = |problem: String| {
        TaskError::new(format!("{OVERLAY}: {problem}"), "see the OpenAPI Overlay 1.0 specification")
    };
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    if text(overlay, "overlay").is_none_or(|version| !version.starts_with("1.")) {
        return Err(malformed("`overlay` is not a 1.x version".to_owned()));
    }
    let actions = overlay.get("actions").and_then(Value::as_array);
    let actions = actions.ok_or_else(|| malformed("`actions` is missing".to_owned()))?;
    let mut report = OverlayReport::default();
    let mut hash = fingerprint(document);
    for (index, action) in actions.iter().enumerate() {
        let target =
            text(action, "target").ok_or_else(|| malformed(format!("action {index} has no `target`")))?;
        let reason = text(action, "description")
            .filter(|reason| !reason.trim().is_empty())
            .ok_or_else(|| malformed(format!("action {index} ({target}) needs a reason in `description`")))?;
        let path = JsonPath::parse(&target).map_err(|error| {
            malformed(format!("action {index}: target {target} is not a JSONPath: {error}"))
        })?;
        let stale = |problem: &str| {
            TaskError::new(
                format!("{OVERLAY}: action {index} {problem}\n  target: {target}\n  reason: {reason}"),
                format!(
                    "remove the action from {OVERLAY} if the service's document is right now, or correct its target"
                ),
            )
        };

        let located = path.query_located(document);
        let mut pointers: Vec<String> =
            located.locations().map(serde_json_path::NormalizedPath::to_json_pointer).collect();
        if pointers.is_empty() {
            report.stale.push(stale("matches nothing"));
            continue;
        }
        if action.get("remove") == Some(&Value::Bool(true)) {
            // From the end, so that the other indices of an array stay valid.
            pointers.reverse();
            for pointer in &pointers {
                remove(document, pointer);
            }
        } else if let Some(update) = action.get("update") {
            for pointer in &pointers {
                if let Some(target) = document.pointer_mut(pointer) {
                    merge(target, update);
                }
            }
        } else {
            let problem = format!("action {index} ({target}) has neither `update` nor `remove: true`");
            return Err(malformed(problem));
        }
        let new_hash = fingerprint(document);
        if new_hash == hash {
            report.stale.push(stale("changes nothing"));
            continue;
        }
        hash = new_hash;
        report.notes.push(format!("{target}: {}: {reason}", count(pointers.len(), "place")));
    }
    Ok(report)
}

/// Hashes a document, to detect a change without a copy. The hash is valid within one run only.
fn fingerprint(document: &Value) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    document.hash(&mut hasher);
    hasher.finish()
}

fn remove(document: &mut Value, pointer: &str) {
    let Some((parent, key)) = pointer::split(pointer) else { return };
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

/// Merges as the specification says: objects key by key, arrays by appending, everything else by replacement.
fn merge(target: &mut Value, update: &Value) {
    match (target, update) {
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
        (target, update) => *target = update.clone(),
    }
}
