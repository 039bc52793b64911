//! The configuration of one request, as JSON that choices can change.

use std::time::Duration;

use serde_json::Value;

use crate::session::{AnyConfiguration, SANDBOX_MAX_SESSION_DURATION};

pub(super) const DURATION: &str = "max_session_duration";

pub(super) fn to_json(configuration: &AnyConfiguration) -> Value {
    // A configuration always serializes.
    serde_json::to_value(configuration).unwrap_or_default()
}

/// Sets the maximum duration if there is none.
///
/// # Errors
/// The configured seconds, if they exceed the maximum.
pub(super) fn limit_duration(configuration: &mut Value, max: Duration) -> Result<(), u64> {
    let max = max.as_secs();
    if configuration[DURATION].is_null() {
        let sandbox = configuration["is_sandbox"] == true;
        configuration[DURATION] = if sandbox { max.min(SANDBOX_MAX_SESSION_DURATION) } else { max }.into();
    }
    // A browser may send 91.0, which the check accepts as 91. The check rejects everything that is not a number.
    let seconds = &configuration[DURATION];
    match seconds.as_f64() {
        Some(number) if number > f64::from(u32::try_from(max).unwrap_or(u32::MAX)) => {
            Err(seconds.as_u64().unwrap_or(u64::MAX))
        }
        _ => Ok(()),
    }
}
