//! The token endpoint over real connections: choices, responses, hooks, one session per user, and what a reaper keeps.

mod browser;
mod choice;
mod durations;
mod hooks;
mod reap;
mod response;
mod service;
mod user_sessions;

use std::fmt::Write as _;

use axum::http::request::Parts;
use liveavatar_api::endpoint::{Rejection, TokenEndpoint};
use liveavatar_api::session::AnyConfiguration;
use liveavatar_api::{Client, Credential};
use liveavatar_mock::{RecordedRequest, Server};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

pub(crate) const AVATAR: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";
pub(crate) const OTHER_AVATAR: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a12";

/// Response headers that the endpoint sets.
const HEADERS: [&str; 4] = ["allow", "cache-control", "content-type", "retry-after"];

struct ServedEndpoint {
    url: String,
    http: reqwest::Client,
}

impl ServedEndpoint {
    async fn start(endpoint: TokenEndpoint<String>) -> Self {
        let app = axum::Router::new().nest("/session", endpoint.router().unwrap());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/session", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    fn request(&self, method: Method) -> RequestBuilder {
        self.http.request(method, &self.url)
    }

    /// Builds a user's request with the given choices.
    fn post(&self, user: &str, choices: &str) -> RequestBuilder {
        let request = self.request(Method::POST).header("x-user", user);
        request.header("content-type", "application/json").body(choices.to_owned())
    }

    fn delete(&self, user: &str) -> RequestBuilder {
        self.request(Method::DELETE).header("x-user", user)
    }

    async fn open(&self, user: &str) -> Value {
        let (status, body) = send(self.post(user, "{}")).await;
        assert_eq!(status, 200, "{body}");
        body
    }
}

/// Authorizes by name: some names are rejected.
async fn authorize(request: Parts) -> Result<String, Rejection> {
    match request.headers.get("x-user").and_then(|user| user.to_str().ok()) {
        None => Err(Rejection::Unauthenticated),
        Some("banned") => Err(Rejection::Forbidden),
        Some("limited") => Err(Rejection::TooMany(std::time::Duration::from_millis(29_500))),
        Some("unknown") => Err(Rejection::Unavailable),
        Some("unlucky") => Err(Rejection::Misconfigured),
        Some(user) => Ok(user.to_owned()),
    }
}

/// Creates a client on tokio's clock, which the tests pause.
fn client(server: &Server) -> Client {
    let credential = Credential::api_key(server.api_key()).unwrap();
    Client::builder().base_url(server.url()).credential(credential).seed(1).build().unwrap()
}

fn configuration(json: &Value) -> AnyConfiguration {
    AnyConfiguration::from_json(&json.to_string()).unwrap()
}

/// Starts the session of a token, as a browser does.
async fn start_with(server: &Server, token: &str) {
    let url = format!("{}/v1/sessions/start", server.url());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let started = http.post(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(started.status(), 201);
}

async fn send(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    (status, if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() })
}

/// Sends a request and describes its response and the calls that the service received, without ids and tokens.
async fn exchange(case: &str, server: &Server, request: RequestBuilder) -> String {
    drop(server.take_requests());
    let response = request.send().await.unwrap();
    let mut text = format!("# {case}\n{}\n", response.status());
    for name in HEADERS {
        if let Some(value) = response.headers().get(name) {
            writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
    }
    let bytes = response.bytes().await.unwrap();
    if !bytes.is_empty() {
        let mut body = serde_json::from_slice(&bytes).unwrap();
        hide(&mut body);
        writeln!(text, "{body}").unwrap();
    }
    for RecordedRequest { operation, body, status, .. } in server.requests() {
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let operation = operation.unwrap();
        let body = if operation == "create_session_token" { format!(" {body}") } else { String::new() };
        let status = status.map_or("no response".to_owned(), |status| status.to_string());
        writeln!(text, "> {operation}{body}: {status}").unwrap();
    }
    text
}

/// Replaces ids and tokens.
fn hide(body: &mut Value) {
    for (key, value) in body.as_object_mut().into_iter().flatten() {
        if value.is_string()
            && matches!(key.as_str(), "session_id" | "session_token" | "livekit_client_token")
        {
            *value = format!("[{key}]").into();
        }
    }
}
