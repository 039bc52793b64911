//! Walks through a document that the steps share.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The beginning of a reference to a component schema.
pub(crate) const SCHEMA_REF: &str = "#/components/schemas/";

/// The keys of a path item that hold operations.
pub(crate) const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// An OpenAPI document that is being lowered.
pub struct Document(pub Value);

impl Document {
    /// Calls `visit(path, method, operation)` for every operation.
    pub fn each_operation(&mut self, mut visit: impl FnMut(&str, &str, &mut Map<String, Value>)) {
        let paths = self.0.get_mut("paths").and_then(Value::as_object_mut).into_iter().flatten();
        for (path, item) in paths {
            for (method, operation) in item.as_object_mut().into_iter().flatten() {
                if METHODS.contains(&method.as_str())
                    && let Some(operation) = operation.as_object_mut()
                {
                    visit(path, method, operation);
                }
            }
        }
    }

    /// Calls `visit(place, parameter)` for every parameter of an operation. `place` is for messages.
    pub(super) fn each_parameter(&mut self, mut visit: impl FnMut(&str, &mut Value)) {
        self.each_operation(|path, method, operation| {
            for parameter in items(operation, "parameters") {
                visit(&format!("{method} {path} {}", parameter["name"]), parameter);
            }
        });
    }

    /// The component schemas by name.
    #[must_use]
    pub fn schemas(&self) -> &Map<String, Value> {
        static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        self.0.pointer("/components/schemas").and_then(Value::as_object).unwrap_or(&EMPTY)
    }

    /// The component schemas by name, added if missing.
    pub(super) fn schemas_mut(&mut self) -> &mut Map<String, Value> {
        let components = &mut self.0["components"]["schemas"];
        if !components.is_object() {
            *components = Value::Object(Map::new());
        }
        components.as_object_mut().unwrap_or_else(|| unreachable!("made an object above"))
    }

    /// Calls `visit(place, schema)` for every schema, outer schemas first. `place` is for messages.
    pub(super) fn each_schema(&mut self, mut visit: impl FnMut(&str, &mut Map<String, Value>)) {
        for (name, schema) in self.schemas_mut() {
            each_within(schema, name, &mut visit);
        }
        self.each_operation(|path, method, operation| {
            let place = format!("{method} {path}");
            for parameter in items(operation, "parameters") {
                if let Some(schema) = parameter.get_mut("schema") {
                    each_within(schema, &place, &mut visit);
                }
            }
            let mut visit_content =
                |part: &mut Value| each_content(part, |schema| each_within(schema, &place, &mut visit));
            operation.get_mut("requestBody").into_iter().for_each(&mut visit_content);
            let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
            responses.into_iter().flatten().for_each(|(_, response)| visit_content(response));
        });
    }

    /// Names of the components that requests reach, and of those that responses reach.
    pub(super) fn directions(&mut self) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut requests, mut responses) = (BTreeSet::new(), BTreeSet::new());
        self.each_operation(|_, _, operation| {
            let part = |key| operation.get(key).map(references).unwrap_or_default();
            requests.extend(part("parameters").into_iter().chain(part("requestBody")));
            responses.extend(part("responses"));
        });
        (closure(self.schemas(), requests), closure(self.schemas(), responses))
    }
}

/// The items of the array under `key`; none if it is missing.
pub(super) fn items<'a>(map: &'a mut Map<String, Value>, key: &str) -> impl Iterator<Item = &'a mut Value> {
    map.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

fn each_content(part: &mut Value, mut visit: impl FnMut(&mut Value)) {
    for (_, media) in part.get_mut("content").and_then(Value::as_object_mut).into_iter().flatten() {
        media.get_mut("schema").into_iter().for_each(&mut visit);
    }
}

/// Visits a schema and every schema inside it.
pub(super) fn each_within(
    schema: &mut Value,
    place: &str,
    visit: &mut impl FnMut(&str, &mut Map<String, Value>),
) {
    let Some(map) = schema.as_object_mut() else { return };
    visit(place, map);
    for (name, property) in map.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        each_within(property, &format!("{place}.{name}"), visit);
    }
    for key in ["items", "additionalProperties"] {
        map.get_mut(key).into_iter().for_each(|inner| each_within(inner, place, visit));
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        items(map, key).for_each(|inner| each_within(inner, place, visit));
    }
}

/// The component that a schema refers to, directly or through a single `allOf`.
pub(super) fn target(schema: &Map<String, Value>) -> Option<&str> {
    let direct = schema.get("$ref");
    let through = || match schema.get("allOf")?.as_array()?.as_slice() {
        [only] => only.get("$ref"),
        _ => None,
    };
    direct.or_else(through)?.as_str()?.strip_prefix(SCHEMA_REF)
}

/// Every component that `value` refers to.
#[must_use]
pub fn references(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    each_object(value, &mut |map| {
        let reference = map.get("$ref").and_then(Value::as_str);
        found.extend(reference.and_then(|to| to.strip_prefix(SCHEMA_REF)).map(str::to_owned));
    });
    found
}

/// Visits a value and everything inside it, if it is an object.
pub(super) fn each_object(value: &Value, visit: &mut impl FnMut(&Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            visit(map);
            map.values().for_each(|inner| each_object(inner, visit));
        }
        Value::Array(list) => list.iter().for_each(|inner| each_object(inner, visit)),
        _ => {}
    }
}

/// Names of the component schemas that the rest of the document reaches.
#[must_use]
pub fn reached(document: &Value) -> BTreeSet<String> {
    let components = document.get("components").and_then(Value::as_object).into_iter().flatten();
    let others = components.filter(|(section, _)| *section != "schemas").map(|(_, section)| section);
    let roots = document.get("paths").into_iter().chain(others).flat_map(references).collect();
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    schemas.map_or_else(BTreeSet::new, |schemas| closure(schemas, roots))
}

/// The existing `roots` and every component that they reach.
#[must_use]
pub fn closure(schemas: &Map<String, Value>, roots: BTreeSet<String>) -> BTreeSet<String> {
    let mut open: Vec<_> = roots.into_iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        if let Some(schema) = schemas.get(&name)
            && seen.insert(name)
        {
            open.extend(references(schema));
        }
    }
    seen
}

/// Rewrites every reference to a component inside `value`.
pub(super) fn redirect(value: &mut Value, to: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get_mut("$ref")
                && let Some(new) = reference.strip_prefix(SCHEMA_REF).and_then(to)
            {
                *reference = format!("{SCHEMA_REF}{new}");
            }
            map.values_mut().for_each(|inner| redirect(inner, to));
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| redirect(inner, to)),
        _ => {}
    }
}

pub(super) fn is_enum(schema: &Map<String, Value>) -> bool {
    schema.get("type").is_some_and(|kind| kind == "string") && !enum_values(schema).is_empty()
}

pub(super) fn enum_values(schema: &Map<String, Value>) -> &[Value] {
    schema.get("enum").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Marks a schema as nullable. A bare reference becomes an `allOf` first, because a `$ref` does not allow siblings.
pub(super) fn make_nullable(schema: &mut Map<String, Value>) {
    if let Some(reference) = schema.remove("$ref") {
        schema.insert("allOf".into(), serde_json::json!([{ "$ref": reference }]));
    }
    schema.insert("nullable".into(), Value::Bool(true));
}

/// An operationId without the path and method that FastAPI appends.
#[must_use]
pub fn short_operation_name<'a>(id: &'a str, path: &str, method: &str) -> &'a str {
    let flat: String = path.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    let tail = format!("{flat}_{method}");
    id.strip_suffix(&tail).map_or(id, |short| short.trim_end_matches('_'))
}
