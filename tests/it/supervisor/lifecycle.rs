//! The life of a supervised session: keep-alives, status, events, limits.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use liveavatar_api::session::{EndReason, KEEP_ALIVE_INTERVAL, SessionEvent, State};
use liveavatar_api::types::SessionEndReason;
use liveavatar_api::{Client, Clock};
use liveavatar_mock::{Failure, Fault, MockResponse, Server};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{Lab, lasting, lite, reporting_builder};

/// All events of a session, with the virtual time of each.
async fn timeline(mut events: liveavatar_api::session::SessionEvents) -> String {
    let start = Instant::now();
    let mut lines = Vec::new();
    while let Some(event) = events.next().await {
        lines.push(format!("{:4.0} s  {event:?}", start.elapsed().as_secs_f64()));
    }
    lines.join("\n")
}

#[tokio::test(start_paused = true)]
async fn an_open_session_is_kept_alive_until_it_is_stopped() {
    let lab = Lab::start().await;
    let session = lab.client.open(&lite()).await.unwrap();
    assert_eq!(session.state(), State::Started);
    sleep(KEEP_ALIVE_INTERVAL * 10).await;
    assert_eq!(lab.server.running_sessions(), [session.id()]);
    session.stop().await.unwrap();
    assert_eq!(session.state(), State::Ended(EndReason::Stopped));
    assert!(lab.server.running_sessions().is_empty() && lab.client.sessions().is_empty());
    sleep(KEEP_ALIVE_INTERVAL * 2).await;
    insta::assert_snapshot!(lab.calls(), @"
    create_session_token 200
    start_session 201
    keep_session_alive 200 x10
    stop_session 200
    ");
}

#[tokio::test(start_paused = true)]
async fn the_handle_returns_media_endpoints_and_time_left_and_hides_secrets() {
    let lab = Lab::start().await;
    let session = lab.client.open(&lasting(600)).await.unwrap();
    assert!(session.started().ws_url.is_some());
    sleep(Duration::from_secs(100)).await;
    assert_eq!(session.time_left().unwrap().as_secs(), 500);
    assert_eq!(session.details().await.unwrap().id, session.id());
    let shown = format!("{session:?} {:?} {:?}", session.status(), lab.client.open(&lite()));
    assert!(!shown.contains("canary"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_session_warns_before_its_maximum_duration_and_is_stopped_then() {
    let lab = Lab::start().await;
    let session = lab.client.open(&lasting(300)).await.unwrap();
    let mut status = session.watch();
    let timeline = tokio::spawn(timeline(session.events()));
    let start = Instant::now();
    status.wait_for(|status| status.ends_soon).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 285);
    assert_eq!(session.ended().await.unwrap(), EndReason::MaxDuration);
    insta::assert_snapshot!(timeline.await.unwrap(), @"
    285 s  EndsSoon(15s)
    300 s  State(Ending)
    300 s  State(Ended(MaxDuration))
    ");
}

#[tokio::test(start_paused = true)]
async fn a_session_ended_by_the_service_has_the_services_reason() {
    let lab = Lab::start().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let stop = lab.client.stop_session().session_id(session.id()).reason(SessionEndReason::NoCredits);
    stop.await.unwrap();
    let reason = session.ended().await.unwrap();
    assert_eq!(reason, EndReason::Service(Some(SessionEndReason::NoCredits.into())));
    // A stop has nothing left to do.
    session.stop().await.unwrap();
    insta::assert_snapshot!(lab.calls(), @"
    create_session_token 200
    start_session 201
    stop_session 200
    keep_session_alive 404
    get_session 200
    stop_session 404
    ");
}

#[tokio::test(start_paused = true)]
async fn a_failed_keep_alive_emits_an_event_and_is_retried_sooner() {
    let lab = Lab::start().await;
    let session = lab.client.open(&lasting(300)).await.unwrap();
    for _ in 0..4 {
        lab.server.mock_response("keep_session_alive", MockResponse::json(503, json!({})));
    }
    insta::assert_snapshot!(timeline(session.events()).await, @r#"
     41 s  KeepAliveFailed(Error { kind: Server, operation: Some("keep_session_alive"), status: Some(503), code: None, message: "service unavailable", fields: [], request_id: Some("mock-request-6"), attempts: 4, retry_after: None, sent: true, source: None })
    285 s  EndsSoon(15s)
    300 s  State(Ending)
    300 s  State(Ended(MaxDuration))
    "#);
}

#[tokio::test(start_paused = true)]
async fn recent_activity_replaces_a_keep_alive_call() {
    let lab = Lab::start().await;
    let session = lab.client.open(&lite()).await.unwrap();
    for _ in 0..20 {
        session.record_activity();
        sleep(Duration::from_secs(20)).await;
    }
    assert_eq!(lab.count("keep_session_alive"), 0);
    sleep(Duration::from_secs(120)).await;
    assert_eq!(lab.count("keep_session_alive"), 1);
}

#[tokio::test(start_paused = true)]
async fn the_next_keep_alive_is_due_one_interval_after_the_last_sign_of_life() {
    let lab = Lab::start().await;
    let session = lab.client.open(&lite()).await.unwrap();
    for after in [1, 30, 59] {
        let calls = lab.count("keep_session_alive");
        while lab.count("keep_session_alive") == calls {
            sleep(Duration::from_millis(100)).await;
        }
        sleep(Duration::from_secs(after)).await;
        session.record_activity();
        let last = Instant::now();
        while lab.count("keep_session_alive") == calls + 1 {
            sleep(Duration::from_millis(100)).await;
        }
        let gap = last.elapsed().as_secs_f64();
        assert!((59.0..60.5).contains(&gap), "{gap} s after activity {after} s after a call");
    }
}

/// Tokio's clock, which can be set back.
#[derive(Clone, Debug)]
struct ResettableClock {
    since: Instant,
    hours_back: Arc<AtomicU64>,
}

impl Clock for ResettableClock {
    fn now(&self) -> SystemTime {
        let back = Duration::from_secs(3600 * self.hours_back.load(Ordering::Relaxed));
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600) + self.since.elapsed() - back
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(sleep(time))
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_does_not_interrupt_the_keep_alives() {
    let lab = Lab::start().await;
    let clock = ResettableClock { since: Instant::now(), hours_back: Arc::default() };
    let client = reporting_builder(&lab.server).0.clock(clock.clone()).build().unwrap();
    let session = client.open(&lite()).await.unwrap();
    for hours in 1..4 {
        sleep(Duration::from_secs(70)).await;
        clock.hours_back.store(hours, Ordering::Relaxed);
        let calls = lab.count("keep_session_alive");
        sleep(KEEP_ALIVE_INTERVAL * 5).await;
        assert!((5..=7).contains(&(lab.count("keep_session_alive") - calls)));
    }
    assert_eq!(lab.server.running_sessions(), [session.id()]);
}

#[tokio::test(start_paused = true)]
async fn durations_that_no_clock_can_represent_do_not_panic() {
    let lab = Lab::start().await;
    let session = lab.client.open(&lasting(120)).warn_before(Duration::MAX).auto_rotate().await.unwrap();
    let mut events = session.events();
    let start = Instant::now();
    while !matches!(events.next().await, Some(SessionEvent::Rotated { .. })) {}
    // At the midpoint, as for every warning time of more than half the duration.
    assert_eq!(start.elapsed().as_secs(), 60);
    drop(session);
    for seconds in [i64::MAX, i64::MIN] {
        let data = json!({ "session_id": "any", "max_session_duration": seconds });
        let response = MockResponse::json(201, json!({ "code": 1000, "data": data, "message": null }));
        lab.server.inject_fault("start_session", 1, Fault::After(Failure::Response(response)));
        let session = lab.client.open(&lite()).await.unwrap();
        assert_eq!(session.ends_at(), None);
        session.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn keep_alives_of_sessions_opened_together_are_spread_out() {
    let lab = Lab::start().await;
    let mut sessions = Vec::new();
    for _ in 0..60 {
        sessions.push(lab.client.open(&lite()).await.unwrap());
    }
    let mut most = 0;
    for _ in 0..60 {
        let before = lab.count("keep_session_alive");
        sleep(Duration::from_secs(1)).await;
        most = most.max(lab.count("keep_session_alive") - before);
    }
    assert!((2..=6).contains(&most), "{most} of 60 calls in one second");
    assert_eq!(lab.count("keep_session_alive"), 60);
}

#[tokio::test]
async fn a_keep_alive_interval_out_of_range_is_an_error() {
    let lab = Lab::start().await;
    let mut errors = Vec::new();
    for millis in [0, 999, 181_000] {
        let opening = lab.client.open(&lite()).keep_alive_interval(Duration::from_millis(millis));
        errors.push(opening.await.unwrap_err().to_string());
    }
    insta::assert_snapshot!(errors.join("\n"), @"
    keep_alive_interval: 0 s is outside 1 s to 180 s; omit it to use 60 s
    keep_alive_interval: 0.999 s is outside 1 s to 180 s; omit it to use 60 s
    keep_alive_interval: 181 s is outside 1 s to 180 s; omit it to use 60 s
    ");
    assert!(lab.server.requests().is_empty());
}

#[test]
fn opening_a_session_outside_a_runtime_is_an_error() {
    let client = Client::new("canary").unwrap();
    let opening = client.open(&lite());
    let error = futures_util::FutureExt::now_or_never(opening).unwrap().unwrap_err();
    insta::assert_snapshot!(error, @"a session needs a Tokio runtime to keep it alive; open it within one");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_stops_every_session_and_rejects_new_ones() {
    let lab = Lab::start().await;
    let first = lab.client.open(&lite()).await.unwrap();
    let second = lab.client.open(&lite()).await.unwrap();
    assert_eq!(lab.client.sessions().len(), 2);
    assert!(lab.client.clone().shutdown().await.is_empty());
    assert!(lab.server.running_sessions().is_empty());
    for session in [first, second] {
        assert_eq!(session.state(), State::Ended(EndReason::Stopped));
    }
    insta::assert_snapshot!(lab.client.open(&lite()).await.unwrap_err(), @"the client was shut down and cannot open sessions");
}

#[tokio::test(start_paused = true)]
async fn at_the_concurrency_limit_nothing_is_started() {
    let lab = Lab::with(Server::builder().session_limit(1), None).await;
    let session = lab.client.open(&lite()).await.unwrap();
    assert!(lab.client.open(&lite()).await.unwrap_err().is_concurrency_limit());
    assert_eq!(lab.client.sessions().keys().copied().collect::<Vec<_>>(), [session.id()]);
    assert_eq!(lab.count("stop_session"), 0);
}
