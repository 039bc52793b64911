//! The responses that the mock sends, and the recorded shapes of its error responses.

use std::fmt;
use std::io;

use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::violation::Violation;

/// A complete HTTP response, for [`Server::mock_response`](crate::Server::mock_response).
#[derive(Clone, PartialEq, Eq)]
pub struct MockResponse {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
    cut: Option<Cut>,
}

/// How a body and its `Content-Length` disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The connection is dropped after half of the body.
    Truncated,
    /// `Content-Length` is half of the length.
    LengthTooShort,
    /// `Content-Length` is twice the length.
    LengthTooLong,
}

impl MockResponse {
    /// Returns a response with a JSON body.
    ///
    /// # Panics
    ///
    /// If `status` is not between 100 and 999.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "callers write a json! literal in place")]
    pub fn json(status: u16, body: Value) -> MockResponse {
        MockResponse::raw(status, "application/json", body.to_string())
    }

    /// Returns a response with an arbitrary body; an empty `content_type` omits the header.
    ///
    /// # Panics
    ///
    /// If `status` is not between 100 and 999, or `content_type` cannot be a header value.
    #[must_use]
    pub fn raw(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> MockResponse {
        let status =
            StatusCode::from_u16(status).unwrap_or_else(|_| panic!("{status} is not an HTTP status"));
        let response = MockResponse { status, headers: Vec::new(), body: body.into(), cut: None };
        if content_type.is_empty() { response } else { response.header("content-type", content_type) }
    }

    /// Adds a header.
    ///
    /// # Panics
    ///
    /// If the name or the value is not valid in HTTP.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> MockResponse {
        let added = self.try_header(name, value);
        added.unwrap_or_else(|| panic!("header {name:?} or its value is not valid in HTTP"))
    }

    /// Adds a header; `None` if the name or the value is not valid in HTTP.
    pub(crate) fn try_header(mut self, name: &str, value: &str) -> Option<MockResponse> {
        self.headers.push((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?));
        Some(self)
    }

    /// Returns the HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = (String, String)> {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        self.headers.iter().map(move |(name, value)| (name.as_str().to_owned(), text(value)))
    }

    /// Returns a redirect: `status` with the target in `Location`, and an empty body.
    ///
    /// # Panics
    ///
    /// If `status` is not between 100 and 999, or `location` cannot be a header value.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> MockResponse {
        MockResponse::raw(status, "", "").header("location", location)
    }

    pub(crate) fn cut(mut self, cut: Cut) -> MockResponse {
        self.cut = Some(cut);
        self
    }

    /// Changes a JSON body; leaves other bodies unchanged.
    pub(crate) fn with_json(mut self, change: impl FnOnce(&mut Value)) -> MockResponse {
        if let Ok(mut body) = serde_json::from_slice(&self.body) {
            change(&mut body);
            self.body = body.to_string().into_bytes();
        }
        self
    }

    /// Builds the HTTP response; adds `request_id` unless the headers include one.
    pub(crate) fn into_response(self, request_id: &str) -> Response<Body> {
        let length = self.body.len();
        let (body, content_length) = match self.cut {
            None => (Body::from(self.body), None),
            Some(Cut::Truncated) => {
                let half = self.body[..length / 2].to_vec();
                (chunked([Ok(half), Err(io::ErrorKind::ConnectionReset.into())]), Some(length))
            }
            Some(Cut::LengthTooShort) => (chunked([Ok(self.body)]), Some(length / 2)),
            Some(Cut::LengthTooLong) => (chunked([Ok(self.body)]), Some(length * 2)),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(content_length) = content_length {
            headers.insert(CONTENT_LENGTH, content_length.into());
        }
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        if let Ok(value) = HeaderValue::try_from(request_id) {
            headers.entry("x-request-id").or_insert(value);
        }
        response
    }

    /// An error about the path or method, in the shape of the service's web framework.
    pub(crate) fn no_route(status: u16, detail: &str) -> MockResponse {
        MockResponse::json(status, json!({ "detail": detail }))
    }

    /// 422 in the documented shape.
    pub(crate) fn unprocessable(violations: Vec<Violation>) -> MockResponse {
        let detail: Vec<Value> = violations.into_iter().map(Violation::into_json).collect();
        MockResponse::json(422, json!({ "detail": detail }))
    }

    /// 400 with one reason, in the recorded shape.
    pub(crate) fn bad_request(location: &[&str], reason: &str) -> MockResponse {
        let data = json!([{ "loc": location, "message": reason, "params": {} }]);
        MockResponse::json(400, json!({ "code": 4000, "data": data, "message": "Bad request error" }))
    }

    pub(crate) fn unauthorized() -> MockResponse {
        MockResponse::error(401, 4010, "Unauthorized")
    }

    /// `kind` is a singular noun in lower case.
    pub(crate) fn not_found(kind: &str) -> MockResponse {
        let mut letters = kind.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        let message: String = first.into_iter().chain(letters).chain(" not found".chars()).collect();
        // The code is invented after the pattern of 4010: no code of a 404 is recorded.
        MockResponse::error(404, 4040, &message)
    }

    /// An error without data, in the recorded shape.
    pub(crate) fn error(status: u16, code: i64, message: &str) -> MockResponse {
        MockResponse::json(status, json!({ "code": code, "data": null, "message": message }))
    }
}

/// A body of unknown length, so that `Content-Length` can be set to a wrong value.
fn chunked<const N: usize>(chunks: [io::Result<Vec<u8>>; N]) -> Body {
    Body::from_stream(futures_util::stream::iter(chunks))
}

/// Shows only status and size; bodies may contain tokens.
impl fmt::Debug for MockResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MockResponse")
            .field("status", &self.status.as_u16())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
