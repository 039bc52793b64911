//! A thousand sessions whose owners end in various ways while the service fails at random: none leaks.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use liveavatar_api::Client;
use liveavatar_api::session::Session;
use liveavatar_mock::{EventStyle, Failure, Fault, MockResponse, Server};
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::{Lab, lasting, lite, settle};

const SESSIONS: usize = 1000;

/// Requests per burst of failures, and in each quiet period between them.
const BURST: usize = 150;

/// Random failures: frequent in a burst, rare otherwise.
fn failures(seed: u64) -> impl FnMut(&str) -> Option<Fault> + Send {
    let mut random = Rng::with_seed(seed);
    let mut requests = 0;
    let mut token_is_rejected = false;
    move |operation| {
        if operation == "stop_session" && std::mem::take(&mut token_is_rejected) {
            return Some(Fault::Before(Failure::Response(MockResponse::json(401, json!({})))));
        }
        requests += 1;
        let rate = if (requests / BURST) % 3 == 1 { 0.6 } else { 0.03 };
        if random.f64() > rate {
            return None;
        }
        let status = |status: u16| Failure::Response(MockResponse::json(status, json!({})));
        let failure = match random.u8(..20) {
            0..6 => status(503),
            6..10 => status(500),
            10..12 => status(504),
            // A rate-limited request never takes effect.
            12..13 => return Some(Fault::Before(status(429))),
            13..17 => Failure::Disconnect,
            17..19 => Failure::Hang,
            // With a revoked key and token the session cannot be stopped, so it must be reported.
            _ if operation == "stop_session" => {
                token_is_rejected = true;
                status(401)
            }
            _ => return Some(Fault::Delayed(Duration::from_secs(random.u64(..20)))),
        };
        Some(if random.bool() { Fault::Before(failure) } else { Fault::After(failure) })
    }
}

/// Opens a session and ends its owner in a random way.
async fn own(client: Client, mut random: Rng, kept: Arc<Mutex<Vec<Session<liveavatar_api::session::Lite>>>>) {
    let patience = Duration::from_millis(random.u64(..90_000));
    let opening =
        if random.u8(..5) == 0 { client.open(&lasting(60)).auto_rotate() } else { client.open(&lite()) };
    let opened = if random.bool() {
        // Cancels the opening at a random point.
        let short = Duration::from_micros(random.u64(..20_000));
        match timeout(short, opening).await {
            Ok(opened) => opened,
            Err(_) => return,
        }
    } else {
        opening.await
    };
    let Ok(session) = opened else { return };
    // The socket is rejected, which drops the session as `?` would.
    if random.u8(..8) == 0 && session.connect().await.is_err() {
        return;
    }
    match random.u8(..6) {
        0 => drop(timeout(patience, session.ended()).await),
        1 => {
            sleep(patience).await;
            resume_unwind(Box::new("the owner panics"));
        }
        2 => {
            sleep(patience).await;
            drop(timeout(Duration::from_millis(random.u64(..2_000)), session.stop()).await);
        }
        3 => {
            sleep(patience).await;
            drop(session.stop().await);
        }
        4 => {
            let dropped = tokio::task::spawn_blocking(|| drop(session));
            drop(dropped.await);
        }
        // Outlives its owner.
        _ => kept.lock().unwrap().push(session),
    }
}

async fn run(seed: u64) -> String {
    let lab = Lab::with(
        Server::builder()
            .session_limit(SESSIONS * 2)
            .max_session_duration(86_400)
            .sockets(EventStyle::default()),
        None,
    )
    .await;
    lab.server.reject_sockets();
    lab.server.faults(failures(seed));
    let mut random = Rng::with_seed(seed);
    let kept = Arc::default();
    let owners: Vec<_> = (0..SESSIONS)
        .map(|_| {
            let owner = tokio::spawn(own(lab.client.clone(), random.fork(), Arc::clone(&kept)));
            (owner, random.u8(..4) == 0, Duration::from_millis(random.u64(..120_000)))
        })
        .collect();
    let aborts = owners.into_iter().map(|(owner, aborted, after)| async move {
        if aborted {
            sleep(after).await;
            owner.abort();
        }
        drop(owner.await);
    });
    futures_util::future::join_all(aborts).await;
    let kept = std::mem::take(&mut *kept.lock().unwrap());
    let alive = kept.iter().filter(|session| !session.state().is_over()).count();
    assert!(alive > 0, "no session outlives its owner");
    drop(kept);
    settle().await;
    settle().await;
    lab.check_nothing_leaked(&format!("seed {seed}")).await;
    let started = lab.historic().await.len() + lab.server.running_sessions().len();
    let reported = lab.reported().len();
    assert!(started > SESSIONS / 3, "seed {seed}: only {started} were started");
    assert!((1..started / 5).contains(&reported), "seed {seed}: {reported} of {started} were reported");
    // Once the failures are over, the reported sessions can be stopped, too.
    assert!(lab.client.shutdown().await.is_empty());
    assert!(lab.server.running_sessions().is_empty());
    format!("{started} started, {reported} reported")
}

#[test]
fn no_session_of_a_thousand_leaks() {
    for seed in 1..=3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let outcome = runtime.unwrap().block_on(run(seed));
        println!("seed {seed}: {outcome}");
    }
}
