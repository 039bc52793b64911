//! Finds what the generator cannot do: the operation, and the place in the document.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::generate;
use crate::error::TaskError;
use crate::lower::{self, RefusedOperation, SCHEMA_REF, closure, references};
use crate::pointer::child;

const FIX: &str = "add a lowering step for the new quirk to xtask/src/lower/mod.rs";

/// A lowered document for which no code can be generated.
#[derive(Debug)]
pub(crate) struct Rejection {
    pub(super) document: Value,
    /// The message of the generator.
    pub(super) reason: String,
}

/// An operation by path and method.
type Address = (String, String);

impl Rejection {
    pub(super) fn error(self, origins: &BTreeMap<String, String>) -> TaskError {
        match self.operations(origins) {
            Ok(operations) => {
                let errors = operations.iter().map(RefusedOperation::error).collect();
                TaskError::all(errors).unwrap_or_else(|| unreachable!("a rejection has a cause"))
            }
            Err(error) => error,
        }
    }

    /// The operations that the generator rejects. `origins` are the components before the lowering.
    ///
    /// # Errors
    /// When it rejects none of them by itself.
    pub(crate) fn operations(
        self,
        origins: &BTreeMap<String, String>,
    ) -> Result<Vec<RefusedOperation>, TaskError> {
        let all: Vec<_> = lower::operations(&self.document)
            .map(|(path, method, _)| (path.to_owned(), method.to_owned()))
            .collect();
        let mut rejected = Vec::new();
        search(&self.document, &all, origins, &mut rejected);
        if rejected.is_empty() {
            let problem = format!("progenitor rejects the lowered document: {}", self.reason);
            return Err(TaskError::new(problem, FIX));
        }
        Ok(rejected)
    }
}

/// Bisects the operations.
fn search(
    document: &Value,
    operations: &[Address],
    origins: &BTreeMap<String, String>,
    rejected: &mut Vec<RefusedOperation>,
) {
    let document = only(document, operations);
    let Err(reason) = generate(&document) else { return };
    if let [(path, method)] = operations {
        let pointer = place(&document, path, method, origins);
        // A failed assertion of the generator tells nothing about the document.
        let reason =
            reason.lines().next().filter(|line| !line.contains("called `") && !line.contains("assertion"));
        let reason =
            reason.map(|line| format!(": {}", line.trim_end_matches([' ', '{', ':']))).unwrap_or_default();
        let problem = format!("no code can be generated for {method} {path} because of {pointer}{reason}");
        rejected.push(RefusedOperation::new(path, method, problem, FIX));
    } else {
        let (left, right) = operations.split_at(operations.len() / 2);
        for half in [left, right] {
            search(&document, half, origins, rejected);
        }
    }
}

/// The document with some operations and the components that they reach.
fn only(document: &Value, operations: &[Address]) -> Value {
    let mut paths = json!({});
    for (path, method) in operations {
        paths[path][method] = document["paths"][path][method].clone();
    }
    with_paths(document, paths)
}

fn with_paths(document: &Value, paths: Value) -> Value {
    let mut schemas = document["components"]["schemas"].as_object().cloned().unwrap_or_default();
    let used = closure(&schemas, references(&paths));
    schemas.retain(|name, _| used.contains(name));
    let mut document = json!({ "openapi": document["openapi"], "info": document["info"] });
    document["components"]["schemas"] = Value::Object(schemas);
    document["paths"] = paths;
    document
}

/// The pointer to the smallest part of a rejected operation that is rejected by itself.
fn place(document: &Value, path: &str, method: &str, origins: &BTreeMap<String, String>) -> String {
    let operation = &document["paths"][path][method];
    let whole = child(&child("/paths", path), method);
    let empty = Map::new();
    let schemas = document["components"]["schemas"].as_object().unwrap_or(&empty);
    let mut components: Vec<(usize, &String)> =
        schemas.keys().map(|name| (closure(schemas, BTreeSet::from([name.clone()])).len(), name)).collect();
    components.sort();
    for (_, name) in components {
        let schema = &schemas[name];
        if is_rejected(document, "/", &returning(name)) {
            let pointer = child("/components/schemas", origins.get(name).unwrap_or(name));
            // The property without which it is not rejected.
            let mut properties = schema["properties"].as_object().into_iter().flatten();
            let property = properties.find(|(property, _)| {
                let mut document = document.clone();
                document["components"]["schemas"][name]["properties"][*property] = json!({});
                !is_rejected(&document, "/", &returning(name))
            });
            let Some((property, _)) = property else { return pointer };
            return child(&child(&pointer, "properties"), property);
        }
    }
    let alone = |part: &str, value: &Value| {
        let mut alone = json!({ "operationId": "rejected", "responses": { "2XX": { "description": "" } } });
        alone[part] = value.clone();
        alone
    };
    for (at, parameter) in operation["parameters"].as_array().into_iter().flatten().enumerate() {
        let name = parameter["name"].as_str().unwrap_or_default();
        let path = if parameter["in"] == "path" { format!("/{{{name}}}") } else { "/".to_owned() };
        if is_rejected(document, &path, &alone("parameters", &json!([parameter]))) {
            return format!("{whole}/parameters/{at}");
        }
    }
    let mut parts = ["requestBody", "responses"].into_iter().filter(|part| operation.get(part).is_some());
    let part = parts.find(|part| is_rejected(document, "/", &alone(part, &operation[part])));
    part.map_or_else(|| whole.clone(), |part| child(&whole, part))
}

fn is_rejected(document: &Value, path: &str, operation: &Value) -> bool {
    generate(&with_paths(document, json!({ path: { "post": operation } }))).is_err()
}

/// An operation that returns a component.
fn returning(name: &str) -> Value {
    let content = json!({ "application/json": { "schema": { "$ref": format!("{SCHEMA_REF}{name}") } } });
    json!({ "operationId": "rejected", "responses": { "2XX": { "description": "", "content": content } } })
}
