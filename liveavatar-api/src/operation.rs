//! The table of operations, generated from the document.

use std::fmt;
use std::time::Duration;

/// The kinds of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CredentialKind {
    /// The account's key, sent as `X-API-KEY`; valid for everything except starting a session.
    ApiKey,
    /// A session's token, sent as `Authorization: Bearer`; valid to start, keep alive and stop that session.
    SessionToken,
}

impl fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ApiKey => "an API key",
            Self::SessionToken => "a session token",
        })
    }
}

/// An operation as the document describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    /// Name of its method, such as `create_session_token`.
    pub id: &'static str,
    /// HTTP method, in capitals.
    pub method: &'static str,
    /// Path, with `{name}` for each path parameter.
    pub path: &'static str,
    /// Accepted kinds of credential; empty for a public operation.
    pub credentials: &'static [CredentialKind],
    /// Whether the body may be omitted.
    pub optional_body: bool,
    /// Query parameters with their minimum and maximum, such as `("page_size", 1, 100)`.
    pub bounds: &'static [(&'static str, i64, i64)],
    /// Whether sending it twice has the effect of sending it once, so that it may be retried after any failure.
    pub idempotent: bool,
    /// Time limit of one attempt, if the operation is known to be slow.
    pub attempt_timeout: Option<Duration>,
    /// Whether a successful response has a body.
    pub has_response_body: bool,
}

/// All operations, sorted by name.
pub static OPERATIONS: &[Operation] = include!(concat!(env!("OUT_DIR"), "/operations.rs"));

impl Operation {
    /// Returns the operation with this method name.
    #[must_use]
    pub fn find(id: &str) -> Option<&'static Self> {
        OPERATIONS.binary_search_by(|operation| operation.id.cmp(id)).ok().map(|index| &OPERATIONS[index])
    }
}
