//! A token endpoint for web servers: browsers get sessions without the API key.
//!
//! [`TokenEndpoint`] builds an [`axum::Router`] with two routes at `/`, or a [`TokenService`] that any server with tower services
//! can mount at any path. Put it behind your own layers for CORS, rate limits and logs.
//!
//! | Request | Response |
//! | --- | --- |
//! | `POST` with a JSON object of choices, `{}` for none | 200 `{"session_id", "session_token"}`, or with [`start_sessions`](TokenEndpoint::start_sessions) 200 `{"session_id", "livekit_url", "livekit_client_token", "max_session_duration"}` |
//! | `DELETE` | 204: the user's session is stopped, or the user has none |
//!
//! Choices have the shape of the configuration: `{"avatar_persona": {"language": "de"}, "max_session_duration": 120}`. A
//! `POST` must have the content type `application/json`. Otherwise a form on another site could open sessions with the user's
//! cookie.
//!
//! What a session gets follows from, in this order: the configuration, which [`TokenEndpoint::per_user`] makes for each user; the
//! browser's choices, which replace the configured values and are limited by [`allow`](TokenEndpoint::allow) and
//! [`allow_per_user`](TokenEndpoint::allow_per_user); and [`max_session_duration`](TokenEndpoint::max_session_duration). Of several
//! limits of the duration, the shortest applies.
//!
//! All responses have `cache-control: no-store`. A failure is `{"code", "message", "fields": [{"path", "message"}]}`; `fields` is
//! left out if it is empty. Failures never repeat the service's texts or the browser's values; they repeat only the browser's keys.
//!
//! | Status | `code` | Reason |
//! | --- | --- | --- |
//! | 400 | `invalid_json` | The body is not a JSON object. |
//! | 400 | `choice_refused` | A field or value is not offered, or the resulting configuration is invalid. |
//! | 401, 403, 429, 503 | `unauthenticated`, `forbidden`, `too_many`, `unavailable` | Your [`Rejection`]. `unavailable` also if the client is shut down or the session store fails. |
//! | 405, 413, 415 | `method_not_allowed`, `too_large`, `not_json` | |
//! | 409 | `session_running` | The user has a session, and [`SecondSession::Reject`] applies. |
//! | 500 | `misconfigured` | The API key or the server's configuration is invalid, or your [`Rejection::Misconfigured`]. The browser cannot fix it. |
//! | 502, 504 | `service_failed`, `service_timeout`, `not_stopped` | The service or the network failed. |
//! | 503 | `busy`, `no_credits` | `busy` with `retry-after`: the session limit or the rate limit is reached. |
//!
//! `retry-after` is at most 2147483 s, so that its milliseconds fit a browser's timer.
//!
//! [`Client::reap`](crate::Client::reap) keeps the session of a token that a browser has until the session cannot live any more or
//! is stopped here: in this process until the token has expired and the maximum duration has passed. The client's
//! [session store](crate::store), if any, holds it for all processes, even after a restart of this one, for its maximum duration
//! and 5 min to start it. It takes a slot of the store that long, unless the page sends the `DELETE`.
//!
//! With the feature `tracing`, the server logs the cause of each 5xx response: error kinds, codes, request ids and field paths.

mod choice;
mod configuration;
mod hooks;
mod response;
mod service;
mod token_endpoint;
#[cfg(feature = "tracing")]
mod trace;
mod user_sessions;

pub use choice::Choice;
pub use hooks::{Ended, Granted};
pub use response::Rejection;
pub use service::TokenService;
pub use token_endpoint::{BODY_LIMIT, MAX_SESSION_DURATION, SecondSession, TokenEndpoint};
