//! The doc comments of operations, and their index by tag.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use quote::ToTokens as _;
use serde_json::{Map, Value};
use syn::{Field, GenericArgument, PathArguments, Type};

use super::types::{is_always_written, optional};
use super::{argument, last};

/// The security scheme of a session token.
const BEARER: &str = "HTTPBearer";

/// What the document says about every operation.
pub(super) struct Docs<'d> {
    operations: BTreeMap<&'d str, Operation<'d>>,
}

struct Operation<'d> {
    method: &'d str,
    path: &'d str,
    value: &'d Value,
}

impl<'d> Docs<'d> {
    pub(super) fn new(document: &'d Value) -> Self {
        let mut operations = BTreeMap::new();
        for (path, item) in object(&document["paths"]) {
            for (method, value) in object(item) {
                if let Some(id) = value["operationId"].as_str() {
                    operations.insert(id, Operation { method, path, value });
                }
            }
        }
        for (id, value) in object(&document["x-handwritten"]) {
            let text = |key: &str| value[key].as_str().unwrap_or_default();
            operations.insert(id, Operation { method: text("x-method"), path: text("x-path"), value });
        }
        Self { operations }
    }

    /// The names of the types of PATCH bodies, in lower case.
    pub(super) fn patches(&self) -> BTreeSet<String> {
        let patches = self.operations.values().filter(|operation| operation.method == "patch");
        let schemas = patches.filter_map(|operation| {
            let body = &operation.value["requestBody"]["content"]["application/json"]["schema"];
            body["$ref"].as_str()?.rsplit('/').next()
        });
        schemas.map(|name| name.replace('_', "").to_lowercase()).collect()
    }

    /// Whether only a session token authorizes the operation.
    pub(super) fn needs_only_a_token(&self, id: &str) -> bool {
        self.operations.get(id).is_some_and(|operation| operation.schemes().into_iter().eq([BEARER]))
    }

    /// The doc comment of the client's method.
    pub(super) fn method(&self, id: &str, data: &Type, example: &str) -> String {
        let Some(operation) = self.operations.get(id) else { return String::new() };
        let about = operation.about();
        let Operation { method, path, value } = operation;
        let schemes: Vec<&str> = operation
            .schemes()
            .into_iter()
            .map(|scheme| if scheme == BEARER { "a session token" } else { "an API key" })
            .collect();
        let credential = if schemes.is_empty() { "no credential".to_owned() } else { schemes.join(" or ") };
        let is_idempotent = matches!(*method, "get" | "delete") || value["x-repeatable"] == true;
        let retried = if is_idempotent {
            "A failed call is retried."
        } else {
            "A failed call is retried only if the service certainly did not process it."
        };
        let method = method.to_uppercase();
        let data = plain(data);
        format!(
            "{about}\n\n`{method} {path}` needs {credential} and returns `{data}`. {retried} For errors and cancel safety, see \
             [`send`](calls::{name}::send).\n\n```no_run\n{example}```",
            name = super::calls::type_name(id)
        )
    }

    /// All operations in Markdown, by the document's tags.
    pub(super) fn index(&self) -> String {
        let mut tags: BTreeMap<&str, Vec<(&str, &Operation<'_>)>> = BTreeMap::new();
        for (id, operation) in &self.operations {
            let tag = operation.value["tags"][0].as_str().unwrap_or("Others");
            tags.entry(tag).or_default().push((id, operation));
        }
        let mut text = String::from("All operations of the service, by subject.\n");
        for (tag, operations) in tags {
            let _ = write!(text, "\n# {tag}\n\n| Method | Request | |\n| --- | --- | --- |\n");
            for (id, operation) in operations {
                let about = operation.about();
                let (about, _) = about.split_once(". ").unwrap_or((&about, ""));
                let about = about.trim_end_matches('.').replace('|', "\\|");
                let (method, path) = (operation.method.to_uppercase(), operation.path);
                let _ = writeln!(text, "| [`{id}`](crate::Client::{id}) | `{method} {path}` | {about} |");
            }
        }
        text
    }
}

impl Operation<'_> {
    fn schemes(&self) -> BTreeSet<&str> {
        let requirements = self.value["security"].as_array().into_iter().flatten();
        requirements.flat_map(object).map(|(scheme, _)| scheme.as_str()).collect()
    }

    fn about(&self) -> String {
        let text = |key: &str| self.value[key].as_str();
        let about = text("description").or_else(|| text("summary")).unwrap_or_default();
        about.replace('[', "\\[")
    }
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// What `None` and null mean in a field of a PATCH body.
pub(super) fn absence(field: &Field) -> Option<&'static str> {
    let kind = optional(&field.ty)?;
    let is_nullable = last(kind).filter(|segment| segment.ident == "Nullable").and_then(argument).is_some();
    Some(match (is_nullable, is_always_written(field)) {
        (true, _) => "`None` keeps its value; `Nullable::Null` clears it.",
        (false, true) => "It is always sent: `None` clears it.",
        (false, false) => "`None` keeps its value.",
    })
}

/// A type without the paths of its names.
pub(super) fn plain(kind: &Type) -> String {
    let Some(segment) = last(kind) else { return kind.to_token_stream().to_string() };
    let name = &segment.ident;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return name.to_string() };
    let inner: Vec<String> = arguments
        .args
        .iter()
        .filter_map(|argument| match argument {
            GenericArgument::Type(kind) => Some(plain(kind)),
            _ => None,
        })
        .collect();
    format!("{name}<{}>", inner.join(", "))
}
