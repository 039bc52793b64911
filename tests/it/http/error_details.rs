//! Messages and field errors of failures, and the redaction of request data in them.

use serde_json::{Value, json};

use super::scripted_server::ScriptedResponse;
use super::{Case, KEY, PROMPT, SECRET, TOKEN, Time, run};

fn case(name: &str, status: u16, body: &Value) -> Case {
    Case::once(name, "get_user_credits", ScriptedResponse::json(status, body))
}

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
    let cases = vec![
        case("detail as a list", 422, &json!({ "detail": detail })),
        case("data as a list", 400, &json!({ "code": 4000, "data": data, "message": "Bad request error" })),
        case("detail and data", 422, &json!({ "detail": detail, "data": data })),
        case("detail as a string", 404, &json!({ "detail": "Not Found" })),
        case("detail as an object", 400, &json!({ "detail": { "msg": "wrong", "reason": "canary" } })),
        case("detail as a list of strings", 400, &json!({ "detail": ["wrong"] })),
        case("error as a string", 400, &json!({ "error": "wrong" })),
        case("error as an object", 400, &json!({ "error": { "message": "wrong", "code": 4000 } })),
        case(
            "message before detail before error",
            400,
            &json!({ "error": "e", "detail": "d", "message": "m" }),
        ),
        case("an empty message is ignored", 400, &json!({ "message": " ", "detail": "d" })),
        case("a message that is a number", 400, &json!({ "message": 7 })),
        case("a message that is an object", 400, &json!({ "message": { "text": "wrong" } })),
        case("a message of several lines becomes one", 400, &json!({ "message": "a\r\n\tb\n\nc" })),
        case("a long message is truncated", 400, &json!({ "message": long })),
        case("a message with control characters", 400, &json!({ "message": "a\u{1b}[31mred\u{7}\u{202e}" })),
        case("a field error without a location", 422, &json!({ "detail": [{ "msg": "wrong" }] })),
        case(
            "a field error for the whole body",
            422,
            &json!({ "detail": [{ "loc": ["body"], "msg": "wrong" }] }),
        ),
        case(
            "a location that is a string",
            422,
            &json!({ "detail": [{ "loc": "body.name", "msg": "wrong" }] }),
        ),
        case(
            "a location with null",
            422,
            &json!({ "detail": [{ "loc": ["body", null, "a"], "msg": "wrong" }] }),
        ),
        case(
            "a field error without a message",
            422,
            &json!({ "detail": [{ "loc": ["body", "a"] }, 7, null] }),
        ),
        case("at most 50 field errors are kept", 422, &json!({ "detail": many })),
    ];
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
    let mut id = ScriptedResponse::json(400, &json!({}));
    id = id.header("x-other", KEY).header("location", KEY);
    let cases = vec![
        context("a failure with the prompt", ScriptedResponse::json(400, &echo(PROMPT))),
        context("a field error with the prompt as its location", ScriptedResponse::json(422, &location)),
        context(
            "a failure in plain text with the prompt",
            ScriptedResponse::typed(400, "text/plain", PROMPT),
        ),
        context("a failure in HTML with the prompt", ScriptedResponse::typed(400, "text/html", html)),
        context(
            "a failure with the prompt in quotes",
            ScriptedResponse::json(400, &echo(&format!("{PROMPT:?}"))),
        ),
        context(
            "a failure with the prompt in ASCII escapes",
            ScriptedResponse::typed(400, "application/json", ascii),
        ),
        context(
            "a failure with the prompt in escaped slashes",
            ScriptedResponse::typed(400, "application/json", slashes),
        ),
        context("a failure with the start of the prompt", ScriptedResponse::json(400, &echo(&PROMPT[..20]))),
        context("a success with an error code and the prompt", ScriptedResponse::json(200, &echo(PROMPT))),
        context("a success with an error code and the key", ScriptedResponse::json(200, &echo(KEY))),
        Case::once("a failure with the secret", "create_secret", ScriptedResponse::json(400, &echo(SECRET))),
        Case::once("a failure with the key", "get_user_credits", ScriptedResponse::json(401, &echo(KEY))),
        Case::once("a failure with the token", "start_session", ScriptedResponse::json(401, &echo(TOKEN))),
        context(
            "a failure with the prompt, one word per line",
            ScriptedResponse::json(400, &echo(&PROMPT.replace(' ', " \r\n"))),
        ),
        Case::once("a failure with the key and invisible characters in it", "get_user_credits", {
            ScriptedResponse::json(401, &echo(&KEY.replace('-', "-\u{1}\u{202e}")))
        }),
        Case::once("a failure with the authorization header", "start_session", {
            ScriptedResponse::json(401, &echo(&format!("Bearer {TOKEN}")))
        }),
        Case::once("a failure with the key in its headers", "get_user_credits", id),
        Case::once("a request id that is the key", "get_user_credits", {
            ScriptedResponse::raw(format!(
                "HTTP/1.1 500 No\r\nx-request-id: {KEY}\r\ncontent-length: 0\r\n\r\n"
            ))
        }),
        Case::once("a very long request id", "get_user_credits", {
            let id = "7".repeat(5000);
            ScriptedResponse::raw(format!(
                "HTTP/1.1 500 No\r\nx-request-id: {id}\r\ncontent-length: 0\r\n\r\n"
            ))
        }),
    ];
    insta::assert_snapshot!(run(cases, Time::Test).await);
}
