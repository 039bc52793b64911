//! What the document says of the operations, for commands that follow from it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use liveavatar_api::raw::{OPERATIONS, Operation};
use serde_json::{Map, Value};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(liveavatar_api::raw::DOCUMENT).expect("the embedded document is JSON")
});

/// An operation with what its table in the library leaves out.
#[derive(Clone, Copy)]
pub(crate) struct Described {
    pub(crate) operation: &'static Operation,
    node: &'static Value,
}

/// A parameter of the query.
#[derive(Clone, Copy)]
pub(crate) struct Query {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    schema: &'static Value,
    description: Option<&'static str>,
}

/// A part of a body that is a form.
#[derive(Clone, Copy)]
pub(crate) struct FormPart {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) kind: PartKind,
    schema: &'static Value,
    description: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartKind {
    Text,
    File,
}

/// All operations, sorted by name.
pub(crate) fn operations() -> impl Iterator<Item = Described> {
    OPERATIONS.iter().map(Described::of)
}

/// The fields of the document that hold secrets, by the type that they are read as.
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

impl Described {
    pub(crate) fn of(operation: &'static Operation) -> Self {
        let node = &DOCUMENT["paths"][operation.path][operation.method.to_lowercase()];
        let node = if node.is_null() { &DOCUMENT["x-handwritten"][operation.id] } else { node };
        Self { operation, node }
    }

    /// The group that the document puts it in.
    pub(crate) fn tag(self) -> &'static str {
        self.node["tags"][0].as_str().unwrap_or("other")
    }

    /// What it does, the document's first sentence without its full stop.
    pub(crate) fn about(self) -> &'static str {
        let text = self.node["description"].as_str().or(self.node["summary"].as_str()).unwrap_or("");
        text.split(". ").next().unwrap_or(text).trim_end_matches('.')
    }

    /// The parameters of its path, in its order.
    pub(crate) fn path_parameters(self) -> impl Iterator<Item = &'static str> {
        let segments = self.operation.path.split('/');
        segments.filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
    }

    pub(crate) fn query(self) -> impl Iterator<Item = Query> {
        let parameters = self.node["parameters"].as_array().into_iter().flatten();
        parameters.filter(|parameter| parameter["in"] == "query").filter_map(|parameter| {
            Some(Query {
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

    /// Whether its body is sent as JSON, and not as the parts of a form.
    pub(crate) fn is_json(self) -> bool {
        !self.has_body() || !self.node["requestBody"]["content"]["application/json"].is_null()
    }

    /// The fields of its body, those that are required first, each with whether it is.
    pub(crate) fn body_fields(self) -> Vec<(&'static str, bool)> {
        self.properties("application/json").into_iter().map(|(name, required, _)| (name, required)).collect()
    }

    /// The parts of its body where that is a form, those that are required first.
    pub(crate) fn form_parts(self) -> Vec<FormPart> {
        let part = |(name, required, schema): (&'static str, bool, &'static Value)| FormPart {
            name,
            required,
            kind: if schema["format"] == "binary" { PartKind::File } else { PartKind::Text },
            schema: resolve(schema),
            description: schema["description"].as_str(),
        };
        self.properties("multipart/form-data").into_iter().map(part).collect()
    }

    fn properties(self, media: &str) -> Vec<(&'static str, bool, &'static Value)> {
        let schema = resolve(&self.node["requestBody"]["content"][media]["schema"]);
        let required =
            |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let properties = schema["properties"].as_object().into_iter().flatten();
        let mut fields: Vec<_> =
            properties.map(|(name, schema)| (name.as_str(), required(name), schema)).collect();
        fields.sort_by_key(|(name, required, _)| (!required, *name));
        fields
    }
}

impl FormPart {
    /// The values that it may have, where the document lists them.
    pub(crate) fn choices(self) -> Vec<&'static str> {
        choices(self.schema)
    }

    pub(crate) fn about(self) -> &'static str {
        self.description.unwrap_or_default().trim_end_matches('.')
    }
}

impl Query {
    /// The values that it may have, where the document lists them.
    pub(crate) fn choices(self) -> Vec<&'static str> {
        choices(self.schema)
    }

    pub(crate) fn about(self) -> String {
        let default = self.schema["default"].as_i64().map(|default| format!("{default} unless set"));
        let texts =
            self.description.map(|text| text.trim_end_matches('.').to_owned()).into_iter().chain(default);
        texts.collect::<Vec<_>>().join("; ")
    }
}

fn choices(schema: &'static Value) -> Vec<&'static str> {
    schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn resolve(schema: &'static Value) -> &'static Value {
    // A nullable or annotated reference is wrapped in a list of one.
    let schema = schema["allOf"].get(0).unwrap_or(schema);
    let target = schema["$ref"].as_str().and_then(|reference| DOCUMENT.pointer(reference.strip_prefix('#')?));
    target.unwrap_or(schema)
}
