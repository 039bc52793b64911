//! HTTP statuses, interim responses and redirects.

use serde_json::json;

use super::scripted_server::{ScriptedResponse, ScriptedServer};
use super::{Case, Time, failure, run, run_case, success};

#[tokio::test]
async fn the_status_of_a_failure_decides_the_error_kind() {
    let wanted = [
        400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 415, 418, 422, 425, 429, 451, 499, 500, 501, 502,
        503, 504, 507, 511, 520, 599, 600, 999,
    ];
    let mut cases = Vec::new();
    for status in wanted {
        cases.push(Case::once(format!("{status} with an empty object"), "get_user_credits", failure(status)));
    }
    for status in [400, 500] {
        cases.push(Case::once(
            format!("{status} without a body"),
            "get_user_credits",
            ScriptedResponse::empty(status),
        ));
    }
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn any_2xx_with_an_envelope_is_a_success() {
    let credits = json!({ "code": 1000, "data": { "credits_left": "12.50" }, "message": "ok" });
    let mut cases: Vec<_> = [200, 201, 202, 203, 206, 207, 226, 299]
        .map(|status| {
            Case::new(
                format!("{status} with data"),
                "get_user_credits",
                vec![ScriptedResponse::json(status, &credits)],
            )
        })
        .into();
    cases.extend([
        Case::new(
            "201 for a start",
            "start_session",
            vec![{
                let body = liveavatar_mock::example_answer("start_session").unwrap();
                ScriptedResponse::json(201, &body)
            }],
        ),
        Case::new("204 instead of data", "get_user_credits", vec![ScriptedResponse::empty(204)]),
        Case::new("204 instead of a created resource", "create_secret", vec![ScriptedResponse::empty(204)]),
        Case::new("204 instead of a page", "list_voices", vec![ScriptedResponse::empty(204)]),
        Case::new("204 for an operation without data", "delete_secret", vec![ScriptedResponse::empty(204)]),
        Case::new(
            "204 for an operation without a response body",
            "delete_memory",
            vec![ScriptedResponse::empty(204)],
        ),
        Case::new("205 instead of data", "get_user_credits", vec![ScriptedResponse::empty(205)]),
        Case::new(
            "205 for an operation without a response body",
            "delete_memory",
            vec![ScriptedResponse::empty(205)],
        ),
        Case::new(
            "200 with an envelope for an operation without a response body",
            "delete_memory",
            vec![success("delete_secret")],
        ),
    ]);
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn interim_responses_are_skipped() {
    let after = |interim: &str| {
        let body = r#"{"code":100,"data":{"credits_left":1}}"#;
        ScriptedResponse::raw(format!(
            "{interim}HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    let once = |name: &str, operation, response| Case::once(name, operation, response);
    let cases = vec![
        once("100 before the response", "get_user_credits", after("HTTP/1.1 100 Continue\r\n\r\n")),
        once("102 before the response", "get_user_credits", after("HTTP/1.1 102 Processing\r\n\r\n")),
        once(
            "103 before the response",
            "get_user_credits",
            after("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"),
        ),
        once(
            "103 without a response",
            "get_user_credits",
            ScriptedResponse::raw("HTTP/1.1 103 Early Hints\r\n\r\n"),
        ),
        once(
            "101, although the client did not ask for it",
            "get_user_credits",
            ScriptedResponse::empty(101).header("upgrade", "other"),
        ),
        once(
            "101 for a start",
            "start_session",
            ScriptedResponse::raw("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        ),
    ];
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_gets_no_credential() {
    let other = ScriptedServer::start(vec![success("get_user_credits")]);
    let away = format!("{}/v1/users/credits?canary", other.url());
    let by_name = away.replace("127.0.0.1", "localhost");
    let redirect = |status, to: &str| ScriptedResponse::empty(status).header("location", to);
    let case = |name: String, operation, response| Case::new(name, operation, vec![response]);
    let mut cases = Vec::new();
    for status in [300, 301, 302, 303, 307, 308] {
        cases.push(case(format!("{status} to another host"), "get_user_credits", redirect(status, &away)));
    }
    for operation in ["start_session", "create_secret", "create_session_token", "delete_secret"] {
        cases.push(case(format!("307 for {operation}"), operation, redirect(307, &away)));
    }
    cases.extend([
        case("302 to another name of this host".to_owned(), "get_user_credits", redirect(302, &by_name)),
        case("302 to the same host".to_owned(), "get_user_credits", redirect(302, "/v1/users/credits")),
        case("302 to an invalid URL".to_owned(), "get_user_credits", redirect(302, "http://[")),
        case("301 without a location".to_owned(), "get_user_credits", ScriptedResponse::empty(301)),
        case("302 with a message".to_owned(), "get_user_credits", {
            ScriptedResponse::json(302, &json!({ "message": "moved" })).header("location", &away)
        }),
        case("304, which is not a redirect".to_owned(), "get_user_credits", ScriptedResponse::empty(304)),
    ]);
    let mut text = String::new();
    for case in cases {
        let server = ScriptedServer::start(case.script.clone());
        text.push_str(&run_case(&case, &server, Time::Test).await);
        text.push('\n');
    }
    assert_eq!(other.requests().len(), 0);
    insta::assert_snapshot!(text);
}
