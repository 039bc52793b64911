//! Answers: what the mock sends back, and the shapes in which it refuses.

use std::fmt;
use std::io;

use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::problem::Problem;

/// Success code of the document's envelopes, and of recorded list answers.
const CODE_DOCUMENTED: i64 = 100;
/// Success code that the official SDK expects from the session calls.
const CODE_SESSION: i64 = 1000;
const CODE_BAD_REQUEST: i64 = 4000;
const CODE_UNAUTHORIZED: i64 = 4010;
/// No code of a 404 is on record; this one follows the pattern of 4010.
const CODE_NOT_FOUND: i64 = 4040;
const CODE_CONCURRENCY: i64 = 4032;
const CODE_NO_CREDITS: i64 = 4033;
/// No body of a 429 is on record; this code follows the pattern of 4010.
const CODE_TOO_MANY: i64 = 4290;

/// A complete HTTP answer, for [`Server::mock_response`](super::Server::mock_response).
#[derive(Clone, PartialEq, Eq)]
pub struct MockResponse {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
    cut: Option<Cut>,
}

/// How a body and its `Content-Length` disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The connection breaks in the middle.
    Broken,
    /// Half of the length is told.
    Understated,
    /// Twice the length is told.
    Overstated,
}

impl MockResponse {
    /// An answer with a JSON body.
    ///
    /// # Panics
    ///
    /// If `status` is not between 100 and 999.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "callers write a json! literal in place")]
    pub fn json(status: u16, body: Value) -> MockResponse {
        MockResponse::raw(status, "application/json", body.to_string())
    }

    /// An answer with any bytes as its body; an empty `content_type` sends no such header.
    ///
    /// # Panics
    ///
    /// If `status` is not between 100 and 999, or `content_type` cannot be a header value.
    #[must_use]
    pub fn raw(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> MockResponse {
        let status =
            StatusCode::from_u16(status).unwrap_or_else(|_| panic!("{status} is not an HTTP status"));
        let answer = MockResponse { status, headers: Vec::new(), body: body.into(), cut: None };
        if content_type.is_empty() { answer } else { answer.header("content-type", content_type) }
    }

    /// Adds a header.
    ///
    /// # Panics
    ///
    /// If the name or the value cannot be sent in HTTP.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> MockResponse {
        let parsed = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
        let header = parsed.unwrap_or_else(|| panic!("header {name:?} cannot be sent with this value"));
        self.headers.push(header);
        self
    }

    /// HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// An answer that leads elsewhere: `status` with the address in `Location`, and no body.
    ///
    /// # Panics
    ///
    /// If `status` is not between 100 and 999, or `location` cannot be a header value.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> MockResponse {
        MockResponse::raw(status, "", "").header("location", location)
    }

    pub(super) fn cut(mut self, cut: Cut) -> MockResponse {
        self.cut = Some(cut);
        self
    }

    /// Changes a JSON body; another one stays as it is.
    pub(super) fn with_json(mut self, change: impl FnOnce(&mut Value)) -> MockResponse {
        if let Ok(mut body) = serde_json::from_slice(&self.body) {
            change(&mut body);
            self.body = body.to_string().into_bytes();
        }
        self
    }

    /// Builds the response; `request_id` is added unless the answer brings its own.
    pub(super) fn into_response(self, request_id: &str) -> Response<Body> {
        let length = self.body.len();
        let (body, told) = match self.cut {
            None => (Body::from(self.body), None),
            Some(Cut::Broken) => {
                let half = self.body[..length / 2].to_vec();
                (in_pieces([Ok(half), Err(io::ErrorKind::ConnectionReset.into())]), Some(length))
            }
            Some(Cut::Understated) => (in_pieces([Ok(self.body)]), Some(length / 2)),
            Some(Cut::Overstated) => (in_pieces([Ok(self.body)]), Some(length * 2)),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(told) = told {
            headers.insert(CONTENT_LENGTH, told.into());
        }
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        if let Ok(value) = HeaderValue::try_from(request_id) {
            headers.entry("x-request-id").or_insert(value);
        }
        response
    }

    /// The success answer of an operation without behaviour of its own.
    pub(super) fn documented(status: u16, envelope: Option<Value>) -> MockResponse {
        let Some(mut body) = envelope else {
            return MockResponse::raw(status, "", "");
        };
        if let Some(code) = body.get_mut("code") {
            *code = CODE_DOCUMENTED.into();
        }
        MockResponse::json(status, body)
    }

    /// The success answer of a session operation.
    #[expect(clippy::needless_pass_by_value, reason = "callers write a json! literal in place")]
    pub(super) fn session(status: u16, data: Value) -> MockResponse {
        MockResponse::json(status, json!({ "code": CODE_SESSION, "data": data, "message": "Success" }))
    }

    /// A path or method that the document does not have, in the shape of the web framework.
    pub(super) fn no_route(status: u16, detail: &str) -> MockResponse {
        MockResponse::json(status, json!({ "detail": detail }))
    }

    /// 422 in the published shape.
    pub(super) fn unprocessable(problems: Vec<Problem>) -> MockResponse {
        let detail: Vec<Value> = problems.into_iter().map(Problem::into_json).collect();
        MockResponse::json(422, json!({ "detail": detail }))
    }

    /// 400 with one reason, in the recorded shape.
    pub(super) fn bad_request(location: &[&str], reason: &str) -> MockResponse {
        let data = json!([{ "loc": location, "message": reason, "params": {} }]);
        MockResponse::json(
            400,
            json!({ "code": CODE_BAD_REQUEST, "data": data, "message": "Bad request error" }),
        )
    }

    pub(super) fn unauthorized() -> MockResponse {
        refusal(401, CODE_UNAUTHORIZED, "Unauthorized")
    }

    /// `kind` is the singular of what was not found, in lower case.
    pub(super) fn not_found(kind: &str) -> MockResponse {
        let mut letters = kind.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        let message: String = first.into_iter().chain(letters).chain(" not found".chars()).collect();
        refusal(404, CODE_NOT_FOUND, &message)
    }

    pub(super) fn session_not_found() -> MockResponse {
        MockResponse::not_found("session")
    }

    pub(super) fn no_credits() -> MockResponse {
        refusal(403, CODE_NO_CREDITS, "No credits available")
    }

    /// 429; `wait_seconds` is what is left of the window, `reset` when the next one begins, in seconds since 1970.
    pub(super) fn too_many_requests(wait_seconds: u64, reset: i64) -> MockResponse {
        refusal(429, CODE_TOO_MANY, "Too many requests")
            .header("retry-after", &wait_seconds.to_string())
            .header("x-ratelimit-reset", &reset.to_string())
    }

    pub(super) fn concurrency_limit() -> MockResponse {
        refusal(403, CODE_CONCURRENCY, "Session concurrency limit reached")
    }
}

/// A body whose length nobody knows beforehand, so that another one can be told.
fn in_pieces<const N: usize>(pieces: [io::Result<Vec<u8>>; N]) -> Body {
    Body::from_stream(futures_util::stream::iter(pieces))
}

fn refusal(status: u16, code: i64, message: &str) -> MockResponse {
    MockResponse::json(status, json!({ "code": code, "data": null, "message": message }))
}

/// Shows status and size only; bodies may hold tokens.
impl fmt::Debug for MockResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MockResponse")
            .field("status", &self.status.as_u16())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
