//! Successes whose envelope is odd, or none.

use serde_json::json;

use super::server::Answer;
use super::{Row, Time, report};

fn text(name: &str, body: impl Into<Vec<u8>>) -> Row {
    Row::new(name, "get_user_credits", vec![Answer::typed(200, "application/json", body)])
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[tokio::test]
async fn data_of_any_shape_is_data_or_one_error() {
    let null = Answer::json(200, &json!({ "code": 100, "data": null, "message": null }));
    let text_for = |name: &str, operation, body: &str| {
        Row::new(name, operation, vec![Answer::typed(200, "application/json", body)])
    };
    let credits = r#""data":{"credits_left":1}"#;
    let wide = format!(r#"{{"data":{{"credits_left":1,"more":"{}"}}}}"#, "x".repeat(400_000));
    let rows = vec![
        Row::new("null where data is needed", "get_user_credits", vec![null.clone()]),
        Row::new("null where a create's data is needed", "create_secret", vec![null.clone()]),
        Row::new("null where a page is needed", "list_voices", vec![null.clone()]),
        Row::new("null where null is enough", "delete_secret", vec![null.clone()]),
        Row::new("null for a keep-alive", "keep_session_alive", vec![null]),
        text("no data where some is needed", r#"{"code":100}"#),
        text("an empty object", "{}"),
        text_for("an empty object where null is enough", "stop_session", "{}"),
        text_for("data where null is enough", "delete_secret", r#"{"data":{"a":[1]}}"#),
        text("data without a field that may be missing", r#"{"data":{}}"#),
        text_for("data without a field that is needed", "create_secret", r#"{"data":{"secret_name":"n"}}"#),
        text("data that is a list", r#"{"data":[]}"#),
        text("data that is a text", r#"{"data":"canary"}"#),
        text("data with a field of another type", r#"{"data":{"credits_left":["canary"]}}"#),
        text("data with unknown fields", r#"{"more":1,"data":{"credits_left":1,"more":{}},"meta":[]}"#),
        text(
            "data nested deeply in an unknown field",
            format!(r#"{{"data":{{"credits_left":1,"more":{}}}}}"#, nested(5000)),
        ),
        text("data that is nested deeply", format!(r#"{{"data":{}}}"#, nested(5000))),
        text("a large unknown field", wide),
        text("a message that is a number", format!(r#"{{"message":7,{credits}}}"#)),
        text("a message that is an object", format!(r#"{{"message":{{"a":"b"}},{credits}}}"#)),
        text("a message that is nested deeply", format!(r#"{{"message":{},{credits}}}"#, nested(200))),
        text("an unknown field that is nested deeply", format!(r#"{{"more":{},{credits}}}"#, nested(5000))),
        text("the code twice", format!(r#"{{"code":100,"code":100,{credits}}}"#)),
        text("the data twice", format!("{{{credits},{credits}}}")),
    ];
    insta::assert_snapshot!(report(rows, Time::Test).await);
}

#[tokio::test]
async fn a_success_that_is_no_json_object_is_one_error() {
    let page = "<html><h1>canary</h1></html>";
    let good = r#"{"data":{"credits_left":1}}"#;
    let typed = |name: &str, content_type: &str, body: &str| {
        Row::new(name, "get_user_credits", vec![Answer::typed(200, content_type, body)])
    };
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let html = |operation| vec![Answer::typed(200, "text/html", if operation { page } else { "" })];
    let rows = vec![
        typed("JSON as text", "text/plain", good),
        typed("JSON as HTML", "text/html; charset=latin-1", good),
        text("JSON after a byte order mark", format!("\u{feff}{good}")),
        text("JSON between blanks", format!("\r\n\t {good} \n")),
        Row::new(
            "JSON without a content type",
            "get_user_credits",
            vec![Answer::raw(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{good}", good.len()))],
        ),
        typed("HTML", "text/html", page),
        Row::new("HTML for a start", "start_session", html(true)),
        Row::new("HTML where nothing is answered", "delete_memory", html(true)),
        Row::new("no body where null is enough", "delete_secret", html(false)),
        Row::new("no body for a stop", "stop_session", html(false)),
        Row::new("no body for a create", "create_context", html(false)),
        text("no body", ""),
        text("blanks only", " \r\n "),
        text("a list", "[1, 2]"),
        text("a text", "\"canary\""),
        text("a number", "7"),
        text("null", "null"),
        text("plain words", "canary"),
        text("two objects", format!("{good}{good}")),
        text("an object that ends within a text", r#"{"data":{"credits_left":"canary"#),
        text("an object that ends behind an inner one", r#"{"data":{"credits_left":{"a":"canary"}"#),
        text("a comma too many", r#"{"data":{"credits_left":1},}"#),
        text("an object without quotes", "{canary}"),
        text("NaN", r#"{"data":{"credits_left":NaN}}"#),
        text("invalid UTF-8 in the data", b"{\"data\":{\"credits_left\":\"canary\xff\"}}"),
        text("invalid UTF-8 in an unknown field", b"{\"data\":{\"credits_left\":1},\"more\":\"\xff\"}"),
        text("half a surrogate in an unknown field", r#"{"data":{"credits_left":1},"more":"\ud800"}"#),
        text("UTF-16", utf16),
        text("a zero byte at the end", format!("{good}\0")),
        Row::new(
            "compressed, which nobody asked for",
            "get_user_credits",
            vec![
                Answer::typed(200, "application/json", b"\x1f\x8b\x08\0\0\0\0\0\0\x03")
                    .header("content-encoding", "gzip"),
            ],
        ),
    ];
    insta::assert_snapshot!(report(rows, Time::Test).await);
}
