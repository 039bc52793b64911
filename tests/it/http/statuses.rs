//! HTTP statuses, interim responses and redirects.

use serde_json::json;

use super::scripted_server::{Response, ScriptedServer};
use super::{Case, GET, Time, failure, run, success};

#[tokio::test]
async fn the_status_of_a_failure_decides_the_error_kind() {
    let wanted = [
        400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 415, 418, 422, 425, 429, 451, 499, 500, 501, 502,
        503, 504, 507, 511, 520, 599, 600, 999,
    ];
    let mut cases = Vec::new();
    for status in wanted {
        cases.push(Case::once(format!("{status} with an empty object"), GET, failure(status)));
    }
    for status in [400, 500] {
        cases.push(Case::once(format!("{status} without a body"), GET, Response::empty(status)));
    }
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn any_2xx_with_an_envelope_is_a_success() {
    let credits = json!({ "code": 1000, "data": { "credits_left": "12.50" }, "message": "ok" });
    let mut cases: Vec<_> = [200, 201, 202, 203, 206, 207, 226, 299]
        .map(|status| Case::new(format!("{status} with data"), GET, Response::json(status, &credits)))
        .into();
    cases.extend([
        Case::new("201 for a start", "start_session", {
            let body = liveavatar_mock::example_response("start_session").unwrap();
            Response::json(201, &body)
        }),
        Case::new("204 instead of data", GET, Response::empty(204)),
        Case::new("204 instead of a created resource", "create_secret", Response::empty(204)),
        Case::new("204 instead of a page", "list_voices", Response::empty(204)),
        Case::new("204 for an operation without data", "delete_secret", Response::empty(204)),
        Case::new("204 for an operation without a response body", "delete_memory", Response::empty(204)),
        Case::new("205 instead of data", GET, Response::empty(205)),
        Case::new("205 for an operation without a response body", "delete_memory", Response::empty(205)),
        Case::new(
            "200 with an envelope for an operation without a response body",
            "delete_memory",
            success("delete_secret"),
        ),
    ]);
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn interim_responses_are_skipped() {
    let after = |interim: &str| {
        let body = r#"{"code":100,"data":{"credits_left":1}}"#;
        Response::raw(format!("{interim}HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
    };
    let cases = vec![
        Case::once("100 before the response", GET, after("HTTP/1.1 100 Continue\r\n\r\n")),
        Case::once("102 before the response", GET, after("HTTP/1.1 102 Processing\r\n\r\n")),
        Case::once("103 before the response", GET, after("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")),
        Case::once("103 without a response", GET, Response::raw("HTTP/1.1 103 Early Hints\r\n\r\n")),
        Case::once(
            "101, although the client did not ask for it",
            GET,
            Response::empty(101).header("upgrade", "other"),
        ),
        Case::once(
            "101 for a start",
            "start_session",
            Response::raw("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        ),
    ];
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_gets_no_credential() {
    let other = ScriptedServer::start(vec![success(GET)]);
    let away = format!("{}/v1/users/credits?canary", other.url());
    let by_name = away.replace("127.0.0.1", "localhost");
    let redirect = |status, to: &str| Response::empty(status).header("location", to);
    let mut cases = Vec::new();
    for status in [300, 301, 302, 303, 307, 308] {
        cases.push(Case::new(format!("{status} to another host"), GET, redirect(status, &away)));
    }
    for operation in ["start_session", "create_secret", "create_session_token", "delete_secret"] {
        cases.push(Case::new(format!("307 for {operation}"), operation, redirect(307, &away)));
    }
    cases.extend([
        Case::new("302 to another name of this host", GET, redirect(302, &by_name)),
        Case::new("302 to the same host", GET, redirect(302, "/v1/users/credits")),
        Case::new("302 to an invalid URL", GET, redirect(302, "http://[")),
        Case::new("301 without a location", GET, Response::empty(301)),
        Case::new("302 with a message", GET, {
            Response::json(302, &json!({ "message": "moved" })).header("location", &away)
        }),
        Case::new("304, which is not a redirect", GET, Response::empty(304)),
    ]);
    let text = run(cases, Time::Test).await;
    assert_eq!(other.requests().len(), 0);
    insta::assert_snapshot!(text);
}
