//! Spans and events of every call, under OpenTelemetry's names for HTTP; never a header, a body or a full address.

use tracing::{Span, debug, error, field, info_span, warn};
use uuid::Uuid;

use crate::observe::{Attempt, Ended};
use crate::raw::Operation;
use crate::session::Unstopped;
use crate::session::store::StoreError;

/// The span of a call, all its requests included.
pub(crate) fn span(operation: &Operation, url: &reqwest::Url) -> Span {
    info_span!(
        "liveavatar",
        otel.name = operation.id,
        otel.kind = "client",
        http.request.method = operation.method,
        url.template = operation.path,
        server.address = url.host_str(),
        server.port = url.port_or_known_default(),
        otel.status_code = field::Empty,
        http.response.status_code = field::Empty,
        http.request.resend_count = field::Empty,
        liveavatar.request_id = field::Empty,
    )
}

/// Notes how a request ended: in the span if it was the call's last, and as an event.
pub(crate) fn ended(attempt: &Attempt, ended: &Ended) {
    let operation = attempt.operation.id;
    let milliseconds = u64::try_from(ended.duration.as_millis()).unwrap_or(u64::MAX);
    if let Some(pause) = ended.retry_in {
        let pause_milliseconds = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let (attempt, status) = (attempt.number, ended.status);
        warn!(operation, attempt, status, milliseconds, pause_milliseconds, "request failed and is repeated");
        return;
    }
    let span = Span::current();
    if let Some(status) = ended.status {
        span.record("http.response.status_code", status);
    }
    if let Some(id) = &ended.request_id {
        span.record("liveavatar.request_id", id.as_str());
    }
    if attempt.number > 1 {
        span.record("http.request.resend_count", attempt.number - 1);
    }
    let (attempt, status) = (attempt.number, ended.status);
    if ended.succeeded {
        debug!(operation, attempt, status, milliseconds, "request succeeded");
    } else {
        span.record("otel.status_code", "ERROR");
        warn!(operation, attempt, status, milliseconds, "request failed");
    }
}

/// A session costs credits, and nobody can stop it: there is nothing worse to say.
pub(crate) fn unstopped(unstopped: &Unstopped) {
    let error = std::error::Error::source(unstopped).map(ToString::to_string);
    error!(session = %unstopped.id, cause = %unstopped.cause, error, "session may still run");
}

/// The session goes on; what the store knows of it is old.
pub(crate) fn store_failed(session: Uuid, failed: &StoreError) {
    let error = std::error::Error::source(failed).map(ToString::to_string);
    warn!(%session, cause = %failed, error, "session store failed");
}

/// A browser got no session; the answer to it says less than this.
#[cfg(feature = "axum")]
pub(crate) fn endpoint_failed(error: &crate::Error) {
    let (kind, operation) = (error.kind(), error.operation());
    let (status, code, request) = (error.status(), error.code(), error.request_id());
    // Of what was never sent, the message is this crate's own.
    let message = error.is_refused().then(|| error.message());
    warn!(?kind, operation, status, code, request, message, "no session for a browser");
}

/// The server's own configuration lasts longer than its endpoint allows.
#[cfg(feature = "axum")]
pub(crate) fn endpoint_too_long(max_session_duration: u64) {
    warn!(max_session_duration, "no session for a browser: the configuration is above `longest_session`");
}

/// A configuration broke rules once a browser's choices were in it.
#[cfg(feature = "axum")]
pub(crate) fn endpoint_broken(problems: &crate::session::Problems) {
    let found: Vec<_> = problems.errors().map(|it| format!("{} {}", it.rule(), it.path())).collect();
    warn!(problems = found.join(", "), "no session for a browser: the configuration breaks rules");
}
