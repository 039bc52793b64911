//! Sessions over a connection that fails after any byte: at most one is started, and none leaks.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use liveavatar_api::session::{LiteSession, StopFailed};
use liveavatar_api::{Client, Credential, Error};
use liveavatar_mock::Server;
use tokio::time::{sleep, timeout};

use crate::http::faulty_proxy::{Cut, Fault, FaultyProxy, Side};
use crate::http::offset_table::OffsetTable;
use crate::http::paused_runtime;

const AVATAR: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// Time limit of a start with its retries and the stop that follows.
const TIMEOUT: Duration = Duration::from_secs(600);

/// A mock, a proxy to it, and a client that connects through the proxy.
struct Lab {
    server: Server,
    proxy: FaultyProxy,
    client: Client,
    reported: Arc<Mutex<Vec<StopFailed>>>,
}

impl Lab {
    async fn start() -> Self {
        let server = Server::builder().session_limit(1_000_000).start().await.unwrap();
        let address = server.url().trim_start_matches("http://").parse().unwrap();
        let proxy = FaultyProxy::to(address).await;
        let reported = Arc::default();
        let client = client(&server, &proxy, &reported);
        Self { server, proxy, client, reported }
    }

    /// The operations called since the last time; consecutive equal ones are counted.
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

    /// Fails if a session runs or was reported, or if a start was sent twice.
    fn check(&self, calls: &str, when: &str) {
        assert!(!calls.contains("start_session x"), "{when}: {calls}");
        assert!(calls.matches("start_session").count() <= 1, "{when}: {calls}");
        assert!(self.server.running_sessions().is_empty(), "{when}: {calls}");
        assert!(self.client.sessions().is_empty(), "{when}: {:?}", self.client.sessions());
        assert!(self.reported.lock().unwrap().is_empty(), "{when}: reported although the network recovered");
    }
}

fn client(server: &Server, proxy: &FaultyProxy, reported: &Arc<Mutex<Vec<StopFailed>>>) -> Client {
    let list = Arc::clone(reported);
    let key = Credential::api_key(server.api_key()).unwrap();
    // Without the system's certificates, which take longer to load than the calls.
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let builder = Client::builder().http(http).base_url(format!("http://127.0.0.1:{}", proxy.port)).seed(1);
    let builder = builder.on_stop_failed(move |failed| list.lock().unwrap().push(failed.clone()));
    builder.credential(key).build().unwrap()
}

fn lite() -> LiteSession {
    LiteSession::builder().avatar_id(AVATAR).build().unwrap()
}

fn describe<T>(what: &str, result: &Result<T, Error>) -> String {
    match result {
        Ok(_) => what.to_owned(),
        Err(error) => {
            let operation = error.operation().unwrap_or_default().replace('_', " ");
            let running = if error.session_may_run() { ", may be running" } else { "" };
            format!("not {what}: {operation}: {}{running}", error.message())
        }
    }
}

/// Runs sessions over connections that fail after more and more bytes, until one completes before its connection fails.
///
/// `before` are the cuts of the connections before that one.
async fn run_all(
    name: &str,
    before: &[Cut],
    cut: Cut,
    step: usize,
    session: impl AsyncFn(&Lab) -> String,
) -> String {
    let mut lab = Lab::start().await;
    let mut lines = OffsetTable::default();
    for after in (0..).step_by(step) {
        let when = format!("{name}, {:?} after byte {after} from the {:?}", cut.fault, cut.side);
        let cuts = [before, &[Cut { after, ..cut }]].concat();
        let mut attempts = 0;
        let (result, calls) = loop {
            // A new client does not reuse connections of the previous case.
            lab.client = client(&lab.server, &lab.proxy, &lab.reported);
            lab.proxy.cut_next(cuts.clone());
            let result = timeout(TIMEOUT, session(&lab)).await.unwrap_or_else(|_| panic!("{when}: hangs"));
            // Waits for the background tasks.
            sleep(Duration::from_secs(400)).await;
            let calls = lab.calls();
            attempts += 1;
            // On a busy machine, the paused clock may jump before the kernel delivers the end of a connection.
            let overtaken = cut.fault != Fault::Stalled && result.contains("the time limit passed");
            if !overtaken || attempts == 3 {
                break (result, calls);
            }
        };
        lab.check(&calls, &when);
        lines.add(after, format!("{result}; calls: {calls}"));
        if lab.proxy.failed() < cuts.len() {
            assert!(after > 150, "{name} completes after only {after} bytes");
            break;
        }
    }
    format!(
        "{name}, {:?} after this many bytes from the {:?}, in steps of {step}\n{}",
        cut.fault,
        cut.side,
        lines.text()
    )
}

async fn supervised(lab: &Lab) -> String {
    let opened = lab.client.open(&lite()).await;
    let mut result = describe("opened", &opened);
    if let Ok(session) = opened {
        sleep(Duration::from_secs(61)).await;
        write!(result, ", {}", describe("stopped", &session.stop().await)).unwrap();
    }
    result
}

async fn unsupervised(lab: &Lab) -> String {
    let token = match lab.client.mint(&lite()).await {
        Ok(token) => token,
        Err(error) => return format!("not minted: {error}"),
    };
    let started = token.start().await;
    let mut result = describe("started", &started);
    if started.is_ok() {
        let session = lab.client.session(token.id());
        write!(result, ", {}", describe("kept alive", &session.keep_alive().await)).unwrap();
        let stopped = session.stop().await;
        write!(result, ", {}", describe("stopped", &stopped)).unwrap();
    }
    result
}

/// The results for each side and fault. Only the first combination uses the fine step, because a case takes some milliseconds.
fn table(name: &str, steps: [usize; 2], session: &impl AsyncFn(&Lab) -> String) -> String {
    let mut text = String::new();
    for side in [Side::Server, Side::Client] {
        for fault in [Fault::Closed, Fault::Reset, Fault::Stalled] {
            let cut = Cut { side, after: 0, fault };
            let [fine, coarse] = steps;
            let step = if (side, fault) == (Side::Server, Fault::Closed) { fine } else { coarse };
            writeln!(text, "{}", paused_runtime().block_on(run_all(name, &[], cut, step, session))).unwrap();
        }
    }
    text
}

#[test]
fn a_supervised_session_survives_or_is_stopped_wherever_its_connection_fails() {
    insta::assert_snapshot!(table("open", [1, 29], &supervised));
}

#[test]
fn an_unsupervised_session_is_started_once_or_stopped_wherever_its_connection_fails() {
    insta::assert_snapshot!(table("mint and start", [13, 41], &unsupervised));
}

/// A cut within the response to the start.
const IN_START_RESPONSE: Cut = Cut { side: Side::Server, after: 700, fault: Fault::Closed };

#[test]
fn a_stop_over_a_failing_connection_after_a_failed_start_is_retried_until_confirmed() {
    let mut text = String::new();
    for fault in [Fault::Closed, Fault::Stalled] {
        let cut = Cut { side: Side::Server, after: 0, fault };
        let before = [IN_START_RESPONSE];
        let supervised = run_all("stop after a failed open", &before, cut, 9, supervised);
        writeln!(text, "{}", paused_runtime().block_on(supervised)).unwrap();
        let unsupervised = run_all("stop after a failed start", &before, cut, 9, unsupervised);
        writeln!(text, "{}", paused_runtime().block_on(unsupervised)).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_session_is_reported_if_the_network_fails_and_stopped_once_it_recovers() {
    paused_runtime().block_on(async {
        let mut lab = Lab::start().await;
        for fault in [Fault::Closed, Fault::Reset, Fault::Stalled] {
            lab.client = client(&lab.server, &lab.proxy, &lab.reported);
            lab.proxy.gone_after(Cut { fault, ..IN_START_RESPONSE });
            let opened = timeout(TIMEOUT, lab.client.open(&lite())).await.expect("it completes");
            assert!(opened.unwrap_err().may_have_been_sent());
            sleep(TIMEOUT).await;
            let running = lab.server.running_sessions();
            let reported: Vec<_> = lab.reported.lock().unwrap().drain(..).map(|it| it.id).collect();
            // The service may have ended the session for idleness meanwhile.
            assert_eq!(reported.len(), 1, "{fault:?}");
            assert!(running.iter().all(|id| reported.contains(id)), "{fault:?}: {running:?} {reported:?}");
            assert_eq!(lab.client.sessions().into_keys().collect::<Vec<_>>(), reported, "{fault:?}");
            lab.proxy.is_back();
            let failed = lab.client.shutdown().await;
            assert!(failed.is_empty() && lab.client.sessions().is_empty(), "{fault:?}: {failed:?}");
        }
    });
}
