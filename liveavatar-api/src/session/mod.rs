//! Sessions: the configuration of each mode, its rules, and the calls that a session lives by.
//!
//! The service ignores fields that it does not know, so that a misspelt or misplaced field looks accepted and has no
//! effect. A [`Configuration`] exists only if every rule holds; what is wrong is reported all at once, before anything is
//! sent.

mod configuration;
mod duty;
mod hint;
pub(crate) mod keeper;
mod lifecycle;
mod limits;
mod line;
mod mode;
mod mode_rules;
mod parse;
mod path;
mod problem;
mod rules;
mod schema;
mod shape;
mod status;
mod store;
mod supervised;
mod values;

pub use configuration::{AnyConfiguration, AnyMode, Configuration, Mintable};
pub use duty::STOP_LIMIT;
pub use lifecycle::{KEEP_ALIVE_INTERVAL, Minted, Started};
pub use limits::{
    DOCUMENTED_OPENAI_MODELS, DYNAMIC_VARIABLE_KEY_CHARACTERS, DYNAMIC_VARIABLE_VALUE_CHARACTERS,
    DYNAMIC_VARIABLES_ENTRIES, SANDBOX_AVATAR_ID, SANDBOX_MAX_SESSION_DURATION,
    SHORTEST_MAX_SESSION_DURATION,
};
pub use mode::{Custom, Full, Lite, Mode, ModeName};
pub use problem::{Problem, Problems, Severity};
pub use rules::{RULES, Rule};
pub use status::{EndReason, Event, Events, State, Status, Unstopped, UnstoppedCause};
pub use store::{BoxFuture, Store, StoreError};
pub use supervised::{Opening, Session, WARN_BEFORE};

pub(crate) use parse::parse;

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
/// let problems = liveavatar_api::session::report(
///     r#"{"mode": "LITE", "avatar_id": "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a", "issandbox": true}"#,
/// );
/// let problem = problems.iter().next().expect("one problem");
/// assert_eq!((problem.rule(), problem.path()), ("unknown-field", "issandbox"));
/// assert_eq!(problem.hint(), Some("did you mean `is_sandbox`?"));
/// ```
#[must_use]
pub fn report(text: &str) -> Problems {
    match parse(text) {
        Ok((mode, value)) => check(mode, &value),
        Err(problems) => problems,
    }
}

/// Checks fields, values and the rules of the mode.
///
/// The caller vouches for `mode`; a `mode` field in the value is not compared with it.
pub(crate) fn check(mode: ModeName, value: &Value) -> Problems {
    let shape = shape::problems(mode, value);
    let mut all = rules::problems(mode, value, &shape);
    all.extend(shape.into_iter().map(|found| found.problem));
    Problems::new(all)
}
