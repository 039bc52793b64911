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
//! use futures_util::TryStreamExt;
//! use liveavatar_api::{Client, session::{FullSession, SANDBOX_AVATAR_ID}, types::AvatarPersona};
//! let client = Client::from_env()?;
//! let credits = client.get_user_credits().send().await?;
//! let voices = client.list_voices().page_size(100).voice_type("public").all().await?;
//! let mut avatars = client.list_public_avatars().items();
//! while let Some(avatar) = avatars.try_next().await? { println!("{}", avatar.name); }
//! let config = FullSession::builder().avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true)
//!     .avatar_persona(AvatarPersona::builder().context_id("c9c51880-0000-4000-8000-000000000000").language("en")).build()?;
//! let session = client.open(&config).await?;
//! session.stop().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The client reads its key from `LIVEAVATAR_API_KEY`. The session is kept alive from `open` on, and dropping it stops it, too.
//! [`AnyConfiguration::from_json`](session::AnyConfiguration::from_json) reads a configuration from a file.
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
