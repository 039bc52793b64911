//! The requests that a server received, recorded for tests.

use std::fmt;

use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, Request};

use crate::credentials::secret_headers;
use crate::document::Operation;

/// A request that the server received, and the status of its response if it has one.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// Short name of the operation; `None` if the document lacks this path and method.
    pub operation: Option<String>,
    /// HTTP method in upper case.
    pub method: String,
    /// Path as sent, still percent-encoded.
    pub path: String,
    /// Query without the question mark, still percent-encoded.
    pub query: Option<String>,
    /// Headers in the order received, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body as sent.
    pub body: Vec<u8>,
    /// HTTP status of the response; `None` if a fault broke the request, the client disconnected, or it is still in progress.
    pub status: Option<u16>,
}

impl RecordedRequest {
    pub(crate) fn new(operation: Option<&Operation>, request: &Request<Bytes>) -> RecordedRequest {
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        RecordedRequest {
            operation: operation.map(|operation| operation.name.clone()),
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().map(str::to_owned),
            headers: request.headers().iter().map(header).collect(),
            body: request.body().to_vec(),
            status: None,
        }
    }

    /// Returns the first value of a header; the name is case-insensitive.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Hides credentials and shows only the size of the body.
impl fmt::Debug for RecordedRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret: Vec<String> = secret_headers().collect();
        let redact = |(name, value): &(String, String)| {
            let shown = if secret.contains(name) { "[redacted]".to_owned() } else { value.clone() };
            (name.clone(), shown)
        };
        formatter
            .debug_struct("RecordedRequest")
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query)
            .field("headers", &self.headers.iter().map(redact).collect::<Vec<_>>())
            .field("body_bytes", &self.body.len())
            .field("status", &self.status)
            .finish()
    }
}
