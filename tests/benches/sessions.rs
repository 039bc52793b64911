//! Supervised sessions: memory per session, processor time per keep-alive, and how late keep-alives are.
//!
//! `cargo bench -p liveavatar-benches --bench sessions`. 10,000 sessions of one client run for 10 virtual minutes, on one thread
//! with the server. The same calls by plain reqwest are measured for comparison. Virtual time does not advance while the thread
//! works, so the sessions also run for 18 s of real time, at ten times the rate.

#![expect(clippy::unwrap_used, reason = "a bench fails if a value is missing")]

mod rows;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use allocation_counter::measure;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use liveavatar_api::session::{KEEP_ALIVE_INTERVAL, Lite, LiteSession, SANDBOX_AVATAR_ID, Session};
use liveavatar_api::{Client, Credential, Uuid};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::time::Instant;

const KEY: &str = "bench-api-key";
const SESSIONS: usize = 10_000;
/// Sessions that are opened before memory is counted. They establish connections and fill pools and tables.
const WARM_UP: usize = 500;
const VIRTUAL: Duration = Duration::from_secs(600);
const REAL: Duration = Duration::from_secs(18);
const REAL_INTERVAL: Duration = Duration::from_secs(6);
/// The longest delay of a keep-alive.
const MAX_DELAY: Duration = Duration::from_secs(5);
/// The approximate lengths of a LiveKit token and a socket address, in characters.
const TOKEN: usize = 350;
const ADDRESS: usize = 200;
/// The number of calls by plain reqwest.
const PLAIN_CALLS: u32 = 20_000;

/// The keep-alives that the server has received.
#[derive(Default)]
struct KeepAlives {
    /// The time of each session's last keep-alive.
    last: HashMap<Uuid, Instant>,
    minted: u128,
    interval: Duration,
    count: u32,
    max_delay: Duration,
    /// The number in each second.
    seconds: Vec<u32>,
    /// Set while keep-alives are measured.
    began: Option<Instant>,
}

impl KeepAlives {
    fn begin(&mut self, interval: Duration, time: Duration) {
        self.last.clear();
        (self.began, self.interval) = (Some(Instant::now()), interval);
        (self.count, self.max_delay) = (0, Duration::ZERO);
        self.seconds = vec![0; usize::try_from(time.as_secs()).unwrap()];
    }
}

type Shared = Arc<Mutex<KeepAlives>>;

fn response(status: StatusCode, data: &Value) -> impl IntoResponse + use<> {
    let body = json!({ "code": 1000, "data": data, "message": null }).to_string();
    (status, [(CONTENT_TYPE, "application/json")], body)
}

async fn token(State(received): State<Shared>) -> impl IntoResponse {
    let mut received = received.lock().unwrap();
    received.minted += 1;
    let id = Uuid::from_u128(received.minted);
    response(StatusCode::OK, &json!({ "session_id": id, "session_token": "t".repeat(TOKEN) }))
}

async fn start() -> impl IntoResponse {
    response(
        StatusCode::CREATED,
        &json!({
            "session_id": Uuid::nil(),
            "livekit_url": "wss://media.invalid/livekit",
            "livekit_client_token": "c".repeat(TOKEN),
            "livekit_agent_token": "a".repeat(TOKEN),
            "max_session_duration": 3600,
            "ws_url": "w".repeat(ADDRESS),
        }),
    )
}

async fn keep_alive(State(received): State<Shared>, body: Bytes) -> impl IntoResponse {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let id: Uuid = body["session_id"].as_str().unwrap().parse().unwrap();
    let (mut received, now) = (received.lock().unwrap(), Instant::now());
    if let Some(began) = received.began {
        let last = received.last.insert(id, now).unwrap_or(began);
        let delay = now.duration_since(last).saturating_sub(received.interval);
        received.max_delay = received.max_delay.max(delay);
        received.count += 1;
        let second = usize::try_from(now.duration_since(began).as_secs()).unwrap();
        if let Some(count) = received.seconds.get_mut(second) {
            *count += 1;
        }
    }
    response(StatusCode::OK, &Value::Null)
}

async fn stop() -> impl IntoResponse {
    response(StatusCode::OK, &Value::Null)
}

async fn serve(received: &Shared) -> String {
    let router = Router::new()
        .route("/v1/sessions/token", post(token))
        .route("/v1/sessions/start", post(start))
        .route("/v1/sessions/keep-alive", post(keep_alive))
        .route("/v1/sessions/stop", post(stop))
        .with_state(Arc::clone(received));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Returns the processor time of this thread, or wall-clock time if the system does not report it.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = text.and_then(|text| text.split_whitespace().next()?.parse().ok());
    let wall_clock = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    nanos.map_or_else(wall_clock, Duration::from_nanos)
}

fn open(
    runtime: &Runtime,
    client: &Client,
    every: Duration,
    count: usize,
    sessions: &mut Vec<Session<Lite>>,
) {
    let configuration =
        LiteSession::builder().avatar_id(SANDBOX_AVATAR_ID).max_session_duration(3600).build().unwrap();
    runtime.block_on(async {
        for _ in 0..count {
            sessions.push(client.open(&configuration).keep_alive_interval(every).await.unwrap());
        }
    });
}

/// Keeps all sessions alive for a while, prints how, and returns the processor time per keep-alive.
fn run(runtime: &Runtime, received: &Shared, interval: Duration, time: Duration, kind: &str) -> Duration {
    let before = runtime.block_on(async {
        received.lock().unwrap().begin(interval, time);
        let before = processor_time();
        tokio::time::sleep(time).await;
        before
    });
    let spent = processor_time().saturating_sub(before);
    let received = received.lock().unwrap();
    let (calls, busiest) = (received.count, received.seconds.iter().max().unwrap());
    let what = format!("{SESSIONS} sessions for {time:?} of {kind} time, a keep-alive every {interval:?}");
    let share = 100.0 * spent.as_secs_f64() / time.as_secs_f64();
    let value = format!(
        "{calls} keep-alives, {busiest} in the busiest second; the latest {:.1?} late; {share:.0} % of one core",
        received.max_delay
    );
    rows::fact(&what, &value);
    assert_eq!(received.last.len(), SESSIONS, "a session was never kept alive");
    assert!(received.max_delay <= MAX_DELAY, "a keep-alive was {:?} late", received.max_delay);
    spent / calls
}

/// Returns the processor time of the same call by plain reqwest, including the server's part.
fn plain(runtime: &Runtime, url: &str) -> Duration {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{url}/v1/sessions/keep-alive");
    let body = json!({ "session_id": Uuid::nil() }).to_string();
    let call = async || {
        let request =
            http.post(&url).header("x-api-key", KEY).header(CONTENT_TYPE.as_str(), "application/json");
        request.body(body.clone()).send().await.unwrap().bytes().await.unwrap()
    };
    runtime.block_on(async {
        call().await;
        let before = processor_time();
        for _ in 0..PLAIN_CALLS {
            call().await;
        }
        processor_time().saturating_sub(before) / PLAIN_CALLS
    })
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let received = Shared::default();
    received.lock().unwrap().last.reserve(SESSIONS);
    let url = runtime.block_on(serve(&received));
    let plain = plain(&runtime, &url);
    let client = Client::builder().base_url(&url).credential(Credential::api_key(KEY).unwrap()).seed(1);
    let client = client.build().unwrap();

    let mut sessions = Vec::with_capacity(SESSIONS);
    open(&runtime, &client, KEEP_ALIVE_INTERVAL, WARM_UP, &mut sessions);
    let counted = SESSIONS - WARM_UP;
    let opened = measure(|| open(&runtime, &client, KEEP_ALIVE_INTERVAL, counted, &mut sessions));
    // The vector of handles was allocated before.
    let bytes = usize::try_from(opened.bytes_current).unwrap() / counted + size_of::<Session<Lite>>();
    let tokens = 2 * TOKEN + ADDRESS;
    rows::fact("memory of a session", &format!("{bytes} bytes, of which {tokens} are tokens and addresses"));

    runtime.block_on(async { tokio::time::pause() });
    let each = run(&runtime, &received, KEEP_ALIVE_INTERVAL, VIRTUAL, "virtual");
    let ratio = each.as_secs_f64() / plain.as_secs_f64();
    let what = "processor time of a keep-alive, with the server's part";
    rows::pair("plain", what, &format!("{each:.1?}"), &format!("{plain:.1?}"), ratio);
    runtime.block_on(async { tokio::time::resume() });

    sessions.clear();
    runtime.block_on(async {
        while !client.sessions().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    received.lock().unwrap().began = None;
    open(&runtime, &client, REAL_INTERVAL, SESSIONS, &mut sessions);
    run(&runtime, &received, REAL_INTERVAL, REAL, "real");
    let running = runtime.block_on(client.shutdown());
    assert!(running.is_empty(), "{} sessions may still run", running.len());
}
