//! Failures with a hostile, foreign or malformed body. The error keeps the status.

use super::scripted_server::Response;
use super::{Case, GET, Time, run};

/// The number of bytes that the client reads of a failure.
const LIMIT: usize = 256 * 1024;

#[tokio::test]
async fn an_error_keeps_its_status_for_any_body() {
    let text = |name: &str, status, content_type: &str, body: Vec<u8>| {
        Case::once(name, GET, Response::typed(status, content_type, body))
    };
    let json = |name: &str, status, body: &str| text(name, status, "application/json", body.into());
    let good = r#"{"code":4032,"message":"oops"}"#;
    let filled = |length| format!(r#"{{"code":4032,"message":"oops","more":"{}"}}"#, "x".repeat(length));
    let frame = filled(0).len();
    let page = format!("<html>{}</html>", "canary ".repeat(100_000));
    let mut invalid = br#"{"code":4032,"message":"oops "#.to_vec();
    invalid.extend_from_slice(b"\xff\xfe\"}");
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let deep = format!(r#"{{"code":4032,"message":"oops","more":{}}}"#, "[".repeat(100_000));
    let cases = vec![
        text("HTML", 502, "text/html", b"<html><h1>canary</h1></html>".to_vec()),
        text("HTML after white space", 403, "text/html", b"\r\n <html>canary</html>".to_vec()),
        text("HTML after a byte order mark", 403, "text/html", "\u{feff}<html>canary</html>".into()),
        text("HTML above the limit", 503, "text/html", page.into()),
        text("plain text", 500, "text/plain", b"upstream connect error\nreset".to_vec()),
        text(
            "HTML with a title",
            502,
            "text/html",
            b"<html><TITLE>Bad\n gateway</title>canary</html>".to_vec(),
        ),
        json("no body", 403, ""),
        json("white space", 403, "  \n"),
        json("truncated JSON", 400, r#"{"code":4000,"message":"canary"#),
        json("JSON after a byte order mark", 403, &format!("\u{feff}{good}")),
        text("JSON with content type text/html", 403, "text/html", good.into()),
        json("a list", 403, r#"["oops", {"more": "canary"}, ["again"]]"#),
        json("a string", 403, r#""oops""#),
        json("a number", 403, "4032"),
        json("null", 403, "null"),
        json("two objects", 403, &format!("{good}{good}")),
        json("the code twice", 403, r#"{"code":4033,"code":4032}"#),
        json("zero bytes", 500, "\0\0\0\0"),
        json("one byte below the limit", 403, &filled(LIMIT - frame - 1)),
        json("exactly at the limit", 403, &filled(LIMIT - frame)),
        json("one byte above the limit", 403, &filled(LIMIT - frame + 1)),
        json("far above the limit", 403, &filled(20 * LIMIT)),
        json("deeply nested", 403, &deep),
        text("invalid UTF-8", 403, "application/json", invalid),
        text("UTF-16", 403, "application/json", utf16),
        Case::once(
            "truncated after the head",
            GET,
            Response::typed(403, "application/json", good).truncated(0),
        ),
        Case::once(
            "truncated in the middle",
            GET,
            Response::typed(403, "application/json", good).truncated(20),
        ),
        Case::once(
            "truncated for a start",
            "start_session",
            Response::typed(500, "application/json", good).truncated(20),
        ),
        Case::once("in malformed chunks", GET, {
            Response::typed(403, "application/json", good).chunked(7, "zz\r\n")
        }),
        Case::once("in chunks without the last one", GET, {
            Response::typed(403, "application/json", good).chunked(7, "")
        }),
        Case::once("without a length", GET, Response::typed(403, "application/json", good).until_close()),
    ];
    insta::assert_snapshot!(run(cases, Time::Test).await);
}
