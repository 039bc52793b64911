//! Request bodies from the command line: JSON, or the parts of a form.

use std::path::Path;

use liveavatar_api::calls::DynamicCall;
use serde_json::Value;

use crate::document::{OperationSpec, Parameter, secret_fields};
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
        return Err(Failure::usage(message, "use --json-body JSON, @FILE or @-"));
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
    if file.is_none()
        && let Some(field) = find_secret(&body)
    {
        return Err(Failure::usage(
            format!("`{field}` is a secret, and other processes on this machine can read arguments"),
            "use --json-body @FILE, or @- for standard input",
        ));
    }
    Ok(Body::Json(body))
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
