//! No output shows a secret: every operation, with every kind of failure and every kind of output.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use liveavatar_api::raw::{OPERATIONS, Operation};
use liveavatar_api::session::{self, AnyConfiguration};
use liveavatar_api::types::CreateUpdateContextLink;
use liveavatar_api::{
    Attempt, AttemptOutcome, Client, Credential, CredentialKind, Observer, RequestOptions, Secret,
};
use liveavatar_mock::{Example, MockResponse, Server, example_requests, example_response, operations};
use liveavatar_tests::{TestClock, call, show};
use serde_json::{Value, json};

use crate::capture;
use crate::echoes::{Echo, other_shapes};
use crate::leaks::{Leaks, MARK, shows};

const TOKEN: &str = "canary-session-token";
const KEY: &str = "canary-api-key";

/// Records what observers receive.
#[derive(Clone, Debug, Default)]
struct Recorder(Arc<Mutex<String>>);

impl Observer for Recorder {
    fn before(&self, request: &Attempt) {
        write!(self.0.lock().unwrap(), "{request:?} {request:#?}").unwrap();
    }

    fn after(&self, request: &Attempt, ended: &AttemptOutcome) {
        write!(self.0.lock().unwrap(), "{request:?} {ended:?} {ended:#?}").unwrap();
    }
}

/// A client with a recording observer.
struct Observed {
    client: Client,
    observed: Recorder,
}

impl Observed {
    fn new(base: &str, options: RequestOptions) -> Self {
        let observed = Recorder::default();
        let client = Client::builder().base_url(base).options(options).clock(TestClock::default());
        Self { client: client.observer(observed.clone()).build().unwrap(), observed }
    }

    fn with(&self, kind: CredentialKind) -> Self {
        let credential = match kind {
            CredentialKind::SessionToken => Credential::session_token(TOKEN),
            _ => Credential::api_key(KEY),
        };
        Self { client: self.client.with_credential(credential.unwrap()), observed: self.observed.clone() }
    }
}

/// Returns the credentials that an operation accepts. A public operation is called with a key that it must not send.
fn kinds(operation: &Operation) -> &'static [CredentialKind] {
    if operation.credentials.is_empty() { &[CredentialKind::ApiKey] } else { operation.credentials }
}

/// Calls an operation, checks every output of the call, and returns the text of its error.
async fn check_call(leaks: &mut Leaks, at: &str, client: &Observed, id: &str, example: &Example) -> String {
    let Observed { client, observed } = client;
    capture::take();
    let shown = show(client, id, example).await;
    leaks.look(at, "Debug of the call", &shown.call);
    leaks.look(at, "Debug of what `send_raw` returns", &shown.result);
    shown.error.iter().for_each(|error| leaks.look_error(at, error));
    leaks.look(at, "logs", &capture::take());
    leaks.look(at, "observers", &std::mem::take(&mut *observed.0.lock().unwrap()));
    shown.error.map_or_else(String::new, |error| error.to_string())
}

/// Calls an operation and checks only the error and the logs. Data may show the mark in fields that are not secret.
async fn check_failure(leaks: &mut Leaks, at: &str, client: &Observed, id: &str, example: &Example) {
    let Observed { client, .. } = client;
    capture::take();
    if let Err(error) = call(client, id, example).await {
        leaks.look_error(at, &error);
    }
    leaks.look(at, "logs", &capture::take());
}

/// Calls an operation by name, without the generated types, and checks every output.
async fn check_dynamic(leaks: &mut Leaks, at: &str, client: &Observed, id: &str, example: &Example) {
    let Observed { client, observed } = client;
    let mut call = client.operation(id).unwrap();
    for (name, value) in &example.path {
        call = call.path(name, value.as_str().unwrap());
    }
    for (name, value) in &example.query {
        call = call.query(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    if let Some(body) = &example.body {
        call = call.json(body.clone());
    }
    capture::take();
    leaks.look_debug(at, "the call by name", &call);
    match call.send().await {
        Ok(response) => {
            leaks.look_debug(at, "the raw response", &response);
            // Only request data is redacted, and a fragment is the service's own text.
            if !(200..300).contains(&response.status) && !FRAGMENTS.iter().any(|(name, _)| at.ends_with(name))
            {
                leaks.look(at, "the body of the raw response", &String::from_utf8_lossy(&response.body));
            }
        }
        Err(error) => leaks.look_error(at, &error),
    }
    leaks.look(at, "logs of the call by name", &capture::take());
    leaks.look(at, "observers of the call by name", &std::mem::take(&mut *observed.0.lock().unwrap()));
}

fn is_json(example: &Example) -> bool {
    example.content_type.as_deref().is_none_or(|kind| kind == "application/json")
}

/// Returns every operation with each of its examples and each credential that it accepts.
fn calls() -> impl Iterator<Item = (&'static Operation, CredentialKind, Example)> {
    OPERATIONS.iter().flat_map(|operation| {
        kinds(operation).iter().flat_map(move |kind| {
            example_requests(operation.id).into_iter().map(move |example| (operation, *kind, example))
        })
    })
}

#[tokio::test]
async fn logs_of_dependencies_are_captured_too() {
    capture::start();
    let server = Server::start().await.unwrap();
    let client = liveavatar_tests::client(&server);
    client.get_user_credits().send().await.unwrap();
    let logged = capture::take();
    for target in ["TRACE", "DEBUG", "liveavatar_api::", "reqwest::", "hyper_util::"] {
        assert!(logged.contains(target), "{target} is missing in:\n{logged}");
    }
}

#[tokio::test]
async fn no_response_makes_a_call_show_a_secret() {
    capture::start();
    let mut leaks = Leaks::default();
    let server = Server::start().await.unwrap();
    let once = Observed::new(server.url(), RequestOptions::new().max_attempts(1));
    for (operation, kind, example) in calls() {
        let id = operation.id;
        let client = once.with(kind);
        let status = operations().find(|known| known.name == id).unwrap().success;
        let success = match example_response(id) {
            Some(response) => MockResponse::json(status, response),
            None => MockResponse::raw(status, "application/json", ""),
        };
        server.mock_response(id, success);
        check_call(&mut leaks, &format!("{id}, success"), &client, id, &example).await;
        let request = server.take_requests().pop().unwrap();
        let marked = request.headers.iter().any(|(_, value)| shows(value));
        let is_signed = !operation.credentials.is_empty();
        assert_eq!(marked, is_signed, "{id}: the credential is missing or unexpected");

        for (name, response) in Echo::of(&request).failures() {
            let at = format!("{id}, {name}");
            server.mock_response(id, response.clone());
            let error = check_call(&mut leaks, &at, &client, id, &example).await;
            if name == "400 with code None" {
                // The echo must reach the error, which redacts it.
                assert_eq!(error.contains("[credential]"), is_signed, "{at}: {error}");
            }
            if is_json(&example) {
                server.mock_response(id, response);
                check_dynamic(&mut leaks, &at, &client, id, &example).await;
            }
        }
        for (name, response) in other_shapes() {
            server.mock_response(id, response);
            check_failure(&mut leaks, &format!("{id}, {name}"), &client, id, &example).await;
        }
    }
    leaks.assert_none(10_000);
}

#[tokio::test]
async fn no_retry_makes_a_call_show_a_secret() {
    capture::start();
    let mut leaks = Leaks::default();
    let server = Server::start().await.unwrap();
    let client = Observed::new(server.url(), RequestOptions::new().max_attempts(3));
    for (operation, kind, example) in calls().filter(|(_, _, example)| is_json(example)) {
        let id = operation.id;
        let client = client.with(kind);
        show(&client.client, id, &example).await;
        let (_, rejection) = Echo::of(&server.take_requests()[0]).failures().remove(0);
        assert_eq!(rejection.status(), 429);
        for _ in 0..3 {
            server.mock_response(id, rejection.clone());
        }
        check_call(&mut leaks, id, &client, id, &example).await;
        assert_eq!(server.take_requests().len(), 3, "{id} was not retried");
    }
    leaks.assert_none(400);
}

/// Malformed responses. The connection is closed after each of them.
const FRAGMENTS: [(&str, &str); 6] = [
    ("a closed connection", ""),
    ("a malformed status line", "canary canary\r\n\r\n"),
    ("a malformed header", "HTTP/1.1 200 OK\r\ncanary\r\n\r\n"),
    ("a truncated success", "HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{\"data\":\"canary"),
    ("a truncated failure", "HTTP/1.1 500 No\r\ncontent-length: 999\r\n\r\n{\"message\":\"canary"),
    ("malformed chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\ncanary\r\n"),
];

/// Sends the same text to every connection, and returns the URL.
fn malformed_service(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // The thread ends with the process.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // Closing with unread data would send a reset, which discards the text.
            let _ = stream.read(&mut vec![0; 65536]);
            let _ = stream.write_all(text.as_bytes());
        }
    });
    url
}

#[tokio::test]
async fn no_broken_connection_makes_a_call_show_a_secret() {
    capture::start();
    let mut leaks = Leaks::default();
    let once = || RequestOptions::new().max_attempts(1);
    // Nothing listens on port 1.
    let closed = "http://127.0.0.1:1";
    let mut failures = vec![
        ("connection refused", Observed::new(closed, once())),
        ("no total timeout left", Observed::new(closed, once().timeout(Duration::ZERO))),
        ("no attempt timeout left", Observed::new(closed, once().attempt_timeout(Duration::ZERO))),
    ];
    failures.extend(FRAGMENTS.map(|(name, text)| (name, Observed::new(&malformed_service(text), once()))));
    for (operation, kind, example) in calls() {
        for (name, client) in &failures {
            let at = format!("{}, {name}", operation.id);
            let client = client.with(kind);
            check_call(&mut leaks, &at, &client, operation.id, &example).await;
            if is_json(&example) {
                check_dynamic(&mut leaks, &at, &client, operation.id, &example).await;
            }
        }
    }
    leaks.assert_none(5_000);
}

#[tokio::test]
async fn no_invalid_request_shows_a_secret() {
    capture::start();
    let mut leaks = Leaks::default();
    let unsent = Observed::new("http://127.0.0.1:1", RequestOptions::new());
    for (operation, kind, example) in calls() {
        let other = match kind {
            CredentialKind::SessionToken => CredentialKind::ApiKey,
            _ => CredentialKind::SessionToken,
        };
        if operation.credentials.is_empty() || operation.credentials.contains(&other) {
            continue;
        }
        let client = unsent.with(other);
        let at = format!("{}, wrong credential", operation.id);
        check_call(&mut leaks, &at, &client, operation.id, &example).await;
        if is_json(&example) {
            let at = format!("{}, by name", operation.id);
            check_dynamic(&mut leaks, &at, &client, operation.id, &example).await;
        }
    }
    let client = unsent.with(CredentialKind::ApiKey).client;
    let embed = client.create_embed_v2().avatar_id(MARK).type_(MARK).default_language(MARK);
    leaks.look_error("invalid arguments", &embed.await.unwrap_err());
    let link = CreateUpdateContextLink::builder().id(MARK).url(MARK);
    leaks.look_error("an invalid builder", &link.build().unwrap_err());
    for key in ["canary with a space", "canary\n", "canär-canary"] {
        leaks.look_error("an invalid key", &Credential::api_key(key).unwrap_err());
        leaks.look_error("an invalid token", &Credential::session_token(key).unwrap_err());
        leaks.look_error("an invalid key", &Client::new(key).unwrap_err());
    }
    for url in
        ["https://user:canary@example.com", "https://example.com?key=canary", "canary", "canary://canary"]
    {
        leaks.look_error("an invalid base URL", &Client::builder().base_url(url).build().unwrap_err());
    }
    leaks.assert_none(500);
}

#[tokio::test]
async fn no_debug_output_of_a_public_type_shows_a_secret() {
    capture::start();
    let mut leaks = Leaks::default();
    let server = Server::start().await.unwrap();
    let credential = Credential::api_key(KEY).unwrap();
    leaks.look_debug("", "a credential", &credential);
    leaks.look_debug("", "a secret", &Secret::from(MARK));
    let builder = Client::builder().base_url(server.url()).credential(credential);
    leaks.look_debug("", "a client's builder", &builder);
    let client = builder.build().unwrap();
    leaks.look_debug("", "a client", &client);
    leaks.look_debug("", "a generated client", client.raw());
    let token = client.with_credential(Credential::session_token(TOKEN).unwrap());
    leaks.look_debug("", "a client with a token", &token);

    for example in example_requests("create_session_token") {
        let configuration = configuration(&example.body.unwrap());
        leaks.look_debug("", "a configuration", &configuration);
        leaks.look_debug("", "a configuration's request", session::Mintable::body(&configuration));
        let minted = client.mint(&configuration).await.unwrap();
        leaks.look_debug("", "a minted session", &minted);
        let started = minted.start().await.unwrap();
        leaks.look_debug("", "the response to a start", &started);
        let session = client.session(minted.id());
        leaks.look_debug("", "a session", &session);
        session.stop().await.unwrap();
    }
    leaks.look("", "logs", &capture::take());
    leaks.look_debug("", "the mock", &server);
    leaks.look_debug("", "the requests that the mock recorded", &server.requests());
    leaks.assert_none(30);
}

fn configuration(body: &Value) -> AnyConfiguration {
    AnyConfiguration::from_json(&body.to_string()).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

/// Finds the pointer of every place in a value.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, inner)| places(inner, &format!("{at}/{key}"), found));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, inner)| places(inner, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

#[test]
fn no_diagnostic_of_a_configuration_shows_a_secret() {
    let mut leaks = Leaks::default();
    let long = format!("{MARK}{}", "x".repeat(100_000));
    for example in example_requests("create_session_token") {
        let body = example.body.unwrap();
        let mut found = Vec::new();
        places(&body, "", &mut found);
        for place in found {
            for wrong in
                [json!(MARK), json!([MARK]), json!({ "mode": MARK }), json!(long), json!("0canary-0000")]
            {
                let mut broken = body.clone();
                *broken.pointer_mut(&place).unwrap() = wrong;
                let text = broken.to_string();
                let diagnostics = session::validate(&text);
                leaks.look(&place, "Display of the diagnostics", &diagnostics.to_string());
                leaks.look_debug(&place, "the diagnostics", &diagnostics);
                // The configuration may show the mark in fields that are not secret, but its diagnostics may not.
                match AnyConfiguration::from_json(&text) {
                    Ok(read) => leaks.look_debug(&place, "its warnings", read.warnings()),
                    Err(diagnostics) => leaks.look_debug(&place, "the diagnostics of reading", &diagnostics),
                }
                if let Err(error) = serde_json::from_value::<AnyConfiguration>(broken) {
                    leaks.look(&place, "serde's error", &format!("{error} {error:?}"));
                }
            }
        }
        // Text that is cut off within a secret.
        let text = body.to_string();
        for (end, _) in text.match_indices(MARK) {
            for cut in [&text[..end + MARK.len()], &text[..end + 2]] {
                let diagnostics = session::validate(cut);
                leaks.look("cut", "Display of the diagnostics", &diagnostics.to_string());
                leaks.look_debug("cut", "the diagnostics", &diagnostics);
            }
        }
    }
    leaks.assert_none(1_000);
}
