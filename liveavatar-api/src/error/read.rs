//! Making an error of what came of a call.

use serde_json::Value;

use super::{Error, ErrorKind, FieldError};
use crate::retry::is_untrusted;
use crate::transport::{Outcome, What};
use crate::wire::integer;

/// Longest part of a text of the service that an error repeats, in characters.
const QUOTED: usize = 300;

/// Most refused fields that an error repeats.
const FIELDS: usize = 50;

/// The status tells apart what the transport repeats, the code what the caller must do.
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

/// One line, without what could command a terminal or turn the line around.
pub(crate) fn on_one_line(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control() && !turns(*c)).collect()
}

/// One line of limited length.
pub(super) fn quoted(text: &str) -> String {
    let mut line = on_one_line(text);
    if let Some((end, _)) = line.char_indices().nth(QUOTED) {
        line.truncate(end);
        line.push('…');
    }
    line
}

impl From<progenitor_client::Error<()>> for Error {
    fn from(error: progenitor_client::Error<()>) -> Self {
        use progenitor_client::Error as Raw;
        match error {
            Raw::InvalidRequest(text) | Raw::Custom(text) => Self::refused(text),
            Raw::CommunicationError(error) | Raw::InvalidUpgrade(error) | Raw::ResponseBodyError(error) => {
                error.into()
            }
            Raw::InvalidResponsePayload(_, error) => Self::decode(format!(
                "the answer is not JSON, at line {} column {}",
                error.line(),
                error.column()
            )),
            Raw::ErrorResponse(answer) => {
                Self::new(kind_of(answer.status().as_u16(), None), "the service says no")
            }
            Raw::UnexpectedResponse(answer) => match answer.extensions().get::<Outcome>() {
                Some(outcome) => outcome.into(),
                None => Self::new(kind_of(answer.status().as_u16(), None), "the service says no"),
            },
        }
    }
}

impl From<&Outcome> for Error {
    fn from(outcome: &Outcome) -> Self {
        let mut error = match &outcome.what {
            What::Answer { status, request_id, body, .. } => {
                failure(*status, body).answered(*status, request_id.clone(), 0)
            }
            What::Unreadable { status, request_id, why } => {
                Self::decode(*why).answered(*status, request_id.clone(), 0)
            }
            What::NoTime => Self::timed_out("no time was left to send the request"),
            What::Broken(cause) => broken(cause).caused_by(std::sync::Arc::clone(cause)),
        };
        error.0.sent = outcome.sent;
        error.0.operation = Some(outcome.operation.id);
        error.0.attempts = outcome.attempts;
        error.0.retry_after = outcome.retry_after;
        error
    }
}

/// Errors of reqwest that come before a call, such as a client that cannot be built.
impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        // The address may carry ids of the account; `Display` of reqwest's error would show it.
        let error = error.without_url();
        broken(&error).caused_by(error)
    }
}

fn broken(cause: &reqwest::Error) -> Error {
    let (kind, message, sent) = if cause.is_connect() && is_untrusted(cause) {
        (
            ErrorKind::Transport,
            "the certificate on the other side is not to be trusted for this address",
            false,
        )
    } else if cause.is_connect() {
        (ErrorKind::Transport, "the service could not be reached", false)
    } else if cause.is_timeout() {
        (ErrorKind::Timeout, "the time limit passed", true)
    } else if cause.is_builder() {
        (ErrorKind::Refused, "the request could not be built", false)
    } else if cause.is_body() || cause.is_decode() {
        (ErrorKind::Transport, "the answer ends too early", true)
    } else {
        (ErrorKind::Transport, "the connection broke", true)
    };
    let mut error = Error::new(kind, message);
    error.0.sent = sent;
    error
}

/// Reads a failed answer in any of the shapes that the service and those before it use.
fn failure(status: u16, body: &str) -> Error {
    let value: Value = serde_json::from_str(body.trim_start_matches('\u{feff}')).unwrap_or_default();
    let code = integer(&value["code"]);
    let fields: Vec<FieldError> = ["detail", "data"]
        .iter()
        .filter_map(|key| value[*key].as_array())
        .flatten()
        .filter_map(field)
        .take(FIELDS)
        .collect();
    // Recorded answers have `message`, FastAPI's own `detail`, the official demo also reads `error`.
    let texts = ["message", "detail", "error"].iter().filter_map(|key| value[*key].as_str());
    let message = texts.map(quoted).find(|text| !text.is_empty()).unwrap_or_else(|| {
        if matches!(status, 301 | 302 | 303 | 307 | 308) {
            "the service redirects, and credentials follow no redirect: check the base URL".to_owned()
        } else if body.trim_start_matches('\u{feff}').trim_start().starts_with('<') {
            "the answer is HTML, perhaps from a proxy on the way".to_owned()
        } else {
            let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
            reason.unwrap_or("no reason given").to_lowercase()
        }
    });
    let mut error = Error::new(kind_of(status, code), message);
    error.0.code = code;
    error.0.fields = fields;
    error
}

/// One refused field, in FastAPI's form `{loc, msg}` or the service's own `{loc, message}`; the echoed `input` is not read.
fn field(value: &Value) -> Option<FieldError> {
    let message = value["msg"].as_str().or(value["message"].as_str())?;
    let place = &value["loc"];
    let parts = place
        .as_array()
        .map_or(std::slice::from_ref(place), Vec::as_slice)
        .iter()
        .filter(|part| !part.is_null());
    let path: Vec<String> = parts
        .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
        .skip_while(|part| part == "body")
        .collect();
    Some(FieldError { path: quoted(&path.join(".")), message: quoted(message) })
}
