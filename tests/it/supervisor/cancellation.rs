//! Every operation can be cancelled at every await point: a session that was started is stopped or reported.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use liveavatar_api::Clock;
use liveavatar_mock::{Failure, Fault, MockResponse, Server};
use serde_json::json;
use tokio::task::yield_now;
use tokio::time::{Instant, advance, sleep};

use super::{Lab, lasting, lite, reporting, reporting_builder, settle};

/// The clock advances after this many polls, for operations that wait for it.
const POLLS_PER_TICK: usize = 24;

/// Polls a future `polls` times, then drops it; returns whether it has completed.
async fn cancel_after(polls: usize, future: impl Future) -> bool {
    let mut future = pin!(future);
    for poll in 1..=polls {
        if poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await.is_ready() {
            return true;
        }
        yield_now().await;
        if poll % POLLS_PER_TICK == 0 {
            advance(Duration::from_secs(4)).await;
        }
    }
    false
}

/// Cancels an operation after 0 polls, 1 poll and so on, until it completes before it is cancelled.
async fn at_every_point(name: &str, lab: &Lab, operation: impl AsyncFn(&Lab, usize) -> bool) {
    let mut points = 0;
    for polls in 0.. {
        let done = operation(lab, polls).await;
        settle().await;
        lab.check_nothing_leaked(&format!("{name}, cancelled after {polls} polls")).await;
        assert!(lab.client.sessions().is_empty(), "{name}, cancelled after {polls} polls");
        assert_eq!(lab.reported(), [""; 0], "{name}: a runtime was running, so nothing had to be reported");
        points = polls;
        if done {
            break;
        }
    }
    // With fewer, the operation would complete before it has begun.
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

/// Makes the first `times` calls of an operation fail.
fn fail(lab: &Lab, operation: &'static str, times: usize, fault: &Fault) {
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
fn opening_can_be_cancelled_at_every_point() {
    runtime().block_on(async {
        let lab = Lab::start().await;
        at_every_point("open", &lab, async |lab, polls| cancel_after(polls, lab.client.open(&lite())).await)
            .await;
    });
}

#[test]
fn opening_with_a_failing_start_can_be_cancelled_at_every_point() {
    let faults = [
        Fault::Before(unavailable()),
        Fault::After(unavailable()),
        Fault::After(Failure::Disconnect),
        Fault::Delayed(Duration::from_secs(3)),
    ];
    runtime().block_on(async {
        let lab = Lab::start().await;
        for fault in faults {
            at_every_point(&format!("open with {fault:?}"), &lab, async |lab, polls| {
                fail(lab, "start_session", 1, &fault);
                cancel_after(polls, lab.client.open(&lite())).await
            })
            .await;
        }
    });
}

#[test]
fn a_stop_can_be_cancelled_at_every_point() {
    runtime().block_on(async {
        let lab = Lab::start().await;
        for failures in [0, 2] {
            at_every_point("stop", &lab, async |lab, polls| {
                let session = lab.client.open(&lite()).await.unwrap();
                fail(lab, "stop_session", failures, &Fault::Before(unavailable()));
                cancel_after(polls, session.stop()).await
            })
            .await;
        }
    });
}

#[test]
fn the_owner_can_be_cancelled_at_every_point_of_a_keep_alive() {
    runtime().block_on(async {
        let lab = Lab::start().await;
        for fault in [
            Fault::Delayed(Duration::ZERO),
            Fault::Before(unavailable()),
            Fault::Before(Failure::Response(MockResponse::json(404, json!({})))),
        ] {
            at_every_point(&format!("keep-alive with {fault:?}"), &lab, async |lab, polls| {
                fail(lab, "keep_session_alive", 1, &fault);
                let interval = Duration::from_secs(1);
                let session = lab.client.open(&lite()).keep_alive_interval(interval).await.unwrap();
                let before = lab.count("keep_session_alive");
                let two_calls = async {
                    while lab.count("keep_session_alive") < before + 2 && !session.state().is_over() {
                        yield_now().await;
                    }
                };
                cancel_after(polls, two_calls).await
            })
            .await;
        }
    });
}

#[test]
fn the_owner_can_be_cancelled_at_every_point_of_a_rotation() {
    runtime().block_on(async {
        let lab = Lab::start().await;
        for failures in [0, 1, 3] {
            at_every_point(&format!("rotation with {failures} failures"), &lab, async |lab, polls| {
                let session = lab.client.open(&lasting(40)).auto_rotate().await.unwrap();
                fail(lab, "start_session", failures, &Fault::After(unavailable()));
                let first = session.id();
                // The rotation begins after 20 s.
                sleep(Duration::from_millis(19_999)).await;
                advance(Duration::from_millis(1)).await;
                let rotated = async {
                    while session.id() == first && !session.state().is_over() {
                        yield_now().await;
                    }
                };
                cancel_after(polls, rotated).await
            })
            .await;
        }
    });
}

#[test]
fn a_shutdown_can_be_cancelled_at_every_point() {
    runtime().block_on(async {
        let lab = Lab::start().await;
        for polls in 0.. {
            let (client, reported) = reporting(&lab.server, None);
            let kept = client.open(&lite()).await.unwrap();
            let opening = tokio::spawn(client.open(&lite()));
            let done = cancel_after(polls, client.shutdown()).await;
            settle().await;
            // A shutdown that was never polled does nothing.
            if polls > 0 {
                assert!(kept.state().is_over(), "after {polls} polls");
            }
            drop((kept, opening.await));
            settle().await;
            lab.check_nothing_leaked(&format!("shutdown, cancelled after {polls} polls")).await;
            assert!(client.sessions().is_empty() && reported.lock().unwrap().is_empty());
            if done {
                break;
            }
        }
    });
}

/// A clock that is a hundred times as fast as the system's, for waits that a paused clock cannot skip.
#[derive(Debug)]
struct FastClock(Instant);

const SPEED: u32 = 100;

impl Clock for FastClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600) + self.0.elapsed() * SPEED
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(sleep(time / SPEED))
    }
}

#[test]
fn the_runtime_can_shut_down_at_every_point() {
    let outside = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = outside.block_on(Server::builder().session_limit(10_000).start()).unwrap();
    let (builder, reported) = reporting_builder(&server);
    let client = builder.clock(FastClock(Instant::now())).build().unwrap();
    for polls in (0..40).chain((40..4000).step_by(83)) {
        let short_lived =
            tokio::runtime::Builder::new_current_thread().enable_all().event_interval(1).build().unwrap();
        short_lived.block_on(async {
            let session = client.open(&lite());
            let mut session = pin!(session);
            for _ in 0..polls {
                if let Poll::Ready(session) =
                    poll_fn(|context| Poll::Ready(session.as_mut().poll(context))).await
                {
                    // The runtime drops this task.
                    tokio::spawn(async move { session.unwrap().ended().await });
                    break;
                }
                yield_now().await;
            }
        });
    }
    // Requests that were already sent are processed before this one.
    outside.block_on(async { client.get_user_credits().send().await.unwrap() });
    let reported_ids: Vec<_> = reported.lock().unwrap().iter().map(|it| it.id).collect();
    let running = server.running_sessions();
    assert!(
        running.iter().all(|id| reported_ids.contains(id)),
        "running: {running:?}, reported: {reported_ids:?}"
    );
    assert!(!running.is_empty(), "every runtime shut down before a session was started");
    // Another runtime can still stop all of them.
    assert!(outside.block_on(client.shutdown()).is_empty());
    assert!(server.running_sessions().is_empty());
}
