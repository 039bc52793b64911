//! Session configurations, and supervised sessions that are kept alive and reliably stopped.
//!
//! The service silently ignores unknown fields, so it also accepts a misspelled or misplaced field. A [`Configuration`] therefore
//! exists only if it satisfies every rule; all violations are reported together, before anything is sent.
//!
//! # Lifecycle
//!
//! [`Client::open`](crate::Client::open) mints a token, starts the session and returns a supervised [`Session`]. The supervisor sends a
//! keep-alive every [`KEEP_ALIVE_INTERVAL`], emits an event [`WARN_BEFORE`] the session expires, replaces the session if
//! [`auto_rotate`](OpenSession::auto_rotate) is set, and stops it at the end. [`Session::watch`] publishes the [`Status`], and
//! [`Session::events`] reports what happens.
//!
//! | Handle | Made by | What it does |
//! | --- | --- | --- |
//! | [`Session`] | [`Client::open`](crate::Client::open) | Supervises a session: dropping it stops the session. |
//! | [`SessionToken`] | [`Client::mint`](crate::Client::mint) | Starts a session without supervision, in this program or in a browser. |
//! | [`SessionRef`] | [`Client::session`](crate::Client::session) | Addresses any session by its id: keep-alive, stop, transcript. |
//!
//! The supervisor guarantees that **every session that was started is either stopped or reported**.
//!
//! - *Stopped* means that it is proved not to run, by the evidence in the table below.
//! - *Reported* means that proof is missing. The session enters [`State::StopFailed`], the callback
//!   [`ClientBuilder::on_stop_failed`](crate::ClientBuilder::on_stop_failed) runs, and the feature `tracing` emits an error. The client
//!   remembers the session and the evidence so far; call [`Session::stop`] or [`Client::shutdown`](crate::Client::shutdown) to try
//!   again.
//!
//! | Evidence | Conclusion |
//! | --- | --- |
//! | No start request was sent | It does not run. |
//! | The start request certainly was not processed: it was not sent, or was rejected with 3xx or 4xx other than 408 | It does not run. A 400 or 409 counts only for the first attempt, because an earlier one may have started the session. |
//! | The start failed otherwise: timeout, broken connection, 5xx, 408, unreadable response, interruption | The start is *open* until 45 s after the client stopped waiting for its response: the session may begin to run at any moment. |
//! | The start succeeded | It runs. |
//! | A stop is answered in any way while the start is open | Nothing: the start may take effect after it. The stop is sent again when that time is over. |
//! | A stop succeeds | It does not run. |
//! | A stop returns 404 in the service's own JSON | It does not run. |
//! | A stop returns any other 404, such as a proxy's HTML page | Nothing; the stop is retried. |
//! | A stop returns 401 or 403 | The API key may not stop it; the session's own token is tried. If both are rejected, it is reported. |
//! | A keep-alive returns 404 in the service's own JSON | It probably does not run: a stop has to prove it. |
//! | The LITE socket says that the session has ended | It probably does not run: a keep-alive is sent at once. |
//! | The LITE socket receives a frame | It runs and is in use. A sent frame is not evidence, because the server may not read it. |
//!
//! | Event | What happens to the session |
//! | --- | --- |
//! | [`Session::stop`] is called | It is stopped, and `Ok` confirms it. A failed stop is retried with increasing pauses for up to [`STOP_LIMIT`]. If the service rejects the stop (4xx other than 404, 408 and 429), the session is reported at once. |
//! | The handle is dropped: end of scope, `?`, cancelled or aborted task, unwinding panic | It is stopped in the background, on the runtime that keeps it alive. Call [`Client::shutdown`](crate::Client::shutdown) before the program ends, to wait for the stop. |
//! | The future of [`Client::open`](crate::Client::open) is dropped | Before the start request is sent, nothing runs. After that, the start completes in the background and the session is then stopped. |
//! | The start fails and may have taken effect | It is stopped in the background. |
//! | The session reaches its maximum duration | It is stopped, with [`EndReason::MaxDuration`]. The service may otherwise go silent instead of ending it. |
//! | The service ends it: idle, no credits, stopped by another client | The LITE socket or the next keep-alive detects it. The reason is [`EndReason::Service`] with the service's own reason. |
//! | The session ends, is being stopped, or is replaced | Its LITE sockets close. |
//! | The network fails | Each failed keep-alive emits [`SessionEvent::KeepAliveFailed`], and the next one follows within a quarter of the interval. The service ends a session that has been idle for 5 minutes (documentation; 194 s was observed). A stop is retried for 5 minutes, then the session is reported. |
//! | Ctrl-C, SIGTERM | By default the process ends without running any cleanup. Handle the signal, for example with `tokio::signal::ctrl_c`, and call [`Client::shutdown`](crate::Client::shutdown). |
//! | The runtime that opened it shuts down | It moves to a multi-thread runtime on which another session of the client runs. Without one, for example when `main` returns, it is reported. |
//! | The runtime that opened it is idle: a current-thread runtime outside `block_on` | It is not kept alive, and does not stop when its handle is dropped. Sessions of other runtimes are not affected. [`Session::stop`] and [`Client::shutdown`](crate::Client::shutdown) stop it on the caller's runtime. |
//! | SIGKILL, an aborting panic, `std::process::exit`, power loss | No code of this process runs any more. A [store](crate::store) still lists the session, and the next [`Client::reap`](crate::Client::reap) stops it. Without a store, the service ends it for idleness. |
//!
//! Each session has its own task, on the runtime that opened it. A session uses less than 2 KB besides its tokens and addresses.
//! Its first keep-alive is sent at a random time within the interval, so that many sessions opened together do not send theirs
//! together. Each further one is due one interval after the service last showed that it knows the session.

mod handle;
mod reap;
mod session_ref;
mod token;
mod transcript;

pub use crate::config::{
    AnyConfiguration, AnyMode, Configuration, Custom, CustomSession, DOCUMENTED_OPENAI_MODELS,
    DYNAMIC_VARIABLE_KEY_CHARACTERS, DYNAMIC_VARIABLE_VALUE_CHARACTERS, DYNAMIC_VARIABLES_ENTRIES,
    Diagnostic, Diagnostics, Full, FullSession, Lite, LiteSession, Mintable, Mode, ModeName, RULES, Rule,
    SANDBOX_AVATAR_ID, SANDBOX_MAX_SESSION_DURATION, SHORTEST_MAX_SESSION_DURATION, Severity, SuppliesAudio,
    validate,
};
#[cfg(feature = "livekit")]
pub use crate::config::{LIVEKIT_ENV, LiveKitServer};
pub use crate::supervisor::{
    EndReason, STOP_LIMIT, SessionEvent, SessionEvents, State, Status, StopFailed, StopFailedCause,
};
pub use handle::{OpenSession, Session, WARN_BEFORE};
pub use reap::{KeepReason, Reap, ReapOutcome, Reaped, ReapedSession};
pub use session_ref::{KEEP_ALIVE_INTERVAL, SessionRef};
pub use token::SessionToken;
