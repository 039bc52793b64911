//! The token of the caller's LiveKit room, read without verifying its signature.
//!
//! No message repeats a part of a token.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The payload of a JWT.
pub(crate) fn claims(token: &str) -> Option<Value> {
    let mut parts = token.trim().split('.');
    let (header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    let object = |part: &str| {
        let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
        value.is_object().then_some(value)
    };
    object(header)?;
    object(payload).filter(|_| parts.next().is_none())
}

/// The error of a token that expires too early: at `expires`, in seconds since 1970, in a session of up to `longest` seconds.
///
/// Without `longest`, the session lasts as long as the subscription allows, which is not known here.
pub(super) fn expired(expires: f64, longest: Option<f64>, now: SystemTime) -> Option<&'static str> {
    let left = expires - now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    match longest {
        _ if left <= 0.0 => Some("has expired"),
        Some(longest) if left < longest => Some("expires before the session can end"),
        _ => None,
    }
}
