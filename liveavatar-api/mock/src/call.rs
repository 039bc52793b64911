//! A validated request to one operation, and the success responses that handlers build from it.

use axum::http::Uri;
use serde_json::Value;
use uuid::Uuid;

use crate::credentials::Caller;
use crate::document::Operation;
use crate::example::example_response;
use crate::response::MockResponse;
use crate::validation::Input;
use crate::violation::Violation;

pub(crate) struct Call<'a> {
    pub(crate) operation: &'static Operation,
    pub(crate) caller: Caller,
    pub(crate) input: &'a Input,
    /// Base URL of the server, without a trailing slash.
    pub(crate) base: &'a str,
    pub(crate) uri: &'a Uri,
}

impl Call<'_> {
    /// Returns the success response of a session operation.
    pub(crate) fn session_response(&self, data: Value) -> MockResponse {
        MockResponse::session(self.operation.success, data)
    }

    /// Returns the document's example response with other data.
    pub(crate) fn documented_response(&self, data: Value) -> MockResponse {
        let mut envelope = example_response(&self.operation.name);
        if let Some(slot) = envelope.as_mut().and_then(|envelope| envelope.get_mut("data")) {
            *slot = data;
        }
        MockResponse::documented(self.operation.success, envelope)
    }

    /// Returns the document's example response.
    pub(crate) fn example_response(&self) -> MockResponse {
        MockResponse::documented(self.operation.success, example_response(&self.operation.name))
    }

    pub(crate) fn path(&self, name: &str) -> &str {
        self.input.path.get(name).map_or("", String::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.input.query.get(name)?.as_i64()
    }

    /// Returns the session of the token or, for an API key, the session named in the body.
    pub(crate) fn session(&self) -> Result<Uuid, MockResponse> {
        if let Caller::Session(id) = self.caller {
            return Ok(id);
        }
        let named = self.input.body.get("session_id").and_then(Value::as_str);
        named.and_then(|id| Uuid::parse_str(id).ok()).ok_or_else(|| {
            let location = vec!["body".into(), "session_id".into()];
            MockResponse::unprocessable(vec![Violation::missing(location, self.input.body.clone())])
        })
    }
}
