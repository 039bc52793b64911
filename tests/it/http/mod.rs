//! Sending a request over real sockets: retries, timeouts, broken connections, and responses of any shape.
//!
//! A [`Case`] is one call and the responses that a scripted server sends. Snapshots show the result of each case, and
//! [`run_case`] asserts the rules that hold for all cases.

mod addresses;
mod connections;
mod envelopes;
mod error_bodies;
mod error_details;
pub(crate) mod faulty_proxy;
pub(crate) mod offset_table;
mod retries;
mod retry_after;
pub(crate) mod scripted_server;
mod service_codes;
mod statuses;
mod timeouts;
mod tls;
mod truncation;
mod unreachable;

use std::error::Error as _;
use std::fmt::{Debug, Write as _};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use liveavatar_api::raw::Operation;
use liveavatar_api::session::LiteSession;
use liveavatar_api::types::SecretType;
use liveavatar_api::{
    Attempt, AttemptOutcome, Client, Clock, Credential, CredentialKind, Error, Observer, RequestOptions,
};
use liveavatar_mock::{example_request, example_response};
use liveavatar_tests::TestClock;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use scripted_server::{Response, ScriptedServer, Shared};

const KEY: &str = "canary-api-key";
const TOKEN: &str = "canary-session-token";
const PROMPT: &str = "canary: the \"prompt\" of a schöne avatar, a/b";
const SECRET: &str = "canary-secret-value";
/// An idempotent operation with data.
const GET: &str = "get_user_credits";
const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// The crate's own connect timeout, which includes the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The default timeout of a call with all its attempts and pauses.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(120);

/// A call that takes longer hangs. This is virtual time.
const HANG_LIMIT: Duration = Duration::from_secs(300);

/// The longest pause before a retry.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Texts in a snapshot are cut to this many characters.
const SHOWN_CHARACTERS: usize = 160;

/// A call and the responses to it.
struct Case {
    name: String,
    operation: &'static str,
    script: Vec<Response>,
    options: RequestOptions,
    /// The number of requests that do not reach the server.
    unreceived: u32,
}

impl Case {
    fn new(name: impl Into<String>, operation: &'static str, script: impl Into<Vec<Response>>) -> Self {
        let (name, script) = (name.into(), script.into());
        Self { name, operation, script, options: RequestOptions::new(), unreceived: 0 }
    }

    /// A call without retries, so that only the response counts.
    fn once(name: impl Into<String>, operation: &'static str, response: Response) -> Self {
        Self::new(name, operation, response).options(RequestOptions::new().max_attempts(1))
    }

    fn options(mut self, options: RequestOptions) -> Self {
        self.options = options;
        self
    }

    fn unreceived(mut self, requests: u32) -> Self {
        self.unreceived = requests;
        self
    }
}

/// The operation's documented success.
pub(crate) fn success(operation: &str) -> Response {
    Response::json(200, &example_response(operation).unwrap())
}

/// A failure with an empty JSON object.
pub(crate) fn failure(status: u16) -> Response {
    Response::json(status, &json!({}))
}

/// A failure with the service's own error code.
fn coded(status: u16, code: impl Into<Value>) -> Response {
    Response::json(status, &json!({ "code": code.into(), "data": null, "message": "oops" }))
}

/// Counts the requests of a call. With a server, it also holds a paused clock until that server has responded.
#[derive(Clone)]
struct RequestCounter {
    requests: Arc<AtomicU32>,
    server: Option<Arc<Shared>>,
}

impl Debug for RequestCounter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RequestCounter")
    }
}

impl Observer for RequestCounter {
    fn before(&self, request: &Attempt) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if let Some(server) = &self.server {
            let (server, number) = (Arc::clone(server), request.number as usize);
            // Tokio does not advance a paused clock while a blocking task runs.
            tokio::task::spawn_blocking(move || server.wait_for(number));
        }
    }

    fn after(&self, request: &Attempt, _: &AttemptOutcome) {
        if let Some(server) = &self.server {
            server.ended(request.number as usize);
        }
    }
}

/// Tokio's clock, paused by the test. It records the pauses.
#[derive(Clone, Debug)]
struct PausedClock {
    start: Instant,
    pauses: TestClock,
}

impl Clock for PausedClock {
    fn now(&self) -> SystemTime {
        TestClock::default().now() + self.start.elapsed()
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            self.pauses.sleep(time).await;
            tokio::time::sleep(time).await;
        })
    }
}

/// Which clock the client uses.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Time {
    /// The test clock, which only the client's own pauses advance.
    Test,
    /// Tokio's clock, which the test must pause so that time limits pass at once.
    Paused,
}

/// A client of a scripted server, with its clock and the number of requests.
pub(crate) struct Harness {
    pub(crate) client: Client,
    clock: TestClock,
    requests: Arc<AtomicU32>,
}

impl Harness {
    pub(crate) fn new(server: &ScriptedServer, time: Time) -> Self {
        // Reading the machine's certificates takes longer than the calls, and plain HTTP does not need them.
        Self::with(server, time, reqwest::Client::builder().no_proxy().tls_certs_only([]))
    }

    fn with(server: &ScriptedServer, time: Time, http: reqwest::ClientBuilder) -> Self {
        let clock = TestClock::default();
        let requests = Arc::new(AtomicU32::new(0));
        let server_to_wait_for = (time == Time::Paused).then(|| server.shared());
        let builder = Client::builder()
            .http(http)
            .base_url(server.url())
            .seed(7)
            .observer(RequestCounter { requests: Arc::clone(&requests), server: server_to_wait_for });
        let builder = match time {
            Time::Test => builder.clock(clock.clone()),
            Time::Paused => builder.clock(PausedClock { start: Instant::now(), pauses: clock.clone() }),
        };
        let client = builder.credential(Credential::api_key(KEY).unwrap()).build().unwrap();
        Self { client, clock, requests }
    }
}

/// Calls an operation and returns its data as `Debug` shows it.
async fn call(client: Client, operation: &'static str) -> Result<String, Error> {
    async fn shown<T: Debug>(call: impl IntoFuture<Output = Result<T, Error>>) -> Result<String, Error> {
        call.await.map(|data| format!("{data:?}"))
    }
    match operation {
        GET => shown(client.get_user_credits()).await,
        "list_voices" => shown(client.list_voices()).await,
        "delete_secret" => shown(client.delete_secret().secret_id(ID)).await,
        "delete_memory" => shown(client.delete_memory().memory_id(ID)).await,
        "create_secret" => {
            let call = client.create_secret().secret_name("name").secret_value(SECRET);
            shown(call.secret_type(SecretType::OpenaiApiKey)).await
        }
        "create_context" => shown(client.create_context().name("n").prompt(PROMPT)).await,
        "create_session_token" => {
            let lite = LiteSession::builder().avatar_id(ID).build().unwrap();
            shown(client.create_session_token().body(lite.body().clone())).await
        }
        "start_session" | "keep_session_alive" | "stop_session" => {
            let client = client.with_credential(Credential::session_token(TOKEN).unwrap());
            match operation {
                "start_session" => shown(client.start_session()).await,
                "keep_session_alive" => shown(client.keep_session_alive()).await,
                _ => shown(client.stop_session()).await,
            }
        }
        other => panic!("add a call of {other} here"),
    }
}

/// Calls an operation with the document's example, which must not hang.
async fn call_example(client: &Client, operation: &Operation) -> Result<(), Error> {
    let example = example_request(operation.id).unwrap();
    let called = timeout(HANG_LIMIT, liveavatar_tests::call(client, operation.id, &example)).await;
    called.unwrap_or_else(|_| panic!("{} hangs", operation.id)).map(drop)
}

fn credential(operation: &Operation) -> Credential {
    let by_token = operation.credentials == [CredentialKind::SessionToken];
    let credential = if by_token { Credential::session_token(TOKEN) } else { Credential::api_key(KEY) };
    credential.unwrap()
}

/// Returns the start of the text on one line, with quotes and with invisible characters escaped.
fn line(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
    let cut = text.chars().count().saturating_sub(SHOWN_CHARACTERS);
    // `Debug` quotes and escapes.
    format!("{shown:?}{}", if cut == 0 { String::new() } else { format!(" and {cut} more") })
}

fn or_none<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

/// Returns `1 request`, `2 requests`.
fn count(number: impl Into<u64>, noun: &str) -> String {
    let number = number.into();
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Returns whether the service may have received the request, for a snapshot.
fn sent(error: &Error) -> &'static str {
    if error.may_have_been_sent() { "may have been sent" } else { "not sent" }
}

pub(crate) fn describe(error: &Error) -> String {
    let mut text = format!(
        "{:?} error of {}, status {}, code {}, {}, {}, {}\n",
        error.kind(),
        or_none(error.operation()),
        or_none(error.status()),
        or_none(error.code()),
        error.request_id().map_or_else(|| "no request id".to_owned(), |id| format!("request {}", line(id))),
        count(error.attempts(), "attempt"),
        sent(error),
    );
    if let Some(pause) = error.retry_after() {
        writeln!(text, "  retry after {pause:?}").unwrap();
    }
    writeln!(text, "  message {}", line(error.message())).unwrap();
    for field in error.fields().iter().take(4) {
        writeln!(text, "  field {}: {}", line(&field.path), line(&field.message)).unwrap();
    }
    if error.fields().len() > 4 {
        writeln!(text, "  {} fields", error.fields().len()).unwrap();
    }
    text
}

/// Returns every text of an error and of its sources.
fn everything(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {}", describe(error));
    let mut source = error.source();
    while let Some(inner) = source {
        write!(text, " {inner} {inner:?}").unwrap();
        source = inner.source();
    }
    text
}

/// Returns whether every request creates something new, so that a retry may create it twice.
fn creates(operation: &str) -> bool {
    operation == "start_session" || (operation.starts_with("create_") && operation != "create_session_token")
}

/// Runs a case against the server, asserts the rules that hold for every case, and describes the result.
async fn run_case(case: &Case, server: &ScriptedServer, time: Time) -> String {
    let harness = Harness::new(server, time);
    let client = harness.client.with_options(case.options.clone());
    let result = tokio::spawn(call(client, case.operation)).await;
    let (name, received, pauses) = (&case.name, server.requests().len(), harness.clock.slept());
    let requests = harness.requests.load(Ordering::Relaxed);

    assert!(pauses.iter().all(|pause| *pause <= MAX_PAUSE), "{name}: a pause is too long: {pauses:?}");
    assert_eq!(received, (requests - case.unreceived) as usize, "{name}: requests received and sent");
    let rejected = case.script.iter().take(received.saturating_sub(1)).all(|it| it.status() == 429);
    assert!(!creates(case.operation) || received <= 1 || rejected, "{name}: sent {received} times");

    let mut text = format!("{name}\n  {}: {} received", case.operation, count(received as u64, "request"));
    if case.unreceived > 0 {
        write!(text, ", {} not received", case.unreceived).unwrap();
    }
    if !pauses.is_empty() {
        write!(text, ", paused {pauses:?}").unwrap();
    }
    text.push_str("\n  ");
    match result {
        Err(panicked) => panic!("{name}: {panicked}"),
        Ok(Ok(data)) => {
            assert!(!data.contains("canary"), "{name}: {data}");
            writeln!(text, "data {}", line(&data)).unwrap();
        }
        Ok(Err(error)) => {
            assert_eq!(error.attempts(), requests, "{name}: the number of attempts is wrong");
            assert!(!everything(&error).contains("canary"), "{name}: the error contains a secret: {error}");
            // The service has not processed a request that it rejects with 429: both results are correct.
            let rejected = received > 0 && case.script.iter().take(received).all(|it| it.status() == 429);
            let correct = rejected || error.may_have_been_sent() == (received > 0);
            assert!(correct, "{name}: `may_have_been_sent` is wrong: {error:?}");
            text.push_str(&describe(&error));
        }
    }
    // Made-up credentials do not belong in a snapshot either.
    [KEY, TOKEN, SECRET].iter().fold(text, |text, secret| text.replace(secret, "[LEAKED]"))
}

/// Runs each case against its own server and describes the results.
async fn run(cases: impl IntoIterator<Item = Case>, time: Time) -> String {
    let mut text = String::new();
    for case in cases {
        let server = ScriptedServer::start(case.script.clone());
        text.push_str(&run_case(&case, &server, time).await);
        text.push('\n');
    }
    text
}

/// A paused runtime that gives the kernel time to deliver bytes before each jump of the clock.
pub(crate) fn paused_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .on_thread_park(|| std::thread::park_timeout(Duration::from_micros(100)))
        .build()
        .unwrap()
}
