//! Request bodies from the command line: JSON, its fields, or the parts of a form.

use std::path::Path;

use liveavatar_api::calls::DynamicCall;
use serde_json::{Map, Value};

use crate::document::{OperationSpec, Parameter, Schema, secret_fields};
use crate::failure::Failure;
use crate::input::{read_bytes, read_text};

#[derive(Clone)]
pub(crate) enum Body {
    None,
    Json(Value),
    Form(Vec<(&'static str, FormValue)>),
}

#[derive(Clone)]
pub(crate) enum FormValue {
    Text(String),
    File(Vec<u8>),
}

impl Body {
    pub(crate) fn add_to(self, call: DynamicCall) -> DynamicCall {
        match self {
            Self::None => call,
            Self::Json(body) => call.json(body),
            Self::Form(parts) => parts.into_iter().fold(call, |call, (name, value)| match value {
                FormValue::Text(text) => call.text_part(name, text),
                FormValue::File(bytes) => call.file_part(name, bytes),
            }),
        }
    }
}

/// Collects the parts of a form from `value`, which returns a text or the path of a file.
pub(crate) fn form_body(
    spec: OperationSpec,
    value: impl Fn(&str) -> Option<String>,
    hint: impl Fn(Parameter) -> String,
) -> Result<Body, Failure> {
    let mut form = Vec::new();
    for part in spec.form_parts() {
        let value = match value(part.name) {
            Some(path) if part.is_file() => FormValue::File(read_bytes(Path::new(&path), "form part")?),
            Some(text) => FormValue::Text(text),
            None if part.required => {
                let message = format!("{} requires the form part `{}`", spec.operation.id, part.name);
                return Err(Failure::usage(message, hint(part)));
            }
            None => continue,
        };
        form.push((part.name, value));
    }
    Ok(Body::Form(form))
}

/// Reads a JSON body from an argument: JSON text, or `@` and the path of a file.
pub(crate) fn json_body(spec: OperationSpec, argument: Option<&str>) -> Result<Body, Failure> {
    let id = spec.operation.id;
    let Some(argument) = argument else {
        if !spec.has_body() || spec.operation.optional_body {
            return Ok(Body::None);
        }
        let required = spec.body_fields().into_iter().filter(|field| field.required).map(|field| field.name);
        let fields = required.collect::<Vec<_>>().join(", ");
        let fields = if fields.is_empty() { fields } else { format!(" with {fields}") };
        let message = format!("{id} requires a body{fields}");
        return Err(Failure::usage(message, "use --json-body JSON, @FILE or @-, or --set FIELD=VALUE"));
    };
    if !spec.has_body() {
        return Err(Failure::usage(format!("{id} does not take a body"), "omit --json-body"));
    }
    let file = argument.strip_prefix('@');
    let text = match file {
        Some(path) => read_text(Path::new(path), "body")?,
        None => argument.to_owned(),
    };
    let body: Value = serde_json::from_str(&text).map_err(|error| {
        // The error's own message may quote a secret.
        let (line, column) = (error.line(), error.column());
        Failure::usage(
            format!("the body is not valid JSON: error at line {line}, column {column}"),
            "use --json-body @FILE to read a file",
        )
    })?;
    if file.is_none() {
        reject_secret(&body)?;
    }
    Ok(Body::Json(body))
}

/// Sets the fields of a JSON body: each is a path, such as `links.0.url`, and a value.
pub(crate) fn set_fields(
    spec: OperationSpec,
    body: Body,
    fields: &[(String, String)],
) -> Result<Body, Failure> {
    if fields.is_empty() {
        return Ok(body);
    }
    let mut json = match body {
        Body::Json(json) => json,
        _ => Value::Null,
    };
    for (path, text) in fields {
        set_field(&mut json, spec.body_schema(), path, text)?;
    }
    Ok(Body::Json(json))
}

fn set_field(body: &mut Value, schema: Schema, path: &str, text: &str) -> Result<(), Failure> {
    let (mut place, mut schema) = (body, schema);
    for name in path.split('.') {
        if secret_fields().contains(name) {
            return Err(secret_argument(name));
        }
        schema = schema.child(name);
        place = match (name.parse::<usize>(), std::mem::take(place)) {
            (Ok(index), old @ (Value::Null | Value::Array(_))) => {
                let mut items = if let Value::Array(items) = old { items } else { Vec::new() };
                if index > items.len() {
                    return Err(Failure::usage(
                        format!("`{path}` does not follow the last entry of the list"),
                        format!("the index of the next entry is {}", items.len()),
                    ));
                }
                items.resize(items.len().max(index + 1), Value::Null);
                *place = Value::Array(items);
                &mut place[index]
            }
            (_, old) => {
                *place = if old.is_object() { old } else { Value::Object(Map::new()) };
                &mut place[name]
            }
        };
    }
    *place = schema.to_json(text);
    reject_secret(place)
}

/// Rejects a body that an argument may not contain.
fn reject_secret(body: &Value) -> Result<(), Failure> {
    find_secret(body).map_or(Ok(()), |field| Err(secret_argument(field)))
}

fn secret_argument(field: &str) -> Failure {
    Failure::usage(
        format!("`{field}` is a secret, and other processes on this machine can read arguments"),
        "use --json-body @FILE, or @- for standard input",
    )
}

/// Returns the name of a secret field in the body.
fn find_secret(body: &Value) -> Option<&str> {
    match body {
        Value::Object(map) => map.iter().find_map(|(name, value)| {
            if secret_fields().contains(name.as_str()) { Some(name.as_str()) } else { find_secret(value) }
        }),
        Value::Array(items) => items.iter().find_map(find_secret),
        _ => None,
    }
}

/// Parses a name and a value for it, as an argument has them.
pub(crate) fn name_and_value(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "expected NAME=VALUE".to_owned())
}
