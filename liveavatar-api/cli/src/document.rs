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

/// A query parameter, a field of a body, or one part of a form.
#[derive(Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    schema: Schema,
    description: Option<&'static str>,
}

/// The schema of a value, as the document has it: it may be a reference.
#[derive(Clone, Copy)]
pub(crate) struct Schema(&'static Value);

/// How a value is given on the command line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Flag,
    /// A list of one of the above.
    List,
    /// An object, a list of objects, or a choice of several.
    Nested,
}

/// Words that end the names of texts that fit into an argument, although the document does not limit their length.
const SHORT_TEXTS: [&str; 3] = ["id", "name", "url"];

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

/// Whether any object of the document has a field of this name.
pub(crate) fn has_field(name: &str) -> bool {
    fields(name).next().is_some()
}

/// Whether a field of this name is an object with secrets.
pub(crate) fn holds_secrets(name: &str) -> bool {
    let has_secret = |schema: &Value| {
        let fields = schema["properties"].as_object().into_iter().flat_map(Map::keys);
        fields.into_iter().any(|field| secret_fields().contains(field.as_str()))
    };
    fields(name).any(|field| has_secret(field.resolved()))
}

fn fields(name: &str) -> impl Iterator<Item = Schema> {
    let schemas = DOCUMENT["components"]["schemas"].as_object().into_iter().flat_map(Map::values);
    schemas.map(move |schema| Schema(&schema["properties"][name])).filter(|field| !field.0.is_null())
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
                schema: Schema(&parameter["schema"]),
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

    /// Returns the schema of a JSON body.
    pub(crate) fn body_schema(self) -> Schema {
        Schema(&self.node["requestBody"]["content"]["application/json"]["schema"])
    }

    /// Returns the field of the response's data that holds a file in base64.
    pub(crate) fn file_field(self) -> Option<&'static str> {
        let envelope =
            Schema(&self.node["responses"]["2XX"]["content"]["application/json"]["schema"]).resolved();
        let data = Schema(&envelope["x-rust-type"]["parameters"][0]).resolved();
        data["properties"].as_object()?.keys().map(String::as_str).find(|name| name.ends_with("_base64"))
    }

    fn properties(self, media_type: &str) -> Vec<Parameter> {
        let schema = Schema(&self.node["requestBody"]["content"][media_type]["schema"]).resolved();
        let required: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
        let properties = schema["properties"].as_object().into_iter().flatten();
        let mut fields: Vec<_> = properties
            .map(|(name, schema)| Parameter {
                name,
                required: required.iter().any(|required| *required == name),
                schema: Schema(schema),
                description: schema["description"].as_str(),
            })
            .collect();
        fields.sort_by_key(|field| (!field.required, field.name));
        fields
    }
}

impl Parameter {
    pub(crate) fn is_file(self) -> bool {
        self.schema.resolved()["format"] == "binary"
    }

    pub(crate) fn is_secret(self) -> bool {
        secret_fields().contains(self.name)
    }

    pub(crate) fn kind(self) -> Kind {
        self.schema.kind()
    }

    /// Returns the schema of an entry if this is a list.
    pub(crate) fn items(self) -> Schema {
        Schema(&self.schema.resolved()["items"])
    }

    /// Whether a text may be too long for an argument: the document does not limit it, and its name does not say that it is short.
    pub(crate) fn is_long_text(self) -> bool {
        let schema = self.schema.resolved();
        self.kind() == Kind::Text
            && ["enum", "format", "maxLength"].iter().all(|limit| schema[limit].is_null())
            && !SHORT_TEXTS.contains(&self.name.rsplit('_').next().unwrap_or(self.name))
    }

    /// Returns the allowed values, or those of the entries of a list, if the document lists them.
    pub(crate) fn allowed_values(self) -> Vec<&'static str> {
        let schema = if self.kind() == Kind::List { self.items() } else { self.schema };
        schema.resolved()["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    pub(crate) fn description(self) -> Option<&'static str> {
        self.description.map(|text| text.trim_end_matches('.'))
    }

    pub(crate) fn default(self) -> Option<i64> {
        self.schema.resolved()["default"].as_i64()
    }

    /// Converts an argument to the JSON of this field, or of an entry if it is a list.
    pub(crate) fn to_json(self, text: &str) -> Value {
        if self.kind() == Kind::List { self.items().to_json(text) } else { self.schema.to_json(text) }
    }
}

impl Schema {
    /// Returns the schema of a field or of a list's entry; that of nothing if the document does not describe it.
    pub(crate) fn child(self, name: &str) -> Self {
        let schema = self.resolved();
        let children = [&schema["properties"][name], &schema["items"], &schema["additionalProperties"]];
        Self(children.into_iter().find(|child| child.is_object()).unwrap_or(&Value::Null))
    }

    /// Converts an argument to JSON. An invalid value stays a text, which the check of the body reports.
    pub(crate) fn to_json(self, text: &str) -> Value {
        if self.kind() == Kind::Text && !(text == "null" && self.is_nullable()) {
            return text.into();
        }
        serde_json::from_str(text).unwrap_or_else(|_| text.into())
    }

    fn kind(self) -> Kind {
        let schema = self.resolved();
        match schema["type"].as_str() {
            Some("string") => Kind::Text,
            Some("integer" | "number") => Kind::Number,
            Some("boolean") => Kind::Flag,
            Some("array") if !matches!(Self(&schema["items"]).kind(), Kind::List | Kind::Nested) => {
                Kind::List
            }
            _ => Kind::Nested,
        }
    }

    fn is_nullable(self) -> bool {
        self.0["nullable"] == true || self.optional().is_some()
    }

    /// Returns the inner schema of a field that can be set to null.
    fn optional(self) -> Option<&'static Value> {
        let target = &self.0["x-rust-type"];
        (target["path"] == "liveavatar_api::Nullable").then(|| &target["parameters"][0])
    }

    fn resolved(self) -> &'static Value {
        let schema = self.optional().unwrap_or(self.0);
        // A nullable or annotated reference is wrapped in an `allOf` with one entry.
        let schema = schema["allOf"].get(0).unwrap_or(schema);
        let reference = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        reference.and_then(|reference| DOCUMENT.pointer(reference)).unwrap_or(schema)
    }
}

pub(crate) fn kebab_case(text: &str) -> String {
    text.replace('_', "-")
}

/// Returns a parameter's name as help text: `voice_id` as "ID of the voice", `page_size` as "Page size".
pub(crate) fn title_of(name: &str) -> String {
    if let Some(owner) = name.strip_suffix("_id") {
        return format!("ID of the {}", owner.replace('_', " "));
    }
    let mut title = name.replace('_', " ");
    title[..1].make_ascii_uppercase();
    title
}
