//! Operations as the API document describes them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use liveavatar_api::raw::{OPERATIONS, Operation};
use serde_json::{Map, Value};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(liveavatar_api::raw::DOCUMENT).expect("the embedded document is JSON")
});

/// An operation and its node in the document.
#[derive(Clone, Copy)]
pub(crate) struct OperationSpec {
    pub(crate) operation: &'static Operation,
    node: &'static Value,
}

/// A query parameter, or one part of a form.
#[derive(Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    schema: &'static Value,
    description: Option<&'static str>,
}

/// Returns all operations, sorted by name.
pub(crate) fn operations() -> impl Iterator<Item = OperationSpec> {
    OPERATIONS.iter().map(OperationSpec::of)
}

/// Returns the names of all fields that the client reads as a `Secret`.
pub(crate) fn secret_fields() -> &'static BTreeSet<&'static str> {
    static FIELDS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
        let schemas = DOCUMENT["components"]["schemas"].as_object().into_iter().flat_map(Map::values);
        let fields = schemas.filter_map(|schema| schema["properties"].as_object()).flatten();
        fields
            .filter(|(_, field)| field["x-rust-type"]["path"] == "liveavatar_api::Secret")
            .map(|(name, _)| name.as_str())
            .collect()
    });
    &FIELDS
}

impl OperationSpec {
    pub(crate) fn of(operation: &'static Operation) -> Self {
        let node = &DOCUMENT["paths"][operation.path][operation.method.to_lowercase()];
        let node = if node.is_null() { &DOCUMENT["x-handwritten"][operation.id] } else { node };
        Self { operation, node }
    }

    pub(crate) fn tag(self) -> &'static str {
        self.node["tags"][0].as_str().unwrap_or("other")
    }

    /// Returns the first sentence of the description, without its full stop.
    pub(crate) fn help(self) -> &'static str {
        let text = self.node["description"].as_str().or(self.node["summary"].as_str()).unwrap_or("");
        text.split(". ").next().unwrap_or(text).trim_end_matches('.')
    }

    /// Returns the names of the path parameters, in the order of the path.
    pub(crate) fn path_parameters(self) -> impl Iterator<Item = &'static str> {
        let segments = self.operation.path.split('/');
        segments.filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
    }

    pub(crate) fn query_parameters(self) -> impl Iterator<Item = Parameter> {
        let parameters = self.node["parameters"].as_array().into_iter().flatten();
        parameters.filter(|parameter| parameter["in"] == "query").filter_map(|parameter| {
            Some(Parameter {
                name: parameter["name"].as_str()?,
                required: parameter["required"] == true,
                schema: resolve(&parameter["schema"]),
                description: parameter["description"].as_str(),
            })
        })
    }

    pub(crate) fn has_body(self) -> bool {
        !self.node["requestBody"].is_null()
    }

    /// Whether the body is a form with several parts instead of JSON.
    pub(crate) fn takes_form(self) -> bool {
        self.has_body() && self.node["requestBody"]["content"]["application/json"].is_null()
    }

    /// Returns the fields of a JSON body, required ones first.
    pub(crate) fn body_fields(self) -> Vec<Parameter> {
        self.properties("application/json")
    }

    /// Returns the parts of a form, required ones first.
    pub(crate) fn form_parts(self) -> Vec<Parameter> {
        self.properties("multipart/form-data")
    }

    fn properties(self, media_type: &str) -> Vec<Parameter> {
        let schema = resolve(&self.node["requestBody"]["content"][media_type]["schema"]);
        let required: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
        let properties = schema["properties"].as_object().into_iter().flatten();
        let mut fields: Vec<_> = properties
            .map(|(name, schema)| Parameter {
                name,
                required: required.iter().any(|required| *required == name),
                schema: resolve(schema),
                description: schema["description"].as_str(),
            })
            .collect();
        fields.sort_by_key(|field| (!field.required, field.name));
        fields
    }
}

impl Parameter {
    pub(crate) fn is_file(self) -> bool {
        self.schema["format"] == "binary"
    }

    /// Returns the allowed values if the document lists them.
    pub(crate) fn allowed_values(self) -> Vec<&'static str> {
        self.schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    pub(crate) fn description(self) -> Option<&'static str> {
        self.description.map(|text| text.trim_end_matches('.'))
    }

    pub(crate) fn default(self) -> Option<i64> {
        self.schema["default"].as_i64()
    }
}

fn resolve(schema: &'static Value) -> &'static Value {
    // A nullable or annotated reference is wrapped in an `allOf` with one entry.
    let schema = schema["allOf"].get(0).unwrap_or(schema);
    let target = schema["$ref"].as_str().and_then(|reference| DOCUMENT.pointer(reference.strip_prefix('#')?));
    target.unwrap_or(schema)
}
