//! The documents of other FastAPI applications, under names that let one document hold several.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::error::TaskError;
use crate::lower::{Document, SCHEMA_REF, operation_name};
use crate::normalise;
use crate::pipeline::Pipeline;

/// The folder of the documents, written by the program in it.
pub const FOLDER: &str = "tests/it/xtask/fastapi";

/// Reads the versions of the document, the oldest first.
///
/// # Errors
/// When one cannot be read.
pub fn versions(root: &Path) -> Result<Vec<Value>, TaskError> {
    let read = |path: &Path| {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    };
    let paths = (1..).map(|version| root.join(FOLDER).join(format!("v{version}.json")));
    let versions = paths.take_while(|path| path.exists()).map(|path| {
        read(&path).map_err(|error| {
            let fix = format!("run {FOLDER}/app.py as its first lines say");
            TaskError::new(format!("{}: {error}", path.display()), fix)
        })
    });
    versions.collect()
}

/// The document with a prefix before each path, operation name and component.
#[must_use]
pub fn renamed(document: &Value, prefix: &str) -> Value {
    let mut document = Document(document.clone());
    document.each_operation(|path, method, operation| {
        let name = operation_name(operation, path, method);
        operation.insert("operationId".into(), json!(format!("{prefix}_{name}")));
    });
    let mut document = document.0;
    let mut rename = |pointer: &str, before: &str| {
        if let Some(entries) = document.pointer_mut(pointer).and_then(Value::as_object_mut) {
            let old = std::mem::take(entries).into_iter();
            *entries = old.map(|(name, value)| (format!("{before}{name}"), value)).collect();
        }
    };
    rename("/paths", &format!("/{prefix}"));
    rename("/components/schemas", prefix);
    redirect(&mut document, prefix);
    document
}

/// Renames in every reference, also in those of discriminators.
fn redirect(value: &mut Value, prefix: &str) {
    match value {
        Value::String(text) if text.starts_with(SCHEMA_REF) => text.insert_str(SCHEMA_REF.len(), prefix),
        Value::Object(map) => map.values_mut().for_each(|inner| redirect(inner, prefix)),
        Value::Array(items) => items.iter_mut().for_each(|inner| redirect(inner, prefix)),
        _ => {}
    }
}

/// Adds the paths and components of another document.
pub fn add(document: &mut Value, other: &Value) {
    for part in ["/paths", "/components/schemas", "/components/securitySchemes"] {
        let added = other.pointer(part).and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(entries) = document.pointer_mut(part).and_then(Value::as_object_mut) {
            entries.extend(added);
        }
    }
}

/// Adds every version to a document of the service, without the operations that cannot be lowered.
///
/// # Errors
/// When a version cannot be read.
pub fn grown(mut document: Value, root: &Path) -> Result<Value, TaskError> {
    let no_overlay = json!({ "overlay": "1.0.0", "actions": [] });
    for (at, version) in versions(root)?.into_iter().enumerate() {
        let mut version = normalise::normalise(version, FOLDER)?;
        for refused in Pipeline::run(version.clone(), &no_overlay)?.lowered.refused {
            if let Some(item) = version["paths"][&refused.path].as_object_mut() {
                item.remove(&refused.method);
            }
        }
        let mut version = Document(version);
        // The client has the credentials of the service only.
        version.each_operation(|_, _, operation: &mut Map<String, Value>| {
            operation.remove("security");
        });
        add(&mut document, &renamed(&version.0, &format!("v{}", at + 1)));
    }
    Ok(document)
}
