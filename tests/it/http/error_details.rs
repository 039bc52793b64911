//! Messages and field errors of failures, and the redaction of request data in them.

use serde_json::json;

use super::scripted_server::Response;
use super::{Case, GET, KEY, PROMPT, SECRET, TOKEN, Time, run};

#[tokio::test]
async fn field_errors_are_read_in_every_known_shape() {
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
    let cases = [
        ("detail as a list", 422, json!({ "detail": detail })),
        ("data as a list", 400, json!({ "code": 4000, "data": data, "message": "Bad request error" })),
        ("detail and data", 422, json!({ "detail": detail, "data": data })),
        ("detail as a string", 404, json!({ "detail": "Not Found" })),
        ("detail as an object", 400, json!({ "detail": { "msg": "wrong", "reason": "canary" } })),
        ("detail as a list of strings", 400, json!({ "detail": ["wrong"] })),
        ("error as a string", 400, json!({ "error": "wrong" })),
        ("error as an object", 400, json!({ "error": { "message": "wrong", "code": 4000 } })),
        ("message before detail before error", 400, json!({ "error": "e", "detail": "d", "message": "m" })),
        ("an empty message is ignored", 400, json!({ "message": " ", "detail": "d" })),
        ("a message that is a number", 400, json!({ "message": 7 })),
        ("a message that is an object", 400, json!({ "message": { "text": "wrong" } })),
        ("a message of several lines becomes one", 400, json!({ "message": "a\r\n\tb\n\nc" })),
        ("a long message is truncated", 400, json!({ "message": long })),
        ("a message with control characters", 400, json!({ "message": "a\u{1b}[31mred\u{7}\u{202e}" })),
        ("a field error without a location", 422, json!({ "detail": [{ "msg": "wrong" }] })),
        ("a field error for the whole body", 422, json!({ "detail": [{ "loc": ["body"], "msg": "wrong" }] })),
        ("a location that is a string", 422, json!({ "detail": [{ "loc": "body.name", "msg": "wrong" }] })),
        ("a location with null", 422, json!({ "detail": [{ "loc": ["body", null, "a"], "msg": "wrong" }] })),
        ("a field error without a message", 422, json!({ "detail": [{ "loc": ["body", "a"] }, 7, null] })),
        ("at most 50 field errors are kept", 422, json!({ "detail": many })),
    ];
    let cases = cases.map(|(name, status, body)| Case::once(name, GET, Response::json(status, &body)));
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn request_data_is_redacted_in_errors() {
    let echo = |text: &str| json!({ "code": 4000, "data": null, "message": format!("bad: {text}") });
    let context = |name: &str, response| Case::once(name, "create_context", response);
    // As Python's `json.dumps` and PHP's `json_encode` write the same text.
    let ascii = echo(PROMPT).to_string().replace('ö', "\\u00f6");
    let slashes = echo(PROMPT).to_string().replace('/', "\\/");
    let html = format!("<p>bad: {PROMPT} {KEY}</p>");
    let location = json!({ "detail": [{ "loc": ["body", PROMPT], "msg": format!("{PROMPT} and {KEY}") }] });
    let mut id = Response::json(400, &json!({}));
    id = id.header("x-other", KEY).header("location", KEY);
    let cases = vec![
        context("a failure with the prompt", Response::json(400, &echo(PROMPT))),
        context("a field error with the prompt as its location", Response::json(422, &location)),
        context("a failure in plain text with the prompt", Response::typed(400, "text/plain", PROMPT)),
        context("a failure in HTML with the prompt", Response::typed(400, "text/html", html)),
        context("a failure with the prompt in quotes", Response::json(400, &echo(&format!("{PROMPT:?}")))),
        context(
            "a failure with the prompt in ASCII escapes",
            Response::typed(400, "application/json", ascii),
        ),
        context(
            "a failure with the prompt in escaped slashes",
            Response::typed(400, "application/json", slashes),
        ),
        context("a failure with the start of the prompt", Response::json(400, &echo(&PROMPT[..20]))),
        context("a success with an error code and the prompt", Response::json(200, &echo(PROMPT))),
        context("a success with an error code and the key", Response::json(200, &echo(KEY))),
        Case::once("a failure with the secret", "create_secret", Response::json(400, &echo(SECRET))),
        Case::once("a failure with the key", GET, Response::json(401, &echo(KEY))),
        Case::once("a failure with the token", "start_session", Response::json(401, &echo(TOKEN))),
        context(
            "a failure with the prompt, one word per line",
            Response::json(400, &echo(&PROMPT.replace(' ', " \r\n"))),
        ),
        Case::once("a failure with the key and invisible characters in it", GET, {
            Response::json(401, &echo(&KEY.replace('-', "-\u{1}\u{202e}")))
        }),
        Case::once("a failure with the authorization header", "start_session", {
            Response::json(401, &echo(&format!("Bearer {TOKEN}")))
        }),
        Case::once("a failure with the key in its headers", GET, id),
        Case::once("a request id that is the key", GET, {
            Response::raw(format!("HTTP/1.1 500 No\r\nx-request-id: {KEY}\r\ncontent-length: 0\r\n\r\n"))
        }),
        Case::once("a very long request id", GET, {
            let id = "7".repeat(5000);
            Response::raw(format!("HTTP/1.1 500 No\r\nx-request-id: {id}\r\ncontent-length: 0\r\n\r\n"))
        }),
    ];
    insta::assert_snapshot!(run(cases, Time::Test).await);
}
