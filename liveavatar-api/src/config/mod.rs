//! Session configurations: one type per mode, the rules, and the check with suggestions.

mod configuration;
mod hint;
mod limits;
mod mode;
mod mode_rules;
mod own_room;
mod parse;
mod path;
mod problem;
mod rules;
mod schema;
mod shape;
mod values;

pub use configuration::{AnyConfiguration, AnyMode, Configuration, Mintable};
pub use limits::{
    DOCUMENTED_OPENAI_MODELS, DYNAMIC_VARIABLE_KEY_CHARACTERS, DYNAMIC_VARIABLE_VALUE_CHARACTERS,
    DYNAMIC_VARIABLES_ENTRIES, SANDBOX_AVATAR_ID, SANDBOX_MAX_SESSION_DURATION,
    SHORTEST_MAX_SESSION_DURATION,
};
pub use mode::{Custom, Full, Lite, Mode, ModeName, SuppliesAudio};
#[cfg(feature = "livekit")]
pub use own_room::{LIVEKIT_ENV, LiveKitServer};
pub use problem::{Diagnostic, Diagnostics, Severity};
pub use rules::{RULES, Rule};

#[cfg(feature = "axum")]
pub(crate) use own_room::claims;
pub(crate) use parse::parse;
#[cfg(feature = "axum")]
pub(crate) use path::Path;

use serde_json::Value;

/// Reads a session configuration and lists every problem in it.
///
/// The text is strict JSON; a byte order mark in front of it is skipped. An empty list means that
/// nothing known speaks against the configuration. It is no promise that the service accepts it:
/// which avatars and contexts a key may use is known to the service alone.
///
/// # Examples
///
/// ```
/// let problems = liveavatar_api::session::validate(
///     r#"{"mode": "LITE", "avatar_id": "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a", "issandbox": true}"#,
/// );
/// let problem = problems.iter().next().expect("one problem");
/// assert_eq!((problem.rule(), problem.path()), ("unknown-field", "issandbox"));
/// assert_eq!(problem.hint(), Some("did you mean `is_sandbox`?"));
/// ```
#[must_use]
pub fn validate(text: &str) -> Diagnostics {
    match parse(text) {
        Ok((mode, value)) => check(mode, &value),
        Err(problems) => problems,
    }
}

/// Checks fields, values and the rules of the mode.
///
/// The caller vouches for `mode`; a `mode` field in the value is not compared with it.
pub(crate) fn check(mode: ModeName, value: &Value) -> Diagnostics {
    let shape = shape::problems(mode, value);
    let mut all = rules::problems(mode, value, &shape);
    all.extend(shape.into_iter().map(|found| found.problem));
    Diagnostics::new(all)
}

/// What a path that leads to no field of the mode, or of any mode, is about, and what may be meant.
///
/// None where it leads to a field.
#[cfg(feature = "axum")]
pub(crate) fn no_field(mode: Option<ModeName>, keys: &[&str]) -> Option<String> {
    let modes = || ModeName::ALL.into_iter().filter(|it| mode.is_none_or(|mode| mode == *it));
    if modes().any(|mode| schema::Schema::of(mode).leads_to(keys)) {
        return None;
    }
    // The check of a configuration knows best what is meant by a field that there is not.
    let value = keys.iter().rev().fold(Value::Null, |value, key| {
        Value::Object(serde_json::Map::from_iter([((*key).to_owned(), value)]))
    });
    let path = keys.join(".");
    let problems = modes().next().map(|mode| check(mode, &value));
    let found = problems.iter().flat_map(Diagnostics::iter).find(|problem| {
        let at = problem.path();
        path == at || path.strip_prefix(at).is_some_and(|rest| rest.starts_with('.'))
    });
    let of = mode.map_or("any mode", |mode| mode.as_str());
    let hint = found.and_then(Diagnostic::hint).unwrap_or("a path is written like `video_settings.quality`");
    Some(format!("`{path}` leads to no field of {of}: {hint}"))
}
