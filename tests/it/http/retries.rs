//! Which calls are retried: by operation, status, retry budget and options.

use std::time::Duration;

use liveavatar_api::RequestOptions;

use super::scripted_server::{Response, ScriptedServer};
use super::{Case, GET, Harness, Time, call, coded, failure, run, success};

/// The operations; those that create something new are last.
const OPERATIONS: [&str; 10] = [
    GET,
    "list_voices",
    "delete_secret",
    "delete_memory",
    "create_session_token",
    "keep_session_alive",
    "stop_session",
    "start_session",
    "create_secret",
    "create_context",
];

fn good(operation: &str) -> Response {
    if operation == "delete_memory" { Response::empty(204) } else { success(operation) }
}

#[tokio::test]
async fn only_idempotent_operations_are_retried_after_503_or_a_broken_connection() {
    let mut cases = Vec::new();
    for operation in OPERATIONS {
        cases.push(Case::new("always 503", operation, failure(503)));
        cases.push(Case::new("always 429", operation, failure(429)));
        cases.push(Case::new("closed without a response", operation, [Response::close(), good(operation)]));
        cases.push(Case::new("429, then a success", operation, [failure(429), good(operation)]));
    }
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn only_temporary_failures_are_retried() {
    let mut cases = Vec::new();
    for status in
        [400, 401, 402, 403, 404, 408, 409, 422, 425, 429, 499, 500, 501, 502, 503, 504, 507, 520, 599]
    {
        let script = vec![failure(status), success(GET)];
        cases.push(Case::new(format!("{status} for a get"), GET, script));
    }
    for status in [408, 425, 429, 500, 502, 503, 504] {
        cases.push(Case::new(
            format!("{status} for a start"),
            "start_session",
            [failure(status), success("start_session")],
        ));
    }
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn a_call_returns_its_last_response() {
    let cases = vec![
        Case::new("success of the second request", GET, [failure(500), success(GET)]),
        Case::new("success of the third request", GET, [failure(502), Response::close(), success(GET)]),
        Case::new(
            "success of the fourth request",
            GET,
            [failure(503), failure(429), failure(504), success(GET)],
        ),
        Case::new(
            "success of the fifth request, which is not sent",
            GET,
            [failure(503), failure(503), failure(503), failure(503), success(GET)],
        ),
        Case::new("permanent failure of the second request", GET, [failure(503), coded(403, 4033)]),
        Case::new("404 for the second request", "delete_secret", [Response::close(), failure(404)]),
        Case::new("empty response to the second request", GET, [failure(503), Response::empty(200)]),
        Case::new("success without data of the second request", GET, [failure(503), coded(200, 100)]),
        Case::new("error code in the second response", GET, [failure(503), coded(200, 4033)]),
        Case::new(
            "429 for a create, then a closed connection",
            "create_secret",
            [failure(429), Response::close()],
        ),
        Case::new("429 for a start, then 503", "start_session", [failure(429), failure(503)]),
        Case::new(
            "the concurrency limit as 429",
            "start_session",
            [coded(429, 4032), success("start_session")],
        ),
        Case::new("one attempt", GET, failure(503)).options(RequestOptions::new().max_attempts(1)),
        Case::new("zero attempts count as one", GET, failure(503))
            .options(RequestOptions::new().max_attempts(0)),
        Case::new("one attempt and 429", GET, failure(429)).options(RequestOptions::new().max_attempts(1)),
        Case::new("two attempts", GET, failure(503)).options(RequestOptions::new().max_attempts(2)),
        Case::new("twelve attempts, with pauses of at most 8 s", GET, failure(503))
            .options(RequestOptions::new().max_attempts(12)),
        Case::new("pauses that use up the total timeout", GET, failure(503).header("retry-after", "3"))
            .options(RequestOptions::new().timeout(Duration::from_secs(7))),
        Case::new("a pause as long as the total timeout", GET, failure(503).header("retry-after", "9"))
            .options(RequestOptions::new().timeout(Duration::from_secs(9))),
    ];
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn a_response_reports_its_number_of_attempts() {
    for (failures, header) in [(0, "9"), (1, "9"), (2, "x"), (3, "")] {
        let mut script = vec![failure(503); failures];
        // The service cannot forge the number.
        script.push(success(GET).header("x-liveavatar-client-attempts", header));
        let server = ScriptedServer::start(script);
        let call = Harness::new(&server, Time::Test).client.get_user_credits();
        let response = call.send_raw().await.unwrap();
        assert_eq!(response.attempts() as usize, failures + 1);
        assert_eq!(server.requests().len(), failures + 1);
        response.body.into_data().unwrap();
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_pauses() {
    let mut all = Vec::new();
    for _ in 0..2 {
        let server = ScriptedServer::start(vec![failure(503)]);
        let harness = Harness::new(&server, Time::Test);
        harness.client.get_user_credits().send().await.unwrap_err();
        harness.client.get_user_credits().send().await.unwrap_err();
        all.push(harness.clock.slept());
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0].len(), 6);
    assert_ne!(all[0][..3], all[0][3..], "each call has other pauses");
}

#[tokio::test]
async fn clones_of_a_client_share_one_retry_budget() {
    // Ten successes after the failures; each returns a fifth of a retry to the budget.
    let mut script = vec![failure(503); 140];
    script.extend(vec![success(GET); 10]);
    script.push(failure(503));
    let server = ScriptedServer::start(script);
    let harness = Harness::new(&server, Time::Test);
    let mut requests = Vec::new();
    while server.requests().len() < 140 {
        let before = server.requests().len();
        let error = call(harness.client.clone(), GET).await.unwrap_err();
        assert_eq!(error.attempts() as usize, server.requests().len() - before);
        requests.push(error.attempts());
    }
    // The budget of 500 pays for 100 retries at 5 each: 3 for each of 33 calls, and 1 for the next call.
    let retries: u32 = requests.iter().map(|requests| requests - 1).sum();
    assert_eq!(retries, 100);
    assert_eq!(requests[..33], [4; 33]);
    assert_eq!(requests[33..], [2, 1, 1, 1, 1, 1, 1]);
    for _ in 0..10 {
        call(harness.client.clone(), GET).await.unwrap();
    }
    let error = call(harness.client.clone(), GET).await.unwrap_err();
    assert_eq!(error.attempts(), 3, "ten successes pay for two retries");
}

#[tokio::test]
async fn a_retry_that_the_timeout_prevents_does_not_cost_budget() {
    let server = ScriptedServer::start(vec![failure(503).header("retry-after", "9")]);
    let harness = Harness::new(&server, Time::Test);
    let limited = harness.client.with_options(RequestOptions::new().timeout(Duration::from_secs(5)));
    for _ in 0..100 {
        assert_eq!(call(limited.clone(), GET).await.unwrap_err().attempts(), 1);
    }
    let error = call(harness.client.clone(), GET).await.unwrap_err();
    assert_eq!(error.attempts(), 4);
}
