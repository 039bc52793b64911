//! What browsers are answered: nothing that the service said, nothing of the server's own configuration, nothing to cache.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;

use crate::error::{Error, ErrorKind};
use crate::session::Diagnostics;
use crate::store::SLOT_FREE_AFTER;

/// Why a user gets no session, as the caller's own functions say it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// Nobody is signed in: 401.
    Unauthenticated,
    /// This user may have no session: 403.
    Forbidden,
    /// This user has had enough for now: 429, with the time to wait.
    TooMany(Duration),
    /// Whom it is from cannot be told at the moment, as when the users' database is away: 503.
    Unavailable,
}

/// An answer that is no success.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Box<Told>,
}

#[derive(Debug, Serialize)]
struct Told {
    code: &'static str,
    message: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field>,
}

/// A field that is at fault.
#[derive(Debug, Serialize)]
pub(super) struct Field {
    pub(super) path: String,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, retry_after: None, body: Box::new(Told { code, message, fields: Vec::new() }) }
    }

    fn after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    /// The browser chose what it may not.
    pub(super) fn choice(fields: Vec<Field>) -> Self {
        let mut failure =
            Self::new(StatusCode::BAD_REQUEST, "choice_refused", "no session can be had with these choices");
        failure.body.fields = fields;
        failure
    }

    /// The server's own configuration asks for too much time.
    pub(super) fn too_long(seconds: u64) -> Self {
        #[cfg(feature = "tracing")]
        super::trace::too_long(seconds);
        #[cfg(not(feature = "tracing"))]
        let _ = seconds;
        Self::misconfigured()
    }

    fn misconfigured() -> Self {
        let message = "the server is not set up for sessions; its log says more";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "misconfigured", message)
    }

    pub(super) fn unavailable() -> Self {
        let message = "no session can be had at the moment";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    /// A configuration that broke rules once the choices were in it.
    ///
    /// Only what concerns a chosen field is told: the rest would tell how the server is configured.
    pub(super) fn broken(problems: &Diagnostics, chosen: &[String]) -> Self {
        #[cfg(feature = "tracing")]
        super::trace::invalid_configuration(problems);
        if chosen.is_empty() {
            return Self::misconfigured();
        }
        Self::choice(told(problems.errors().map(|it| (it.path(), it.message())), chosen))
    }

    /// An earlier session could not be stopped, whatever the reason.
    pub(super) fn not_stopped(error: &Error) -> Self {
        log(error);
        let message = "the earlier session may still run; try again soon";
        Self::new(StatusCode::BAD_GATEWAY, "not_stopped", message)
    }

    /// What became of a call that opens a session.
    pub(super) fn of(error: &Error, chosen: &[String]) -> Self {
        log(error);
        let pause = error.retry_after();
        match error.kind() {
            ErrorKind::Validation | ErrorKind::NotFound if !chosen.is_empty() => {
                let own = "is not accepted for this session";
                Self::choice(told(error.fields().iter().map(|it| (it.path.as_str(), own)), chosen))
            }
            ErrorKind::Validation
            | ErrorKind::NotFound
            | ErrorKind::InvalidRequest
            | ErrorKind::Unauthorized
            | ErrorKind::Forbidden => Self::misconfigured(),
            ErrorKind::ConcurrencyLimit => {
                let message = "as many sessions run as there may be; try again soon";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
                    .after(pause.unwrap_or(SLOT_FREE_AFTER))
            }
            ErrorKind::RateLimited => {
                let message = "too many ask for sessions right now; try again soon";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message).after(pause.unwrap_or_default())
            }
            ErrorKind::InsufficientCredits => {
                let message = "no session can be had until the operator adds credits";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "no_credits", message)
            }
            ErrorKind::Store => Self::unavailable(),
            ErrorKind::Timeout => {
                let message = "the avatar service did not answer in time";
                Self::new(StatusCode::GATEWAY_TIMEOUT, "service_timeout", message)
            }
            ErrorKind::Server
            | ErrorKind::StopFailed
            | ErrorKind::Service
            | ErrorKind::Decode
            | ErrorKind::Transport => {
                Self::new(StatusCode::BAD_GATEWAY, "service_failed", "the avatar service failed")
            }
        }
    }

    pub(super) fn into_response(self) -> Response {
        let mut response = json(self.status, &self.body);
        if let Some(pause) = self.retry_after {
            // Whole seconds, and never a moment too early.
            let seconds = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}

impl From<Rejection> for Failure {
    fn from(refusal: Rejection) -> Self {
        match refusal {
            Rejection::Unauthenticated => {
                Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "sign in first")
            }
            Rejection::Forbidden => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", "this user may have no session")
            }
            Rejection::TooMany(pause) => {
                let message = "this user has had enough sessions for now";
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", message).after(pause)
            }
            Rejection::Unavailable => Self::unavailable(),
        }
    }
}

/// Tells the server's log, which may know more than a browser.
#[cfg(feature = "tracing")]
fn log(error: &Error) {
    super::trace::failed(error);
}

#[cfg(not(feature = "tracing"))]
fn log(_: &Error) {}

/// What is said of chosen fields and of what is in them; where it is of what they are in, only that they do not fit there.
fn told<'p>(problems: impl Iterator<Item = (&'p str, &'p str)>, chosen: &[String]) -> Vec<Field> {
    let mut told = Vec::new();
    for (path, message) in problems {
        if chosen.iter().any(|field| within(path, field)) {
            told.push(Field { path: path.to_owned(), message: message.to_owned() });
            continue;
        }
        let inside = chosen.iter().filter(|field| within(field, path));
        let message = "does not fit this session";
        told.extend(inside.map(|field| Field { path: field.clone(), message: message.to_owned() }));
    }
    told
}

/// Whether a path leads to a field or into it.
fn within(path: &str, field: &str) -> bool {
    !field.is_empty()
        && path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// An answer with a body, which no cache keeps.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Text and numbers only, which always write.
    let text = serde_json::to_string(body).unwrap_or_default();
    let mut response = empty(status);
    *response.body_mut() = Body::from(text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer without a body, which no cache keeps.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
