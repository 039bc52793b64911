//! The tables that the transport and the check of session configurations read.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

type Result<T> = std::result::Result<T, String>;

/// Returns the table of operations, sorted by name, as Rust code.
pub(crate) fn operations(document: &Value) -> Result<String> {
    let mut rows = Vec::new();
    let none = Map::new();
    for (path, item) in document["paths"].as_object().unwrap_or(&none) {
        for (method, operation) in item.as_object().unwrap_or(&none) {
            let id = operation["operationId"].as_str().ok_or("an operation has no operationId")?;
            rows.push((id, method.as_str(), path.as_str(), operation));
        }
    }
    for (id, operation) in document["x-handwritten"].as_object().unwrap_or(&none) {
        let part =
            |key: &str| operation[key].as_str().ok_or("a hand-written operation lacks its method or path");
        rows.push((id, part("x-method")?, part("x-path")?, operation));
    }
    rows.sort_by_key(|row| row.0);

    let mut table = String::from("&[\n");
    for (id, method, path, operation) in rows {
        let mut schemes = BTreeSet::new();
        for requirement in operation["security"].as_array().into_iter().flatten() {
            schemes.extend(requirement.as_object().unwrap_or(&none).keys());
        }
        let credentials = schemes
            .into_iter()
            .map(|scheme| match scheme.as_str() {
                "APIKeyHeader" => Ok("CredentialKind::ApiKey"),
                "HTTPBearer" => Ok("CredentialKind::SessionToken"),
                other => Err(format!("{id}: unknown security scheme {other}")),
            })
            .collect::<Result<Vec<_>>>()?
            .join(", ");
        let optional_body = operation["x-optional-body"] == true;
        let mut bounds = Vec::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if let Some(limits) = parameter["x-bounds"].as_object() {
                let bound = |key: &str, none: &str| {
                    limits
                        .get(key)
                        .and_then(Value::as_i64)
                        .map_or_else(|| none.to_owned(), |limit| limit.to_string())
                };
                bounds.push(format!(
                    "({}, {}, {})",
                    parameter["name"],
                    bound("minimum", "i64::MIN"),
                    bound("maximum", "i64::MAX")
                ));
            }
        }
        let idempotent = matches!(method, "get" | "delete") || operation["x-repeatable"] == true;
        let limit = operation["x-attempt-limit"].as_u64();
        let limit = limit
            .map_or_else(|| "None".to_owned(), |seconds| format!("Some(Duration::from_secs({seconds}))"));
        let has_response_body = operation["responses"]
            .as_object()
            .is_some_and(|all| all.values().any(|one| one["content"].is_object()));
        writeln!(
            table,
            "    Operation {{ id: {id:?}, method: {:?}, path: {path:?}, credentials: &[{credentials}], \
             optional_body: {optional_body}, bounds: &[{}], idempotent: {idempotent}, attempt_timeout: {limit}, \
             has_response_body: {has_response_body} }},",
            method.to_uppercase(),
            bounds.join(", ")
        )
        .map_err(|error| error.to_string())?;
    }
    table.push(']');
    Ok(table)
}

/// Returns the request schema of each mode with every schema that it refers to; session configurations are checked against it.
pub(crate) fn session_schemas(document: &Value) -> Result<Value> {
    const PREFIX: &str = "#/components/schemas/";
    let schemas = &document["components"]["schemas"];
    let members = document
        .pointer("/paths/~1v1~1sessions~1token/post/requestBody/content/application~1json/schema/oneOf")
        .and_then(Value::as_array)
        .ok_or("the token request is not a union of modes")?;
    let mut result = Map::new();
    let mut open = Vec::new();
    for member in members {
        let name =
            member["$ref"].as_str().and_then(|to| to.strip_prefix(PREFIX)).ok_or("a mode lacks a name")?;
        let mode = schemas[name]["properties"]["mode"]["const"]
            .as_str()
            .ok_or("a mode lacks its `mode` constant")?;
        result.insert(mode.to_owned(), member.clone());
        open.push(name.to_owned());
    }
    let mut closure = Map::new();
    while let Some(name) = open.pop() {
        if !closure.contains_key(&name) {
            let schema = schemas[&name].clone();
            references(&schema, PREFIX, &mut open);
            closure.insert(name, schema);
        }
    }
    result.insert("components".into(), json!({ "schemas": closure }));
    Ok(Value::Object(result))
}

pub(crate) fn references(value: &Value, prefix: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(
                map.get("$ref")
                    .and_then(Value::as_str)
                    .and_then(|to| to.strip_prefix(prefix))
                    .map(str::to_owned),
            );
            map.values().for_each(|inner| references(inner, prefix, found));
        }
        Value::Array(list) => list.iter().for_each(|inner| references(inner, prefix, found)),
        _ => {}
    }
}
