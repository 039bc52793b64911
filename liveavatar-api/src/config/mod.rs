//! Session configurations: one type per mode, the rules, and the check with suggestions.

mod builder;
mod check;
mod configuration;
mod fields;
#[cfg(feature = "schemars")]
mod json_schema;
mod limits;
mod livekit;
#[cfg(feature = "livekit")]
mod livekit_server;
mod mode;
mod parse;
mod rules;
mod suggest;

pub use builder::{CustomSession, FullSession, LiteSession};
pub use configuration::{AnyConfiguration, AnyMode, Configuration, Mintable};
pub use limits::*;
#[cfg(feature = "livekit")]
pub use livekit_server::{LIVEKIT_ENV, LiveKitServer};
pub use mode::{Custom, Full, Lite, Mode, ModeName, SuppliesAudio};
pub use rules::{RULES, Rule};

pub(crate) use configuration::max_duration;
#[cfg(feature = "axum")]
pub(crate) use livekit::claims;

pub use crate::schema::{Diagnostic, Diagnostics, Severity};

use crate::schema::Strictness;

/// Checks a session configuration, and returns all errors and warnings.
///
/// The text is strict JSON, optionally after a byte order mark. If the result is empty, the configuration breaks no known
/// rule. The service may still reject it: only the service knows which avatars and contexts a key may use.
///
/// # Examples
///
/// ```
/// let diagnostics = liveavatar_api::session::validate(
///     r#"{"mode": "LITE", "avatar_id": "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a", "issandbox": true}"#,
/// );
/// let diagnostic = diagnostics.iter().next().expect("one error");
/// assert_eq!((diagnostic.rule(), diagnostic.path()), ("unknown-field", "issandbox"));
/// assert_eq!(diagnostic.hint(), Some("did you mean `is_sandbox`?"));
/// ```
#[must_use]
pub fn validate(text: &str) -> Diagnostics {
    match parse::parse(text) {
        Ok((mode, value)) => check::check(mode, &value, Strictness::Everything).diagnostics,
        Err(diagnostics) => diagnostics,
    }
}

/// The error for keys that lead to no field of the mode, or of any mode, with a suggestion.
///
/// Returns `None` if they lead to a field.
#[cfg(feature = "axum")]
pub(crate) fn no_field(mode: Option<ModeName>, keys: &[&str]) -> Option<String> {
    use serde_json::Value;

    use crate::schema::Path;

    let modes = || ModeName::ALL.into_iter().filter(|it| mode.is_none_or(|mode| mode == *it));
    if modes().any(|mode| fields::of(mode).root.leads_to(keys)) {
        return None;
    }
    // The check of a configuration with only this field has the best suggestion.
    let value = keys.iter().rev().fold(Value::Null, |value, key| {
        Value::Object(serde_json::Map::from_iter([((*key).to_owned(), value)]))
    });
    let path = Path::of(keys);
    let diagnostics = modes()
        .next()
        .map(|mode| check::check(mode, &value, Strictness::Everything).diagnostics)
        .unwrap_or_default();
    let found = diagnostics.iter().find(|one| !one.at().is_root() && one.at().contains(&path));
    let of = mode.map_or("any mode", ModeName::as_str);
    let hint = found.and_then(Diagnostic::hint).unwrap_or("write a path such as `video_settings.quality`");
    Some(format!("`{}` is not a field of {of}: {hint}", keys.join(".")))
}
