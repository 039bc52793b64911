//! Sessions: the configuration of each mode, its rules, and supervised sessions that end well.
//!
//! The service ignores fields that it does not know, so that a misspelt or misplaced field looks accepted and has no
//! effect. A [`Configuration`] exists only if every rule holds; what is wrong is reported all at once, before anything is
//! sent.
//!
//! # A session's life
//!
//! [`Client::open`](crate::Client::open) mints, starts, and returns a [`Session`] that is looked after: it is kept alive every
//! [`KEEP_ALIVE_INTERVAL`], warns [`WARN_BEFORE`] its time is over, is replaced then if it [rotates](OpenSession::auto_rotate), and is
//! stopped. [`Session::watch`] shows its [`Status`], [`Session::events`] tells what happens to it. [`Client::mint`](crate::Client::mint)
//! and [`SessionToken::start`] give a raw [`StartedSession`] session that nobody looks after, and [`Client::session`](crate::Client::session) reaches
//! any by its id.
//!
//! The promise: **what was minted and started is stopped or reported**. Stopped means that the service has said so: by a success,
//! or by a 404, which says that the session does not run. Reported means [`State::StopFailed`], the callback
//! [`ClientBuilder::on_stop_failed`](crate::ClientBuilder::on_stop_failed) and an event of the `tracing` feature; the client remembers the
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
//! | The network is lost | Keep-alives fail, which [`SessionEvent::KeepAliveFailed`] tells, and come four times as often until one succeeds. After 5 minutes without a sign of life the service ends the session by itself (documentation; 194 s were seen). A stop is repeated for as long, then the session is reported. |
//! | Ctrl-C, SIGTERM | They end a process without running anything. Wait for the signal, as with `tokio::signal::ctrl_c`, and call [`Client::shutdown`](crate::Client::shutdown). |
//! | `main` returns, the runtime shuts down | Its tasks are dropped before they can stop anything: every session that still runs is reported. |
//! | SIGKILL, a panic that aborts, `std::process::exit`, loss of power | Nothing runs any more. The [store] still holds the session, and whoever reads it next can stop it; without a store, the service ends it for idleness. |
//!
//! All sessions of a client and its clones share one task and one queue of times. A session takes less than 2 KB, tokens
//! included, and the first keep-alive comes at a random time within the interval, so that thousands opened together spread out.

mod handle;
mod reap;
mod session_ref;
mod token;
mod transcript;

pub use crate::config::{
    AnyConfiguration, AnyMode, Configuration, Custom, DOCUMENTED_OPENAI_MODELS,
    DYNAMIC_VARIABLE_KEY_CHARACTERS, DYNAMIC_VARIABLE_VALUE_CHARACTERS, DYNAMIC_VARIABLES_ENTRIES,
    Diagnostic, Diagnostics, Full, Lite, Mintable, Mode, ModeName, RULES, Rule, SANDBOX_AVATAR_ID,
    SANDBOX_MAX_SESSION_DURATION, SHORTEST_MAX_SESSION_DURATION, Severity, SuppliesAudio, validate,
};
#[cfg(feature = "livekit")]
pub use crate::config::{LIVEKIT_ENV, LiveKitServer};
pub use crate::supervisor::{
    EndReason, STOP_LIMIT, SessionEvent, SessionEvents, State, Status, StopFailed, StopFailedCause,
};
pub use handle::{OpenSession, Session, WARN_BEFORE};
pub use reap::{KeepReason, Reap, ReapOutcome, Reaped, ReapedSession};
pub use session_ref::{KEEP_ALIVE_INTERVAL, SessionRef};
pub use token::{SessionToken, StartedSession};
