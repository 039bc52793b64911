//! Successes with an unusual envelope, or without one.

use serde_json::json;

use super::scripted_server::{Response, ScriptedServer};
use super::{Case, GET, Harness, Time, run};

fn text(name: &str, body: impl Into<Vec<u8>>) -> Case {
    Case::new(name, GET, Response::typed(200, "application/json", body))
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[tokio::test]
async fn data_of_any_shape_is_decoded_or_one_error() {
    let null = Response::json(200, &json!({ "code": 100, "data": null, "message": null }));
    let text_for = |name: &str, operation, body: &str| {
        Case::new(name, operation, Response::typed(200, "application/json", body))
    };
    let credits = r#""data":{"credits_left":1}"#;
    let wide = format!(r#"{{"data":{{"credits_left":1,"more":"{}"}}}}"#, "x".repeat(400_000));
    let cases = vec![
        Case::new("null instead of data", GET, null.clone()),
        Case::new("null instead of a created resource", "create_secret", null.clone()),
        Case::new("null instead of a page", "list_voices", null.clone()),
        Case::new("null for an operation without data", "delete_secret", null.clone()),
        Case::new("null for a keep-alive", "keep_session_alive", null),
        text("without data", r#"{"code":100}"#),
        text("an empty object", "{}"),
        text_for("an empty object for an operation without data", "stop_session", "{}"),
        text_for("data for an operation without data", "delete_secret", r#"{"data":{"a":[1]}}"#),
        text("data without an optional field", r#"{"data":{}}"#),
        text_for("data without a required field", "create_secret", r#"{"data":{"secret_name":"n"}}"#),
        text("data that is a list", r#"{"data":[]}"#),
        text("data that is a string", r#"{"data":"canary"}"#),
        text("data with a field of another type", r#"{"data":{"credits_left":["canary"]}}"#),
        text("data with unknown fields", r#"{"more":1,"data":{"credits_left":1,"more":{}},"meta":[]}"#),
        text(
            "data with a deeply nested unknown field",
            format!(r#"{{"data":{{"credits_left":1,"more":{}}}}}"#, nested(5000)),
        ),
        text("deeply nested data", format!(r#"{{"data":{}}}"#, nested(5000))),
        text("a large unknown field", wide),
        text("a message that is a number", format!(r#"{{"message":7,{credits}}}"#)),
        text("a message that is an object", format!(r#"{{"message":{{"a":"b"}},{credits}}}"#)),
        text("a message with a lone surrogate", format!(r#"{{"message":"\ud800",{credits}}}"#)),
        text("a deeply nested message", format!(r#"{{"message":{},{credits}}}"#, nested(200))),
        text("a deeply nested unknown field", format!(r#"{{"more":{},{credits}}}"#, nested(5000))),
        text("the code twice", format!(r#"{{"code":100,"code":100,{credits}}}"#)),
        text("the data twice", format!("{{{credits},{credits}}}")),
    ];
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn a_success_without_a_json_object_is_one_error() {
    let page = "<html><h1>canary</h1></html>";
    let good = r#"{"data":{"credits_left":1}}"#;
    let typed = |name: &str, content_type: &str, body: &str| {
        Case::new(name, GET, Response::typed(200, content_type, body))
    };
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let html = |has_body| vec![Response::typed(200, "text/html", if has_body { page } else { "" })];
    let cases = vec![
        typed("JSON with content type text/plain", "text/plain", good),
        typed("JSON with content type text/html", "text/html; charset=latin-1", good),
        text("JSON after a byte order mark", format!("\u{feff}{good}")),
        text("JSON between white space", format!("\r\n\t {good} \n")),
        Case::new(
            "JSON without a content type",
            GET,
            Response::raw(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{good}", good.len())),
        ),
        typed("HTML", "text/html", page),
        Case::new("HTML for a start", "start_session", html(true)),
        Case::new("HTML for an operation without a response body", "delete_memory", html(true)),
        Case::new("no body for an operation without data", "delete_secret", html(false)),
        Case::new("no body for a stop", "stop_session", html(false)),
        Case::new("no body for a create", "create_context", html(false)),
        text("no body", ""),
        text("white space only", " \r\n "),
        text("a list", "[1, 2]"),
        text("a string", "\"canary\""),
        text("a number", "7"),
        text("null", "null"),
        text("plain text", "canary"),
        text("two objects", format!("{good}{good}")),
        text("an object truncated within a string", r#"{"data":{"credits_left":"canary"#),
        text("an object truncated after an inner one", r#"{"data":{"credits_left":{"a":"canary"}"#),
        text("a trailing comma", r#"{"data":{"credits_left":1},}"#),
        text("an object without quotes", "{canary}"),
        text("NaN", r#"{"data":{"credits_left":NaN}}"#),
        text("invalid UTF-8 in the data", b"{\"data\":{\"credits_left\":\"canary\xff\"}}"),
        text("invalid UTF-8 in an unknown field", b"{\"data\":{\"credits_left\":1},\"more\":\"\xff\"}"),
        text("a lone surrogate in an unknown field", r#"{"data":{"credits_left":1},"more":"\ud800"}"#),
        text("UTF-16", utf16),
        text("a zero byte at the end", format!("{good}\0")),
        Case::new(
            "compressed, although the client did not ask for it",
            GET,
            Response::typed(200, "application/json", b"\x1f\x8b\x08\0\0\0\0\0\0\x03")
                .header("content-encoding", "gzip"),
        ),
    ];
    insta::assert_snapshot!(run(cases, Time::Test).await);
}

#[tokio::test]
async fn an_error_in_a_success_keeps_the_code_of_its_envelope() {
    let bodies = [
        json!({ "code": 1000, "data": null, "message": "ok" }),
        json!({ "code": 1000, "message": "ok" }),
        json!({ "code": "1000", "data": [], "message": "ok" }),
        json!({ "code": 1000, "data": { "credits_left": ["canary"] }, "message": "ok" }),
    ];
    for body in bodies {
        let server = ScriptedServer::start(vec![Response::json(200, &body)]);
        let error = Harness::new(&server, Time::Test).client.get_user_credits().send().await.unwrap_err();
        assert_eq!((error.status(), error.code()), (Some(200), Some(1000)), "{body}: {error:?}");
    }
}
