//! Failures whose body is hostile, foreign or broken: the status must survive it.

use super::server::Answer;
use super::{Row, Time, report};

/// What the client reads of a failed answer.
const LIMIT: usize = 256 * 1024;

#[tokio::test]
async fn the_status_survives_any_body() {
    let text = |name: &str, status, content_type: &str, body: Vec<u8>| {
        Row::once(name, "get_user_credits", Answer::typed(status, content_type, body))
    };
    let json = |name: &str, status, body: &str| text(name, status, "application/json", body.into());
    let good = r#"{"code":4032,"message":"said"}"#;
    let filled = |length| format!(r#"{{"code":4032,"message":"said","more":"{}"}}"#, "x".repeat(length));
    let frame = filled(0).len();
    let page = format!("<html>{}</html>", "canary ".repeat(100_000));
    let mut invalid = br#"{"code":4032,"message":"said "#.to_vec();
    invalid.extend_from_slice(b"\xff\xfe\"}");
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let deep = format!(r#"{{"code":4032,"message":"said","more":{}}}"#, "[".repeat(100_000));
    let rows = vec![
        text("HTML", 502, "text/html", b"<html><h1>canary</h1></html>".to_vec()),
        text("HTML after blanks", 403, "text/html", b"\r\n <html>canary</html>".to_vec()),
        text("HTML after a byte order mark", 403, "text/html", "\u{feff}<html>canary</html>".into()),
        text("HTML larger than what is read", 503, "text/html", page.into()),
        text("plain words", 500, "text/plain", b"canary".to_vec()),
        json("no body", 403, ""),
        json("blanks", 403, "  \n"),
        json("JSON that ends too early", 400, r#"{"code":4000,"message":"canary"#),
        json("JSON after a byte order mark", 403, &format!("\u{feff}{good}")),
        text("JSON as HTML", 403, "text/html", good.into()),
        json("a list", 403, r#"["canary"]"#),
        json("a text", 403, r#""canary""#),
        json("a number", 403, "4032"),
        json("null", 403, "null"),
        json("two objects", 403, &format!("{good}{good}")),
        json("the code twice", 403, r#"{"code":4033,"code":4032}"#),
        json("zero bytes", 500, "\0\0\0\0"),
        json("as large as what is read, less one", 403, &filled(LIMIT - frame - 1)),
        json("as large as what is read", 403, &filled(LIMIT - frame)),
        json("larger than what is read by one", 403, &filled(LIMIT - frame + 1)),
        json("much larger than what is read", 403, &filled(20 * LIMIT)),
        json("nested deeply", 403, &deep),
        text("invalid UTF-8", 403, "application/json", invalid),
        text("UTF-16", 403, "application/json", utf16),
        Row::once(
            "cut behind the head",
            "get_user_credits",
            Answer::typed(403, "application/json", good).cut(0),
        ),
        Row::once(
            "cut in the middle",
            "get_user_credits",
            Answer::typed(403, "application/json", good).cut(20),
        ),
        Row::once("cut for a start", "start_session", Answer::typed(500, "application/json", good).cut(20)),
        Row::once("in broken chunks", "get_user_credits", {
            Answer::typed(403, "application/json", good).chunked(7, "zz\r\n")
        }),
        Row::once("in whole chunks without the last", "get_user_credits", {
            Answer::typed(403, "application/json", good).chunked(7, "")
        }),
        Row::once(
            "without a length",
            "get_user_credits",
            Answer::typed(403, "application/json", good).until_close(),
        ),
    ];
    insta::assert_snapshot!(report(rows, Time::Test).await);
}
