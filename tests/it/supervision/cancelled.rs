//! Every transition, given up at every point: what was minted and started is stopped or reported.

use std::future::{Future, IntoFuture as _, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use liveavatar_mock::{Failure, Fault, MockResponse, Server};
use serde_json::json;
use tokio::task::yield_now;
use tokio::time::{advance, sleep};

use super::{Lab, lasting, lite, reporting, settle};

/// After so many rounds of the runtime the clock moves on, for what waits for it.
const ROUNDS: usize = 24;

/// Runs a future for so many rounds of the runtime, then drops it; whether it was done by then.
async fn given_up_after(rounds: usize, future: impl Future) -> bool {
    let mut future = pin!(future);
    for round in 1..=rounds {
        if poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await.is_ready() {
            return true;
        }
        yield_now().await;
        if round % ROUNDS == 0 {
            advance(Duration::from_secs(4)).await;
        }
    }
    false
}

/// Gives a step up after one round, two rounds and so on, until it is done before that.
async fn at_every_point(name: &str, lab: &Lab, step: impl AsyncFn(&Lab, usize) -> bool) {
    let mut points = 0;
    for rounds in 0.. {
        let done = step(lab, rounds).await;
        settle().await;
        lab.check_nothing_leaked(&format!("{name}, given up after {rounds} rounds")).await;
        assert!(lab.client.sessions().is_empty(), "{name}, given up after {rounds} rounds");
        assert_eq!(lab.reported(), [""; 0], "{name}: a runtime was alive, so nothing had to be reported");
        points = rounds;
        if done {
            break;
        }
    }
    // Fewer would mean that the step is over before it has begun.
    assert!(points > 2, "{name}: {points} points");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .event_interval(1)
        .build()
        .unwrap()
}

/// Faults for the first calls of one operation.
fn failing(lab: &Lab, operation: &'static str, times: usize, fault: &Fault) {
    let (mut left, fault) = (times, fault.clone());
    lab.server.faults(move |called| {
        let fails = called == operation && left > 0;
        left -= usize::from(fails);
        fails.then(|| fault.clone())
    });
}

fn unavailable() -> Failure {
    Failure::Response(MockResponse::json(503, json!({})))
}

#[test]
fn an_opening_can_be_given_up_at_every_point() {
    runtime().block_on(async {
        let lab = Lab::start().await;
        at_every_point("open", &lab, async |lab, rounds| {
            given_up_after(rounds, lab.client.open(&lite()).into_future()).await
        })
        .await;
    });
}

#[test]
fn an_opening_whose_start_fails_can_be_given_up_at_every_point() {
    let faults = [
        Fault::Before(unavailable()),
        Fault::After(unavailable()),
        Fault::After(Failure::Disconnect),
        Fault::Delayed(Duration::from_secs(3)),
    ];
    runtime().block_on(async {
        let lab = Lab::start().await;
        for fault in faults {
            at_every_point(&format!("open with {fault:?}"), &lab, async |lab, rounds| {
                failing(lab, "start_session", 1, &fault);
                given_up_after(rounds, lab.client.open(&lite()).into_future()).await
            })
            .await;
        }
    });
}

#[test]
fn a_stop_can_be_given_up_at_every_point() {
    runtime().block_on(async {
        let lab = Lab::start().await;
        for failures in [0, 2] {
            at_every_point("stop", &lab, async |lab, rounds| {
                let session = lab.client.open(&lite()).await.unwrap();
                failing(lab, "stop_session", failures, &Fault::Before(unavailable()));
                given_up_after(rounds, session.stop()).await
            })
            .await;
        }
    });
}

#[test]
fn an_owner_can_be_given_up_at_every_point_of_a_keep_alive() {
    runtime().block_on(async {
        let lab = Lab::start().await;
        for fault in [
            Fault::Delayed(Duration::ZERO),
            Fault::Before(unavailable()),
            Fault::Before(Failure::Response(MockResponse::json(404, json!({})))),
        ] {
            at_every_point(&format!("keep-alive with {fault:?}"), &lab, async |lab, rounds| {
                failing(lab, "keep_session_alive", 1, &fault);
                let every = Duration::from_secs(1);
                let session = lab.client.open(&lite()).keep_alive_interval(every).await.unwrap();
                let before = lab.count("keep_session_alive");
                let seen = async {
                    while lab.count("keep_session_alive") < before + 2 && !session.state().is_over() {
                        yield_now().await;
                    }
                };
                given_up_after(rounds, seen).await
            })
            .await;
        }
    });
}

#[test]
fn an_owner_can_be_given_up_at_every_point_of_a_rotation() {
    runtime().block_on(async {
        let lab = Lab::start().await;
        for failures in [0, 1, 3] {
            at_every_point(&format!("rotation with {failures} failures"), &lab, async |lab, rounds| {
                let session = lab.client.open(&lasting(40)).auto_rotate().await.unwrap();
                failing(lab, "start_session", failures, &Fault::After(unavailable()));
                let first = session.id();
                // Up to the point at which the rotation begins.
                sleep(Duration::from_millis(19_999)).await;
                advance(Duration::from_millis(1)).await;
                let rotated = async {
                    while session.id() == first && !session.state().is_over() {
                        yield_now().await;
                    }
                };
                given_up_after(rounds, rotated).await
            })
            .await;
        }
    });
}

#[test]
fn a_shutdown_can_be_given_up_at_every_point() {
    runtime().block_on(async {
        let lab = Lab::start().await;
        for rounds in 0.. {
            let (client, reported) = reporting(&lab.server, None);
            let kept = client.open(&lite()).await.unwrap();
            let opening = tokio::spawn(client.open(&lite()).into_future());
            let done = given_up_after(rounds, client.shutdown()).await;
            settle().await;
            // A shutdown that was never asked for has closed nothing.
            if rounds > 0 {
                assert!(kept.state().is_over(), "after {rounds} rounds");
            }
            drop((kept, opening.await));
            settle().await;
            lab.check_nothing_leaked(&format!("shutdown, given up after {rounds} rounds")).await;
            assert!(client.sessions().is_empty() && reported.lock().unwrap().is_empty());
            if done {
                break;
            }
        }
    });
}

#[test]
fn a_runtime_can_end_at_every_point() {
    let outside = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = outside.block_on(Server::builder().session_limit(10_000).start()).unwrap();
    let (client, reported) = reporting(&server, None);
    for rounds in (0..40).chain((40..4000).step_by(83)) {
        let inside =
            tokio::runtime::Builder::new_current_thread().enable_all().event_interval(1).build().unwrap();
        inside.block_on(async {
            let session = client.open(&lite()).into_future();
            let mut session = pin!(session);
            for _ in 0..rounds {
                if let Poll::Ready(session) =
                    poll_fn(|context| Poll::Ready(session.as_mut().poll(context))).await
                {
                    // Dropped with the runtime.
                    tokio::spawn(async move { session.unwrap().ended().await });
                    break;
                }
                yield_now().await;
            }
        });
    }
    // Requests that were sent are answered by the time that later ones are.
    outside.block_on(async { client.get_user_credits().send().await.unwrap() });
    let known: Vec<_> = reported.lock().unwrap().iter().map(|it| it.id).collect();
    let running = server.running_sessions();
    assert!(running.iter().all(|id| known.contains(id)), "{running:?} run, {known:?} are known");
    assert!(!running.is_empty(), "every runtime ended before a session was started");
    // All of them can still be stopped.
    assert!(outside.block_on(client.shutdown()).is_empty());
    assert!(server.running_sessions().is_empty());
}
