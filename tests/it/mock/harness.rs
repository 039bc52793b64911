//! A mock server with a plain HTTP client, and the requests that most tests need.

use std::time::Duration;

use liveavatar_mock::{Builder, Example, OperationInfo, Server, operations};
use reqwest::header::HeaderMap;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

pub(crate) const AVATAR: &str = "0e8f7a3c-93f1-4b0e-8d37-3f1f6a0c0001";
pub(crate) const SANDBOX_AVATAR: &str = "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a";
const MULTIPART: &str = "multipart/form-data";

pub(crate) struct Mock {
    pub(crate) server: Server,
    http: reqwest::Client,
}

pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// The credentials of a request.
#[derive(Clone, Copy)]
pub(crate) enum Auth<'a> {
    None,
    Key,
    Token(&'a str),
}

impl Mock {
    pub(crate) async fn start() -> Mock {
        Mock::with(Server::builder()).await
    }

    pub(crate) async fn with(builder: Builder) -> Mock {
        let server = builder.start().await.expect("a loopback port");
        Mock { server, http: reqwest::Client::new() }
    }

    pub(crate) fn request(&self, auth: Auth<'_>, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self.http.request(method, format!("{}{path}", self.server.url()));
        match auth {
            Auth::None => request,
            Auth::Key => request.header("x-api-key", self.server.api_key()),
            Auth::Token(token) => request.bearer_auth(token),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        send(self.request(Auth::Key, "GET", path)).await
    }

    pub(crate) async fn post(&self, auth: Auth<'_>, path: &str, body: Value) -> Response {
        send(self.request(auth, "POST", path).json(&body)).await
    }

    pub(crate) async fn mint(&self, body: Value) -> Response {
        self.post(Auth::Key, "/v1/sessions/token", body).await
    }

    pub(crate) async fn start_with_token(&self, token: &str) -> Response {
        send(self.request(Auth::Token(token), "POST", "/v1/sessions/start")).await
    }

    /// Mints a token and starts its session; returns the session's id and token.
    pub(crate) async fn start_session(&self, body: Value) -> (String, String) {
        let minted = self.mint(body).await;
        assert_eq!(minted.status, 200, "{}", minted.body);
        let token = minted.text("/data/session_token");
        let started = self.start_with_token(&token).await;
        assert_eq!(started.status, 201, "{}", started.body);
        (minted.text("/data/session_id"), token)
    }

    /// Sends an example request of an operation.
    pub(crate) async fn send_example(
        &self,
        auth: Auth<'_>,
        operation: &OperationInfo,
        example: &Example,
    ) -> Response {
        let mut path = operation.path.to_owned();
        for (name, value) in &example.path {
            path = path.replace(&format!("{{{name}}}"), &plain(value));
        }
        let query: Vec<_> = example.query.iter().map(|(name, value)| (name, plain(value))).collect();
        let request = self.request(auth, operation.method, &path).query(&query);
        let request = match (&example.body, example.content_type.as_deref()) {
            (Some(body), Some(MULTIPART)) => request.multipart(form(body)),
            (Some(body), _) => request.json(body),
            (None, _) => request,
        };
        send(request).await
    }
}

impl Response {
    /// The text at a JSON pointer of the body.
    pub(crate) fn text(&self, pointer: &str) -> String {
        let value = self.body.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no text at {pointer} in {}", self.body)).to_owned()
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Response {
    let response = request.send().await.expect("a response");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await.expect("a complete response");
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") };
    Response { status, headers, body }
}

/// Advances Tokio's clock, and the server's with it; resumes real time so that network waits do not advance it.
pub(crate) async fn advance(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

pub(crate) fn lite() -> Value {
    json!({ "mode": "LITE", "avatar_id": AVATAR })
}

pub(crate) fn full() -> Value {
    json!({ "mode": "FULL", "avatar_id": AVATAR, "avatar_persona": {} })
}

/// Returns `base` with additional fields, which may be null.
pub(crate) fn with(mut base: Value, fields: Value) -> Value {
    if let (Some(base), Value::Object(fields)) = (base.as_object_mut(), fields) {
        base.extend(fields);
    }
    base
}

pub(crate) fn document() -> Value {
    serde_json::from_str(include_str!("../../../liveavatar-api/openapi/service.json")).expect("the document")
}

/// Returns the entries of a list, with or without pages.
pub(crate) fn entries(body: &Value) -> Vec<Value> {
    let data = &body["data"];
    data["results"].as_array().or(data.as_array()).expect("a list").clone()
}

pub(crate) async fn stop(mock: &Mock, token: &str) {
    assert_eq!(send(mock.request(Auth::Token(token), "POST", "/v1/sessions/stop")).await.status, 200);
}

pub(crate) fn operation(name: &str) -> OperationInfo {
    operations().find(|operation| operation.name == name).expect("an operation of the document")
}

/// The body of a 422 with one violation; omits a null context.
#[expect(clippy::needless_pass_by_value, reason = "callers write json! literals in place")]
pub(crate) fn violation(kind: &str, location: Value, message: &str, input: Value, context: Value) -> Value {
    let mut violation = json!({ "type": kind, "loc": location, "msg": message, "input": input });
    if !context.is_null() {
        violation["ctx"] = context;
    }
    json!({ "detail": [violation] })
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Builds a form from an example; `file` is the only upload in the document.
fn form(parts: &Value) -> Form {
    parts.as_object().expect("an object of parts").iter().fold(Form::new(), |form, (name, value)| match name
        .as_str()
    {
        "file" => form.part("file", Part::bytes(vec![0xff, 0xd8]).file_name("avatar.jpg")),
        _ => form.text(name.clone(), plain(value)),
    })
}
