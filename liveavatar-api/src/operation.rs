//! The table of the service's operations, from the document.

use std::time::Duration;

use crate::credential::CredentialKind;

/// What the transport knows of an operation, from the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    /// The name of its method, such as `create_session_token`.
    pub id: &'static str,
    /// The HTTP method in capitals.
    pub method: &'static str,
    /// The path with `{name}` for each path parameter.
    pub path: &'static str,
    /// The kinds of credential that it accepts; none for a public operation.
    pub credentials: &'static [CredentialKind],
    /// Whether the request may come without a body.
    pub optional_body: bool,
    /// Query parameters with a least and a largest value, such as `("page_size", 1, 100)`.
    pub bounds: &'static [(&'static str, i64, i64)],
    /// Whether twice is the same as once, so that a request whose fate is unknown may be repeated.
    pub idempotent: bool,
    /// How long one request may take, where the operation is known to be slow.
    pub attempt_timeout: Option<Duration>,
    /// Whether a success answers with a body.
    pub has_response_body: bool,
}

/// Every operation of the document, the hand-written ones included, sorted by name.
pub static OPERATIONS: &[Operation] = include!(concat!(env!("OUT_DIR"), "/operations.rs"));

impl Operation {
    /// Finds an operation by the name of its method.
    #[must_use]
    pub fn find(id: &str) -> Option<&'static Self> {
        OPERATIONS.binary_search_by(|operation| operation.id.cmp(id)).ok().map(|index| &OPERATIONS[index])
    }
}
