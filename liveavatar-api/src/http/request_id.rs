//! The id that the service gives each request.

use http::HeaderMap;

use crate::credential::Credential;

/// Longest accepted request id, in bytes.
const MAX_LENGTH: usize = 128;

/// Returns the request id from `X-Request-Id`, unless it is too long or repeats the credential.
pub(crate) fn request_id(headers: &HeaderMap, credential: Option<&Credential>) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?;
    let is_valid = id.len() <= MAX_LENGTH
        && !id.is_empty()
        && credential.is_none_or(|credential| credential.scrub(id) == id);
    is_valid.then(|| id.to_owned())
}
