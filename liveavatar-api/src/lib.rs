//! Client for the LiveAvatar API (HeyGen), the service for real-time talking avatars.
//!
//! A backend mints a session token, starts the session, keeps it alive and stops it: [`Client::open`] does all four. In FULL
//! mode the service runs the conversation; in LITE mode, formerly CUSTOM, the caller supplies the audio. Sessions cost credits
//! by the minute, from start to stop.
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
//! session.stop().await?; // as dropping it does
//! for line in session.transcript().await? {
//!     println!("{}: {}", line.role, line.transcript);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The [`guide`] goes on from here: a page per mode, the life of a session, errors, testing.
//!
//! # Where things are
//!
//! - [`Client`] has a method for each of the 44 operations, generated from the service's OpenAPI document (see [`raw`]).
//!   [`Call::data`] sends a call and opens its answer; [`Paged`] walks a list. [`Client::operation`] calls by name.
//! - [`session`] has the configuration of each mode, its rules, and sessions that keep themselves alive and end well.
//! - [`store`] remembers running sessions outside the process, and [`Client::reap`] stops what a crash left behind.
//! - [`realtime`] has what is said to an avatar and heard of it: the codec of the LiveKit data channel, the LITE socket
//!   (feature `lite`), audio (feature `audio`).
//! - [`types`] are the document's types. What is sent is strict; what is received keeps unknown values ([`OpenEnum`]) and
//!   survives null and missing parts.
//! - [`Error`] is the one error type; its predicates say what to do about it.
//! - [`RequestOptions`] say how often and how long a call may try. What may have been processed is repeated only where twice is the
//!   same as once; a start or a create never is.
//! - [`Observer`] is told of every request; the `tracing` feature makes spans and events of them.
//! - `router`, with the feature `axum`, gives sessions to browsers: a token endpoint for a web server.
//! - `mock`, with the feature of that name, is a LiveAvatar service in the process.
//! - The command line `liveavatar` comes with the feature `cli`.
//!
//! # Secrets
//!
//! API keys, session tokens, LiveKit tokens, socket addresses and prompts are [`Secret`]s or [`Credential`]s: `Debug` hides
//! them, and no error repeats them. Credentials are sent to the base URL only and follow no redirect.

// The generated code names the crate's own types by absolute paths.
extern crate self as liveavatar_api;

mod calls;
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
mod secret;
pub mod session;
pub mod store;
mod supervisor;
mod wire;

pub use self::http::{Attempt, AttemptOutcome, Clock, Observer, RequestOptions};
pub use calls::dynamic::{DynamicCall, RawResponse};
pub use calls::pages::Paged;
pub use calls::upload::CreateImageAvatar;
pub use calls::{Call, IntoData, Sent};
pub use client::{API_KEY_ENV, BASE_URL, BASE_URL_ENV, Client, ClientBuilder};
pub use credential::{Credential, CredentialKind};
pub use error::{Error, ErrorKind, FieldError};
pub use raw::generated::{builder, types};
pub use secret::Secret;
/// Ids of the service.
pub use uuid::Uuid;
pub use wire::{Credits, Envelope, Nullable, OpenEnum, Page, Timestamp};
