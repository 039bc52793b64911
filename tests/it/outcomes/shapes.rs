//! The shapes in which a failure tells its reasons, and what of them must not be repeated.

use serde_json::{Value, json};

use super::server::Answer;
use super::{KEY, PROMPT, Row, SECRET, TOKEN, Time, report};

fn row(name: &str, status: u16, body: &Value) -> Row {
    Row::once(name, "get_user_credits", Answer::json(status, body))
}

#[tokio::test]
async fn reasons_are_read_in_every_known_shape() {
    let input = json!({ "prompt": "canary" });
    let detail = json!([
        { "type": "missing", "loc": ["body", "avatar_id"], "msg": "Field required", "input": input },
        { "type": "int_parsing", "loc": ["query", "page"], "msg": "not an integer", "input": "canary" },
        { "type": "missing", "loc": ["body", "links", 0, "url"], "msg": "Field required" },
    ]);
    let data =
        json!([{ "loc": ["avatar_id"], "message": "not in sandbox mode", "params": { "given": "canary" } }]);
    let many: Vec<_> = (0..60).map(|n| json!({ "loc": ["body", n], "msg": "wrong" })).collect();
    let long = "long ".repeat(200);
    let rows = vec![
        row("detail as a list", 422, &json!({ "detail": detail })),
        row("data as a list", 400, &json!({ "code": 4000, "data": data, "message": "Bad request error" })),
        row("detail and data", 422, &json!({ "detail": detail, "data": data })),
        row("detail as a text", 404, &json!({ "detail": "Not Found" })),
        row("detail as an object", 400, &json!({ "detail": { "msg": "wrong", "reason": "canary" } })),
        row("detail as a list of texts", 400, &json!({ "detail": ["wrong"] })),
        row("error as a text", 400, &json!({ "error": "wrong" })),
        row("error as an object", 400, &json!({ "error": { "message": "wrong", "code": 4000 } })),
        row(
            "message before detail before error",
            400,
            &json!({ "error": "e", "detail": "d", "message": "m" }),
        ),
        row("an empty message is none", 400, &json!({ "message": " ", "detail": "d" })),
        row("a message that is a number", 400, &json!({ "message": 7 })),
        row("a message that is an object", 400, &json!({ "message": { "text": "wrong" } })),
        row("a message of several lines becomes one", 400, &json!({ "message": "a\r\n\tb\n\nc" })),
        row("a long message is cut", 400, &json!({ "message": long })),
        row("a message with control characters", 400, &json!({ "message": "a\u{1b}[31mred\u{7}\u{202e}" })),
        row("a reason without a place", 422, &json!({ "detail": [{ "msg": "wrong" }] })),
        row("a reason for the whole body", 422, &json!({ "detail": [{ "loc": ["body"], "msg": "wrong" }] })),
        row("a place that is a text", 422, &json!({ "detail": [{ "loc": "body.name", "msg": "wrong" }] })),
        row("a place with null", 422, &json!({ "detail": [{ "loc": ["body", null, "a"], "msg": "wrong" }] })),
        row("a reason without a message", 422, &json!({ "detail": [{ "loc": ["body", "a"] }, 7, null] })),
        row("at most fifty reasons are repeated", 422, &json!({ "detail": many })),
    ];
    insta::assert_snapshot!(report(rows, Time::Test).await);
}

#[tokio::test]
async fn what_was_sent_is_not_repeated() {
    let said = |text: &str| json!({ "code": 4000, "data": null, "message": format!("bad: {text}") });
    let context = |name: &str, answer| Row::once(name, "create_context", answer);
    // The same text as Python's `json.dumps` and PHP's `json_encode` write it.
    let ascii = said(PROMPT).to_string().replace('ö', "\\u00f6");
    let slashes = said(PROMPT).to_string().replace('/', "\\/");
    let html = format!("<p>bad: {PROMPT} {KEY}</p>");
    let place = json!({ "detail": [{ "loc": ["body", PROMPT], "msg": format!("{PROMPT} and {KEY}") }] });
    let mut id = Answer::json(400, &json!({}));
    id = id.header("x-other", KEY).header("location", KEY);
    let rows = vec![
        context("a failure with the prompt", Answer::json(400, &said(PROMPT))),
        context("a reason with the prompt as its place", Answer::json(422, &place)),
        context("a failure in text with the prompt", Answer::typed(400, "text/plain", PROMPT)),
        context("a failure in HTML with the prompt", Answer::typed(400, "text/html", html)),
        context("a failure with the prompt in quotes", Answer::json(400, &said(&format!("{PROMPT:?}")))),
        context("a failure with the prompt in ASCII escapes", Answer::typed(400, "application/json", ascii)),
        context(
            "a failure with the prompt in escaped slashes",
            Answer::typed(400, "application/json", slashes),
        ),
        context("a failure with the prompt's start", Answer::json(400, &said(&PROMPT[..20]))),
        context("a success with a failure's code and the prompt", Answer::json(200, &said(PROMPT))),
        context("a success with a failure's code and the key", Answer::json(200, &said(KEY))),
        Row::once("a failure with the secret", "create_secret", Answer::json(400, &said(SECRET))),
        Row::once("a failure with the key", "get_user_credits", Answer::json(401, &said(KEY))),
        Row::once("a failure with the token", "start_session", Answer::json(401, &said(TOKEN))),
        context(
            "a failure with the prompt, a word a line",
            Answer::json(400, &said(&PROMPT.replace(' ', " \r\n"))),
        ),
        Row::once("a failure with the key around what is not seen", "get_user_credits", {
            Answer::json(401, &said(&KEY.replace('-', "-\u{1}\u{202e}")))
        }),
        Row::once("a failure with the bearer header", "start_session", {
            Answer::json(401, &said(&format!("Bearer {TOKEN}")))
        }),
        Row::once("a failure with the key in its headers", "get_user_credits", id),
        Row::once("a request id that is the key", "get_user_credits", {
            Answer::raw(format!("HTTP/1.1 500 No\r\nx-request-id: {KEY}\r\ncontent-length: 0\r\n\r\n"))
        }),
        Row::once("a request id without end", "get_user_credits", {
            let id = "7".repeat(5000);
            Answer::raw(format!("HTTP/1.1 500 No\r\nx-request-id: {id}\r\ncontent-length: 0\r\n\r\n"))
        }),
    ];
    insta::assert_snapshot!(report(rows, Time::Test).await);
}
