//! The configuration of one request, as JSON that choices can change.

use std::time::Duration;

use serde_json::Value;

use crate::session::{AnyConfiguration, SANDBOX_MAX_SESSION_DURATION};

pub(super) const DURATION: &str = "max_session_duration";

pub(super) fn to_json(configuration: &AnyConfiguration) -> Value {
    // A configuration always serializes.
    serde_json::to_value(configuration).unwrap_or_default()
}

/// Returns the maximum in seconds. [`u32::MAX`] means no limit; [`Duration::MAX`] becomes that.
pub(super) fn max_seconds(max: Duration) -> u32 {
    u32::try_from(max.as_secs()).unwrap_or(u32::MAX)
}

/// Sets the maximum duration if none is configured and there is a limit.
///
/// # Errors
/// The configured seconds, if they exceed the maximum.
pub(super) fn limit_duration(configuration: &mut Value, max: Duration) -> Result<(), u64> {
    let max = max_seconds(max);
    if configuration[DURATION].is_null() {
        let sandbox = configuration["is_sandbox"] == true;
        let default = if sandbox { SANDBOX_MAX_SESSION_DURATION.min(max.into()) } else { max.into() };
        if default < u32::MAX.into() {
            configuration[DURATION] = default.into();
        }
    }
    // A browser may send 91.0, which the check accepts as 91. The check rejects everything that is not a number.
    let seconds = &configuration[DURATION];
    match seconds.as_f64() {
        Some(number) if number > f64::from(max) => Err(seconds.as_u64().unwrap_or(u64::MAX)),
        _ => Ok(()),
    }
}
