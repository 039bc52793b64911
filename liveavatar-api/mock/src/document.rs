//! The operations of the document: names, routes, parameters, bodies and required credentials.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::schema::{Schema, escape_segment, non_null, percent_decode, resolve, root};
use liveavatar_api::raw;

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(read);

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// One operation of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationInfo {
    /// Short name, for example `create_session_token`.
    pub name: &'static str,
    /// HTTP method in upper case.
    pub method: &'static str,
    /// Path template, for example `/v1/sessions/{session_id}`.
    pub path: &'static str,
    /// Names of the accepted security schemes: any of them suffices; empty for a public operation.
    pub security: Vec<&'static str>,
    /// HTTP status of a successful response.
    pub success: u16,
}

/// Lists the operations in the order of the document.
pub fn operations() -> impl Iterator<Item = OperationInfo> {
    all().iter().map(|operation| OperationInfo {
        name: &operation.name,
        method: &operation.method,
        path: operation.template,
        security: operation.security.iter().flatten().copied().collect(),
        success: operation.success,
    })
}

#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) method: String,
    pub(crate) template: &'static str,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    /// Alternatives, each a list of schemes that must all be satisfied.
    pub(crate) security: Vec<Vec<&'static str>>,
    pub(crate) success: u16,
    /// Schema of the success body; `None` without a body.
    pub(crate) response: Option<&'static Value>,
}

impl Operation {
    /// Returns the schema of the `data` in the success envelope.
    pub(crate) fn data_schema(&self) -> Option<&'static Value> {
        resolve(self.response?).pointer("/properties/data").map(non_null)
    }
}

#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    /// `path`, `query`, `header` or `cookie`.
    pub(crate) location: &'static str,
    pub(crate) required: bool,
    pub(crate) schema: Schema,
}

#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) content_type: &'static str,
    pub(crate) required: bool,
    pub(crate) schema: Schema,
    /// The members of a union; empty if the body is not a union.
    pub(crate) members: Vec<Schema>,
}

impl Body {
    /// Returns the document's default for one property of the body.
    pub(crate) fn property_default(&self, property: &str) -> Option<&'static Value> {
        let properties = resolve(self.schema.value).get("properties")?;
        properties.get(property)?.get("default")
    }
}

/// The operation for a method and path.
pub(crate) enum Route {
    /// With the values of the path parameters.
    Found(&'static Operation, BTreeMap<String, String>),
    /// The document has the path only with these methods.
    OtherMethods(Vec<&'static str>),
    Unknown,
}

pub(crate) fn all() -> &'static [Operation] {
    &OPERATIONS
}

pub(crate) fn named(name: &str) -> Option<&'static Operation> {
    all().iter().find(|operation| operation.name == name)
}

/// Finds the operation for a request; literal segments take precedence over parameters.
pub(crate) fn route(method: &str, path: &str) -> Route {
    let matched = |operation: &'static Operation| {
        let values = match_path(operation.template, path)?;
        Some((values.len(), operation, values))
    };
    let candidates: Vec<_> = all().iter().filter_map(matched).collect();
    let Some(fewest) = candidates.iter().map(|(parameters, ..)| *parameters).min() else {
        return Route::Unknown;
    };
    let mut methods = Vec::new();
    for (_, operation, values) in candidates.into_iter().filter(|(parameters, ..)| *parameters == fewest) {
        if operation.method == method {
            return Route::Found(operation, values);
        }
        methods.push(operation.method.as_str());
    }
    Route::OtherMethods(methods)
}

fn match_path(template: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    let mut segments = path.split('/');
    for expected in template.split('/') {
        let segment = segments.next()?;
        let parameter = expected.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match parameter {
            Some(name) if !segment.is_empty() => {
                values.insert(name.to_owned(), percent_decode(segment).into_owned());
            }
            None if expected == segment => {}
            _ => return None,
        }
    }
    segments.next().is_none().then_some(values)
}

fn read() -> Vec<Operation> {
    let mut operations = Vec::new();
    for (template, item) in root()["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                operations.push(read_operation(template, method, item, operation));
            }
        }
    }
    operations
}

fn read_operation(
    template: &'static str,
    method: &str,
    item: &'static Value,
    operation: &'static Value,
) -> Operation {
    let pointer = format!("/paths/{}", escape_segment(template));
    let mut parameters = read_parameters(item, &pointer);
    parameters.extend(read_parameters(operation, &format!("{pointer}/{method}")));
    let (success, response) = read_success(operation);
    Operation {
        name: name_of(template, method),
        method: method.to_uppercase(),
        template,
        parameters,
        body: read_body(operation, &format!("{pointer}/{method}/requestBody/content")),
        security: read_security(operation),
        success,
        response,
    }
}

/// Returns the client's name for the operation.
fn name_of(template: &str, method: &str) -> String {
    let same = |operation: &&raw::Operation| {
        operation.path == template && operation.method.eq_ignore_ascii_case(method)
    };
    let known = raw::OPERATIONS.iter().find(same);
    known.map_or_else(|| format!("{method} {template}"), |operation| operation.id.to_owned())
}

fn read_parameters(holder: &'static Value, pointer: &str) -> Vec<Parameter> {
    let list = holder.get("parameters").and_then(Value::as_array).into_iter().flatten();
    list.enumerate()
        .filter_map(|(index, parameter)| {
            Some(Parameter {
                name: parameter["name"].as_str()?,
                location: parameter["in"].as_str()?,
                required: parameter["required"].as_bool().unwrap_or(false),
                schema: Schema::at(format!("{pointer}/parameters/{index}/schema"))?,
            })
        })
        .collect()
}

fn read_body(operation: &'static Value, pointer: &str) -> Option<Body> {
    let request = operation.get("requestBody")?;
    let content_type = request["content"].as_object()?.keys().next()?;
    let schema = Schema::at(format!("{pointer}/{}/schema", escape_segment(content_type)))?;
    let members = schema.members();
    Some(Body { content_type, required: request["required"].as_bool().unwrap_or(false), schema, members })
}

fn read_security(operation: &'static Value) -> Vec<Vec<&'static str>> {
    let security = operation.get("security").or_else(|| root().get("security"));
    let alternatives = security.and_then(Value::as_array).into_iter().flatten();
    alternatives
        .map(|alternative| {
            alternative.as_object().into_iter().flatten().map(|(scheme, _)| scheme.as_str()).collect()
        })
        .collect()
}

fn read_success(operation: &'static Value) -> (u16, Option<&'static Value>) {
    let responses = operation["responses"].as_object().into_iter().flatten();
    let success = responses
        .filter_map(|(status, response)| Some((status.parse::<u16>().ok()?, response)))
        .find(|(status, _)| (200..300).contains(status));
    match success {
        Some((status, response)) => (status, response.pointer("/content/application~1json/schema")),
        None => (200, None),
    }
}

#[cfg(test)]
mod tests {
    use super::{Route, all, route};

    #[test]
    fn names_are_unique_and_short() {
        let mut names: Vec<_> = all().iter().map(|operation| &operation.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().len());
        assert!(names.iter().all(|name| !name.contains("_v1_")), "{names:?}");
    }

    #[test]
    fn a_literal_segment_takes_precedence_over_a_parameter() {
        let Route::Found(operation, values) = route("GET", "/v1/avatars/public") else { panic!("no route") };
        assert_eq!(operation.name, "list_public_avatars");
        assert!(values.is_empty());
    }

    #[test]
    fn path_values_are_decoded() {
        let Route::Found(_, values) = route("GET", "/v1/voices/a%2Fb") else { panic!("no route") };
        assert_eq!(values["voice_id"], "a/b");
    }
}
