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
            Failure::Unreadable { status, request_id, reason } => {
                Self::decode(*reason).with_response(*status, request_id.clone(), 0)
            }
            Failure::NoTimeLeft => {
                Self::new(ErrorKind::Timeout, "the time limit passed before the request could be sent")
            }
            Failure::NoResponse(cause) => no_response(cause).caused_by(Arc::clone(cause)),
        };
        error.0.sent = call.may_have_arrived;
        error.0.operation = Some(call.operation.id);
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
    let value: Value = serde_json::from_str(body.trim_start_matches('\u{feff}')).unwrap_or_default();
    let code = integer(&value["code"]);
    let fields: Vec<FieldError> = ["detail", "data"]
        .iter()
        .filter_map(|key| value[*key].as_array())
        .flatten()
        .filter_map(field_error)
        .take(MAX_FIELDS)
        .collect();
    // Recorded responses have `message`, FastAPI's own `detail`; the official demo also reads `error`.
    let texts = ["message", "detail", "error"].iter().filter_map(|key| value[*key].as_str());
    let message = texts.map(quote).find(|text| !text.is_empty()).unwrap_or_else(|| {
        if matches!(status, 301 | 302 | 303 | 307 | 308) {
            "the service redirects, and this client does not follow redirects: check the base URL".to_owned()
        } else if body.trim_start_matches('\u{feff}').trim_start().starts_with('<') {
            "the response is HTML, perhaps from a proxy".to_owned()
        } else {
            let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
            reason.unwrap_or("the service gave no reason").to_lowercase()
        }
    });
    let mut error = Error::new(kind_of(status, code), message);
    error.0.code = code;
    error.0.fields = fields;
    error.0.from_service = is_from_service(&value, status, code);
    error
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
