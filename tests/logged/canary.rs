//! No secret shows anywhere: every operation, every kind of failure, every kind of output.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use liveavatar_api::raw::{OPERATIONS, Operation};
use liveavatar_api::session::{self, AnyConfiguration};
use liveavatar_api::{
    Attempt, AttemptOutcome, Client, Credential, CredentialKind, Observer, RequestOptions, Secret,
};
use liveavatar_mock::{Example, MockResponse, Server, example_requests, example_response, operations};
use liveavatar_tests::{TestClock, show};
use serde_json::{Value, json};

use crate::capture;
use crate::echoes::{Echo, other_shapes};
use crate::leaks::{Leaks, MARK, shows};

const TOKEN: &str = "canary-session-token";
const KEY: &str = "canary-api-key";

/// Writes down what observers get to see.
#[derive(Clone, Debug, Default)]
struct Watcher(Arc<Mutex<String>>);

impl Observer for Watcher {
    fn before(&self, request: &Attempt) {
        write!(self.0.lock().unwrap(), "{request:?} {request:#?}").unwrap();
    }

    fn after(&self, request: &Attempt, ended: &AttemptOutcome) {
        write!(self.0.lock().unwrap(), "{request:?} {ended:?} {ended:#?}").unwrap();
    }
}

/// A client that is watched.
struct Watched {
    client: Client,
    seen: Watcher,
}

impl Watched {
    fn new(base: &str, options: RequestOptions) -> Self {
        let seen = Watcher::default();
        let client = Client::builder().base_url(base).options(options).clock(TestClock::default());
        Self { client: client.observer(seen.clone()).build().unwrap(), seen }
    }

    fn with(&self, kind: CredentialKind) -> Self {
        let credential = match kind {
            CredentialKind::SessionToken => Credential::session_token(TOKEN),
            _ => Credential::api_key(KEY),
        };
        Self { client: self.client.with_credential(credential.unwrap()), seen: self.seen.clone() }
    }
}

/// The credentials that an operation can be called with; a public one is called with a key that it must not use.
fn kinds(operation: &Operation) -> &'static [CredentialKind] {
    if operation.credentials.is_empty() { &[CredentialKind::ApiKey] } else { operation.credentials }
}

/// Calls an operation and looks at everything that the call leaves behind; returns what its error says.
async fn look(leaks: &mut Leaks, at: &str, client: &Watched, id: &str, example: &Example) -> String {
    let Watched { client, seen } = client;
    capture::take();
    let shown = show(client, id, example).await;
    leaks.look(at, "Debug of the builder", &shown.builder);
    leaks.look(at, "Debug of what `send` returns", &shown.answer);
    match &shown.outcome {
        Ok(decoded) => leaks.look(at, "Debug of the data", &decoded.debug),
        Err(error) => leaks.look_error(at, error),
    }
    leaks.look(at, "logs", &capture::take());
    leaks.look(at, "what observers see", &std::mem::take(&mut *seen.0.lock().unwrap()));
    shown.outcome.map_or_else(|error| error.to_string(), |_| String::new())
}

/// Looks at what a failure leaves behind; a success shows what no secret is, wherever the answer has put the mark.
async fn look_at_failure(leaks: &mut Leaks, at: &str, client: &Watched, id: &str, example: &Example) {
    let Watched { client, .. } = client;
    capture::take();
    if let Err(error) = show(client, id, example).await.outcome {
        leaks.look_error(at, &error);
    }
    leaks.look(at, "logs", &capture::take());
}

/// Does the same by name, with values that no type has checked.
async fn look_by_name(leaks: &mut Leaks, at: &str, client: &Watched, id: &str, example: &Example) {
    let Watched { client, seen } = client;
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
        Ok(answer) => {
            leaks.look_debug(at, "the raw answer", &answer);
            // What was not sent is not hidden: the body of a broken service is its own.
            if !(200..300).contains(&answer.status) && !FRAGMENTS.iter().any(|(name, _)| at.ends_with(name)) {
                leaks.look(at, "the raw answer's body", &String::from_utf8_lossy(&answer.body));
            }
        }
        Err(error) => leaks.look_error(at, &error),
    }
    leaks.look(at, "logs of the call by name", &capture::take());
    leaks.look(at, "what observers see of the call by name", &std::mem::take(&mut *seen.0.lock().unwrap()));
}

fn is_json(example: &Example) -> bool {
    example.content_type.as_deref().is_none_or(|kind| kind == "application/json")
}

/// Every operation with every example of it and every credential that it takes.
fn calls() -> impl Iterator<Item = (&'static Operation, CredentialKind, Example)> {
    OPERATIONS.iter().flat_map(|operation| {
        kinds(operation).iter().flat_map(move |kind| {
            example_requests(operation.id).into_iter().map(move |example| (operation, *kind, example))
        })
    })
}

#[tokio::test]
async fn what_is_below_the_crate_is_captured_too() {
    capture::start();
    let server = Server::start().await.unwrap();
    let client = liveavatar_tests::client(&server);
    client.get_user_credits().send().await.unwrap();
    let logged = capture::take();
    for target in ["TRACE", "DEBUG", "liveavatar_api::", "reqwest::", "hyper_util::"] {
        assert!(logged.contains(target), "nothing of {target} in:\n{logged}");
    }
}

#[tokio::test]
async fn no_answer_makes_a_secret_show() {
    capture::start();
    let mut leaks = Leaks::default();
    let server = Server::start().await.unwrap();
    let once = Watched::new(server.url(), RequestOptions::new().max_attempts(1));
    for (operation, kind, example) in calls() {
        let id = operation.id;
        let client = once.with(kind);
        let status = operations().find(|known| known.name == id).unwrap().success;
        let success = match example_response(id) {
            Some(answer) => MockResponse::json(status, answer),
            None => MockResponse::raw(status, "application/json", ""),
        };
        server.mock_response(id, success);
        look(&mut leaks, &format!("{id}, success"), &client, id, &example).await;
        let request = server.take_requests().pop().unwrap();
        let marked = request.headers.iter().any(|(_, value)| shows(value));
        assert_eq!(marked, !operation.credentials.is_empty(), "{id} carries no mark, or one too many");

        for (name, answer) in Echo::of(&request).failures() {
            let at = format!("{id}, {name}");
            server.mock_response(id, answer.clone());
            let said = look(&mut leaks, &at, &client, id, &example).await;
            if name == "400 with code None" {
                // Otherwise nothing was echoed, and nothing would be found.
                assert_eq!(said.contains("[credential]"), !operation.credentials.is_empty(), "{at}: {said}");
            }
            if is_json(&example) {
                server.mock_response(id, answer);
                look_by_name(&mut leaks, &at, &client, id, &example).await;
            }
        }
        for (name, answer) in other_shapes() {
            server.mock_response(id, answer);
            look_at_failure(&mut leaks, &format!("{id}, {name}"), &client, id, &example).await;
        }
    }
    leaks.assert_none(10_000);
}

#[tokio::test]
async fn no_repetition_makes_a_secret_show() {
    capture::start();
    let mut leaks = Leaks::default();
    let server = Server::start().await.unwrap();
    let client = Watched::new(server.url(), RequestOptions::new().max_attempts(3));
    for (operation, kind, example) in calls().filter(|(_, _, example)| is_json(example)) {
        let id = operation.id;
        let client = client.with(kind);
        show(&client.client, id, &example).await;
        let (_, answer) = Echo::of(&server.take_requests()[0]).failures().remove(0);
        assert_eq!(answer.status(), 429);
        for _ in 0..3 {
            server.mock_response(id, answer.clone());
        }
        look(&mut leaks, id, &client, id, &example).await;
        assert_eq!(server.take_requests().len(), 3, "{id} was not repeated");
    }
    leaks.assert_none(400);
}

/// What a broken service writes instead of an answer, each followed by the end of the connection.
const FRAGMENTS: [(&str, &str); 6] = [
    ("a connection that is closed", ""),
    ("a status line that is none", "canary canary\r\n\r\n"),
    ("a header that is none", "HTTP/1.1 200 OK\r\ncanary\r\n\r\n"),
    ("a success that breaks off", "HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{\"data\":\"canary"),
    ("a failure that breaks off", "HTTP/1.1 500 No\r\ncontent-length: 999\r\n\r\n{\"message\":\"canary"),
    ("chunks that are none", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\ncanary\r\n"),
];

/// Answers every connection with one text, whatever it is asked.
fn broken_service(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // It ends with the process.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // Reading first keeps the close from discarding what was written.
            let _ = stream.read(&mut vec![0; 65536]);
            let _ = stream.write_all(text.as_bytes());
        }
    });
    url
}

#[tokio::test]
async fn no_broken_connection_makes_a_secret_show() {
    capture::start();
    let mut leaks = Leaks::default();
    let once = || RequestOptions::new().max_attempts(1);
    // Nothing listens on port 1.
    let closed = "http://127.0.0.1:1";
    let mut failures = vec![
        ("connection refused", Watched::new(closed, once())),
        ("no time left", Watched::new(closed, once().timeout(Duration::ZERO))),
        ("no time for an attempt", Watched::new(closed, once().attempt_timeout(Duration::ZERO))),
    ];
    failures.extend(FRAGMENTS.map(|(name, text)| (name, Watched::new(&broken_service(text), once()))));
    for (operation, kind, example) in calls() {
        for (name, client) in &failures {
            let at = format!("{}, {name}", operation.id);
            let client = client.with(kind);
            look(&mut leaks, &at, &client, operation.id, &example).await;
            if is_json(&example) {
                look_by_name(&mut leaks, &at, &client, operation.id, &example).await;
            }
        }
    }
    leaks.assert_none(5_000);
}

#[tokio::test]
async fn no_refusal_makes_a_secret_show() {
    capture::start();
    let mut leaks = Leaks::default();
    let unsent = Watched::new("http://127.0.0.1:1", RequestOptions::new());
    for (operation, kind, example) in calls() {
        let other = match kind {
            CredentialKind::SessionToken => CredentialKind::ApiKey,
            _ => CredentialKind::SessionToken,
        };
        if operation.credentials.is_empty() || operation.credentials.contains(&other) {
            continue;
        }
        let client = unsent.with(other);
        look(&mut leaks, &format!("{}, wrong credential", operation.id), &client, operation.id, &example)
            .await;
        if is_json(&example) {
            let at = format!("{}, by name", operation.id);
            look_by_name(&mut leaks, &at, &client, operation.id, &example).await;
        }
    }
    for key in ["canary with a space", "canary\n", "canär-canary"] {
        leaks.look_error("an unfit key", &Credential::api_key(key).unwrap_err());
        leaks.look_error("an unfit token", &Credential::session_token(key).unwrap_err());
        leaks.look_error("an unfit key", &Client::new(key).unwrap_err());
    }
    for url in
        ["https://user:canary@example.com", "https://example.com?key=canary", "canary", "canary://canary"]
    {
        leaks.look_error("an unfit base URL", &Client::builder().base_url(url).build().unwrap_err());
    }
    leaks.assert_none(500);
}

#[tokio::test]
async fn no_handle_shows_a_secret() {
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
    leaks.look_debug("", "a generated client", &*client);
    let token = client.with_credential(Credential::session_token(TOKEN).unwrap());
    leaks.look_debug("", "a client with a token", &token);

    for example in example_requests("create_session_token") {
        let configuration = configuration(&example.body.unwrap());
        leaks.look_debug("", "a configuration", &configuration);
        leaks.look_debug("", "a configuration's request", session::Mintable::body(&configuration));
        let minted = client.mint(&configuration).await.unwrap();
        leaks.look_debug("", "a minted session", &minted);
        let session = minted.start().await.unwrap();
        leaks.look_debug("", "a session", &session);
        leaks.look_debug("", "what a start answers", session.started());
        session.stop(liveavatar_api::types::SessionEndReason::UserClosed).await.unwrap();
    }
    leaks.look("", "logs", &capture::take());
    leaks.look_debug("", "the mock", &server);
    leaks.look_debug("", "what the mock recorded", &server.requests());
    leaks.assert_none(30);
}

/// The configuration of an example, whose values the rules do not all take.
fn configuration(body: &Value) -> AnyConfiguration {
    AnyConfiguration::from_json(&body.to_string()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Every place of a value, as a pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, inner)| places(inner, &format!("{at}/{key}"), found));
        }
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(at_index, inner)| places(inner, &format!("{at}/{at_index}"), found));
        }
        _ => {}
    }
}

#[test]
fn no_problem_of_a_configuration_shows_a_secret() {
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
                let problems = session::validate(&text);
                leaks.look(&place, "Display of the problems", &problems.to_string());
                leaks.look_debug(&place, "the problems", &problems);
                // A mark in a field that is no secret may show in the configuration, but not in what is said about it.
                match AnyConfiguration::from_json(&text) {
                    Ok(read) => leaks.look_debug(&place, "its warnings", read.warnings()),
                    Err(problems) => leaks.look_debug(&place, "the problems of reading", &problems),
                }
                if let Err(error) = serde_json::from_value::<AnyConfiguration>(broken) {
                    leaks.look(&place, "serde's error", &format!("{error} {error:?}"));
                }
            }
        }
        // Broken syntax, in the middle of any secret.
        let text = body.to_string();
        for (end, _) in text.match_indices(MARK) {
            for cut in [&text[..end + MARK.len()], &text[..end + 2]] {
                let problems = session::validate(cut);
                leaks.look("cut", "Display of the problems", &problems.to_string());
                leaks.look_debug("cut", "the problems", &problems);
            }
        }
    }
    leaks.assert_none(1_000);
}
