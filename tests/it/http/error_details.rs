//! Messages and field errors of failures, and the redaction of request data in them.

use liveavatar_api::types::CreateUpdateContextLink;
use serde_json::json;

use super::scripted_server::{Response, ScriptedServer};
use super::{Case, GET, Harness, KEY, PROMPT, SECRET, TOKEN, Time, run};

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

#[tokio::test]
async fn the_text_of_a_failure_is_shown_wherever_the_response_has_it() {
    let json = |body: serde_json::Value| Response::json(400, &body);
    let plain = |body: &str| Response::typed(400, "text/plain", body);
    let cases = [
        ("the official demo's form", json(json!({ "data": { "message": "wrong" } }))),
        ("an envelope", json(json!({ "code": 4000, "data": { "message": "wrong" }, "message": null }))),
        ("error as an object", json(json!({ "error": { "code": "bad", "message": "wrong" } }))),
        ("errors as a list", json(json!({ "errors": [{ "message": "wrong" }, { "message": "more" }] }))),
        ("message as an object", json(json!({ "message": { "text": "canary", "message": "wrong" } }))),
        ("detail as an object", json(json!({ "detail": { "msg": "wrong" } }))),
        ("detail as a list of texts", json(json!({ "detail": ["wrong"] }))),
        ("data as a text", json(json!({ "code": 4000, "data": "wrong", "message": null }))),
        ("a problem document", json(json!({ "type": "about:blank", "title": "wrong", "status": 400 }))),
        ("OAuth", json(json!({ "error_description": "wrong" }))),
        ("a JSON text", json(json!("wrong"))),
        ("a list of texts", json(json!(["wrong"]))),
        ("plain text", plain("wrong")),
        ("a proxy's plain text", plain("upstream connect error: wrong")),
    ];
    for (name, response) in cases {
        let server = ScriptedServer::start(vec![response]);
        let client = Harness::new(&server, Time::Test).client;
        let error = client.get_user_credits().send().await.unwrap_err();
        assert!(error.message().contains("wrong"), "{name}: {error}");
        assert!(!error.message().contains("canary"), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_general_text_of_a_failure_is_followed_by_the_specific_one() {
    let cases = [
        (
            json!({ "message": "Bad request error", "data": { "message": "wrong" } }),
            "Bad request error: wrong",
        ),
        (json!({ "message": "wrong", "error": "Bad Request", "statusCode": 400 }), "wrong: Bad Request"),
        (json!({ "message": "wrong", "error": { "message": "wrong" } }), "wrong"),
    ];
    for (body, expected) in cases {
        let server = ScriptedServer::start(vec![Response::json(400, &body)]);
        let client = Harness::new(&server, Time::Test).client;
        assert_eq!(client.get_user_credits().send().await.unwrap_err().message(), expected);
    }
}

/// The time that this thread has spent on a processor; only Linux reports it.
#[cfg(target_os = "linux")]
fn processor_time() -> std::time::Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    std::time::Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_failure_of_the_largest_size_is_redacted_in_a_short_time() {
    const LARGEST: usize = 256 * 1024;
    // An unoptimized build takes about ten times as long as a release.
    const LIMIT: std::time::Duration = std::time::Duration::from_secs(2);
    let repeated = |text: &str| text.repeat(LARGEST / text.len());
    let links = |number: u32| format!("https://example.com/documents/{number}");
    let prompts = [
        ("one letter", "a".repeat(100_000)),
        ("sixteen letters", repeated("abcdefghijklmnop")),
        ("words", repeated("you are a helpful avatar ")),
    ];
    for (name, prompt) in prompts {
        let bodies = [
            ("a text", format!("{}!", &prompt[..prompt.len() - 10])),
            ("many starts", repeated(&format!("{} ", &prompt[..17]))),
            ("many strings", json!(vec![&prompt[..9]; LARGEST / 12]).to_string()),
            ("a long text", repeated(&prompt)),
        ];
        for (kind, body) in bodies {
            let server = ScriptedServer::start(vec![Response::typed(400, "text/plain", body)]);
            let client = Harness::new(&server, Time::Test).client;
            let call = client.create_context().name("the name of a context").prompt(&*prompt);
            let call =
                call.links((0..500).map(|number| CreateUpdateContextLink::builder().url(links(number))));
            let before = processor_time();
            let error = call.send().await.unwrap_err();
            let took = processor_time().saturating_sub(before);
            assert!(took < LIMIT, "{name}, {kind}: {took:?}");
            assert!(!error.message().contains(&prompt[..16]), "{name}, {kind}: {error}");
        }
    }
}
