//! A started server with a plain HTTP client, and the requests that most tests begin with.

use std::time::Duration;

use liveavatar_mock::{Builder, Example, OperationInfo, Server, operations};
use reqwest::header::HeaderMap;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

pub(crate) const AVATAR: &str = "0e8f7a3c-93f1-4b0e-8d37-3f1f6a0c0001";
pub(crate) const SANDBOX_AVATAR: &str = "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a";
const MULTIPART: &str = "multipart/form-data";

pub(crate) struct Lab {
    pub(crate) server: Server,
    http: reqwest::Client,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// Whom a request is from.
#[derive(Clone, Copy)]
pub(crate) enum From<'a> {
    Nobody,
    Key,
    Token(&'a str),
}

impl Lab {
    pub(crate) async fn start() -> Lab {
        Lab::with(Server::builder()).await
    }

    pub(crate) async fn with(builder: Builder) -> Lab {
        let server = builder.start().await.expect("a loopback port");
        Lab { server, http: reqwest::Client::new() }
    }

    pub(crate) fn request(&self, from: From<'_>, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self.http.request(method, format!("{}{path}", self.server.url()));
        match from {
            From::Nobody => request,
            From::Key => request.header("x-api-key", self.server.api_key()),
            From::Token(token) => request.bearer_auth(token),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        send(self.request(From::Key, "GET", path)).await
    }

    pub(crate) async fn post(&self, from: From<'_>, path: &str, body: Value) -> Reply {
        send(self.request(from, "POST", path).json(&body)).await
    }

    pub(crate) async fn mint(&self, body: Value) -> Reply {
        self.post(From::Key, "/v1/sessions/token", body).await
    }

    pub(crate) async fn start_with(&self, token: &str) -> Reply {
        send(self.request(From::Token(token), "POST", "/v1/sessions/start")).await
    }

    /// Mints and starts; returns the session's id and token.
    pub(crate) async fn running(&self, body: Value) -> (String, String) {
        let minted = self.mint(body).await;
        assert_eq!(minted.status, 200, "{}", minted.body);
        let token = minted.text("/data/session_token");
        let started = self.start_with(&token).await;
        assert_eq!(started.status, 201, "{}", started.body);
        (minted.text("/data/session_id"), token)
    }

    /// Sends an example as its operation takes it.
    pub(crate) async fn send_example(
        &self,
        from: From<'_>,
        operation: &OperationInfo,
        example: &Example,
    ) -> Reply {
        let mut path = operation.path.to_owned();
        for (name, value) in &example.path {
            path = path.replace(&format!("{{{name}}}"), &plain(value));
        }
        let query: Vec<_> = example.query.iter().map(|(name, value)| (name, plain(value))).collect();
        let request = self.request(from, operation.method, &path).query(&query);
        let request = match (&example.body, example.content_type.as_deref()) {
            (Some(body), Some(MULTIPART)) => request.multipart(form(body)),
            (Some(body), _) => request.json(body),
            (None, _) => request,
        };
        send(request).await
    }
}

impl Reply {
    /// The text at a JSON pointer of the body.
    pub(crate) fn text(&self, pointer: &str) -> String {
        let value = self.body.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no text at {pointer} in {}", self.body)).to_owned()
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Reply {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await.expect("a whole answer");
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") };
    Reply { status, headers, body }
}

/// Moves the server's clock; real time goes on afterwards, so that sockets never wait for it.
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

/// `base` with some fields set; null values count as fields.
pub(crate) fn with(mut base: Value, fields: Value) -> Value {
    if let (Some(base), Value::Object(fields)) = (base.as_object_mut(), fields) {
        base.extend(fields);
    }
    base
}

pub(crate) fn operation(name: &str) -> OperationInfo {
    operations().find(|operation| operation.name == name).expect("an operation of the document")
}

/// The body of a 422 with one problem; a null context is left out.
#[expect(clippy::needless_pass_by_value, reason = "callers write json! literals in place")]
pub(crate) fn problem(kind: &str, location: Value, message: &str, input: Value, context: Value) -> Value {
    let mut problem = json!({ "type": kind, "loc": location, "msg": message, "input": input });
    if !context.is_null() {
        problem["ctx"] = context;
    }
    json!({ "detail": [problem] })
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The examples' parts: `file` is the only upload there is.
fn form(parts: &Value) -> Form {
    parts.as_object().expect("an object of parts").iter().fold(Form::new(), |form, (name, value)| match name
        .as_str()
    {
        "file" => form.part("file", Part::bytes(vec![0xff, 0xd8]).file_name("avatar.jpg")),
        _ => form.text(name.clone(), plain(value)),
    })
}
