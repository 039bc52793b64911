//! Time limits, with tokio's clock paused: what would take minutes passes at once, in virtual time.

use std::fmt::Write as _;
use std::time::Duration;

use liveavatar_api::{ErrorKind, RequestOptions};
use tokio::time::Instant;

use super::server::{Answer, Server};
use super::{Lab, Row, Time, call, failure, outcome, success};

const GET: &str = "get_user_credits";

#[tokio::test(start_paused = true)]
async fn no_call_takes_longer_than_its_limits() {
    let seconds = Duration::from_secs;
    let hang = || vec![Answer::hang()];
    let short = || RequestOptions::new().attempt_timeout(seconds(1));
    let rows = vec![
        Row::new("a get that is never answered", GET, hang()),
        Row::new("a stop that is never answered", "stop_session", hang()),
        Row::new("a start that is never answered", "start_session", hang()),
        Row::new("a create that is never answered", "create_secret", hang()),
        Row::new("one attempt", GET, hang()).options(RequestOptions::new().max_attempts(1)),
        Row::new("a limit for each attempt", GET, hang()).options(short()),
        Row::new("a limit for a start", "start_session", hang()).options(short()),
        Row::new("a limit for all", GET, hang()).options(RequestOptions::new().timeout(seconds(10))),
        Row::new("a limit for all within the second attempt", GET, hang())
            .options(RequestOptions::new().timeout(seconds(40))),
        Row::new("a limit for all below that for each", "start_session", hang())
            .options(RequestOptions::new().attempt_timeout(seconds(50)).timeout(seconds(20))),
        Row::new("answered at the second request", GET, vec![Answer::hang(), success(GET)]),
        Row::new("refused at the second request", GET, vec![Answer::hang(), failure(403)]),
        Row::new("hanging behind 429", "start_session", vec![failure(429), Answer::hang()]),
        Row::new("hanging behind a success's head", GET, vec![success(GET).cut(0).then_hang(), success(GET)]),
        Row::new("hanging within a success", GET, vec![success(GET).cut(9).then_hang()]).options(short()),
        Row::new(
            "hanging within a create's success",
            "create_secret",
            vec![success("create_secret").cut(9).then_hang()],
        ),
        Row::new("hanging within a 403", GET, vec![failure(403).cut(1).then_hang()]),
        Row::new("hanging within a 503", GET, vec![failure(503).cut(1).then_hang(), success(GET)]),
        Row::new("hanging behind a whole answer", GET, vec![success(GET).then_hang()]),
    ];
    let mut text = String::new();
    for row in rows {
        let server = Server::start(row.script.clone());
        let start = Instant::now();
        text.push_str(&outcome(&row, &server, Time::Paused).await);
        writeln!(text, "  took {:.1} s\n", start.elapsed().as_secs_f64()).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[tokio::test(start_paused = true)]
async fn a_time_out_costs_the_budget_double() {
    let server = Server::start(vec![Answer::hang()]);
    let lab = Lab::new(&server, Time::Paused);
    let client = lab
        .client
        .with_options(RequestOptions::new().attempt_timeout(Duration::from_millis(20)).max_attempts(30));
    let mut repeated = 0;
    for _ in 0..3 {
        let error = call(client.clone(), GET).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        repeated += error.attempts() - 1;
    }
    assert_eq!(repeated, 50, "500 in the purse, 10 for a repetition");
}

#[tokio::test]
async fn a_call_without_any_time_ends_at_once() {
    let server = Server::start(vec![Answer::hang()]);
    let lab = Lab::new(&server, Time::Test);
    let error = call(lab.client.with_options(RequestOptions::new().timeout(Duration::ZERO)), "start_session");
    let error = error.await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 0));
    assert!(server.seen().is_empty() && !error.may_have_been_sent());
}
