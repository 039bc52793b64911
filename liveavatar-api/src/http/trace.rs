//! Spans and events for every call, named as OpenTelemetry names them; never a header, a body or a full address.

use tracing::{Level, Span, debug, enabled, field, info_span, warn};

use super::{Attempt, AttemptOutcome};
use crate::operation::Operation;

/// Returns the span of a call with all its attempts.
pub(super) fn span(operation: &Operation, url: &reqwest::Url) -> Span {
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

/// Whether the outcome of a successful attempt would be recorded, as an event or in the span of the call.
pub(super) fn is_enabled() -> bool {
    enabled!(Level::DEBUG) || !Span::current().is_disabled()
}

/// Records the outcome of an attempt as an event and, if it was the last one, in the span.
pub(super) fn attempt_finished(attempt: &Attempt, outcome: &AttemptOutcome) {
    let operation = attempt.operation.id;
    let milliseconds = u64::try_from(outcome.duration.as_millis()).unwrap_or(u64::MAX);
    if let Some(pause) = outcome.retry_in {
        let pause_milliseconds = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let (attempt, status) = (attempt.number, outcome.status);
        warn!(operation, attempt, status, milliseconds, pause_milliseconds, "request failed, will retry");
        return;
    }
    let span = Span::current();
    if let Some(status) = outcome.status {
        span.record("http.response.status_code", status);
    }
    if let Some(id) = &outcome.request_id {
        span.record("liveavatar.request_id", id.as_str());
    }
    if attempt.number > 1 {
        span.record("http.request.resend_count", attempt.number - 1);
    }
    let (attempt, status) = (attempt.number, outcome.status);
    if outcome.succeeded {
        debug!(operation, attempt, status, milliseconds, "request succeeded");
    } else {
        span.record("otel.status_code", "ERROR");
        warn!(operation, attempt, status, milliseconds, "request failed");
    }
}
