//! Sending one call: credentials, retries, time limits, and reading the response.

mod address;
mod body;
mod clock;
mod observe;
mod options;
mod pools;
mod redact;
mod request_id;
mod retry;
mod send;
mod sign;
#[cfg(feature = "tracing")]
mod trace;

use std::sync::Arc;

use reqwest::Url;

pub(crate) use address::{address, is_loopback};
pub use clock::Clock;
pub(crate) use clock::SystemClock;
pub use observe::{Attempt, AttemptOutcome, Observer};
pub use options::RequestOptions;
pub(crate) use pools::Pools;
pub(crate) use request_id::request_id;
pub(crate) use retry::Retries;
pub(crate) use send::{Received, send};
pub(crate) use sign::prepare;

use crate::credential::Credential;

/// The state that a generated client carries into every call.
#[derive(Clone, Debug)]
pub struct Transport {
    pub(crate) credential: Option<Credential>,
    pub(crate) options: RequestOptions,
    pub(crate) shared: Arc<Shared>,
}

/// The part of a [`Transport`] that all clones of a client share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) base_url: Url,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) pools: Pools,
    pub(crate) retries: Retries,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}
