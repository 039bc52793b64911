//! Sessions: the configuration of each mode, its rules, and supervised sessions that end well.
//!
//! The service ignores fields that it does not know, so that a misspelt or misplaced field looks accepted and has no
//! effect. A [`Configuration`] exists only if every rule holds; what is wrong is reported all at once, before anything is
//! sent.
//!
//! # A session's life
//!
//! [`Client::open`](crate::Client::open) mints, starts, and returns a [`Session`] that is looked after: it is kept alive every
//! [`KEEP_ALIVE_INTERVAL`], warns [`WARN_BEFORE`] its time is over, is replaced then if it [rotates](Opening::rotating), and is
//! stopped. [`Session::watch`] shows its [`Status`], [`Session::events`] tells what happens to it. [`Client::mint`](crate::Client::mint)
//! and [`Minted::start`] give a raw [`Started`] session that nobody looks after, and [`Client::session`](crate::Client::session) reaches
//! any by its id.
//!
//! The promise: **what was minted and started is stopped or reported**. Stopped means that the service has said so: by a success,
//! or by a 404, which says that the session does not run. Reported means [`State::Unstopped`], the callback
//! [`ClientBuilder::on_unstopped`](crate::ClientBuilder::on_unstopped) and an event of the `tracing` feature; the client remembers the
//! session, and [`Session::stop`] and [`Client::shutdown`](crate::Client::shutdown) try again.
//!
//! | What happens | What becomes of the session |
//! | --- | --- |
//! | [`Session::stop`] | Stopped, and certainly so when it returns `Ok`. A stop that fails is repeated with growing pauses for [`STOP_LIMIT`]; one that the service refuses (4xx other than 404, 408 and 429) is reported at once. |
//! | The handle is dropped: end of a scope, `?`, a cancelled or aborted task, a panic that unwinds | Stopped in the background, by the runtime that keeps the session alive. Wait with [`Client::shutdown`](crate::Client::shutdown) before the program ends. |
//! | [`Client::open`](crate::Client::open) is dropped | Before the start is sent, nothing runs. Afterwards the start goes on in the background, and the session is stopped as soon as it runs. |
//! | The start fails and leaves open whether it took effect: time-out, broken connection, 5xx | Stopped in the background. For 45 s a 404 is not taken for an answer, because the start may still take effect. |
//! | Its time is over | Stopped, with [`EndReason::MaxDuration`]: the service may go silent instead of ending it. |
//! | The service ends it: idle, no credits, stopped by somebody else | Noticed with the next keep-alive: [`EndReason::Service`] with the reason that the service gives. |
//! | The network is lost | Keep-alives fail, which [`Event::KeepAliveFailed`] tells, and come four times as often until one succeeds. After 5 minutes without a sign of life the service ends the session by itself (documentation; 194 s were seen). A stop is repeated for as long, then the session is reported. |
//! | Ctrl-C, SIGTERM | They end a process without running anything. Wait for the signal, as with `tokio::signal::ctrl_c`, and call [`Client::shutdown`](crate::Client::shutdown). |
//! | `main` returns, the runtime shuts down | Its tasks are dropped before they can stop anything: every session that still runs is reported. |
//! | SIGKILL, a panic that aborts, `std::process::exit`, loss of power | Nothing runs any more. The [store] still holds the session, and whoever reads it next can stop it; without a store, the service ends it for idleness. |
//!
//! All sessions of a client and its clones share one task and one queue of times. A session takes less than 2 KB, tokens
//! included, and the first keep-alive comes at a random time within the interval, so that thousands opened together spread out.

mod configuration;
mod duty;
mod hint;
pub(crate) mod keeper;
mod lifecycle;
mod limits;
mod line;
mod mode;
mod mode_rules;
mod own_room;
mod parse;
mod path;
mod problem;
mod reap;
mod rules;
mod schema;
mod shape;
mod status;
pub mod store;
mod supervised;
mod values;

pub use configuration::{AnyConfiguration, AnyMode, Configuration, Mintable};
pub use duty::STOP_LIMIT;
pub use lifecycle::{KEEP_ALIVE_INTERVAL, Minted, SessionRef, Started};
pub use limits::{
    DOCUMENTED_OPENAI_MODELS, DYNAMIC_VARIABLE_KEY_CHARACTERS, DYNAMIC_VARIABLE_VALUE_CHARACTERS,
    DYNAMIC_VARIABLES_ENTRIES, SANDBOX_AVATAR_ID, SANDBOX_MAX_SESSION_DURATION,
    SHORTEST_MAX_SESSION_DURATION,
};
pub use mode::{Custom, Full, Lite, Mode, ModeName, SuppliesAudio};
#[cfg(feature = "livekit")]
pub use own_room::{LIVEKIT_VARIABLES, LiveKitServer};
pub use problem::{Problem, Problems, Severity};
pub use reap::{Fate, Kept, Reap, Reaped, ReapedSession, SLOT_FREE_AFTER};
pub use rules::{RULES, Rule};
pub use status::{EndReason, Event, Events, State, Status, Unstopped, UnstoppedCause};
pub use supervised::{Opening, Session, WARN_BEFORE};

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
    let found = problems.iter().flat_map(Problems::iter).find(|problem| {
        let at = problem.path();
        path == at || path.strip_prefix(at).is_some_and(|rest| rest.starts_with('.'))
    });
    let of = mode.map_or("any mode", |mode| mode.as_str());
    let hint = found.and_then(Problem::hint).unwrap_or("a path is written like `video_settings.quality`");
    Some(format!("`{path}` leads to no field of {of}: {hint}"))
}
