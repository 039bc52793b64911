//! Validates a request against its operation and reports all violations of parameters and body at once.

use std::collections::BTreeMap;
use std::num::{IntErrorKind, ParseIntError};

use axum::body::Bytes;
use axum::extract::{FromRequest as _, Multipart, Query};
use axum::http::Request;
use serde_json::{Map, Value, json};

use crate::document::{Body, Operation, Parameter};
use crate::response::MockResponse;
use crate::schema::{Schema, default_of, is_required, resolve, types};
use crate::violation::{Violation, translate};

/// The values of a valid request, in the types of the document.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) path: BTreeMap<String, String>,
    pub(crate) query: BTreeMap<&'static str, Value>,
    /// The body as sent, or the document's default for an absent body.
    pub(crate) body: Value,
    /// Tags of the union member that the body matched, for example its `mode`.
    pub(crate) tags: BTreeMap<&'static str, &'static Value>,
}

/// Validates a request, or returns the error response.
pub(crate) async fn check(
    operation: &'static Operation,
    path: BTreeMap<String, String>,
    request: &Request<Bytes>,
) -> Result<Input, MockResponse> {
    let pairs =
        Query::<Vec<(String, String)>>::try_from_uri(request.uri()).map(|query| query.0).unwrap_or_default();
    let mut violations = Vec::new();
    let mut query = BTreeMap::new();
    for parameter in &operation.parameters {
        let sent: Vec<String> = match parameter.location {
            "path" => path.get(parameter.name).cloned().into_iter().collect(),
            "query" => pairs
                .iter()
                .filter(|(name, _)| name == parameter.name)
                .map(|(_, value)| value.clone())
                .collect(),
            "header" => {
                let values = request.headers().get_all(parameter.name).iter();
                values.filter_map(|value| value.to_str().ok().map(str::to_owned)).collect()
            }
            _ => continue,
        };
        match check_parameter(parameter, &sent) {
            Ok(value) if parameter.location == "query" => {
                query.insert(parameter.name, value);
            }
            Ok(_) => {}
            Err(found) => violations.extend(found),
        }
    }
    let mut tags = BTreeMap::new();
    let mut body = Value::Null;
    if let Some(expected) = &operation.body {
        match read_body(expected, request).await? {
            None if expected.required => {
                violations.push(Violation::missing(vec!["body".into()], Value::Null));
            }
            None => {
                body = default_of(expected.schema.value).cloned().unwrap_or_else(|| json!({}));
            }
            Some((value, found)) => {
                let member = choose_member(&expected.members, &value);
                let base = [Value::from("body")];
                let errors: Vec<_> = member.unwrap_or(&expected.schema).errors(&value).collect();
                violations.extend(translate(&errors, &base));
                violations.extend(found);
                tags.extend(member.into_iter().flat_map(member_tags));
                body = value;
            }
        }
    }
    if violations.is_empty() {
        Ok(Input { path, query, body, tags })
    } else {
        Err(MockResponse::unprocessable(violations))
    }
}

fn check_parameter(parameter: &Parameter, sent: &[String]) -> Result<Value, Vec<Violation>> {
    let location = vec![Value::from(parameter.location), Value::from(parameter.name)];
    let Some(last) = sent.last() else {
        if parameter.required {
            return Err(vec![Violation::missing(location, Value::Null)]);
        }
        return Ok(default_of(parameter.schema.value).cloned().unwrap_or(Value::Null));
    };
    let is_list = types(parameter.schema.value).contains(&"array");
    // The last value of a repeated scalar is used.
    let value = if is_list { Value::from(sent.to_vec()) } else { coerce(last, parameter.schema.value) };
    let errors: Vec<_> = parameter.schema.errors(&value).collect();
    // A scalar is echoed as the text of the request.
    let echo =
        |violation: Violation| if is_list { violation } else { violation.with_input(last.as_str().into()) };
    let violations: Vec<_> = translate(&errors, &location).into_iter().map(echo).collect();
    if violations.is_empty() { Ok(value) } else { Err(violations) }
}

/// Converts text from a URL or form to the first type of the schema that can be parsed from it, otherwise to a string.
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

/// Parses an integer; clamps it to `i64`, since the service accepts integers of any size.
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

/// A body as one value, with the violations that its schema does not cover.
type CheckedBody = (Value, Vec<Violation>);

/// Reads the body; `None` if it is absent.
async fn read_body(body: &Body, request: &Request<Bytes>) -> Result<Option<CheckedBody>, MockResponse> {
    let content_type =
        request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if body.content_type.starts_with("multipart/") {
        return read_form(body, content_type, request).await.map(Some);
    }
    if request.body().is_empty() {
        return Ok(None);
    }
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !(essence.is_empty() || essence == "application/json" || essence.ends_with("+json")) {
        // The service's framework does not parse other types; validation then sees a string instead of an object.
        let text = String::from_utf8_lossy(request.body()).into_owned();
        return Ok(Some((text.into(), Vec::new())));
    }
    serde_json::from_slice(request.body()).map(|value| Some((value, Vec::new()))).map_err(|error| {
        let location = vec!["body".into(), offset(request.body(), &error).into()];
        let violation = Violation::new("json_invalid", location, "JSON decode error", json!({}));
        MockResponse::unprocessable(vec![violation.with_context(json!({ "error": "Expecting value" }))])
    })
}

/// Converts the line and column of a JSON error to a byte offset.
fn offset(bytes: &[u8], error: &serde_json::Error) -> usize {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    before + error.column().saturating_sub(1)
}

async fn read_form(
    body: &Body,
    content_type: &str,
    request: &Request<Bytes>,
) -> Result<CheckedBody, MockResponse> {
    let mut fields = Map::new();
    let mut violations = Vec::new();
    if !content_type.to_ascii_lowercase().starts_with("multipart/form-data") {
        return Ok((fields.into(), violations));
    }
    let malformed = || MockResponse::no_route(400, "There was an error parsing the body");
    let form = Request::builder()
        .header("content-type", content_type)
        .body(axum::body::Body::from(replace_control_characters(request.body(), content_type)))
        .map_err(|_| malformed())?;
    let mut form = Multipart::from_request(form, &()).await.map_err(|_| malformed())?;
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
            let violation = Violation::new("value_error", location, message, text.as_ref().into());
            violations.push(violation.with_context(json!({ "error": {} })));
        }
        // Omits the bytes of an upload: the schema does not check them, and violations would echo them.
        let value = if wants_upload { Value::from("") } else { coerce(&text, schema) };
        fields.insert(name, value);
    }
    Ok((fields.into(), violations))
}

/// Replaces control characters in the headers of a form's parts, which the service's framework accepts and ours rejects.
fn replace_control_characters(form: &[u8], content_type: &str) -> Vec<u8> {
    let mut form = form.to_vec();
    let Some((_, boundary)) = content_type.split_once("boundary=") else { return form };
    let boundary = boundary.split(';').next().unwrap_or_default().trim().trim_matches('"');
    let delimiter = format!("--{boundary}\r\n");
    let mut read = 0;
    while let Some(found) = find(&form[read..], delimiter.as_bytes()) {
        let head = read + found + delimiter.len();
        let end = find(&form[head..], b"\r\n\r\n").map_or(form.len(), |length| head + length);
        let is_control = |byte: &&mut u8| byte.is_ascii_control() && !b"\r\n\t".contains(byte);
        form[head..end].iter_mut().filter(is_control).for_each(|byte| *byte = b'_');
        read = end;
    }
    form
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Chooses the union member that an object matches best; `None` if its tag matches no member.
///
/// The tag decides. Without a tag, members that do not require one are preferred, then the member with most of the object's
/// fields, then a member whose tag has a default.
fn choose_member<'a>(members: &'a [Schema], value: &Value) -> Option<&'a Schema> {
    let object = value.as_object()?;
    let contradicts = |member: &Schema| {
        member_tags(member).any(|(name, tag)| object.get(name).is_some_and(|sent| sent != tag))
    };
    let lacks_tag = |member: &Schema| {
        let schema = resolve(member.value);
        member_tags(member).any(|(name, _)| is_required(schema, name) && !object.contains_key(name))
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
    // Reversed because `max_by_key` returns the last of equal members, and the first one should be chosen.
    members.iter().rev().filter(|member| !contradicts(member)).max_by_key(rank)
}

/// Returns the properties of a union member that allow a single value.
fn member_tags(member: &Schema) -> impl Iterator<Item = (&'static str, &'static Value)> + use<> {
    let properties = resolve(member.value).get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .filter_map(|(name, schema)| Some((name.as_str(), resolve(schema).get("const")?)))
}
