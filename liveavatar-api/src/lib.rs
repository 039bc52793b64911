//! Client for the LiveAvatar API (HeyGen), the service for real-time talking avatars.

extern crate self as liveavatar_api;

mod client;
mod credential;
mod error;
#[cfg(feature = "mock")]
pub mod mock;
pub mod raw;
mod secret;
pub mod session;
mod transport;
mod upload;
mod wire;

pub use client::{API_KEY_VARIABLE, BASE_URL, BASE_URL_VARIABLE, Client, ClientBuilder, IntoData};
pub use credential::{Credential, CredentialKind};
pub use error::{Error, ErrorKind, FieldError};
pub use raw::{builder, types};
pub use secret::Secret;
pub use upload::CreateImageAvatar;
pub use wire::{Credits, Envelope, Nullable, Open, Page, Timestamp};
