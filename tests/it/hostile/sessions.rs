//! Whole sessions over a connection that fails behind any byte: one session at most, and none that nobody knows of.

use std::fmt::Write as _;
use std::future::IntoFuture as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use liveavatar_api::session::{Configuration, Lite, StopFailed};
use liveavatar_api::types::SessionEndReason;
use liveavatar_api::{Client, Credential};
use liveavatar_mock::Server;
use tokio::time::{sleep, timeout};

use super::lines::Lines;
use super::runtime;
use super::tunnel::{Cut, Fault, Side, Tunnel};

const AVATAR: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// Whatever takes longer hangs: a start, its repetition, and the stop of what may have been started.
const PATIENCE: Duration = Duration::from_secs(600);

/// A mock, the way to it, and a client that knows only the way.
struct Lab {
    server: Server,
    tunnel: Tunnel,
    client: Client,
    reported: Arc<Mutex<Vec<StopFailed>>>,
}

impl Lab {
    async fn start() -> Self {
        let server = Server::builder().session_limit(1_000_000).start().await.unwrap();
        let address = server.url().trim_start_matches("http://").parse().unwrap();
        let tunnel = Tunnel::to(address).await;
        let reported = Arc::default();
        let client = client(&server, &tunnel, &reported);
        Self { server, tunnel, client, reported }
    }

    /// The calls since the last look, by the names of their operations.
    fn calls(&self) -> String {
        let mut calls: Vec<(String, u32)> = Vec::new();
        for request in self.server.take_requests() {
            let name = request.operation.unwrap_or_default();
            match calls.last_mut() {
                Some((last, count)) if *last == name => *count += 1,
                _ => calls.push((name, 1)),
            }
        }
        let calls =
            calls.into_iter().map(|(name, count)| if count == 1 { name } else { format!("{name} x{count}") });
        calls.collect::<Vec<_>>().join(", ")
    }

    /// Fails where a session runs, or where the service was asked to start one twice.
    fn check(&self, calls: &str, when: &str) {
        assert!(!calls.contains("start_session x"), "{when}: {calls}");
        assert!(calls.matches("start_session").count() <= 1, "{when}: {calls}");
        assert!(self.server.running_sessions().is_empty(), "{when}: {calls}");
        assert!(self.client.sessions().is_empty(), "{when}: {:?}", self.client.sessions());
        assert!(self.reported.lock().unwrap().is_empty(), "{when}: the network was there all the time");
    }
}

fn client(server: &Server, tunnel: &Tunnel, reported: &Arc<Mutex<Vec<StopFailed>>>) -> Client {
    let list = Arc::clone(reported);
    let key = Credential::api_key(server.api_key()).unwrap();
    // Reading the machine's certificates takes longer than the calls.
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let builder = Client::builder().http(http).base_url(format!("http://127.0.0.1:{}", tunnel.port)).seed(1);
    let builder = builder.on_stop_failed(move |unstopped| list.lock().unwrap().push(unstopped.clone()));
    builder.credential(key).build().unwrap()
}

fn lite() -> Configuration<Lite> {
    Configuration::<Lite>::build(|lite| lite.avatar_id(AVATAR)).unwrap()
}

fn ended<T, E: std::fmt::Display>(what: &str, result: &Result<T, E>) -> String {
    match result {
        Ok(_) => what.to_owned(),
        Err(error) => format!("not {what}: {error}"),
    }
}

/// One life after another over connections that fail behind ever more bytes, until one is over before its connection fails.
///
/// `before` are the cuts of the connections before it.
async fn lives(
    name: &str,
    before: &[Cut],
    cut: Cut,
    step: usize,
    life: impl AsyncFn(&Lab) -> String,
) -> String {
    let mut lab = Lab::start().await;
    let mut lines = Lines::default();
    for after in (0..).step_by(step) {
        let when = format!("{name}, {:?} behind byte {after} of the {:?}", cut.fault, cut.side);
        // Without connections of the case before, and with all its strength.
        lab.client = client(&lab.server, &lab.tunnel, &lab.reported);
        let cuts = [before, &[Cut { after, ..cut }]].concat();
        lab.tunnel.cut_next(cuts.clone());
        let told = timeout(PATIENCE, life(&lab)).await.unwrap_or_else(|_| panic!("{when}: hangs"));
        // What goes on in the background.
        sleep(Duration::from_secs(400)).await;
        let calls = lab.calls();
        lab.check(&calls, &when);
        lines.add(after, format!("{told}; seen: {calls}"));
        if lab.tunnel.failed() < cuts.len() {
            assert!(after > 150, "{name} is over after {after} bytes");
            break;
        }
    }
    format!(
        "{name}, {:?} behind so many bytes of the {:?}, in steps of {step}\n{}",
        cut.fault,
        cut.side,
        lines.text()
    )
}

async fn supervised(lab: &Lab) -> String {
    let opened = lab.client.open(&lite()).await;
    let mut told = ended("opened", &opened);
    if let Ok(session) = opened {
        sleep(Duration::from_secs(61)).await;
        write!(told, ", {}", ended("stopped", &session.stop().await)).unwrap();
    }
    told
}

async fn by_hand(lab: &Lab) -> String {
    let minted = match lab.client.mint(&lite()).await {
        Ok(minted) => minted,
        Err(error) => return format!("not minted: {error}"),
    };
    let started = minted.start().await;
    let mut told = ended("started", &started);
    if let Ok(session) = started {
        write!(told, ", {}", ended("kept alive", &session.keep_alive().await)).unwrap();
        write!(told, ", {}", ended("stopped", &session.stop(SessionEndReason::UserClosed).await)).unwrap();
    }
    told
}

/// Every byte of what is closed by the server's side, and some of the rest: a case takes some milliseconds.
fn table(name: &str, steps: [usize; 2], life: &impl AsyncFn(&Lab) -> String) -> String {
    let mut text = String::new();
    for side in [Side::Server, Side::Client] {
        for fault in [Fault::Closed, Fault::Reset, Fault::Stalled] {
            let cut = Cut { side, after: 0, fault };
            let [fine, coarse] = steps;
            let step = if (side, fault) == (Side::Server, Fault::Closed) { fine } else { coarse };
            writeln!(text, "{}", runtime().block_on(lives(name, &[], cut, step, life))).unwrap();
        }
    }
    text
}

#[test]
fn a_supervised_session_survives_or_is_stopped_wherever_its_connection_fails() {
    insta::assert_snapshot!(table("open", [1, 29], &supervised));
}

#[test]
fn a_session_by_hand_is_started_once_or_stopped_wherever_its_connection_fails() {
    insta::assert_snapshot!(table("mint and start", [13, 41], &by_hand));
}

/// Within the answer of the start.
const STARTED: Cut = Cut { side: Side::Server, after: 700, fault: Fault::Closed };

#[test]
fn a_stop_whose_connection_fails_as_the_starts_did_is_repeated_until_it_is_certain() {
    let mut text = String::new();
    for fault in [Fault::Closed, Fault::Stalled] {
        let cut = Cut { side: Side::Server, after: 0, fault };
        let open = lives("stop after a broken start", &[STARTED], cut, 9, supervised);
        writeln!(text, "{}", runtime().block_on(open)).unwrap();
        let by_hand = lives("stop after a broken start by hand", &[STARTED], cut, 9, by_hand);
        writeln!(text, "{}", runtime().block_on(by_hand)).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_session_whose_network_goes_away_for_good_is_reported_and_stopped_once_it_is_back() {
    runtime().block_on(async {
        let mut lab = Lab::start().await;
        for fault in [Fault::Closed, Fault::Reset, Fault::Stalled] {
            lab.client = client(&lab.server, &lab.tunnel, &lab.reported);
            lab.tunnel.gone_after(Cut { fault, ..STARTED });
            let opened = timeout(PATIENCE, lab.client.open(&lite()).into_future()).await.expect("it ends");
            assert!(opened.unwrap_err().may_have_been_sent());
            sleep(PATIENCE).await;
            let running = lab.server.running_sessions();
            let reported: Vec<_> = lab.reported.lock().unwrap().drain(..).map(|it| it.id).collect();
            // Nobody keeps it alive, and so the service may have ended it by itself.
            assert_eq!(reported.len(), 1, "{fault:?}");
            assert!(running.iter().all(|id| reported.contains(id)), "{fault:?}: {running:?} {reported:?}");
            assert_eq!(lab.client.sessions().into_keys().collect::<Vec<_>>(), reported, "{fault:?}");
            lab.tunnel.is_back();
            let stopped = lab.client.shutdown().await;
            assert!(stopped.is_empty() && lab.client.sessions().is_empty(), "{fault:?}: {stopped:?}");
        }
    });
}
