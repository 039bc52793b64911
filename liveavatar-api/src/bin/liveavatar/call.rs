//! Calling any operation by name.

use std::path::Path;

use clap::Args;
use liveavatar_api::AnyCall;
use liveavatar_api::raw::Operation;
use serde_json::{Value, json};

use crate::connect::{Service, read};
use crate::document::{Described, operations as all, secret_fields};
use crate::output::{Failure, Output};

#[derive(Args)]
pub(crate) struct Call {
    /// The operation's name, such as `list_voices`
    operation: String,
    /// The body as JSON, or `@FILE`, or `@-` for standard input
    #[arg(long, value_name = "JSON|@FILE")]
    json_body: Option<String>,
    /// A parameter of the query; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    query: Vec<(String, String)>,
    /// A parameter of the path; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    path: Vec<(String, String)>,
}

/// All operations, as a table.
pub(crate) fn operations() -> Value {
    let row = |described: Described| {
        let Operation { id, method, path, .. } = described.operation;
        let credentials: Vec<_> = described.operation.credentials.iter().map(ToString::to_string).collect();
        let credential = if credentials.is_empty() { "nothing".to_owned() } else { credentials.join(" or ") };
        json!({"name": id, "method": method, "path": path, "takes": credential, "tag": described.tag()})
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
        let body = body(described, self.json_body.as_deref())?;
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

pub(crate) fn with_body(call: AnyCall<'_>, body: Option<Value>) -> AnyCall<'_> {
    match body {
        Some(body) => call.json(body),
        None => call,
    }
}

/// The body of an operation as it was given: read, and fit to be sent.
pub(crate) fn body(described: Described, given: Option<&str>) -> Result<Option<Value>, Failure> {
    let id = described.operation.id;
    if !described.is_json() {
        return Err(Failure::usage(
            format!("{id} takes a form with files, which cannot be written as JSON"),
            "use the library: `Client::create_image_avatar`",
        ));
    }
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
        return Ok(None);
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
    Ok(Some(body))
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
