//! Making an [`Error`] of a failed call.

use std::sync::Arc;

use serde_json::Value;

use super::failure::{ENDS_EARLY, FailedCall, Failure, is_untrusted};
use super::{Error, ErrorKind, FieldError};
use crate::operation::Operation;
use crate::schema::Path;
use crate::wire::{integer, one_line};

/// Longest part of the service's text that an error repeats, in characters.
const MAX_QUOTE: usize = 300;

/// Largest number of field errors that an error repeats.
const MAX_FIELDS: usize = 50;

/// Largest number of texts of a response that an error joins.
const MAX_TEXTS: usize = 3;

/// The keys of texts in failed responses, general ones first.
///
/// Recorded responses have `message`, FastAPI's own `detail`; the official demo also reads `error` and `data.message`. The others
/// are those of problem documents (RFC 9457), OAuth and common gateways.
const TEXT_KEYS: [&str; 8] =
    ["message", "title", "detail", "error_description", "msg", "error", "errors", "data"];

/// The keys of lists of field errors.
const FIELD_KEYS: [&str; 2] = ["detail", "data"];

/// Maps a status and the service's own code to a kind.
pub(super) fn kind_of(status: u16, code: Option<i64>) -> ErrorKind {
    match (status, code) {
        (429, _) => ErrorKind::RateLimited,
        (500.., _) => ErrorKind::Server,
        (300..400, _) => ErrorKind::Service,
        (_, Some(4033)) | (402, _) => ErrorKind::InsufficientCredits,
        (_, Some(4032 | 4003)) => ErrorKind::ConcurrencyLimit,
        (401, _) | (_, Some(4010)) => ErrorKind::Unauthorized,
        (403, _) => ErrorKind::Forbidden,
        (404, _) => ErrorKind::NotFound,
        (422, _) | (400, None) | (_, Some(4000)) => ErrorKind::Validation,
        _ => ErrorKind::Service,
    }
}

/// Shortens the service's text to one line of limited length.
pub(super) fn quote(text: &str) -> String {
    let mut line = one_line(text);
    if let Some((end, _)) = line.char_indices().nth(MAX_QUOTE) {
        line.truncate(end);
        line.push('…');
    }
    line
}

impl From<progenitor_client::Error<()>> for Error {
    fn from(error: progenitor_client::Error<()>) -> Self {
        use progenitor_client::Error as Raw;
        match error {
            // The hook that signs requests puts the operation in front, and so does the upload.
            Raw::InvalidRequest(text) | Raw::Custom(text) => {
                let named =
                    text.split_once(": ").and_then(|(id, message)| Some((Operation::find(id)?, message)));
                match named {
                    Some((operation, message)) => Self::invalid_request(message).during(operation.id),
                    None => Self::invalid_request(text),
                }
            }
            Raw::CommunicationError(error) | Raw::InvalidUpgrade(error) | Raw::ResponseBodyError(error) => {
                error.into()
            }
            Raw::InvalidResponsePayload(_, error) => Self::decode(format!(
                "the response is not JSON, at line {} column {}",
                error.line(),
                error.column()
            )),
            Raw::ErrorResponse(response) => {
                Self::from_status(response.status().as_u16(), "the service returned an error")
            }
            Raw::UnexpectedResponse(response) => match response.extensions().get::<FailedCall>() {
                Some(call) => call.into(),
                None => Self::from_status(response.status().as_u16(), "the service returned an error"),
            },
        }
    }
}

impl From<&FailedCall> for Error {
    fn from(call: &FailedCall) -> Self {
        let mut error = match &call.failure {
            Failure::Response { status, request_id, body, .. } => {
                from_body(*status, body).with_response(*status, request_id.clone(), 0)
            }
            Failure::Unreadable { status, request_id, reason, cause } => {
                let mut error = match cause {
                    Some(cause) if cause.is_timeout() => Self::new(
                        ErrorKind::Timeout,
                        "the time limit passed before the whole response arrived",
                    ),
                    _ => Self::decode(*reason),
                };
                if let Some(cause) = cause {
                    error = error.caused_by(Arc::clone(cause));
                }
                error.with_response(*status, request_id.clone(), 0)
            }
            Failure::NoTimeLeft => {
                Self::new(ErrorKind::Timeout, "the time limit passed before the request could be sent")
            }
            Failure::NoResponse(cause) => no_response(cause).caused_by(Arc::clone(cause)),
        };
        error.0.sent = call.may_have_arrived;
        error.0.operation = Some(call.operation.id);
        error.0.credential = call.credential;
        error.0.attempts = call.attempts;
        error.0.retry_after = call.retry_after;
        error
    }
}

/// Errors of reqwest before a call, such as a client that cannot be built.
impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        // The address may contain ids of the account, and reqwest's `Display` shows it.
        let error = error.without_url();
        no_response(&error).caused_by(error)
    }
}

fn no_response(cause: &reqwest::Error) -> Error {
    let (kind, message, sent) = if cause.is_connect() && is_untrusted(cause) {
        (ErrorKind::Transport, "the server's certificate is not valid for this address", false)
    } else if cause.is_connect() {
        (ErrorKind::Transport, "the service could not be reached", false)
    } else if cause.is_timeout() {
        (ErrorKind::Timeout, "the time limit passed", true)
    } else if cause.is_builder() {
        (ErrorKind::InvalidRequest, "the request could not be built", false)
    } else if cause.is_body() || cause.is_decode() {
        // Of a response whose status nothing knows, such as one that a caller reads.
        (ErrorKind::Transport, ENDS_EARLY, true)
    } else {
        (ErrorKind::Transport, "the connection was lost", true)
    };
    let mut error = Error::new(kind, message);
    error.0.sent = sent;
    error
}

/// Reads a failed response in any of the known shapes.
fn from_body(status: u16, body: &str) -> Error {
    let body = body.trim_start_matches('\u{feff}').trim();
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    let code = integer(&value["code"]);
    let mut fields: Vec<FieldError> = Vec::new();
    let mut found = Vec::new();
    for (key, inner) in TEXT_KEYS.iter().map(|key| (key, &value[*key])) {
        match inner.as_array().filter(|_| FIELD_KEYS.contains(key)) {
            Some(items) => {
                for item in items {
                    match field_error(item) {
                        Some(field) => fields.push(field),
                        None => collect_texts(item, &mut found),
                    }
                }
            }
            None => collect_texts(inner, &mut found),
        }
    }
    if !value.is_object() {
        collect_texts(&value, &mut found);
    }
    fields.truncate(MAX_FIELDS);
    let mut message = quote(&found.join(": "));
    if message.is_empty() {
        message = without_json(status, body, &value);
    }
    let mut error = Error::new(kind_of(status, code), message);
    error.0.code = code;
    error.0.fields = fields;
    error.0.from_service = is_from_service(&value, status, code);
    error
}

/// Collects the texts that say what happened, without repetitions.
fn collect_texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => {
            let text = text.trim();
            let is_known = |found: &[&str]| found.iter().any(|known| known.eq_ignore_ascii_case(text));
            if found.len() < MAX_TEXTS && !text.is_empty() && !is_known(found) {
                found.push(text);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, found)),
        Value::Object(map) => {
            TEXT_KEYS.iter().filter_map(|key| map.get(*key)).for_each(|inner| collect_texts(inner, found));
        }
        _ => {}
    }
}

/// The message of a failed response without a text in JSON.
fn without_json(status: u16, body: &str, value: &Value) -> String {
    if matches!(status, 301 | 302 | 303 | 307 | 308) {
        return "the service redirects, and this client does not follow redirects: check the base URL"
            .to_owned();
    }
    if body.starts_with('<') {
        let title = html_title(body).map(quote).filter(|title| !title.is_empty());
        let title = title.map(|title| format!(": {title}")).unwrap_or_default();
        return format!("the response is HTML, perhaps from a proxy{title}");
    }
    // A part of JSON says less than the status.
    let is_text = value.is_null() && body != "null" && !body.starts_with(['{', '[', '"']);
    let text = if is_text { quote(body) } else { String::new() };
    if !text.is_empty() {
        return text;
    }
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    reason.unwrap_or("the service gave no reason").to_lowercase()
}

fn html_title(body: &str) -> Option<&str> {
    let lower = body.to_ascii_lowercase();
    let start = lower.find("<title>")? + "<title>".len();
    let length = lower[start..].find("</title>")?;
    body.get(start..start + length)
}

/// Whether a failed response is in one of the service's own forms, and not one of a proxy or a gateway.
///
/// The forms are the envelope, whose codes are not HTTP statuses, and FastAPI's object with `detail` alone. FastAPI answers a path
/// that it does not have with the `detail` `Not Found`, which says nothing about a session.
fn is_from_service(body: &Value, status: u16, code: Option<i64>) -> bool {
    let Some(object) = body.as_object() else { return false };
    let has_data = object.contains_key("data") && body["message"].is_string();
    let is_envelope = code.is_some_and(|code| has_data || code != i64::from(status));
    let detail = &body["detail"];
    let is_detail = object.len() == 1 && (detail.is_string() || detail.is_array()) && detail != "Not Found";
    is_envelope || is_detail
}

/// Reads one field error, in FastAPI's form `{loc, msg}` or the service's own `{loc, message}`.
///
/// The `input` that FastAPI echoes is left out.
fn field_error(value: &Value) -> Option<FieldError> {
    let message = value["msg"].as_str().or(value["message"].as_str())?;
    let mut at = Path::default();
    match &value["loc"] {
        Value::Array(parts) => {
            let parts = parts.iter().filter(|part| !part.is_null());
            for part in parts.skip_while(|part| part.as_str() == Some("body")) {
                if let Some(index) = part.as_u64().and_then(|index| usize::try_from(index).ok()) {
                    at.push_index(index);
                } else {
                    let key = part.as_str().map_or_else(|| part.to_string(), str::to_owned);
                    at.push_key(&quote(&key));
                }
            }
        }
        Value::String(path) => {
            path.split('.').skip_while(|key| *key == "body").for_each(|key| at.push_key(&quote(key)));
        }
        _ => {}
    }
    Some(FieldError::new(at, quote(message)))
}
