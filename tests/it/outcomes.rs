//! What every answer comes to: one row is a call, what a server on a real socket says to it, and what the caller gets.
//!
//! The groups' snapshots say what each row comes to; the rules that hold for all rows are checked here.

mod bodies;
mod codes;
mod connections;
mod envelopes;
mod limits;
mod links;
mod offsets;
mod retries;
mod server;
mod shapes;
mod statuses;
mod waits;

use std::error::Error as _;
use std::fmt::{Debug, Write as _};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use liveavatar_api::session::{Configuration, Lite};
use liveavatar_api::{
    Attempt, AttemptOutcome, Call, Client, Clock, Credential, Error, Observer, RequestOptions, types,
};
use liveavatar_mock::example_response;
use liveavatar_tests::TestClock;
use serde_json::{Value, json};
use tokio::time::Instant;

use server::{Answer, Server, Shared};

const KEY: &str = "canary-api-key";
const TOKEN: &str = "canary-session-token";
const PROMPT: &str = "canary: the \"prompt\" of a schöne avatar, a/b";
const SECRET: &str = "canary-secret-value";
const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// No pause may be longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Texts in a report are cut here, in characters.
const SHOWN: usize = 160;

/// A call and what is said to it.
struct Row {
    name: String,
    operation: &'static str,
    script: Vec<Answer>,
    options: RequestOptions,
    /// Requests that no server heard.
    unheard: u32,
}

impl Row {
    fn new(name: impl Into<String>, operation: &'static str, script: Vec<Answer>) -> Self {
        Self { name: name.into(), operation, script, options: RequestOptions::new(), unheard: 0 }
    }

    /// A call that is made once, so that only the answer counts.
    fn once(name: impl Into<String>, operation: &'static str, answer: Answer) -> Self {
        Self::new(name, operation, vec![answer]).options(RequestOptions::new().max_attempts(1))
    }

    fn options(mut self, options: RequestOptions) -> Self {
        self.options = options;
        self
    }

    fn unheard(mut self, requests: u32) -> Self {
        self.unheard = requests;
        self
    }
}

/// The success that the document shows for an operation.
fn success(operation: &str) -> Answer {
    Answer::json(200, &example_response(operation).unwrap())
}

/// An empty failure.
fn failure(status: u16) -> Answer {
    Answer::json(status, &json!({}))
}

/// A service's own failure.
fn coded(status: u16, code: impl Into<Value>) -> Answer {
    Answer::json(status, &json!({ "code": code.into(), "data": null, "message": "said" }))
}

/// Counts the requests of a call, and holds a paused clock while one may still be answered.
#[derive(Debug)]
struct Watch {
    server: Option<Held>,
    requests: AtomicU32,
}

struct Held(Arc<Shared>);

impl Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

#[derive(Clone, Debug)]
struct Watching(Arc<Watch>);

impl Observer for Watching {
    fn before(&self, request: &Attempt) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        if let Some(Held(server)) = &self.0.server {
            let (server, number) = (Arc::clone(server), request.number as usize);
            // A paused clock does not move by itself while a blocking task runs.
            tokio::task::spawn_blocking(move || server.wait_for(number));
        }
    }

    fn after(&self, request: &Attempt, _: &AttemptOutcome) {
        if let Some(Held(server)) = &self.0.server {
            server.ended(request.number as usize);
        }
    }
}

/// Tokio's clock, paused by the test, with a record of the pauses.
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

/// Whose time the client goes by.
#[derive(Clone, Copy, PartialEq)]
enum Time {
    /// The test clock's, which moves by the client's pauses only.
    Test,
    /// Tokio's, which must be paused, so that time limits pass at once.
    Paused,
}

/// A client of a server, and what is known of it.
struct Lab {
    client: Client,
    clock: TestClock,
    watch: Arc<Watch>,
}

impl Lab {
    fn new(server: &Server, time: Time) -> Self {
        // Reading the machine's certificates takes longer than the calls, and plain HTTP needs none.
        Self::with(server, time, reqwest::Client::builder().no_proxy().tls_certs_only([]))
    }

    fn with(server: &Server, time: Time, http: reqwest::ClientBuilder) -> Self {
        let clock = TestClock::default();
        let held = (time == Time::Paused).then(|| Held(server.shared()));
        let watch = Arc::new(Watch { server: held, requests: AtomicU32::new(0) });
        let builder = Client::builder()
            .http(http)
            .base_url(server.url())
            .seed(7)
            .observer(Watching(Arc::clone(&watch)));
        let builder = match time {
            Time::Test => builder.clock(clock.clone()),
            Time::Paused => builder.clock(PausedClock { start: Instant::now(), pauses: clock.clone() }),
        };
        let client = builder.credential(Credential::api_key(KEY).unwrap()).build().unwrap();
        Self { client, clock, watch }
    }
}

/// Makes a call and shows its data.
async fn call(client: Client, operation: &'static str) -> Result<String, Error> {
    async fn shown<C: Call<Data: Debug>>(call: C) -> Result<String, Error> {
        call.data().await.map(|data| format!("{data:?}"))
    }
    match operation {
        "get_user_credits" => shown(client.get_user_credits()).await,
        "list_voices" => shown(client.list_voices()).await,
        "delete_secret" => shown(client.delete_secret().secret_id(ID)).await,
        "delete_memory" => shown(client.delete_memory().memory_id(ID)).await,
        "create_secret" => {
            let body = types::CreateSecretRequest::builder()
                .secret_name("name".to_owned())
                .secret_type(types::SecretType::OpenaiApiKey)
                .secret_value(SECRET);
            shown(client.create_secret().body(body)).await
        }
        "create_context" => {
            let body = types::CreateContext::builder().name("n".to_owned()).prompt(PROMPT).opening_text(None);
            shown(client.create_context().body(body)).await
        }
        "create_session_token" => {
            let lite = Configuration::<Lite>::build(|lite| lite.avatar_id(ID)).unwrap();
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
        other => panic!("the table knows no way to call {other}"),
    }
}

/// On one line, cut, without characters that a reviewer would not see.
fn line(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN).collect();
    let cut = text.chars().count().saturating_sub(SHOWN);
    // Debug quotes and escapes.
    format!("{shown:?}{}", if cut == 0 { String::new() } else { format!(" and {cut} more") })
}

fn or_none<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

fn describe(error: &Error) -> String {
    let mut text = format!(
        "{:?} of {}, status {}, code {}, {}, {} attempts, {}\n",
        error.kind(),
        or_none(error.operation()),
        or_none(error.status()),
        or_none(error.code()),
        error.request_id().map_or_else(|| "no request id".to_owned(), |id| format!("request {}", line(id))),
        error.attempts(),
        if error.may_have_been_sent() { "may have been sent" } else { "not sent" },
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

/// All that an error shows to anyone, with the errors under it.
fn everything(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {}", describe(error));
    let mut source = error.source();
    while let Some(inner) = source {
        write!(text, " {inner} {inner:?}").unwrap();
        source = inner.source();
    }
    text
}

/// Whether an operation makes something new each time, so that it must not be repeated blindly.
fn makes(operation: &str) -> bool {
    operation == "start_session" || (operation.starts_with("create_") && operation != "create_session_token")
}

/// Runs a row against the server, checks the rules that hold for every row, and tells what came of it.
async fn outcome(row: &Row, server: &Server, time: Time) -> String {
    let lab = Lab::new(server, time);
    let started = lab.client.with_options(row.options.clone());
    let result = tokio::spawn(call(started, row.operation)).await;
    let (name, seen, slept) = (&row.name, server.seen().len(), lab.clock.slept());
    let requests = lab.watch.requests.load(Ordering::Relaxed);

    assert!(slept.iter().all(|pause| *pause <= LONGEST_PAUSE), "{name}: too long a pause: {slept:?}");
    assert_eq!(seen, (requests - row.unheard) as usize, "{name}: requests seen, and sent");
    let refused = row.script.iter().take(seen.saturating_sub(1)).all(|answer| answer.status() == 429);
    assert!(!makes(row.operation) || seen <= 1 || refused, "{name}: sent {seen} times");

    let mut text = format!("{name}\n  {}: {seen} requests seen", row.operation);
    if row.unheard > 0 {
        write!(text, ", {} unheard", row.unheard).unwrap();
    }
    if !slept.is_empty() {
        write!(text, ", slept {slept:?}").unwrap();
    }
    text.push_str("\n  ");
    match result {
        Err(failed) => panic!("{name}: {failed}"),
        Ok(Ok(data)) => {
            assert!(!data.contains("canary"), "{name}: {data}");
            writeln!(text, "answered: {}", line(&data)).unwrap();
        }
        Ok(Err(error)) => {
            assert_eq!(error.attempts(), requests, "{name}: tells of other requests than were sent");
            assert!(!everything(&error).contains("canary"), "{name}: repeats a secret: {error}");
            // A request that 429 refused was not processed; either is right.
            let refused = seen > 0 && row.script.iter().take(seen).all(|answer| answer.status() == 429);
            let honest = refused || error.may_have_been_sent() == (seen > 0);
            assert!(honest, "{name}: is wrong about whether the service may have acted: {error:?}");
            text.push_str(&describe(&error));
        }
    }
    // Not even made-up credentials stand in a snapshot.
    [KEY, TOKEN, SECRET].iter().fold(text, |text, secret| text.replace(secret, "[LEAKED]"))
}

/// Runs each row against a server of its own.
async fn report(rows: Vec<Row>, time: Time) -> String {
    let mut text = String::new();
    for row in rows {
        let server = Server::start(row.script.clone());
        text.push_str(&outcome(&row, &server, time).await);
        text.push('\n');
    }
    text
}
