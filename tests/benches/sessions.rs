//! What supervised sessions cost: memory for each, processor time for each keep-alive, and how punctual they are.
//!
//! `cargo bench -p liveavatar-api --bench sessions`. Ten thousand sessions of one client live for ten virtual minutes on one
//! thread, with the server on it too; the time of the same calls made by plain reqwest is measured beside it. Virtual time
//! stands still while the thread works, so that they then live for some real seconds at ten times the rate.

#![expect(clippy::unwrap_used, reason = "a bench that cannot run says where")]

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
use liveavatar_api::session::{Configuration, KEEP_ALIVE_INTERVAL, Lite, SANDBOX_AVATAR_ID, Session};
use liveavatar_api::{Client, Credential, Uuid};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::time::Instant;

const KEY: &str = "bench-api-key";
const SESSIONS: usize = 10_000;
/// Opened before memory is counted, so that connections, pools and tables stand.
const WARM_UP: usize = 500;
const VIRTUAL: Duration = Duration::from_secs(600);
const REAL: Duration = Duration::from_secs(18);
const REAL_INTERVAL: Duration = Duration::from_secs(6);
/// No keep-alive may come later than this after its time.
const LATEST: Duration = Duration::from_secs(5);
/// A LiveKit token and a socket address are about this long, in characters.
const TOKEN: usize = 350;
const ADDRESS: usize = 200;
/// Plain calls, to compare with.
const PLAIN: u32 = 20_000;

/// When the server heard of each session last, in virtual time, and what came of it.
#[derive(Default)]
struct Heard {
    last: HashMap<Uuid, Instant>,
    minted: u128,
    interval: Duration,
    keep_alives: u32,
    latest: Duration,
    /// Keep-alives in each virtual second.
    seconds: Vec<u32>,
    began: Option<Instant>,
}

impl Heard {
    fn begin(&mut self, interval: Duration, time: Duration) {
        self.last.clear();
        (self.began, self.interval) = (Some(Instant::now()), interval);
        (self.keep_alives, self.latest) = (0, Duration::ZERO);
        self.seconds = vec![0; usize::try_from(time.as_secs()).unwrap()];
    }
}

type Shared = Arc<Mutex<Heard>>;

fn answer(status: StatusCode, data: &Value) -> impl IntoResponse + use<> {
    let body = json!({ "code": 1000, "data": data, "message": null }).to_string();
    (status, [(CONTENT_TYPE, "application/json")], body)
}

async fn token(State(heard): State<Shared>) -> impl IntoResponse {
    let mut heard = heard.lock().unwrap();
    heard.minted += 1;
    let id = Uuid::from_u128(heard.minted);
    answer(StatusCode::OK, &json!({ "session_id": id, "session_token": "t".repeat(TOKEN) }))
}

async fn start() -> impl IntoResponse {
    answer(
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

async fn keep_alive(State(heard): State<Shared>, body: Bytes) -> impl IntoResponse {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let id: Uuid = body["session_id"].as_str().unwrap().parse().unwrap();
    let (mut heard, now) = (heard.lock().unwrap(), Instant::now());
    if let Some(began) = heard.began {
        let last = heard.last.insert(id, now).unwrap_or(began);
        let late = now.duration_since(last).saturating_sub(heard.interval);
        heard.latest = heard.latest.max(late);
        heard.keep_alives += 1;
        let second = usize::try_from(now.duration_since(began).as_secs()).unwrap();
        if let Some(count) = heard.seconds.get_mut(second) {
            *count += 1;
        }
    }
    answer(StatusCode::OK, &Value::Null)
}

async fn stop() -> impl IntoResponse {
    answer(StatusCode::OK, &Value::Null)
}

async fn serve(heard: &Shared) -> String {
    let router = Router::new()
        .route("/v1/sessions/token", post(token))
        .route("/v1/sessions/start", post(start))
        .route("/v1/sessions/keep-alive", post(keep_alive))
        .route("/v1/sessions/stop", post(stop))
        .with_state(Arc::clone(heard));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// The processor time that this thread has used; where the system does not tell, the time on the wall.
fn processor_time() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let told = told.and_then(|text| text.split_whitespace().next()?.parse().ok()).map(Duration::from_nanos);
    told.unwrap_or_else(|| std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default())
}

fn open(
    runtime: &Runtime,
    client: &Client,
    every: Duration,
    count: usize,
    sessions: &mut Vec<Session<Lite>>,
) {
    let configuration =
        Configuration::<Lite>::build(|lite| lite.avatar_id(SANDBOX_AVATAR_ID).max_session_duration(3600))
            .unwrap();
    runtime.block_on(async {
        for _ in 0..count {
            sessions.push(client.open(&configuration).keep_alive_interval(every).await.unwrap());
        }
    });
}

/// Lets all sessions live for a while, and says how they were kept alive.
fn live(runtime: &Runtime, heard: &Shared, interval: Duration, time: Duration, kind: &str) -> Duration {
    let before = runtime.block_on(async {
        heard.lock().unwrap().begin(interval, time);
        let before = processor_time();
        tokio::time::sleep(time).await;
        before
    });
    let spent = processor_time().saturating_sub(before);
    let heard = heard.lock().unwrap();
    let (calls, busiest) = (heard.keep_alives, heard.seconds.iter().max().unwrap());
    let what = format!("{SESSIONS} sessions for {time:?} of {kind} time, a keep-alive every {interval:?}");
    let share = 100.0 * spent.as_secs_f64() / time.as_secs_f64();
    let value = format!(
        "{calls} keep-alives, {busiest} in the busiest second; the latest {:.1?} late; {share:.0} % of one core",
        heard.latest
    );
    rows::fact(&what, &value);
    assert_eq!(heard.last.len(), SESSIONS, "a session was never kept alive");
    assert!(heard.latest <= LATEST, "a keep-alive came {:?} late", heard.latest);
    spent / calls
}

/// The same call by plain reqwest, with the server's part in it.
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
        for _ in 0..PLAIN {
            call().await;
        }
        processor_time().saturating_sub(before) / PLAIN
    })
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let heard = Shared::default();
    heard.lock().unwrap().last.reserve(SESSIONS);
    let url = runtime.block_on(serve(&heard));
    let plain = plain(&runtime, &url);
    let client = Client::builder().base_url(&url).credential(Credential::api_key(KEY).unwrap()).seed(1);
    let client = client.build().unwrap();

    let mut sessions = Vec::with_capacity(SESSIONS);
    open(&runtime, &client, KEEP_ALIVE_INTERVAL, WARM_UP, &mut sessions);
    let counted = SESSIONS - WARM_UP;
    let opened = measure(|| open(&runtime, &client, KEEP_ALIVE_INTERVAL, counted, &mut sessions));
    // The handles' own place stood before.
    let bytes = usize::try_from(opened.bytes_current).unwrap() / counted + size_of::<Session<Lite>>();
    let tokens = 2 * TOKEN + ADDRESS;
    rows::fact("memory of a session", &format!("{bytes} bytes, of which {tokens} are tokens and addresses"));

    runtime.block_on(async { tokio::time::pause() });
    let each = live(&runtime, &heard, KEEP_ALIVE_INTERVAL, VIRTUAL, "virtual");
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
    heard.lock().unwrap().began = None;
    open(&runtime, &client, REAL_INTERVAL, SESSIONS, &mut sessions);
    live(&runtime, &heard, REAL_INTERVAL, REAL, "real");
    let unstopped = runtime.block_on(client.shutdown());
    assert!(unstopped.is_empty(), "{} sessions may still run", unstopped.len());
}
