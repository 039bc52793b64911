//! Answers: what the mock sends back, and the shapes in which it refuses.

use std::fmt;

use axum::body::Body;
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

/// A complete HTTP answer, for [`Server::script`](super::Server::script).
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

impl Answer {
    /// An answer with a JSON body.
    ///
    /// # Panics
    ///
    /// If `status` is not between 100 and 999.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "callers write a json! literal in place")]
    pub fn json(status: u16, body: Value) -> Answer {
        Answer::raw(status, "application/json", body.to_string())
    }

    /// An answer with any bytes as its body; an empty `content_type` sends no such header.
    ///
    /// # Panics
    ///
    /// If `status` is not between 100 and 999, or `content_type` cannot be a header value.
    #[must_use]
    pub fn raw(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        let status =
            StatusCode::from_u16(status).unwrap_or_else(|_| panic!("{status} is not an HTTP status"));
        let answer = Answer { status, headers: Vec::new(), body: body.into() };
        if content_type.is_empty() { answer } else { answer.header("content-type", content_type) }
    }

    /// Adds a header.
    ///
    /// # Panics
    ///
    /// If the name or the value cannot be sent in HTTP.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Answer {
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

    /// Builds the response; `request_id` is added unless the answer brings its own.
    pub(super) fn into_response(self, request_id: &str) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        if let Ok(value) = HeaderValue::try_from(request_id) {
            headers.entry("x-request-id").or_insert(value);
        }
        response
    }

    /// The success answer of an operation without behaviour of its own.
    pub(super) fn documented(status: u16, envelope: Option<Value>) -> Answer {
        let Some(mut body) = envelope else {
            return Answer::raw(status, "", "");
        };
        if let Some(code) = body.get_mut("code") {
            *code = CODE_DOCUMENTED.into();
        }
        Answer::json(status, body)
    }

    /// The success answer of a session operation.
    #[expect(clippy::needless_pass_by_value, reason = "callers write a json! literal in place")]
    pub(super) fn session(status: u16, data: Value) -> Answer {
        Answer::json(status, json!({ "code": CODE_SESSION, "data": data, "message": "Success" }))
    }

    /// A path or method that the document does not have, in the shape of the web framework.
    pub(super) fn no_route(status: u16, detail: &str) -> Answer {
        Answer::json(status, json!({ "detail": detail }))
    }

    /// 422 in the published shape.
    pub(super) fn unprocessable(problems: Vec<Problem>) -> Answer {
        let detail: Vec<Value> = problems.into_iter().map(Problem::into_json).collect();
        Answer::json(422, json!({ "detail": detail }))
    }

    /// 400 with one reason, in the recorded shape.
    pub(super) fn bad_request(location: &[&str], reason: &str) -> Answer {
        let data = json!([{ "loc": location, "message": reason, "params": {} }]);
        Answer::json(400, json!({ "code": CODE_BAD_REQUEST, "data": data, "message": "Bad request error" }))
    }

    pub(super) fn unauthorized() -> Answer {
        refusal(401, CODE_UNAUTHORIZED, "Unauthorized")
    }

    pub(super) fn session_not_found() -> Answer {
        refusal(404, CODE_NOT_FOUND, "Session not found")
    }

    pub(super) fn concurrency_limit() -> Answer {
        refusal(403, CODE_CONCURRENCY, "Session concurrency limit reached")
    }
}

fn refusal(status: u16, code: i64, message: &str) -> Answer {
    Answer::json(status, json!({ "code": code, "data": null, "message": message }))
}

/// Shows status and size only; bodies may hold tokens.
impl fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Answer")
            .field("status", &self.status.as_u16())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
