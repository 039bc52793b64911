//! A simulated service delays, loses, repeats and falsifies responses: every session that it ran is stopped or reported.
//!
//! `SEEDS=100000 cargo test … model` runs more seeds, `SEED=42` one.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use liveavatar_api::session::{Lite, Session, StopFailed};
use liveavatar_api::{Client, Credential, Uuid};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use super::lasting;

/// Seeds of one run, shared by as many threads as there are processors.
const SEEDS: u64 = 2000;
/// After the failures are over, every session is stopped or reported within this time: a stop that failed is retried for 5 min, and
/// its last call may take 30 s.
const SETTLED_AFTER: Duration = Duration::from_secs(5 * 60 + 60);
/// How long after its response, or the client's timeout, a start may take effect.
const LATE: u64 = 44;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Minted,
    /// The start takes effect at this time.
    Pending(Instant),
    Running,
    Ended,
}

struct Service {
    random: Rng,
    fails: bool,
    sessions: BTreeMap<Uuid, Phase>,
    /// The sessions that ran at any time.
    ran: BTreeSet<Uuid>,
}

/// How the service replies to one request.
enum Reply {
    Response(u16, String),
    Lost,
}

fn envelope(status: u16, data: &Value) -> Reply {
    Reply::Response(status, json!({ "code": 1000, "data": data, "message": null }).to_string())
}

impl Service {
    /// Applies the pending starts that are due.
    fn settle(&mut self) {
        let now = Instant::now();
        for (id, phase) in &mut self.sessions {
            if matches!(phase, Phase::Pending(at) if *at <= now) {
                *phase = Phase::Running;
                self.ran.insert(*id);
            }
        }
    }

    fn running(&mut self) -> BTreeSet<Uuid> {
        self.settle();
        let is_running = |phase: &Phase| matches!(phase, Phase::Running | Phase::Pending(_));
        self.sessions.iter().filter(|(_, phase)| is_running(phase)).map(|(id, _)| *id).collect()
    }

    fn apply(&mut self, operation: &str, id: Option<Uuid>) -> Reply {
        self.settle();
        let not_found = || Reply::Response(404, json!({ "code": 4040, "message": "no session" }).to_string());
        if operation == "token" {
            let id = Uuid::from_u128(0x4000_8000_0000_0000_0000 + self.sessions.len() as u128 + 1);
            self.sessions.insert(id, Phase::Minted);
            return envelope(200, &json!({ "session_id": id, "session_token": format!("token-{id}") }));
        }
        let Some((id, phase)) = id.and_then(|id| Some((id, self.sessions.get_mut(&id)?))) else {
            return not_found();
        };
        match (operation, *phase) {
            ("start", Phase::Minted) => {
                *phase = Phase::Running;
                self.ran.insert(id);
                let seconds = 40 + id.as_u128() % 4 * 20;
                envelope(201, &json!({ "session_id": id, "max_session_duration": seconds }))
            }
            ("start", _) => Reply::Response(400, json!({ "code": 4000, "message": "started" }).to_string()),
            ("stop", Phase::Running) => {
                *phase = Phase::Ended;
                envelope(200, &Value::Null)
            }
            // A provisional response without an effect.
            ("stop", Phase::Pending(_)) if self.random.bool() => envelope(200, &Value::Null),
            ("keep-alive", Phase::Running) => envelope(200, &Value::Null),
            _ => not_found(),
        }
    }

    /// Returns the reply, and the delay before it.
    fn handle(&mut self, operation: &str, id: Option<Uuid>) -> (Duration, Reply) {
        let now = Duration::ZERO;
        if !self.fails || self.random.u8(..10) < 5 {
            return (now, self.apply(operation, id));
        }
        let seconds = Duration::from_secs(self.random.u64(..60));
        let error = |status: u16| Reply::Response(status, json!({ "code": 0, "message": "no" }).to_string());
        let proxy = |status: u16| Reply::Response(status, "<p>a proxy</p>".to_owned());
        let failure = match self.random.u8(..8) {
            0..3 => Reply::Lost,
            3 => error(500),
            4 => error(504),
            5 => error(429),
            6 => proxy(404),
            _ => proxy(502),
        };
        match self.random.u8(..10) {
            // Delayed, possibly beyond the client's time limit.
            0..2 => (seconds, self.apply(operation, id)),
            // The request takes effect, and its response is lost or an error. A rejection does not take effect.
            2..5 => {
                if !matches!(failure, Reply::Response(404 | 429, _)) || operation == "stop" {
                    self.apply(operation, id);
                }
                (now, failure)
            }
            // It takes effect twice.
            5 => {
                self.apply(operation, id);
                (now, if operation == "start" { Reply::Lost } else { self.apply(operation, id) })
            }
            // A start takes effect after its response, or after the client's time limit.
            6..8 if operation == "start" => {
                let known = id.and_then(|id| self.sessions.get_mut(&id));
                if let Some(phase) = known.filter(|phase| **phase == Phase::Minted) {
                    *phase = Phase::Pending(Instant::now() + Duration::from_secs(self.random.u64(..LATE)));
                }
                (now, if self.random.bool() { Reply::Lost } else { error(504) })
            }
            8 if operation == "stop" => (now, error(if self.random.bool() { 401 } else { 403 })),
            _ => (now, failure),
        }
    }
}

type Shared = Arc<Mutex<Service>>;

async fn serve(listener: TcpListener, service: Shared) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, Arc::clone(&service)));
    }
}

async fn connection(mut stream: TcpStream, service: Shared) {
    let mut buffer = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        let header = |name: &str| text.split_once(name).and_then(|(_, rest)| rest.split("\r\n").next());
        let length = header("content-length: ").map_or(0, |length| length.parse().unwrap());
        while buffer.len() < head + length {
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let body: Value = serde_json::from_slice(&buffer[head..head + length]).unwrap_or_default();
        let of_token = header("bearer token-").map(str::to_owned);
        let id = body["session_id"].as_str().map(str::to_owned).or(of_token).and_then(|id| id.parse().ok());
        let path = text.split(' ').nth(1).unwrap();
        let operation = path.rsplit('/').next().unwrap().to_owned();
        buffer.drain(..head + length);
        let (delay, reply) = service.lock().unwrap().handle(&operation, id);
        if !delay.is_zero() {
            sleep(delay).await;
        }
        let Reply::Response(status, body) = reply else { return };
        let kind = if body.starts_with('<') { "text/html" } else { "application/json" };
        let length = body.len();
        let response =
            format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}");
        if stream.write_all(response.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Ends the owner of a session in a random way.
async fn own(client: Client, mut random: Rng) -> Option<Session<Lite>> {
    sleep(Duration::from_secs(random.u64(..20))).await;
    let mut opening = client.open(&lasting(40));
    if random.u8(..3) == 0 {
        opening = opening.auto_rotate();
    }
    let session = match random.u8(..3) {
        0 => timeout(Duration::from_millis(random.u64(..60_000)), opening).await.ok()?.ok()?,
        _ => opening.await.ok()?,
    };
    sleep(Duration::from_secs(random.u64(..90))).await;
    match random.u8(..4) {
        0 => drop(session),
        1 => drop(session.stop().await),
        2 => drop(timeout(Duration::from_secs(random.u64(..10)), session.stop()).await),
        _ => return Some(session),
    }
    None
}

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

fn run(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let sessions = BTreeMap::new();
    let service = Service { random: random.fork(), fails: true, sessions, ran: BTreeSet::new() };
    let service: Shared = Arc::new(Mutex::new(service));
    let reported = Arc::new(Mutex::new(BTreeSet::new()));
    let runtime = paused();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let serve_here = || {
        let listener = TcpListener::from_std(listener.try_clone().unwrap()).unwrap();
        tokio::spawn(serve(listener, Arc::clone(&service)))
    };
    let client = runtime.block_on(async {
        let url = format!("http://{}", listener.local_addr().unwrap());
        serve_here();
        let list = Arc::clone(&reported);
        let hook = move |failed: &StopFailed| {
            list.lock().unwrap().insert(failed.id);
        };
        // Without the system's certificates, which take longer to load than the calls.
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
        let builder = Client::builder().http(http).base_url(url).seed(seed).on_stop_failed(hook);
        builder.credential(Credential::api_key("key").unwrap()).build().unwrap()
    });
    let leaked = |when: &str| {
        let running = service.lock().unwrap().running();
        let reported = reported.lock().unwrap().clone();
        let leaked: Vec<_> = running.difference(&reported).collect();
        assert!(leaked.is_empty(), "seed {seed}, {when}: running and not reported: {leaked:?}");
    };
    let (owners, kills) = (random.u8(1..4), random.u8(..4) == 0);
    let owners: Vec<_> = (0..owners).map(|_| runtime.spawn(own(client.clone(), random.fork()))).collect();
    if kills {
        runtime.block_on(async { sleep(Duration::from_millis(random.u64(..100_000))).await });
        // Half of them shut down in a panic, like the runtime of a `main` that panics.
        let panics = random.bool();
        let _ = catch_unwind(AssertUnwindSafe(move || {
            let _runtime = runtime;
            if panics {
                resume_unwind(Box::new(()));
            }
        }));
        // A start that will take effect counts as running.
        leaked("the runtime shut down");
        service.lock().unwrap().fails = false;
        // Another runtime can stop all of them, also those whose start takes effect meanwhile.
        return paused().block_on(async {
            serve_here();
            let failed = timeout(SETTLED_AFTER, client.shutdown()).await;
            assert!(
                failed.is_ok_and(|failed| failed.is_empty()),
                "seed {seed}: not stopped after the shutdown"
            );
            let running = service.lock().unwrap().running();
            assert!(running.is_empty(), "seed {seed}: running on another runtime: {running:?}");
        });
    }
    runtime.block_on(async {
        if random.u8(..4) == 0 {
            let patience = Duration::from_millis(random.u64(..60_000));
            sleep(patience).await;
            drop(timeout(patience, client.shutdown()).await);
        }
        let mut kept = Vec::new();
        for owner in owners {
            kept.push(owner.await.unwrap());
        }
        service.lock().unwrap().fails = random.u8(..8) == 0;
        drop(kept);
        sleep(SETTLED_AFTER).await;
        service.lock().unwrap().fails = false;
        leaked("settled");
        // Every reported session can be stopped now.
        let failed = timeout(SETTLED_AFTER, client.shutdown()).await;
        assert!(failed.is_ok_and(|failed| failed.is_empty()), "seed {seed}: not stopped");
        assert!(service.lock().unwrap().running().is_empty(), "seed {seed}: running after the shutdown");
        assert!(client.sessions().is_empty(), "seed {seed}");
    });
}

#[test]
fn every_session_of_an_unreliable_service_is_stopped_or_reported() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("SEED") {
        return run(seed);
    }
    let (seeds, threads) = (number("SEEDS").unwrap_or(SEEDS), std::thread::available_parallelism().unwrap());
    let next = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads.get() {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    run(seed);
                }
            });
        }
    });
}
