//! Calling any operation by name.

use std::path::Path;

use clap::Args;
use liveavatar_api::DynamicCall;
use liveavatar_api::raw::Operation;
use serde_json::{Value, json};

use crate::connect::{Service, read, read_bytes};
use crate::document::{Described, FormPart, PartKind, operations as all, secret_fields};
use crate::output::{Failure, Output};
use crate::resource;

#[derive(Args)]
pub(crate) struct Call {
    /// The operation's name, such as `list_voices`; `liveavatar operations` lists them
    operation: String,
    /// The body as JSON, or `@FILE`, or `@-` for standard input
    #[arg(long, value_name = "JSON|@FILE")]
    json_body: Option<String>,
    /// A part of a body that is a form, a file with `@`; may be repeated
    #[arg(long, value_name = "NAME=TEXT|@FILE", value_parser = pair)]
    form: Vec<(String, String)>,
    /// A parameter of the query; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    query: Vec<(String, String)>,
    /// A parameter of the path; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    path: Vec<(String, String)>,
}

/// The body of an operation.
#[derive(Clone)]
pub(crate) enum Body {
    None,
    Json(Value),
    Form(Vec<(&'static str, Given)>),
}

/// A part of a form.
#[derive(Clone)]
pub(crate) enum Given {
    Text(String),
    File(Vec<u8>),
}

/// All operations, as a table.
pub(crate) fn operations() -> Value {
    let row = |described: Described| {
        let Operation { id, method, path, .. } = described.operation;
        let credentials: Vec<_> = described.operation.credentials.iter().map(ToString::to_string).collect();
        let credential = if credentials.is_empty() { "nothing".to_owned() } else { credentials.join(" or ") };
        let command = resource::command_of(described);
        json!({"name": id, "command": command, "method": method, "path": path, "takes": credential})
    };
    all().map(row).collect()
}

impl Call {
    pub(crate) async fn run(self, service: &Service, output: Output) -> Result<(), Failure> {
        let operation = named(&self.operation)?;
        let described = Described::of(operation);
        known("path", &self.path, &described.path_parameters().collect::<Vec<_>>())?;
        known("query", &self.query, &described.query().map(|query| query.name).collect::<Vec<_>>())?;
        let missing =
            described.path_parameters().find(|name| self.path.iter().all(|(given, _)| given != name));
        if let Some(name) = missing {
            return Err(Failure::usage(
                format!("{} lacks `{name}` of its path, {}", operation.id, operation.path),
                format!("give it with --path {name}=…"),
            ));
        }
        let body = body(described, self.json_body.as_deref(), &self.form)?;
        let client = service.client_for(operation)?;
        let mut call = client.operation(operation.id)?;
        for (name, value) in &self.path {
            call = call.path(name, value);
        }
        for (name, value) in self.query {
            call = call.query(name, value);
        }
        output.data(with_body(call, body).data().await?);
        Ok(())
    }
}

pub(crate) fn with_body(call: DynamicCall<'_>, body: Body) -> DynamicCall<'_> {
    match body {
        Body::None => call,
        Body::Json(body) => call.json(body),
        Body::Form(parts) => parts.into_iter().fold(call, |call, (name, given)| match given {
            Given::Text(text) => call.text_part(name, text),
            Given::File(bytes) => call.file_part(name, bytes),
        }),
    }
}

/// The body of an operation as it was given: read, and fit to be sent.
fn body(described: Described, json: Option<&str>, form: &[(String, String)]) -> Result<Body, Failure> {
    let id = described.operation.id;
    if described.is_json() {
        if !form.is_empty() {
            return Err(Failure::usage(format!("{id} takes no form"), "give a body with --json-body"));
        }
        return json_body(described, json);
    }
    let parts = described.form_parts();
    if json.is_some() {
        let names: Vec<_> = parts.iter().map(|part| format!("--form {}=…", part.name)).collect();
        return Err(Failure::usage(format!("{id} takes a form, not JSON"), names.join(" ")));
    }
    known("form", form, &parts.iter().map(|part| part.name).collect::<Vec<_>>())?;
    let given = |name: &str| {
        let given = form.iter().find(|(given, _)| given == name);
        given.map(|(_, value)| value.strip_prefix('@').unwrap_or(value).to_owned())
    };
    let hint = |part: FormPart| {
        let at = if part.kind == PartKind::File { "@FILE" } else { "TEXT" };
        format!("give it with --form {}={at}", part.name)
    };
    form_body(described, given, hint)
}

/// The parts of a form, as `given` has them: texts, and the paths of files.
pub(crate) fn form_body(
    described: Described,
    given: impl Fn(&str) -> Option<String>,
    hint: impl Fn(FormPart) -> String,
) -> Result<Body, Failure> {
    let mut form = Vec::new();
    for part in described.form_parts() {
        let value = match given(part.name) {
            Some(value) => value,
            None if part.required => {
                return Err(Failure::usage(
                    format!("{} takes a form with {}", described.operation.id, part.name),
                    hint(part),
                ));
            }
            None => continue,
        };
        let value = match part.kind {
            PartKind::File => Given::File(read_bytes(Path::new(&value), "the form's file")?),
            PartKind::Text => Given::Text(value),
        };
        form.push((part.name, value));
    }
    Ok(Body::Form(form))
}

/// A body of JSON as it was given: read, and fit to be sent.
pub(crate) fn json_body(described: Described, given: Option<&str>) -> Result<Body, Failure> {
    let id = described.operation.id;
    let Some(given) = given else {
        if described.has_body() && !described.operation.optional_body {
            let fields: Vec<_> =
                described.body_fields().into_iter().filter(|field| field.1).map(|field| field.0).collect();
            let fields =
                if fields.is_empty() { String::new() } else { format!(" with {}", fields.join(", ")) };
            return Err(Failure::usage(
                format!("{id} takes a body{fields}"),
                "give it with --json-body JSON, @FILE or @-",
            ));
        }
        return Ok(Body::None);
    };
    if !described.has_body() {
        return Err(Failure::usage(format!("{id} takes no body"), "leave --json-body out"));
    }
    let file = given.strip_prefix('@');
    let text = match file {
        Some(path) => read(Path::new(path), "the body")?,
        None => given.to_owned(),
    };
    let body: Value = serde_json::from_str(&text).map_err(|error| {
        // The reader's own text may quote what was given.
        let (line, column) = (error.line(), error.column());
        Failure::usage(
            format!("the body is not JSON, at line {line} column {column}"),
            "a file is given as --json-body @FILE",
        )
    })?;
    if file.is_none()
        && let Some(field) = secret(&body)
    {
        return Err(Failure::usage(
            format!("`{field}` is a secret, and arguments are seen by every process of the machine"),
            "give the body with --json-body @FILE, or @- for standard input",
        ));
    }
    Ok(Body::Json(body))
}

/// A field of the body that the document knows as secret.
fn secret(body: &Value) -> Option<&str> {
    match body {
        Value::Object(map) => map.iter().find_map(|(name, value)| {
            if secret_fields().contains(name.as_str()) { Some(name.as_str()) } else { secret(value) }
        }),
        Value::Array(items) => items.iter().find_map(secret),
        _ => None,
    }
}

fn named(name: &str) -> Result<&'static Operation, Failure> {
    Operation::find(name).ok_or_else(|| {
        let near = all().map(|described| described.operation.id).max_by(|a, b| {
            let likeness = |id: &str| strsim::jaro_winkler(id, name);
            likeness(a).total_cmp(&likeness(b))
        });
        let meant = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        Failure::usage(
            format!("there is no operation `{name}`"),
            format!("{meant}`liveavatar operations` lists them"),
        )
    })
}

/// The service ignores what it does not know, so that a misspelt parameter would look accepted.
fn known(what: &str, given: &[(String, String)], names: &[&str]) -> Result<(), Failure> {
    match given.iter().find(|(name, _)| !names.contains(&name.as_str())) {
        None => Ok(()),
        Some((name, _)) if names.is_empty() => {
            Err(Failure::usage(format!("the {what} has no parameter `{name}`"), "it has none"))
        }
        Some((name, _)) => Err(Failure::usage(
            format!("the {what} has no parameter `{name}`"),
            format!("it has {}", names.join(", ")),
        )),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "it is not NAME=VALUE".to_owned())
}
