//! Events about requests that got no session; responses to browsers say less.

use tracing::warn;

use crate::error::Error;
use crate::session::Diagnostics;

pub(super) fn failed(error: &Error) {
    let (kind, operation) = (error.kind(), error.operation());
    let (status, code, request) = (error.status(), error.code(), error.request_id());
    // Only messages of this crate's own are safe to log.
    let message = error.is_invalid_request().then(|| error.message());
    warn!(?kind, operation, status, code, request, message, "no session for a browser");
}

pub(super) fn too_long(max_session_duration: u64) {
    warn!(max_session_duration, "no session for a browser: the configuration exceeds `longest_session`");
}

pub(super) fn invalid_configuration(diagnostics: &Diagnostics) {
    let found: Vec<_> = diagnostics.errors().map(|it| format!("{} {}", it.rule(), it.path())).collect();
    warn!(diagnostics = found.join(", "), "no session for a browser: the configuration is invalid");
}
