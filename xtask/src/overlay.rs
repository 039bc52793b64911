//! Applies `openapi/overlay.json`, an OpenAPI Overlay 1.0 document with our corrections.
//!
//! Stricter than the specification: every action needs a reason, and an action that changes nothing is an error, because
//! the service's document has moved on.

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
        let mut changes = false;
        if action.get("remove") == Some(&Value::Bool(true)) {
            // From the end, so that the other indices of an array stay valid.
            pointers.reverse();
            for pointer in &pointers {
                remove(document, pointer);
            }
            changes = true;
        } else if let Some(update) = action.get("update") {
            for pointer in &pointers {
                if let Some(target) = document.pointer_mut(pointer) {
                    changes |= merge(target, update);
                }
            }
        } else {
            let problem = format!("action {index} ({target}) has neither `update` nor `remove: true`");
            return Err(malformed(problem));
        }
        if !changes {
            report.stale.push(stale("changes nothing"));
            continue;
        }
        report.notes.push(format!("{target}: {}: {reason}", count(pointers.len(), "place")));
    }
    Ok(report)
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

/// Merges as the specification says: objects key by key, arrays by appending, everything else by replacement. Returns whether
/// that changes the target.
fn merge(target: &mut Value, update: &Value) -> bool {
    match (target, update) {
        (Value::Object(map), Value::Object(update)) => {
            let mut changes = false;
            for (key, value) in update {
                changes |= match map.get_mut(key) {
                    Some(old) => merge(old, value),
                    None => map.insert(key.clone(), value.clone()).is_none(),
                };
            }
            changes
        }
        (Value::Array(items), Value::Array(more)) => {
            items.extend(more.iter().cloned());
            !more.is_empty()
        }
        (Value::Array(items), one) => {
            items.push(one.clone());
            true
        }
        (target, update) => {
            let changes = target != update;
            target.clone_from(update);
            changes
        }
    }
}
