//! Examples generated from schemas: valid, deterministic, and easy to identify in failure output.

use std::collections::BTreeMap;
use std::ops::Add;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::document::{self, Body};
use crate::schema::{Schema, default_of, matches_pattern, resolve, types};

/// Marks values that must never appear in logs or error messages, so that tests can search for them.
const CANARY: &str = "canary";
/// Properties whose names contain one of these get the [`CANARY`], as does every `password`.
const PRIVATE_NAMES: [&str; 5] = ["token", "secret_value", "ws_url", "prompt", "api_key"];
/// Used if the schema sets no minimum and no default.
const FREE_INTEGER: i64 = 60;
const FREE_NUMBER: f64 = 2.5;
const TIMESTAMP: &str = "2026-01-02T03:04:05Z";
/// Tried in order for a property with a `pattern`; the first is the service's format for credits.
const PATTERN_CANDIDATES: [&str; 4] = ["12.50", "1", "a", "2026-01-02"];
/// Exceeds the depth of every schema in the document; stops the recursion through a schema that contains itself.
const MAX_DEPTH: usize = 24;
/// Base of every example UUID, with the version and variant bits of a random UUID.
const UUID_BASE: u128 = 0x0000_0000_0000_4000_8000_0000_0000_0000;

/// Groups of properties that exclude each other, although the schema allows them together.
///
/// Sources: field documentation and error responses that developers recorded. A rule applies to an object whose schema has at
/// least one property of every group.
const EXCLUSIVE: [&[&[&str]]; 5] = [
    &[&["voice_agent"], &["avatar_persona", "dynamic_variables"]],
    &[&["livekit_config"], &["agora_config"]],
    &[&["elevenlabs_agent_config"], &["openai_realtime_config"], &["gemini_realtime_config"]],
    &[&["voice_agent_id"], &["voice_id", "context_id"]],
    &[&["prev_session_id"], &["session_memory_id"]],
];

/// A valid request with every property set.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Example {
    /// Values of the path parameters.
    pub path: BTreeMap<String, Value>,
    /// Values of the query parameters.
    pub query: BTreeMap<String, Value>,
    /// JSON body, or an object with the parts of a multipart body.
    pub body: Option<Value>,
    /// Media type of the body, if the operation takes one.
    pub content_type: Option<String>,
}

/// Returns the first of [`example_requests`]; `None` for an unknown operation.
#[must_use]
pub fn example_request(operation: &str) -> Option<Example> {
    example_requests(operation).into_iter().next()
}

/// Returns requests that together set every property of an operation.
///
/// There is one for each member of the body's union, and more if properties exclude each other: the document cannot express
/// that, but the service rejects them together. Cookies are omitted. Empty for an unknown operation.
#[must_use]
pub fn example_requests(operation: &str) -> Vec<Example> {
    let Some(operation) = document::named(operation) else {
        return Vec::new();
    };
    let mut base = Example::default();
    for parameter in &operation.parameters {
        let value = example_value(parameter.name, parameter.schema.value);
        match parameter.location {
            "path" => drop(base.path.insert(parameter.name.to_owned(), value)),
            "query" => drop(base.query.insert(parameter.name.to_owned(), value)),
            _ => {}
        }
    }
    let Some(body) = &operation.body else {
        return vec![base];
    };
    base.content_type = Some(body.content_type.to_owned());
    bodies(body).into_iter().map(|body| Example { body: Some(body), ..base.clone() }).collect()
}

/// Returns the success body of an operation; `None` if the body is empty or the operation unknown.
#[must_use]
pub fn example_response(operation: &str) -> Option<Value> {
    document::named(operation)?.response.map(|schema| example_value("response", schema))
}

/// Returns a valid value for a property of that name.
pub(crate) fn example_value(name: &str, schema: &'static Value) -> Value {
    ExampleGenerator::default().value(name, schema, 0)
}

fn bodies(body: &Body) -> Vec<Value> {
    let members: Vec<&Schema> =
        if body.members.is_empty() { vec![&body.schema] } else { body.members.iter().collect() };
    let mut bodies = Vec::new();
    for member in members {
        for variant in 0.. {
            let mut generator = ExampleGenerator { variant, variants: 0 };
            bodies.push(generator.value("body", member.value, 0));
            if variant + 1 >= generator.variants {
                break;
            }
        }
    }
    bodies
}

#[derive(Debug, Default)]
struct ExampleGenerator {
    /// Index of the group of exclusive properties to set.
    variant: usize,
    /// Number of variants in the schemas visited so far; 0 without exclusive properties.
    variants: usize,
}

impl ExampleGenerator {
    fn value(&mut self, name: &str, schema: &'static Value, depth: usize) -> Value {
        if depth > MAX_DEPTH {
            return Value::Null;
        }
        let default = default_of(schema).filter(|default| !default.is_null());
        let schema = resolve(schema);
        if let Some(only) = schema.get("const") {
            return only.clone();
        }
        if let Some(first) = schema.get("enum").and_then(|options| options.get(0)) {
            return first.clone();
        }
        for keyword in ["anyOf", "oneOf", "allOf"] {
            let mut members = schema.get(keyword).and_then(Value::as_array).into_iter().flatten();
            if let Some(member) = members.find(|member| resolve(member)["type"] != "null") {
                return self.value(name, member, depth + 1);
            }
        }
        match kind(schema) {
            Some("object") => self.object(schema, depth),
            Some("array") => {
                let items = schema.get("items").unwrap_or(&Value::Null);
                let count = schema["minItems"].as_u64().unwrap_or(1).max(1);
                (0..count).map(|_| self.value(name, items, depth + 1)).collect()
            }
            Some("string") => string(name, schema, default).into(),
            Some("integer") => number(schema, default, Value::as_i64, FREE_INTEGER, 1).into(),
            Some("number") => number(schema, default, Value::as_f64, FREE_NUMBER, 1.0).into(),
            Some("boolean") => default.cloned().unwrap_or(Value::Bool(true)),
            _ => default.cloned().unwrap_or(Value::Null),
        }
    }

    fn object(&mut self, schema: &'static Value, depth: usize) -> Value {
        let mut object = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        let omitted = properties.map(|properties| self.omitted(properties)).unwrap_or_default();
        for (name, property) in properties.into_iter().flatten() {
            if !omitted.contains(&name.as_str()) {
                object.insert(name.clone(), self.value(name, property, depth + 1));
            }
        }
        match schema.get("additionalProperties") {
            Some(Value::Bool(true)) if properties.is_none() => {
                object.insert("key".to_owned(), "value".into());
            }
            Some(values @ Value::Object(_)) => {
                let key = schema.get("propertyNames").map(|names| self.value("key", names, depth + 1));
                let key = key.as_ref().and_then(Value::as_str).unwrap_or("key").to_owned();
                object.insert(key, self.value("value", values, depth + 1));
            }
            _ => {}
        }
        complete_page(&mut object);
        Value::Object(object)
    }

    /// Returns the properties that this variant omits.
    fn omitted(&mut self, properties: &'static Map<String, Value>) -> Vec<&'static str> {
        let mut omitted = Vec::new();
        for groups in EXCLUSIVE {
            if !groups.iter().all(|group| group.iter().any(|name| properties.contains_key(*name))) {
                continue;
            }
            self.variants = self.variants.max(groups.len());
            let kept = self.variant % groups.len();
            let others = groups.iter().enumerate().filter(|(index, _)| *index != kept);
            omitted.extend(others.flat_map(|(_, group)| group.iter().copied()));
        }
        omitted
    }
}

/// Removes the links of a page, so that following them ends.
fn complete_page(object: &mut Map<String, Value>) {
    let Some(results) = object.get("results").and_then(Value::as_array).map(Vec::len) else {
        return;
    };
    if ["count", "next", "previous"].iter().all(|name| object.contains_key(*name)) {
        object.extend([
            ("count".to_owned(), json!(results)),
            ("next".to_owned(), Value::Null),
            ("previous".to_owned(), Value::Null),
        ]);
    }
}

fn kind(schema: &'static Value) -> Option<&'static str> {
    let named = types(schema).into_iter().find(|kind| *kind != "null");
    named.or_else(|| schema.get("properties").map(|_| "object"))
}

/// Returns a number within the bounds of a schema: the lowest one, the default, or at most `free`.
fn number<T>(schema: &Value, default: Option<&Value>, read: fn(&Value) -> Option<T>, free: T, one: T) -> T
where
    T: Copy + PartialOrd + Add<Output = T>,
{
    let bound = |keyword: &str| schema.get(keyword).and_then(read);
    let above = bound("exclusiveMinimum").map(|limit| limit + one);
    let highest = bound("maximum").filter(|limit| *limit < free).unwrap_or(free);
    bound("minimum").or(above).or(default.and_then(read)).unwrap_or(highest)
}

fn string(name: &str, schema: &Value, default: Option<&Value>) -> String {
    let format = schema.get("format").and_then(Value::as_str);
    match format {
        Some("uuid") => return uuid(name),
        Some("date-time") => return TIMESTAMP.to_owned(),
        Some("date") => return TIMESTAMP[..10].to_owned(),
        Some("uri" | "url") => return format!("https://example.com/{name}"),
        _ => {}
    }
    let text = default
        .and_then(Value::as_str)
        .map_or_else(|| named_text(name, format == Some("password")), str::to_owned);
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        let candidates = [text.as_str()].into_iter().chain(PATTERN_CANDIDATES);
        let matching = candidates.into_iter().find(|candidate| matches_pattern(pattern, candidate));
        return matching.unwrap_or(&text).to_owned();
    }
    let length = |keyword: &str| {
        schema.get(keyword).and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok())
    };
    let mut text: String = text.chars().take(length("maxLength").unwrap_or(usize::MAX)).collect();
    while text.chars().count() < length("minLength").unwrap_or(0) {
        text.push('x');
    }
    text
}

/// Returns a text that contains the name of its property.
fn named_text(name: &str, is_password: bool) -> String {
    let private = is_password || PRIVATE_NAMES.iter().any(|part| name.contains(part));
    let text = if private { format!("{CANARY}-{name}") } else { name.to_owned() };
    match name.rsplit('_').next().unwrap_or_default() {
        "id" => uuid(name),
        "url" if name.starts_with("ws") || name.starts_with("livekit") => format!("wss://example.com/{text}"),
        "url" => format!("https://example.com/{text}"),
        // "audio" in base64.
        "base64" => "YXVkaW8=".to_owned(),
        _ => text,
    }
}

/// Returns a UUID derived from the property name, so that swapped ids are noticed.
fn uuid(name: &str) -> String {
    // FNV-1a: stable across platforms and versions.
    let hash =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    Uuid::from_u128(UUID_BASE | u128::from(hash)).to_string()
}
