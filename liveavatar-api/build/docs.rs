//! The doc comments of calls: what a call does, with which credential, whether it is retried, and an example.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The doc comments of every operation.
pub(super) struct Docs {
    operations: BTreeMap<String, String>,
}

impl Docs {
    pub(super) fn new(document: &Value) -> Self {
        let none = Map::new();
        let mut operations = BTreeMap::new();
        for (path, item) in document["paths"].as_object().unwrap_or(&none) {
            for (method, operation) in item.as_object().unwrap_or(&none) {
                let Some(id) = operation["operationId"].as_str() else { continue };
                operations.insert(id.to_owned(), describe(method, path, operation));
            }
        }
        Self { operations }
    }

    /// The doc comment of the client's method.
    pub(super) fn method(&self, id: &str) -> String {
        self.operations.get(id).cloned().unwrap_or_default()
    }

    /// The doc comment of the call type.
    pub(super) fn call(&self, id: &str) -> String {
        format!("A call of [`Client::{id}`](crate::Client::{id}).")
    }
}

fn describe(method: &str, path: &str, operation: &Value) -> String {
    let about = operation["description"].as_str().or(operation["summary"].as_str()).unwrap_or_default();
    format!("{about}\n\n`{} {path}`", method.to_uppercase())
}
