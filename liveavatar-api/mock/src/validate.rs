//! Checks a request against its operation: parameters and body, all problems at once.

use std::collections::BTreeMap;
use std::num::{IntErrorKind, ParseIntError};

use axum::extract::{FromRequest as _, Multipart, Query};
use axum::http::{HeaderMap, Request, Uri};
use serde_json::{Map, Value, json};

use super::answer::MockResponse;
use super::document::{Body, Operation, Parameter, Place};
use super::problem::{Problem, translate};
use super::schema::{Schema, resolve};

/// A request that passed, with its values in the types of the document.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) path: BTreeMap<String, String>,
    pub(super) query: BTreeMap<&'static str, Value>,
    /// The body as it was sent, or the document's default for an absent one.
    pub(super) body: Value,
    /// Tags of the union member that the body was taken for, for example its `mode`.
    pub(super) tags: BTreeMap<&'static str, &'static Value>,
}

/// The raw request, as far as validation looks at it.
pub(super) struct Raw<'a> {
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) bytes: &'a [u8],
}

/// Checks everything that the document says about the request.
///
/// # Errors
///
/// The answer that refuses the request.
pub(super) async fn check(
    operation: &'static Operation,
    path: BTreeMap<String, String>,
    raw: Raw<'_>,
) -> Result<Input, MockResponse> {
    let pairs =
        Query::<Vec<(String, String)>>::try_from_uri(raw.uri).map(|query| query.0).unwrap_or_default();
    let mut problems = Vec::new();
    let mut query = BTreeMap::new();
    for parameter in &operation.parameters {
        let sent: Vec<String> = match parameter.place {
            Place::Path => path.get(parameter.name).cloned().into_iter().collect(),
            Place::Query => pairs
                .iter()
                .filter(|(name, _)| name == parameter.name)
                .map(|(_, value)| value.clone())
                .collect(),
            Place::Header => {
                let values = raw.headers.get_all(parameter.name).iter();
                values.filter_map(|value| value.to_str().ok().map(str::to_owned)).collect()
            }
            Place::Cookie => continue,
        };
        match check_parameter(parameter, &sent) {
            Ok(value) if parameter.place == Place::Query => drop(query.insert(parameter.name, value)),
            Ok(_) => {}
            Err(found) => problems.extend(found),
        }
    }
    let mut tags = BTreeMap::new();
    let mut body = Value::Null;
    if let Some(expected) = &operation.body {
        match read_body(expected, &raw).await? {
            Sent::Absent if expected.required => {
                problems.push(Problem::missing(vec!["body".into()], Value::Null));
            }
            Sent::Absent => {
                body = resolve_default(expected.schema.value).cloned().unwrap_or_else(|| json!({}));
            }
            Sent::Content(value, found) => {
                let member = choose_member(&expected.members, &value);
                let place = [Value::from("body")];
                let errors: Vec<_> = member.unwrap_or(&expected.schema).errors(&value).collect();
                problems.extend(translate(&errors, &place));
                problems.extend(found);
                tags.extend(member.into_iter().flat_map(member_tags));
                body = value;
            }
        }
    }
    if problems.is_empty() {
        Ok(Input { path, query, body, tags })
    } else {
        Err(MockResponse::unprocessable(problems))
    }
}

fn check_parameter(parameter: &Parameter, sent: &[String]) -> Result<Value, Vec<Problem>> {
    let place = match parameter.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
        Place::Cookie => "cookie",
    };
    let location = vec![Value::from(place), Value::from(parameter.name)];
    let Some(last) = sent.last() else {
        if parameter.required {
            return Err(vec![Problem::missing(location, Value::Null)]);
        }
        return Ok(resolve_default(parameter.schema.value).cloned().unwrap_or(Value::Null));
    };
    let is_list = types(parameter.schema.value).contains(&"array");
    // A repeated scalar counts once, and the last one wins.
    let value = if is_list { Value::from(sent.to_vec()) } else { coerce(last, parameter.schema.value) };
    let errors: Vec<_> = parameter.schema.errors(&value).collect();
    // A scalar is echoed as the text that was sent.
    let echo = |problem: Problem| if is_list { problem } else { problem.with_input(last.as_str().into()) };
    let problems: Vec<_> = translate(&errors, &location).into_iter().map(echo).collect();
    if problems.is_empty() { Ok(value) } else { Err(problems) }
}

/// The types a schema allows, looking through references and unions.
fn types(schema: &'static Value) -> Vec<&'static str> {
    let schema = resolve(schema);
    let union = ["anyOf", "oneOf"].iter().find_map(|keyword| schema.get(keyword)?.as_array());
    match (union, schema.get("type")) {
        (Some(members), _) => members.iter().flat_map(types).collect(),
        (None, Some(Value::Array(types))) => types.iter().filter_map(Value::as_str).collect(),
        (None, Some(single)) => single.as_str().into_iter().collect(),
        (None, None) => Vec::new(),
    }
}

/// Text from a URL or a form in the first type of the schema that it can be read as, else as text.
fn coerce(text: &str, schema: &'static Value) -> Value {
    let read = |kind: &&str| match *kind {
        "string" => Some(Value::from(text)),
        "integer" => integer(text.trim()).map(Value::from),
        "number" => text.trim().parse::<f64>().ok().map(Value::from),
        "boolean" => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(Value::from(true)),
            "false" | "0" | "no" | "off" => Some(Value::from(false)),
            _ => None,
        },
        _ => None,
    };
    types(schema).iter().find_map(read).unwrap_or_else(|| Value::from(text))
}

/// A whole number as the service reads it: of any size, here held to what fits.
fn integer(text: &str) -> Option<i64> {
    text.parse().map_or_else(
        |error: ParseIntError| match error.kind() {
            IntErrorKind::PosOverflow => Some(i64::MAX),
            IntErrorKind::NegOverflow => Some(i64::MIN),
            _ => None,
        },
        Some,
    )
}

/// The default next to a reference, or the one behind it.
fn resolve_default(schema: &'static Value) -> Option<&'static Value> {
    schema.get("default").or_else(|| resolve(schema).get("default"))
}

enum Sent {
    Absent,
    /// A body as one value, with the problems that its schema cannot see.
    Content(Value, Vec<Problem>),
}

async fn read_body(body: &Body, raw: &Raw<'_>) -> Result<Sent, MockResponse> {
    let content_type =
        raw.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if body.is_multipart() {
        return read_form(body, content_type, raw).await;
    }
    if raw.bytes.is_empty() {
        return Ok(Sent::Absent);
    }
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !(essence.is_empty() || essence == "application/json" || essence.ends_with("+json")) {
        // The framework does not parse such a body; the model then gets text where it wants an object.
        let text = String::from_utf8_lossy(raw.bytes).into_owned();
        return Ok(Sent::Content(text.into(), Vec::new()));
    }
    serde_json::from_slice(raw.bytes).map(|value| Sent::Content(value, Vec::new())).map_err(|error| {
        let location = vec!["body".into(), offset(raw.bytes, &error).into()];
        let problem = Problem::new("json_invalid", location, "JSON decode error", json!({}));
        MockResponse::unprocessable(vec![problem.with_context(json!({ "error": "Expecting value" }))])
    })
}

/// Turns the line and column of a JSON error into a byte offset.
fn offset(bytes: &[u8], error: &serde_json::Error) -> usize {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    before + error.column().saturating_sub(1)
}

async fn read_form(body: &Body, content_type: &str, raw: &Raw<'_>) -> Result<Sent, MockResponse> {
    let mut fields = Map::new();
    let mut problems = Vec::new();
    if !content_type.to_ascii_lowercase().starts_with("multipart/form-data") {
        return Ok(Sent::Content(fields.into(), problems));
    }
    let malformed = || MockResponse::no_route(400, "There was an error parsing the body");
    let request = Request::builder()
        .header("content-type", content_type)
        .body(axum::body::Body::from(readable(raw.bytes, content_type)))
        .map_err(|_| malformed())?;
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| malformed())?;
    let properties = resolve(body.schema.value).get("properties");
    while let Some(part) = form.next_field().await.map_err(|_| malformed())? {
        let Some(name) = part.name().map(str::to_owned) else { continue };
        let is_upload = part.file_name().is_some();
        let Some(schema) = properties.and_then(|properties| properties.get(&name)) else { continue };
        let wants_upload = resolve(schema)["format"] == "binary";
        let bytes = part.bytes().await.map_err(|_| malformed())?;
        let text = String::from_utf8_lossy(&bytes);
        if wants_upload && !is_upload {
            let location = vec!["body".into(), name.as_str().into()];
            let message = "Value error, Expected UploadFile, received: <class 'str'>";
            let problem = Problem::new("value_error", location, message, text.as_ref().into());
            problems.push(problem.with_context(json!({ "error": {} })));
        }
        // An upload is opaque to the schema; its bytes would only bloat the echo.
        let value = if wants_upload { Value::from("") } else { coerce(&text, schema) };
        fields.insert(name, value);
    }
    Ok(Sent::Content(fields.into(), problems))
}

/// A form without control characters in the heads of its parts: the service's framework reads over them, ours does not.
fn readable(form: &[u8], content_type: &str) -> Vec<u8> {
    let mut form = form.to_vec();
    let Some((_, boundary)) = content_type.split_once("boundary=") else { return form };
    let boundary = boundary.split(';').next().unwrap_or_default().trim().trim_matches('"');
    let delimiter = format!("--{boundary}\r\n");
    let mut read = 0;
    while let Some(found) = find(&form[read..], delimiter.as_bytes()) {
        let head = read + found + delimiter.len();
        let end = find(&form[head..], b"\r\n\r\n").map_or(form.len(), |length| head + length);
        let controls = |byte: &&mut u8| byte.is_ascii_control() && !b"\r\n\t".contains(byte);
        form[head..end].iter_mut().filter(controls).for_each(|byte| *byte = b'_');
        read = end;
    }
    form
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Picks the member of a union that an object is meant for; `None` when its tag fits no member.
///
/// A tag decides. Without one, the members that can do without are compared by how many of the object's fields they
/// know; between equals the one whose tag has a default wins.
fn choose_member<'a>(members: &'a [Schema], value: &Value) -> Option<&'a Schema> {
    let object = value.as_object()?;
    let contradicts = |member: &Schema| {
        member_tags(member).any(|(name, tag)| object.get(name).is_some_and(|sent| sent != tag))
    };
    let lacks_tag = |member: &Schema| {
        let schema = resolve(member.value);
        let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
        member_tags(member).any(|(name, _)| {
            required.iter().any(|it| it.as_str() == Some(name)) && !object.contains_key(name)
        })
    };
    let known = |member: &Schema| {
        let properties = resolve(member.value)["properties"].as_object();
        properties.map_or(0, |properties| object.keys().filter(|key| properties.contains_key(*key)).count())
    };
    let has_default = |member: &Schema| {
        member_tags(member)
            .any(|(name, _)| resolve(member.value)["properties"][name].get("default").is_some())
    };
    let rank = |member: &&'a Schema| (!lacks_tag(member), known(member), has_default(member));
    // Reversed, because max_by_key keeps the last of equals and the first member should win.
    members.iter().rev().filter(|member| !contradicts(member)).max_by_key(rank)
}

/// The properties of a union member that can hold one value only.
fn member_tags(member: &Schema) -> impl Iterator<Item = (&'static str, &'static Value)> + use<> {
    let properties = resolve(member.value).get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .filter_map(|(name, schema)| Some((name.as_str(), resolve(schema).get("const")?)))
}
