//! What the service's own code says, under the status of a failure and of a success.

use serde_json::{Value, json};

use super::server::Answer;
use super::{Row, Time, coded, report};

#[tokio::test]
async fn a_failures_code_tells_kinds_apart() {
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
    let rows = pairs.map(|(status, code)| {
        Row::once(format!("{status} with code {code}"), "get_user_credits", coded(status, code))
    });
    insta::assert_snapshot!(report(rows.into(), Time::Test).await);
}

#[tokio::test]
async fn a_code_under_a_200_may_still_be_a_failure() {
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
    let mut rows: Vec<_> = codes
        .map(|code| Row::new(format!("200 with code {code}"), "get_user_credits", vec![coded(200, code)]))
        .into();
    let reasons =
        json!([{ "loc": ["avatar_id"], "message": "is not supported in sandbox mode", "params": {} }]);
    let reasons = json!({ "code": 4000, "data": reasons, "message": "Bad request error" });
    let credits = json!({ "code": 4033, "data": { "credits_left": 1 }, "message": null });
    rows.extend([
        Row::new("200 with code 4032 for a start", "start_session", vec![coded(200, 4032)]),
        Row::new("201 with code 4033 for a create", "create_secret", vec![coded(201, 4033)]),
        Row::new("200 with code 4010 where null is enough", "stop_session", vec![coded(200, 4010)]),
        Row::new("200 with code 4033 where nothing is answered", "delete_memory", vec![coded(200, 4033)]),
        Row::new("200 with code 4000 and reasons", "create_session_token", vec![Answer::json(200, &reasons)]),
        Row::new("200 with code 4033 and data", "get_user_credits", vec![Answer::json(200, &credits)]),
    ]);
    insta::assert_snapshot!(report(rows, Time::Test).await);
}

#[tokio::test]
async fn these_codes_mean_success() {
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
    let mut rows: Vec<_> = codes
        .map(|code| {
            Row::new(
                format!("200 with code {code}"),
                "get_user_credits",
                vec![Answer::json(200, &body(code))],
            )
        })
        .into();
    let without = Answer::json(200, &json!({ "data": { "credits_left": 3 } }));
    rows.push(Row::new("200 without code and message", "get_user_credits", vec![without]));
    insta::assert_snapshot!(report(rows, Time::Test).await);
}
