//! Responses that echo the request, in every shape that a service or a proxy may use.

use liveavatar_mock::{MockResponse, RecordedRequest};
use serde_json::{Value, json};

use crate::leaks::shows;

/// The parts of a request that a service may echo.
pub(crate) struct Echo {
    body: Value,
    /// Each header and each string of the body, separately: an error contains only the start of a long text.
    parts: Vec<String>,
    /// The whole request: request line, headers, body.
    text: String,
}

impl Echo {
    pub(crate) fn of(request: &RecordedRequest) -> Self {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let headers: Vec<_> =
            request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let line = format!("{} {}?{}", request.method, request.path, request.query.as_deref().unwrap_or(""));
        let text = format!("{line}\n{}\n\n{body}", headers.join("\n"));
        let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
        let mut parts = headers;
        texts(&body, &mut parts);
        // Marked parts come first, because an error truncates the list.
        parts.sort_by_key(|part| !shows(part));
        Self { body, parts, text }
    }

    /// Returns a failure with the echo in every field, and in both shapes of field errors.
    fn failure(&self, status: u16, code: Option<i64>) -> MockResponse {
        let field = |part: &String, text: &str| json!({ "loc": ["body", 0, "field"], text: format!("{part} is wrong"), "input": self.body, "params": {} });
        let fields = |text: &str| self.parts.iter().map(|part| field(part, text)).collect::<Value>();
        let message = self.parts.join(" ");
        let mut body = json!({ "message": message, "error": self.text });
        body["data"] = fields("message");
        body["detail"] = fields("msg");
        if let Some(code) = code {
            body["code"] = json!(code);
        }
        MockResponse::json(status, body)
    }

    /// Returns every failure with its name. The first one is a 429, after which every operation is retried.
    pub(crate) fn failures(&self) -> Vec<(String, MockResponse)> {
        let text = self.text.as_str();
        let mut failures: Vec<(String, MockResponse)> = Vec::new();
        let known = [(403, Some(4032)), (403, Some(4033)), (400, Some(4000)), (401, Some(4010))];
        let plain = [429, 400, 401, 402, 403, 404, 405, 409, 422, 500, 503].map(|status| (status, None));
        for (status, code) in plain.into_iter().chain(known) {
            failures.push((format!("{status} with code {code:?}"), self.failure(status, code)));
        }
        for key in ["message", "detail", "error"] {
            let parts = MockResponse::json(422, json!({ key: self.parts.join(", ") }));
            failures.push((format!("422 with the parts as {key}"), parts));
            failures.push((
                format!("422 with everything as {key}"),
                MockResponse::json(422, json!({ key: text })),
            ));
        }
        let html = format!("<html><pre>{text}</pre></html>");
        let others = [
            ("422 with the unchanged body", MockResponse::json(422, self.body.clone())),
            ("500 as text", MockResponse::raw(500, "text/plain", text)),
            ("500 without a content type", MockResponse::raw(500, "", text)),
            (
                "500 with a truncated body",
                MockResponse::raw(500, "application/json", format!("{{\"message\": {text:?}")),
            ),
            ("502 as HTML", MockResponse::raw(502, "text/html", html.clone())),
            ("200 as HTML", MockResponse::raw(200, "text/html", html)),
            ("200 as text", MockResponse::raw(200, "text/plain", text)),
            ("200 with a list", MockResponse::json(200, json!([text]))),
            ("200 without a body", MockResponse::raw(200, "application/json", "")),
            (
                "200 that ends in a secret",
                MockResponse::raw(
                    200,
                    "application/json",
                    "{\"code\":100,\"data\":{\"session_token\":\"canary",
                ),
            ),
            ("200 with a failing code", self.failure(200, Some(4000))),
            (
                "200 with broken JSON",
                MockResponse::raw(
                    200,
                    "application/json",
                    "{\"code\":100,\"data\":{\"session_token\": canary }}",
                ),
            ),
            (
                "redirect",
                MockResponse::raw(302, "text/plain", text).header("location", "https://example.com/canary"),
            ),
        ];
        failures.extend(others.map(|(name, response)| (name.to_owned(), response)));
        failures
    }
}

/// Finds every string in a value.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Object(map) => map.values().for_each(|inner| texts(inner, found)),
        Value::Array(list) => list.iter().for_each(|inner| texts(inner, found)),
        _ => {}
    }
}

/// Returns successes whose data does not match the document.
pub(crate) fn other_shapes() -> Vec<(&'static str, MockResponse)> {
    let envelope =
        |data: Value| MockResponse::json(200, json!({ "code": 100, "data": data, "message": null }));
    vec![
        ("200 with a string as data", envelope(json!("canary"))),
        ("200 with a list as data", envelope(json!(["canary", { "id": "canary" }]))),
        (
            "200 with strings instead of numbers",
            envelope(json!({ "id": "canary", "results": "canary", "count": "canary" })),
        ),
    ]
}
