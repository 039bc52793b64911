//! A validated request to one operation, and the success responses and pages that handlers build from it.

use axum::http::Uri;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::credentials::Caller;
use crate::document::Operation;
use crate::example::example_response;
use crate::response::MockResponse;
use crate::validation::Input;
use crate::violation::Violation;

/// The document's default for `page_size`.
const PAGE_SIZE: usize = 20;

pub(crate) struct Call<'a> {
    pub(crate) operation: &'static Operation,
    pub(crate) caller: Caller,
    pub(crate) input: &'a Input,
    /// Base URL of the server, without a trailing slash.
    pub(crate) base: &'a str,
    pub(crate) uri: &'a Uri,
}

impl Call<'_> {
    /// Returns the success response of a session operation, with the code that the official SDK expects.
    #[expect(clippy::needless_pass_by_value, reason = "callers write a json! literal in place")]
    pub(crate) fn session_response(&self, data: Value) -> MockResponse {
        let envelope = json!({ "code": 1000, "data": data, "message": "Success" });
        MockResponse::json(self.operation.success, envelope)
    }

    /// Returns the document's example response, with the code of the document and of recorded list responses.
    pub(crate) fn example_response(&self) -> MockResponse {
        let Some(mut envelope) = example_response(&self.operation.name) else {
            return MockResponse::raw(self.operation.success, "", "");
        };
        if let Some(code) = envelope.get_mut("code") {
            *code = 100.into();
        }
        MockResponse::json(self.operation.success, envelope)
    }

    /// Returns the document's example response with other data.
    pub(crate) fn documented_response(&self, data: Value) -> MockResponse {
        self.example_response().with_json(|envelope| {
            if let Some(slot) = envelope.get_mut("data") {
                *slot = data;
            }
        })
    }

    /// Returns the requested page of `found`; serializes only the entries on it.
    pub(crate) fn page<T>(&self, found: &[T], entry: impl Fn(&T) -> Value) -> Value {
        let positive = |name: &str, default| {
            self.number(name).and_then(|it| usize::try_from(it).ok()).unwrap_or(default).max(1)
        };
        let (page, size) = (positive("page", 1), positive("page_size", PAGE_SIZE));
        let skipped = (page - 1).saturating_mul(size);
        let results: Vec<Value> = found.iter().skip(skipped).take(size).map(entry).collect();
        let next = (skipped.saturating_add(size) < found.len()).then(|| self.page_link(page + 1));
        let previous = (page > 1).then(|| self.page_link(page - 1));
        json!({ "count": found.len(), "next": next, "previous": previous, "results": results })
    }

    /// Returns the URL of another page of the same list.
    fn page_link(&self, page: usize) -> String {
        let sent = self.uri.query().unwrap_or_default().split('&');
        let mut query: Vec<_> =
            sent.filter(|pair| !pair.is_empty() && !pair.starts_with("page=")).map(str::to_owned).collect();
        query.push(format!("page={page}"));
        format!("{}{}?{}", self.base, self.uri.path(), query.join("&"))
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
