//! Responses to browsers. They reveal neither the service's texts nor the server's configuration, and are not cached.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::{Error, ErrorKind};
use crate::session::Diagnostics;
use crate::store::SLOT_FREE_AFTER;

/// Why your own functions reject a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// The user is not signed in (401).
    Unauthenticated,
    /// The user is not allowed to open a session (403).
    Forbidden,
    /// The user has reached a limit and may retry after this time (429).
    TooMany(Duration),
    /// The user cannot be identified now, for example because the database is down (503).
    Unavailable,
    /// The server cannot serve any user until its operator corrects its configuration (500). Log the cause yourself.
    Misconfigured,
}

/// The longest `retry-after`, in seconds.
///
/// A page's `setTimeout` takes at most 2^31 - 1 ms. After a longer pause it would retry at once.
const MAX_RETRY_AFTER: u64 = 2_147_483;

/// A response to a failed request.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Box<FailureBody>,
}

#[derive(Debug, Serialize)]
struct FailureBody {
    code: &'static str,
    message: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<InvalidField>,
}

#[derive(Debug, Serialize)]
pub(super) struct InvalidField {
    pub(super) path: String,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, retry_after: None, body: Box::new(FailureBody { code, message, fields: Vec::new() }) }
    }

    fn retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    pub(super) fn invalid_choice(fields: Vec<InvalidField>) -> Self {
        let mut failure = Self::new(StatusCode::BAD_REQUEST, "choice_refused", "the choices are invalid");
        failure.body.fields = fields;
        failure
    }

    /// The server's own configuration exceeds the maximum duration.
    #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "only logged"))]
    pub(super) fn too_long(seconds: u64) -> Self {
        #[cfg(feature = "tracing")]
        super::trace::too_long(seconds);
        Self::misconfigured()
    }

    fn misconfigured() -> Self {
        let message = "the server is misconfigured; see its log";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "misconfigured", message)
    }

    pub(super) fn unavailable() -> Self {
        let message = "no session is available at the moment";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    /// The configuration is invalid with the choices applied.
    ///
    /// The response names only chosen fields, because the others would reveal the server's configuration.
    pub(super) fn invalid_configuration(problems: &Diagnostics, chosen: &[String]) -> Self {
        #[cfg(feature = "tracing")]
        super::trace::invalid_configuration(problems);
        if chosen.is_empty() {
            return Self::misconfigured();
        }
        Self::invalid_choice(chosen_fields(problems.errors().map(|it| (it.path(), it.message())), chosen))
    }

    /// The previous session could not be stopped.
    #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "only logged"))]
    pub(super) fn not_stopped(error: &Error) -> Self {
        #[cfg(feature = "tracing")]
        super::trace::failed(error);
        let message = "the previous session could not be stopped; try again soon";
        Self::new(StatusCode::BAD_GATEWAY, "not_stopped", message)
    }

    /// A call that opens a session failed.
    pub(super) fn opening(error: &Error, chosen: &[String]) -> Self {
        #[cfg(feature = "tracing")]
        super::trace::failed(error);
        let unavailable = |code, message| Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
        let pause = error.retry_after();
        match error.kind() {
            ErrorKind::Validation | ErrorKind::NotFound if !chosen.is_empty() => {
                let message = "is not accepted for this session";
                let fields = error.fields().iter().map(|it| (it.path.as_str(), message));
                Self::invalid_choice(chosen_fields(fields, chosen))
            }
            ErrorKind::Validation
            | ErrorKind::NotFound
            | ErrorKind::InvalidRequest
            | ErrorKind::Unauthorized
            | ErrorKind::Forbidden => Self::misconfigured(),
            ErrorKind::ConcurrencyLimit => {
                unavailable("busy", "the session limit is reached; try again soon")
                    .retry_after(pause.unwrap_or(SLOT_FREE_AFTER))
            }
            ErrorKind::RateLimited => unavailable("busy", "the rate limit is reached; try again soon")
                .retry_after(pause.unwrap_or_default()),
            ErrorKind::InsufficientCredits => {
                unavailable("no_credits", "the operator's account has no credits left")
            }
            ErrorKind::Store => Self::unavailable(),
            ErrorKind::Timeout => {
                let message = "the avatar service did not respond in time";
                Self::new(StatusCode::GATEWAY_TIMEOUT, "service_timeout", message)
            }
            ErrorKind::Server
            | ErrorKind::StopFailed
            | ErrorKind::Service
            | ErrorKind::AudioSource
            | ErrorKind::Decode
            | ErrorKind::Transport => {
                Self::new(StatusCode::BAD_GATEWAY, "service_failed", "the avatar service failed")
            }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = json(self.status, &self.body);
        if let Some(pause) = self.retry_after {
            // Whole seconds, rounded up.
            let seconds = pause.as_secs().saturating_add(u64::from(pause.subsec_nanos() > 0));
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.clamp(1, MAX_RETRY_AFTER)));
        }
        response
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        let (status, code, message) = match rejection {
            Rejection::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated", "sign in first"),
            Rejection::Forbidden => {
                (StatusCode::FORBIDDEN, "forbidden", "this user is not allowed to open a session")
            }
            Rejection::TooMany(pause) => {
                let message = "this user has reached a limit; try again later";
                return Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", message).retry_after(pause);
            }
            Rejection::Unavailable => return Self::unavailable(),
            Rejection::Misconfigured => return Self::misconfigured(),
        };
        Self::new(status, code, message)
    }
}

/// Returns the problems of chosen fields. A problem of an object around a chosen field is reduced to that field and a fixed text.
fn chosen_fields<'p>(
    problems: impl Iterator<Item = (&'p str, &'p str)>,
    chosen: &[String],
) -> Vec<InvalidField> {
    let mut fields = Vec::new();
    for (path, message) in problems {
        if chosen.iter().any(|field| is_within(path, field)) {
            fields.push(InvalidField { path: path.to_owned(), message: message.to_owned() });
            continue;
        }
        let inside = chosen.iter().filter(|field| is_within(field, path));
        let message = "does not fit this session";
        fields.extend(inside.map(|field| InvalidField { path: field.clone(), message: message.to_owned() }));
    }
    fields
}

fn is_within(path: &str, field: &str) -> bool {
    !field.is_empty()
        && path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Strings and numbers always serialize.
    let text = serde_json::to_string(body).unwrap_or_default();
    let mut response = empty(status);
    *response.body_mut() = Body::from(text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
