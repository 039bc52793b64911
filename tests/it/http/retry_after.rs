//! How long the service asks the client to wait. The test clock starts on Thursday, 1 January 2026.

use super::{Case, GET, Time, failure, run, success};

const START: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
const SOON: &str = "Thu, 01 Jan 2026 00:00:05 GMT";

/// A 429 with these headers, then a success.
fn rejected_once(name: &str, headers: &[(&str, &str)]) -> Case {
    let rejection = headers.iter().fold(failure(429), |response, (name, value)| response.header(name, value));
    Case::new(name, GET, [rejection, success(GET)])
}

#[tokio::test]
async fn retry_after_is_read_in_every_form() {
    let after = |name: &str, value: &str| rejected_once(name, &[("retry-after", value)]);
    let cases = vec![
        after("in seconds", "2"),
        after("in seconds, between spaces", "  2  "),
        after("zero seconds", "0"),
        after("with a fraction", "1.5"),
        after("with an exponent", "1e1"),
        after("the longest pause", "30"),
        after("longer than the longest pause", "31"),
        after("slightly longer than the longest pause", "30.001"),
        after("a day", "86400"),
        after("more seconds than a clock can hold", "100000000000000000000"),
        after("infinite", "inf"),
        after("not a number", "NaN"),
        after("negative", "-5"),
        after("empty", ""),
        after("a word", "soon"),
        after("seconds with a unit", "2s"),
        after("a date, by the client's clock", SOON),
        after("a date that has passed", "Thu, 01 Jan 2015 00:00:00 GMT"),
        after("a date too far in the future", "Thu, 01 Jan 2026 00:10:00 GMT"),
        after("a date as in RFC 850", "Thursday, 01-Jan-26 00:00:05 GMT"),
        after("a date as in C's asctime", "Thu Jan  1 00:00:05 2026"),
        after("a date as in RFC 3339", "2026-01-01T00:00:05Z"),
        rejected_once(
            "a date, by the service's clock",
            &[("date", "Fri, 02 Jan 2026 00:00:00 GMT"), ("retry-after", "Fri, 02 Jan 2026 00:00:03 GMT")],
        ),
        rejected_once(
            "a date, and an invalid date of the service",
            &[("date", "now"), ("retry-after", SOON)],
        ),
        rejected_once("the same header twice", &[("retry-after", "2"), ("retry-after", "3")]),
        rejected_once("no header", &[]),
    ];
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn the_rate_limit_reset_is_used_without_retry_after() {
    let reset = |name: &str, value: &str| rejected_once(name, &[("x-ratelimit-reset", value)]);
    let cases = vec![
        reset("in seconds", "1"),
        reset("with a fraction", "0.25"),
        reset("as a timestamp", "1767225607"),
        reset("as a timestamp with a fraction", "1767225600.5"),
        reset("as a timestamp that has passed", "1767225500"),
        reset("as a timestamp too far in the future", "1767225700"),
        reset("as a timestamp in milliseconds", "1767225605000"),
        reset("longer than the longest pause", "60"),
        reset("negative", "-1"),
        reset("a word", "soon"),
        reset("beyond the last timestamp", "10000000000000000000"),
        rejected_once(
            "by the service's clock",
            &[("date", "Thu, 01 Jan 2026 00:00:05 GMT"), ("x-ratelimit-reset", "1767225607")],
        ),
        rejected_once(
            "with Retry-After, which takes precedence",
            &[("retry-after", "2"), ("x-ratelimit-reset", "9")],
        ),
        rejected_once("with an invalid Retry-After", &[("retry-after", "soon"), ("x-ratelimit-reset", "9")]),
    ];
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn an_error_reports_retry_after_with_any_status() {
    let asked = |status: u16| failure(status).header("retry-after", "3").header("date", START);
    let late = |status: u16| failure(status).header("retry-after", "3600");
    let cases = vec![
        Case::new("429 for a start is retried", "start_session", [asked(429), success("start_session")]),
        Case::new("429 for a start, with too long a pause", "start_session", late(429)),
        Case::new(
            "429 for a create is retried",
            "create_secret",
            [asked(429), asked(429), success("create_secret")],
        ),
        Case::new("503 for a start is not retried", "start_session", asked(503)),
        Case::new("503 for a create is not retried", "create_context", asked(503)),
        Case::new("503 for a get is retried", GET, [asked(503), success(GET)]),
        Case::new("503 for a get, with too long a pause", GET, late(503)),
        Case::new("404 is not retried", GET, asked(404)),
        Case::new("301 is not retried", GET, asked(301)),
        Case::new(
            "the last Retry-After is reported",
            GET,
            [asked(503), asked(503), asked(503), failure(503).header("retry-after", "4")],
        ),
        Case::new("an earlier Retry-After is not reported", GET, [asked(503), failure(404)]),
    ];
    insta::assert_snapshot!(run(cases, Time::Test).await);
}
