//! Examples made from schemas: valid, deterministic, and telling in failure output.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::document::{self, Body, Place};
use super::schema::{Schema, matches_pattern, resolve};

/// Marks values that must never show up in logs or error texts, so that tests can search for it.
const CANARY: &str = "canary";
/// Parts of property names whose values get the [`CANARY`], beside everything of format `password`.
const PRIVATE_NAMES: [&str; 5] = ["token", "secret_value", "ws_url", "prompt", "api_key"];
/// Where the schema leaves a number free.
const FREE_INTEGER: i64 = 60;
const FREE_NUMBER: f64 = 2.5;
const MOMENT: &str = "2026-01-02T03:04:05Z";
/// Tried in turn where a property has a `pattern`; the first is how the service writes amounts of credits.
const PATTERN_CANDIDATES: [&str; 4] = ["12.50", "1", "a", "2026-01-02"];
/// Deeper than any schema of the document; ends the walk through one that contains itself.
const MAX_DEPTH: usize = 24;
/// First half of every example UUID; version and variant bits are those of a random one.
const UUID_BASE: u128 = 0x0000_0000_0000_4000_8000_0000_0000_0000;

/// Properties of which a request may set only one group, though the schema allows them all.
///
/// They follow from the documentation of the fields and from refusals that developers recorded. A rule applies to an object whose
/// schema knows at least one property of every group.
const EXCLUSIVE: [&[&[&str]]; 5] = [
    &[&["voice_agent"], &["avatar_persona", "dynamic_variables"]],
    &[&["livekit_config"], &["agora_config"]],
    &[&["elevenlabs_agent_config"], &["openai_realtime_config"], &["gemini_realtime_config"]],
    &[&["voice_agent_id"], &["voice_id", "context_id"]],
    &[&["prev_session_id"], &["session_memory_id"]],
];

/// A request that the document accepts, with every property filled in.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Example {
    /// Values of the path parameters.
    pub path: BTreeMap<String, Value>,
    /// Values of the query parameters.
    pub query: BTreeMap<String, Value>,
    /// JSON body, or the parts of a multipart body as an object.
    pub body: Option<Value>,
    /// Media type of the body, when the operation takes one.
    pub content_type: Option<String>,
}

/// The first of [`example_requests`]; `None` when there is no such operation.
#[must_use]
pub fn example_request(operation: &str) -> Option<Example> {
    example_requests(operation).into_iter().next()
}

/// Requests that together set every property of an operation.
///
/// There is one for each alternative of the body, and more where properties exclude each other: the document cannot
/// say so, but the service refuses them together. Cookies are left out. Empty when there is no such operation.
#[must_use]
pub fn example_requests(operation: &str) -> Vec<Example> {
    let Some(operation) = document::named(operation) else {
        return Vec::new();
    };
    let mut base = Example::default();
    for parameter in &operation.parameters {
        let value = Maker::default().value(parameter.name, parameter.schema.value, 0);
        match parameter.place {
            Place::Path => drop(base.path.insert(parameter.name.to_owned(), value)),
            Place::Query => drop(base.query.insert(parameter.name.to_owned(), value)),
            Place::Header | Place::Cookie => {}
        }
    }
    let Some(body) = &operation.body else {
        return vec![base];
    };
    base.content_type = Some(body.content_type.to_owned());
    bodies(body).into_iter().map(|body| Example { body: Some(body), ..base.clone() }).collect()
}

/// The success body of an operation; `None` when it has none or does not exist.
#[must_use]
pub fn example_answer(operation: &str) -> Option<Value> {
    document::named(operation)?.answer.map(|schema| Maker::default().value("answer", schema, 0))
}

/// A value that a schema accepts, for a property of that name.
pub(super) fn example_value(name: &str, schema: &'static Value) -> Value {
    Maker::default().value(name, schema, 0)
}

fn bodies(body: &Body) -> Vec<Value> {
    let members: Vec<&Schema> =
        if body.members.is_empty() { vec![&body.schema] } else { body.members.iter().collect() };
    let mut bodies = Vec::new();
    for member in members {
        let mut variant = 0;
        loop {
            let mut maker = Maker { variant, variants: 1 };
            bodies.push(maker.value("body", member.value, 0));
            variant += 1;
            if variant >= maker.variants {
                break;
            }
        }
    }
    bodies
}

#[derive(Debug)]
struct Maker {
    /// Which group of exclusive properties to keep.
    variant: usize,
    /// How many variants the schemas seen so far have.
    variants: usize,
}

impl Default for Maker {
    fn default() -> Maker {
        Maker { variant: 0, variants: 1 }
    }
}

impl Maker {
    fn value(&mut self, name: &str, schema: &'static Value, depth: usize) -> Value {
        if depth > MAX_DEPTH {
            return Value::Null;
        }
        let beside = schema.get("default");
        let schema = resolve(schema);
        let default = beside.or_else(|| schema.get("default")).filter(|default| !default.is_null());
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
            Some("integer") => integer(schema, default).into(),
            Some("number") => number(schema, default).into(),
            Some("boolean") => default.cloned().unwrap_or(Value::Bool(true)),
            _ => default.cloned().unwrap_or(Value::Null),
        }
    }

    fn object(&mut self, schema: &'static Value, depth: usize) -> Value {
        let mut object = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        let left_out = properties.map(|properties| self.left_out(properties)).unwrap_or_default();
        for (name, property) in properties.into_iter().flatten() {
            if !left_out.contains(&name.as_str()) {
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

    /// The properties that this variant does not set.
    fn left_out(&mut self, properties: &'static Map<String, Value>) -> Vec<&'static str> {
        let mut left_out = Vec::new();
        for groups in EXCLUSIVE {
            if !groups.iter().all(|group| group.iter().any(|name| properties.contains_key(*name))) {
                continue;
            }
            self.variants = self.variants.max(groups.len());
            let kept = self.variant % groups.len();
            let others = groups.iter().enumerate().filter(|(index, _)| *index != kept);
            left_out.extend(others.flat_map(|(_, group)| group.iter().copied()));
        }
        left_out
    }
}

/// Makes a page the only one, so that whoever follows its links stops.
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
    match schema.get("type") {
        Some(Value::String(kind)) => Some(kind),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ if schema.get("properties").is_some() => Some("object"),
        _ => None,
    }
}

fn integer(schema: &Value, default: Option<&Value>) -> i64 {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_i64);
    let above = bound("exclusiveMinimum").map(|limit| limit + 1);
    let default = default.and_then(Value::as_i64);
    bound("minimum")
        .or(above)
        .or(default)
        .unwrap_or_else(|| bound("maximum").map_or(FREE_INTEGER, |it| it.min(FREE_INTEGER)))
}

fn number(schema: &Value, default: Option<&Value>) -> f64 {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
    let above = bound("exclusiveMinimum").map(|limit| limit + 1.0);
    let default = default.and_then(Value::as_f64);
    bound("minimum")
        .or(above)
        .or(default)
        .unwrap_or_else(|| bound("maximum").map_or(FREE_NUMBER, |it| it.min(FREE_NUMBER)))
}

fn string(name: &str, schema: &Value, default: Option<&Value>) -> String {
    let format = schema.get("format").and_then(Value::as_str);
    match format {
        Some("uuid") => return uuid(name),
        Some("date-time") => return MOMENT.to_owned(),
        Some("date") => return MOMENT[..10].to_owned(),
        Some("uri" | "url") => return format!("https://example.com/{name}"),
        _ => {}
    }
    let text = default
        .and_then(Value::as_str)
        .map_or_else(|| telling(name, format == Some("password")), str::to_owned);
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        let candidates = [text.as_str()].into_iter().chain(PATTERN_CANDIDATES);
        let fitting = candidates.into_iter().find(|candidate| matches_pattern(pattern, candidate));
        return fitting.unwrap_or(&text).to_owned();
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

/// A text that says which property it belongs to.
fn telling(name: &str, is_password: bool) -> String {
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

/// A UUID per property name, so that two ids swapped by mistake are noticed.
fn uuid(name: &str) -> String {
    // FNV-1a; only its stability matters here.
    let hash =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    Uuid::from_u128(UUID_BASE | u128::from(hash)).to_string()
}
