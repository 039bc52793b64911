//! How long the service asks to wait, in all its forms. The test clock starts on 1 January 2026, a Thursday.

use super::server::Answer;
use super::{Row, Time, failure, report, success};

const START: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
const SOON: &str = "Thu, 01 Jan 2026 00:00:05 GMT";

/// A refusal with these headers, then a success.
fn row(name: &str, headers: &[(&str, &str)]) -> Row {
    let refusal = headers.iter().fold(failure(429), |answer, (name, value)| answer.header(name, value));
    Row::new(name, "get_user_credits", vec![refusal, success("get_user_credits")])
}

#[tokio::test]
async fn retry_after_is_read_in_every_form() {
    let after = |name: &str, value: &str| row(name, &[("retry-after", value)]);
    let rows = vec![
        after("in seconds", "2"),
        after("in seconds, among blanks", "  2  "),
        after("no seconds at all", "0"),
        after("with a fraction", "1.5"),
        after("with an exponent", "1e1"),
        after("as long as is waited for", "30"),
        after("longer than is waited for", "31"),
        after("a fraction longer than is waited for", "30.001"),
        after("a day", "86400"),
        after("more seconds than a clock counts", "100000000000000000000"),
        after("infinite", "inf"),
        after("no number", "NaN"),
        after("negative", "-5"),
        after("empty", ""),
        after("a word", "soon"),
        after("seconds with a unit", "2s"),
        after("a date, by the client's clock", SOON),
        after("a date that has passed", "Thu, 01 Jan 2015 00:00:00 GMT"),
        after("a date too far away", "Thu, 01 Jan 2026 00:10:00 GMT"),
        after("a date of 1994's form", "Thursday, 01-Jan-26 00:00:05 GMT"),
        after("a date of C's form", "Thu Jan  1 00:00:05 2026"),
        after("a date of the internet's form", "2026-01-01T00:00:05Z"),
        row(
            "a date, by the service's clock",
            &[("date", "Fri, 02 Jan 2026 00:00:00 GMT"), ("retry-after", "Fri, 02 Jan 2026 00:00:03 GMT")],
        ),
        row("a date, and a service without a clock", &[("date", "now"), ("retry-after", SOON)]),
        row("the same header twice", &[("retry-after", "2"), ("retry-after", "3")]),
        row("no header", &[]),
    ];
    insta::assert_snapshot!(report(rows, Time::Test).await);
}

#[tokio::test]
async fn the_rate_limits_reset_stands_in_for_retry_after() {
    let reset = |name: &str, value: &str| row(name, &[("x-ratelimit-reset", value)]);
    let rows = vec![
        reset("in seconds", "1"),
        reset("with a fraction", "0.25"),
        reset("as a point in time", "1767225607"),
        reset("as a point in time with a fraction", "1767225600.5"),
        reset("as a point in time that has passed", "1767225500"),
        reset("as a point in time too far away", "1767225700"),
        reset("as a point in time in milliseconds", "1767225605000"),
        reset("longer than is waited for", "60"),
        reset("negative", "-1"),
        reset("a word", "soon"),
        reset("beyond the end of time", "10000000000000000000"),
        row(
            "by the service's clock",
            &[("date", "Thu, 01 Jan 2026 00:00:05 GMT"), ("x-ratelimit-reset", "1767225607")],
        ),
        row("after Retry-After", &[("retry-after", "2"), ("x-ratelimit-reset", "9")]),
        row("where Retry-After cannot be read", &[("retry-after", "soon"), ("x-ratelimit-reset", "9")]),
    ];
    insta::assert_snapshot!(report(rows, Time::Test).await);
}

#[tokio::test]
async fn a_wish_to_wait_is_told_under_any_status() {
    let asked = |status: u16| failure(status).header("retry-after", "3").header("date", START);
    let late = |status: u16| failure(status).header("retry-after", "3600");
    let row = |name: &str, operation, script: Vec<Answer>| Row::new(name, operation, script);
    let rows = vec![
        row("429 for a start is repeated", "start_session", vec![asked(429), success("start_session")]),
        row("429 for a start, too long", "start_session", vec![late(429)]),
        row(
            "429 for a create is repeated",
            "create_secret",
            vec![asked(429), asked(429), success("create_secret")],
        ),
        row("503 for a start is not repeated", "start_session", vec![asked(503)]),
        row("503 for a create is not repeated", "create_context", vec![asked(503)]),
        row("503 for a get is repeated", "get_user_credits", vec![asked(503), success("get_user_credits")]),
        row("503 for a get, too long", "get_user_credits", vec![late(503)]),
        row("404 is not repeated", "get_user_credits", vec![asked(404)]),
        row("301 is not repeated", "get_user_credits", vec![asked(301)]),
        row(
            "the last wish is told",
            "get_user_credits",
            vec![asked(503), asked(503), asked(503), failure(503).header("retry-after", "4")],
        ),
        row("an older wish is not told", "get_user_credits", vec![asked(503), failure(404)]),
    ];
    insta::assert_snapshot!(report(rows, Time::Test).await);
}
