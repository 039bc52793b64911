//! Log events about failed requests, with details that browsers must not see.

use tracing::warn;

use crate::error::Error;
use crate::session::Diagnostics;

pub(super) fn failed(error: &Error) {
    let (kind, operation) = (error.kind(), error.operation());
    let (status, code, request) = (error.status(), error.code(), error.request_id());
    // Other messages may contain the service's text.
    let message = error.is_invalid_request().then(|| error.message());
    warn!(?kind, operation, status, code, request, message, "failed to serve a browser's session request");
}

pub(super) fn too_long(max_session_duration: u64) {
    warn!(max_session_duration, "the configuration exceeds the token endpoint's `max_session_duration`");
}

pub(super) fn invalid_configuration(diagnostics: &Diagnostics) {
    let found: Vec<_> = diagnostics.errors().map(|it| format!("{} {}", it.rule(), it.path())).collect();
    warn!(diagnostics = found.join(", "), "the configuration of a browser's session is invalid");
}
