//! Client for the LiveAvatar API (HeyGen), the service for real-time talking avatars.
//!
//! A backend mints a session token, starts the session, keeps it alive and stops it; [`Client::open`] does all four. In FULL mode
//! the service runs the conversation. In LITE mode, formerly CUSTOM, the caller supplies the audio. A session costs credits by
//! the minute, from start to stop.
//!
//! # A first session
//!
//! ```no_run
//! # async fn first_session() -> Result<(), Box<dyn std::error::Error>> {
//! use liveavatar_api::Client;
//! use liveavatar_api::session::AnyConfiguration;
//!
//! let client = Client::from_env()?; // LIVEAVATAR_API_KEY
//! let configuration = AnyConfiguration::from_json(&std::fs::read_to_string("session.json")?)?;
//! let session = client.open(&configuration).await?; // kept alive from here on
//! println!("join {:?}", session.started().livekit_url);
//! session.stop().await?; // dropping the session stops it, too
//! for line in session.transcript().await? {
//!     println!("{}: {}", line.role, line.transcript);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The [`guide`] continues from here: a page per mode, the life of a session, errors, testing.
//!
//! # Overview
//!
//! - [`Client`] has a method for each of the 44 operations, generated from the service's OpenAPI document; the guide lists
//!   [all of them](guide::operations). A [call](calls) has a setter for each parameter and each field of its body; `send` returns
//!   the data of the response, and `all`, `items` and `pages` read lists.
//! - [`session`] has the configuration of each mode with its rules, and sessions that are kept alive and stopped.
//! - [`store`] remembers running sessions outside the process, so that [`Client::reap`] can stop them after a crash.
//! - [`realtime`] talks to the avatar: the LiveKit data channel of FULL sessions, the web socket of LITE sessions (feature
//!   `lite`), audio conversion (feature `audio`).
//! - [`types`] are the document's types. Requests are strict. Responses keep unknown values ([`OpenEnum`]) and accept null and
//!   missing fields.
//! - [`Error`] is the error type of all calls.
//! - [`RequestOptions`] sets retries and time limits. A call that the service may have processed is retried only if the operation
//!   is idempotent, which starting a session and creating a resource are not.
//! - [`Observer`] has callbacks for every request; the feature `tracing` emits spans and events.
//! - `endpoint` (feature `axum`) is a token endpoint for web servers, which gives browsers sessions.
//! - The package `liveavatar-mock` runs the service in the process, for tests; `liveavatar-cli` is the command line.
//!
//! # Secrets
//!
//! API keys, session tokens, LiveKit tokens, socket addresses and prompts are [`Secret`]s or [`Credential`]s: `Debug` hides them,
//! and errors do not repeat them. Credentials are sent to the base URL only, and redirects are not followed.

// Generated code refers to the crate's own types by absolute paths.
extern crate self as liveavatar_api;

mod builder;
pub mod calls;
mod client;
mod config;
mod credential;
#[cfg(feature = "axum")]
pub mod endpoint;
mod error;
#[cfg(any(doc, doctest))]
pub mod guide;
mod http;
mod operation;
pub mod raw;
pub mod realtime;
mod schema;
mod secret;
pub mod session;
pub mod store;
mod supervisor;
mod wire;

pub use self::http::{Attempt, AttemptOutcome, Clock, Observer, RequestOptions};
pub use builder::{IntoField, IntoList, IntoMap};
pub use client::{API_KEY_ENV, BASE_URL, BASE_URL_ENV, Client, ClientBuilder};
pub use credential::Credential;
pub use error::{Error, ErrorKind, FieldError};
pub use operation::CredentialKind;
pub use raw::generated::types;
pub use secret::Secret;
/// Ids of the service.
pub use uuid::Uuid;
pub use wire::{Credits, Envelope, Nullable, OpenEnum, Page, Timestamp};
