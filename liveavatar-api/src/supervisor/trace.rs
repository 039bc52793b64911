//! Log events about supervised sessions.

use tracing::{error, warn};
use uuid::Uuid;

use super::StopFailed;
use crate::store::StoreError;

/// An error: the session costs credits, and this client cannot stop it.
pub(super) fn stop_failed(failed: &StopFailed) {
    let error = std::error::Error::source(failed).map(ToString::to_string);
    error!(session = %failed.id, cause = %failed.cause, error, "session may still run");
}

/// A warning: the session continues, but its entry in the store is outdated.
pub(super) fn store_failed(session: Uuid, failed: &StoreError) {
    let error = std::error::Error::source(failed).map(ToString::to_string);
    warn!(%session, cause = %failed, error, "session store failed");
}
