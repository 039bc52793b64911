//! What a status alone says.

use serde_json::json;

use super::server::{Answer, Server};
use super::{Row, Time, failure, outcome, report, success};

#[tokio::test]
async fn a_status_alone_names_the_kind() {
    let wanted = [
        400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 415, 418, 422, 425, 429, 451, 499, 500, 501, 502,
        503, 504, 507, 511, 520, 599, 600, 999,
    ];
    let mut rows = Vec::new();
    for status in wanted {
        rows.push(Row::once(format!("{status} with an empty object"), "get_user_credits", failure(status)));
    }
    for status in [400, 500] {
        rows.push(Row::once(format!("{status} without a body"), "get_user_credits", Answer::bare(status)));
    }
    insta::assert_snapshot!(report(rows, Time::Test).await);
}

#[tokio::test]
async fn any_2xx_with_an_envelope_is_a_success() {
    let credits = json!({ "code": 1000, "data": { "credits_left": "12.50" }, "message": "ok" });
    let mut rows: Vec<_> = [200, 201, 202, 203, 206, 207, 226, 299]
        .map(|status| {
            Row::new(format!("{status} with data"), "get_user_credits", vec![Answer::json(status, &credits)])
        })
        .into();
    rows.extend([
        Row::new(
            "201 for a start",
            "start_session",
            vec![{
                let body = liveavatar_mock::example_response("start_session").unwrap();
                Answer::json(201, &body)
            }],
        ),
        Row::new("204 where data is needed", "get_user_credits", vec![Answer::bare(204)]),
        Row::new("204 where a create's data is needed", "create_secret", vec![Answer::bare(204)]),
        Row::new("204 where a page is needed", "list_voices", vec![Answer::bare(204)]),
        Row::new("204 where null is enough", "delete_secret", vec![Answer::bare(204)]),
        Row::new("204 where nothing is answered", "delete_memory", vec![Answer::bare(204)]),
        Row::new("205 where data is needed", "get_user_credits", vec![Answer::bare(205)]),
        Row::new("205 where nothing is answered", "delete_memory", vec![Answer::bare(205)]),
        Row::new(
            "200 with an envelope where nothing is answered",
            "delete_memory",
            vec![success("delete_secret")],
        ),
    ]);
    insta::assert_snapshot!(report(rows, Time::Test).await);
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let after = |interim: &str| {
        let body = r#"{"code":100,"data":{"credits_left":1}}"#;
        Answer::raw(format!("{interim}HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
    };
    let once = |name: &str, operation, answer| Row::once(name, operation, answer);
    let rows = vec![
        once("100 before the answer", "get_user_credits", after("HTTP/1.1 100 Continue\r\n\r\n")),
        once("102 before the answer", "get_user_credits", after("HTTP/1.1 102 Processing\r\n\r\n")),
        once(
            "103 before the answer",
            "get_user_credits",
            after("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"),
        ),
        once("103 and no answer", "get_user_credits", Answer::raw("HTTP/1.1 103 Early Hints\r\n\r\n")),
        once("101, which nobody asked for", "get_user_credits", Answer::bare(101).header("upgrade", "other")),
        once("101 for a start", "start_session", Answer::raw("HTTP/1.1 101 Switching Protocols\r\n\r\n")),
    ];
    insta::assert_snapshot!(report(rows, Time::Test).await);
}

#[tokio::test]
async fn no_credential_follows_a_redirect() {
    let other = Server::start(vec![success("get_user_credits")]);
    let away = format!("{}/v1/users/credits?canary", other.url());
    let by_name = away.replace("127.0.0.1", "localhost");
    let answer = |status, to: &str| Answer::bare(status).header("location", to);
    let row = |name: String, operation, answer| Row::new(name, operation, vec![answer]);
    let mut rows = Vec::new();
    for status in [300, 301, 302, 303, 307, 308] {
        rows.push(row(format!("{status} to another host"), "get_user_credits", answer(status, &away)));
    }
    for operation in ["start_session", "create_secret", "create_session_token", "delete_secret"] {
        rows.push(row(format!("307 for {operation}"), operation, answer(307, &away)));
    }
    rows.extend([
        row("302 to another name of this host".to_owned(), "get_user_credits", answer(302, &by_name)),
        row("302 to the same host".to_owned(), "get_user_credits", answer(302, "/v1/users/credits")),
        row("302 to no address".to_owned(), "get_user_credits", answer(302, "http://[")),
        row("301 to nowhere".to_owned(), "get_user_credits", Answer::bare(301)),
        row("302 with a text of its own".to_owned(), "get_user_credits", {
            Answer::json(302, &json!({ "message": "moved" })).header("location", &away)
        }),
        row("304, which is no redirect".to_owned(), "get_user_credits", Answer::bare(304)),
    ]);
    let mut text = String::new();
    for row in rows {
        let server = Server::start(row.script.clone());
        text.push_str(&outcome(&row, &server, Time::Test).await);
        text.push('\n');
    }
    assert_eq!(other.seen().len(), 0);
    insta::assert_snapshot!(text);
}
