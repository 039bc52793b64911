//! Timeouts. Tokio's clock is paused, so that they pass at once, in virtual time.

use std::fmt::Write as _;
use std::time::Duration;

use liveavatar_api::{ErrorKind, RequestOptions};
use tokio::time::Instant;

use super::scripted_server::{End, Response, ScriptedServer};
use super::{Case, GET, Harness, Time, call, failure, run_case, success};

#[tokio::test(start_paused = true)]
async fn no_call_takes_longer_than_its_timeouts() {
    let seconds = Duration::from_secs;
    let hang = || vec![Response::hang()];
    let short = || RequestOptions::new().attempt_timeout(seconds(1));
    let cases = vec![
        Case::new("a get without a response", GET, hang()),
        Case::new("a stop without a response", "stop_session", hang()),
        Case::new("a start without a response", "start_session", hang()),
        Case::new("a create without a response", "create_secret", hang()),
        Case::new("one attempt", GET, hang()).options(RequestOptions::new().max_attempts(1)),
        Case::new("an attempt timeout", GET, hang()).options(short()),
        Case::new("an attempt timeout for a start", "start_session", hang()).options(short()),
        Case::new("a total timeout", GET, hang()).options(RequestOptions::new().timeout(seconds(10))),
        Case::new("a total timeout within the second attempt", GET, hang())
            .options(RequestOptions::new().timeout(seconds(40))),
        Case::new("a total timeout below the attempt timeout", "start_session", hang())
            .options(RequestOptions::new().attempt_timeout(seconds(50)).timeout(seconds(20))),
        Case::new("success of the second request", GET, [Response::hang(), success(GET)]),
        Case::new("403 for the second request", GET, [Response::hang(), failure(403)]),
        Case::new("hanging after 429", "start_session", [failure(429), Response::hang()]),
        Case::new(
            "hanging after the head of a success",
            GET,
            [success(GET).truncated(0).then(End::Hang), success(GET)],
        ),
        Case::new("hanging within a success", GET, success(GET).truncated(9).then(End::Hang))
            .options(short()),
        Case::new(
            "hanging within the success of a create",
            "create_secret",
            success("create_secret").truncated(9).then(End::Hang),
        ),
        Case::new("hanging within a 403", GET, failure(403).truncated(1).then(End::Hang)),
        Case::new("hanging within a 503", GET, [failure(503).truncated(1).then(End::Hang), success(GET)]),
        Case::new("hanging after a complete response", GET, success(GET).then(End::Hang)),
    ];
    let mut text = String::new();
    for case in cases {
        let server = ScriptedServer::start(case.script.clone());
        let start = Instant::now();
        text.push_str(&run_case(&case, &server, Time::Paused).await);
        writeln!(text, "  took {:.1} s\n", start.elapsed().as_secs_f64()).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_a_timeout_costs_twice_the_budget() {
    let server = ScriptedServer::start(vec![Response::hang()]);
    let harness = Harness::new(&server, Time::Paused);
    let client = harness
        .client
        .with_options(RequestOptions::new().attempt_timeout(Duration::from_millis(20)).max_attempts(30));
    let mut retries = 0;
    for _ in 0..3 {
        let error = call(client.clone(), GET).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        retries += error.attempts() - 1;
    }
    assert_eq!(retries, 50, "the budget of 500 pays for 50 retries at 10 each");
}

#[tokio::test]
async fn a_call_with_a_zero_timeout_sends_nothing() {
    let server = ScriptedServer::start(vec![Response::hang()]);
    let harness = Harness::new(&server, Time::Test);
    let error =
        call(harness.client.with_options(RequestOptions::new().timeout(Duration::ZERO)), "start_session");
    let error = error.await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 0));
    assert!(server.requests().is_empty() && !error.may_have_been_sent());
}
