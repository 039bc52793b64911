//! A stop is retried until it is confirmed, or the session is reported.

use std::panic::resume_unwind;
use std::time::Duration;

use liveavatar_api::session::{EndReason, STOP_LIMIT, State};
use liveavatar_api::{Credential, ErrorKind};
use liveavatar_mock::{Failure, Fault, MockResponse, Server};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep};

use super::{Lab, lite, reporting, settle};

fn fails_with(status: u16) -> MockResponse {
    MockResponse::json(status, json!({ "code": 4010, "message": "no" }))
}

#[tokio::test(start_paused = true)]
async fn a_handle_dropped_in_any_way_stops_its_session() {
    let lab = Lab::start().await;
    drop(lab.client.open(&lite()).await.unwrap());

    let client = lab.client.clone();
    let panicking = tokio::spawn(async move {
        let _session = client.open(&lite()).await.unwrap();
        resume_unwind(Box::new("the owner panics"));
    });
    panicking.await.unwrap_err();

    let client = lab.client.clone();
    let aborted = tokio::spawn(async move {
        let session = client.open(&lite()).await.unwrap();
        session.ended().await
    });
    sleep(Duration::from_secs(90)).await;
    assert_eq!(lab.server.running_sessions().len(), 1);
    aborted.abort();

    let session = lab.client.open(&lite()).await.unwrap();
    tokio::task::spawn_blocking(move || std::thread::spawn(|| drop(session)).join().unwrap()).await.unwrap();

    settle().await;
    lab.check_nothing_leaked("all four").await;
    let reasons: Vec<_> =
        lab.historic().await.into_iter().map(|entry| entry.end_reason.unwrap().to_string()).collect();
    assert_eq!(reasons, ["USER_DISCONNECTED"; 4]);
    assert!(lab.reported().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_retried_until_it_is_confirmed() {
    let lab = Lab::start().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let mut faults = vec![
        Some(Fault::After(Failure::Disconnect)),
        Some(Fault::Before(Failure::Response(fails_with(429)))),
        Some(Fault::Before(Failure::Hang)),
    ];
    faults.extend((0..8).map(|_| Some(Fault::Before(Failure::Response(fails_with(503))))));
    lab.server.faults(move |operation| if operation == "stop_session" { faults.pop()? } else { None });
    session.stop().await.unwrap();
    assert_eq!(session.state(), State::Ended(EndReason::Stopped));
    lab.check_nothing_leaked("after eleven failures").await;
    assert!(lab.reported().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_keeps_failing_is_reported_after_the_limit_and_can_be_retried() {
    let lab = Lab::start().await;
    let session = lab.client.open(&lite()).await.unwrap();
    lab.server.faults(|_| Some(Fault::Before(Failure::Response(fails_with(503)))));
    let start = Instant::now();
    let error = session.stop().await.unwrap_err();
    assert!((STOP_LIMIT..STOP_LIMIT * 6 / 5).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert_eq!((error.kind(), session.state()), (ErrorKind::StopFailed, State::StopFailed));
    let cause = std::error::Error::source(&error).unwrap();
    insta::assert_snapshot!(format!("{error}\n{cause}\n{}", lab.reported().join("\n")), @"
    the session could not be confirmed stopped; session 5e551001-0000-4000-8000-000000000001 may be running and cost credits until `Client::session(id).stop()` ends it
    session 5e551001-0000-4000-8000-000000000001 may still run and cost credits until `Client::session(id).stop()` ends it: every attempt to stop it failed
    session 5e551001-0000-4000-8000-000000000001 may still run and cost credits until `Client::session(id).stop()` ends it: every attempt to stop it failed
    ");
    assert_eq!(lab.client.sessions()[&session.id()], State::StopFailed);
    lab.server.clear_faults();
    session.stop().await.unwrap();
    assert_eq!(session.state(), State::Ended(EndReason::Stopped));
    assert!(lab.client.sessions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_rejected_stop_is_reported_at_once_and_retried_by_a_shutdown() {
    let lab = Lab::start().await;
    let session = lab.client.open(&lite()).await.unwrap();
    // The API key and the session's token are rejected.
    lab.server.mock_response("stop_session", fails_with(401));
    lab.server.mock_response("stop_session", fails_with(403));
    assert!(session.stop().await.unwrap_err().is_stop_failed());
    assert_eq!(lab.reported().len(), 1);
    lab.server.mock_response("stop_session", fails_with(403));
    lab.server.mock_response("stop_session", fails_with(401));
    assert_eq!(lab.client.shutdown().await.len(), 1);
    assert_eq!(session.state(), State::StopFailed);
    assert!(lab.client.shutdown().await.is_empty());
    assert_eq!(session.state(), State::Ended(EndReason::Stopped));
    assert!(lab.server.running_sessions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_that_may_have_taken_effect_is_stopped() {
    let started = json!({ "code": 1000, "data": { "session": "in another shape" }, "message": null });
    let failures = [
        Failure::Disconnect,
        Failure::Hang,
        Failure::Response(fails_with(500)),
        Failure::Response(fails_with(504)),
        Failure::Response(fails_with(408)),
        Failure::Response(MockResponse::json(201, started)),
        Failure::Response(MockResponse::raw(201, "text/html", "<p>")),
    ];
    let lab = Lab::start().await;
    for failure in failures {
        let mut fault = Some(Fault::After(failure.clone()));
        lab.server.faults(move |operation| if operation == "start_session" { fault.take() } else { None });
        lab.client.open(&lite()).await.unwrap_err();
        settle().await;
        lab.check_nothing_leaked(&format!("{failure:?}")).await;
        assert!(lab.client.sessions().is_empty() && lab.reported().is_empty());
    }
    assert_eq!(lab.historic().await.len(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_that_takes_effect_later_is_stopped_then() {
    let lab = Lab::start().await;
    let mut fault = Some(Fault::Before(Failure::Response(fails_with(504))));
    lab.server.faults(move |operation| if operation == "start_session" { fault.take() } else { None });
    lab.client.open(&lite()).await.unwrap_err();
    let start = lab.server.requests().into_iter().find(|it| it.operation.as_deref() == Some("start_session"));
    let token = start.unwrap().header("authorization").unwrap().trim_start_matches("Bearer ").to_owned();
    // By now, the first stop has failed with 404.
    sleep(Duration::from_secs(10)).await;
    assert!(lab.count("stop_session") > 1);
    let late = lab.client.with_credential(Credential::session_token(token).unwrap());
    late.start_session().send().await.unwrap();
    assert_eq!(lab.server.running_sessions().len(), 1);
    sleep(Duration::from_secs(40)).await;
    assert!(lab.server.running_sessions().is_empty() && lab.client.sessions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_rejected_start_is_not_stopped() {
    let lab = Lab::start().await;
    lab.server.mock_response("start_session", fails_with(403));
    lab.client.open(&lite()).await.unwrap_err();
    settle().await;
    assert_eq!((lab.count("stop_session"), lab.client.sessions().len()), (0, 0));
}

/// A runtime with real time that the test can shut down.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn without_a_runtime_a_session_is_reported() {
    let long_lived = runtime();
    let server = long_lived.block_on(Server::start()).unwrap();
    let (client, reported) = reporting(&server, None);
    let short_lived = runtime();
    let session = short_lived.block_on(async { client.open(&lite()).await.unwrap() });
    drop(short_lived);
    assert_eq!(session.state(), State::StopFailed);
    let id = session.id();
    drop(session);
    assert_eq!(reported.lock().unwrap().iter().map(|it| it.id).collect::<Vec<_>>(), [id]);
    assert_eq!(client.sessions()[&id], State::StopFailed);
    // Another runtime can still stop it.
    assert!(long_lived.block_on(client.shutdown()).is_empty());
    assert!(server.running_sessions().is_empty());
}

#[test]
fn a_handle_dropped_outside_the_runtime_stops_its_session() {
    let runtime = runtime();
    let server = runtime.block_on(Server::start()).unwrap();
    let (client, reported) = reporting(&server, None);
    let session = runtime.block_on(async { client.open(&lite()).await.unwrap() });
    drop(session);
    assert!(runtime.block_on(client.shutdown()).is_empty());
    assert!(server.running_sessions().is_empty() && reported.lock().unwrap().is_empty());
}

#[test]
fn a_session_survives_the_shutdown_of_another_sessions_runtime() {
    let long_lived = runtime();
    let server = long_lived.block_on(Server::start()).unwrap();
    let (client, reported) = reporting(&server, None);
    let first = runtime();
    drop(first.block_on(async { client.open(&lite()).await.unwrap() }));
    first.block_on(async {
        while !client.sessions().is_empty() {
            tokio::task::yield_now().await;
        }
    });
    drop(first);
    let second = runtime();
    let session = second.block_on(async { client.open(&lite()).await.unwrap() });
    second.block_on(session.stop()).unwrap();
    assert!(server.running_sessions().is_empty() && reported.lock().unwrap().is_empty());
}
