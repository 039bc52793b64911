//! The service's own error codes, with the status of a failure or of a success.

use serde_json::{Value, json};

use super::scripted_server::Response;
use super::{Case, GET, Time, coded, run};

#[tokio::test]
async fn the_code_of_a_failure_decides_the_error_kind() {
    let pairs: [(u16, Value); 26] = [
        (400, json!(4000)),
        (400, json!(4999)),
        (400, json!(null)),
        (401, json!(4010)),
        (401, json!(4033)),
        (402, json!(4000)),
        (403, json!(4010)),
        (403, json!(4032)),
        (403, json!(4003)),
        (403, json!(4033)),
        (403, json!(4999)),
        (403, json!("4032")),
        (403, json!(" 4032 ")),
        (403, json!("concurrency")),
        (403, json!(4032.0)),
        (403, json!(true)),
        (403, json!(18_446_744_073_709_551_615_u64)),
        (404, json!(4000)),
        (409, json!(4032)),
        (422, json!(4000)),
        (429, json!(4032)),
        (429, json!(4000)),
        (500, json!(4000)),
        (500, json!(4032)),
        (503, json!(4010)),
        (302, json!(4010)),
    ];
    let cases = pairs
        .map(|(status, code)| Case::once(format!("{status} with code {code}"), GET, coded(status, code)));
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn an_error_code_with_status_200_is_a_failure() {
    let codes = [
        json!(4000),
        json!(4003),
        json!(4010),
        json!(4032),
        json!(4033),
        json!(4999),
        json!("4032"),
        json!(" 4033 "),
        json!(0),
        json!(1),
        json!(200),
        json!(-100),
    ];
    let mut cases: Vec<_> =
        codes.map(|code| Case::new(format!("200 with code {code}"), GET, coded(200, code))).into();
    let field_errors =
        json!([{ "loc": ["avatar_id"], "message": "is not supported in sandbox mode", "params": {} }]);
    let field_errors = json!({ "code": 4000, "data": field_errors, "message": "Bad request error" });
    let credits = json!({ "code": 4033, "data": { "credits_left": 1 }, "message": null });
    cases.extend([
        Case::new("200 with code 4032 for a start", "start_session", coded(200, 4032)),
        Case::new("201 with code 4033 for a create", "create_secret", coded(201, 4033)),
        Case::new("200 with code 4010 for an operation without data", "stop_session", coded(200, 4010)),
        Case::new(
            "200 with code 4033 for an operation without a response body",
            "delete_memory",
            coded(200, 4033),
        ),
        Case::new(
            "200 with code 4000 and field errors",
            "create_session_token",
            Response::json(200, &field_errors),
        ),
        Case::new("200 with code 4033 and data", GET, Response::json(200, &credits)),
    ]);
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn a_success_code_or_an_unreadable_code_is_a_success() {
    let codes = [
        json!(100),
        json!(1000),
        json!(null),
        json!("100"),
        json!(" 1000 "),
        json!("ok"),
        json!(100.0),
        json!(true),
        json!({}),
    ];
    let body = |code| json!({ "code": code, "data": { "credits_left": 3 }, "message": null });
    let mut cases: Vec<_> = codes
        .map(|code| Case::new(format!("200 with code {code}"), GET, Response::json(200, &body(code))))
        .into();
    let without = Response::json(200, &json!({ "data": { "credits_left": 3 } }));
    cases.push(Case::new("200 without code and message", GET, without));
    insta::assert_snapshot!(run(cases, Time::Test).await);
}
