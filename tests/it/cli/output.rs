//! Results as tables and as JSON.

use std::fmt::Write as _;

use liveavatar_mock::{MockResponse, Server, example_response};
use serde_json::Value;

#[cfg(target_os = "linux")]
use super::program;
use super::{redact_ids, run, run_all};

/// The mock's context, whose ID is that of the documented example.
const CONTEXT: &str = "00000000-0000-4000-8000-00006423a0dc";

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_a_table_or_one_line_of_json() {
    let server = Server::start().await.unwrap();
    let all: &[&[&str]] = &[
        &["credits"],
        &["credits", "--json"],
        &["voices", "list"],
        &["--json", "secrets", "list"],
        &["contexts", "get", CONTEXT],
        &["call", "list_voices", "--query", "page_size=5", "--json"],
        &["session", "list"],
        &["session", "stop", "--all", "--json"],
    ];
    insta::assert_snapshot!(redact_ids(&run_all(Some(&server), all).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_or_partial_list_says_so_in_words() {
    let server = Server::start().await.unwrap();
    let empty =
        serde_json::json!({"code": 1000, "message": "ok", "data": {"count": 0, "next": null, "results": []}});
    let all: &[&[&str]] =
        &[&["session", "list"], &["session", "list", "--type", "historic"], &["session", "stop", "--all"]];
    let mut shown = run_all(Some(&server), all).await;
    for operation in ["list_user_contexts", "list_memories"] {
        server.mock_response(operation, MockResponse::json(200, empty.clone()));
    }
    shown += &run_all(Some(&server), &[&["contexts", "list"], &["memory", "list"]]).await;
    let mut page = example_response("list_voices").unwrap();
    page["data"]["count"] = 3.into();
    for _ in 0..2 {
        server.mock_response("list_voices", MockResponse::json(200, page.clone()));
    }
    shown += &run_all(Some(&server), &[&["voices", "list"], &["call", "list_voices"]]).await;
    insta::assert_snapshot!(redact_ids(&shown));
}

/// Terminal commands that a name must not send: window title, clipboard, clearing the screen, C1 controls, text direction, and a
/// line that looks like an error of the program.
const HOSTILE: &str = "a\u{1b}]0;title\u{7}b\u{1b}]52;c;cm0=\u{1b}\\c\u{1b}[2Jd\u{9b}2Je\u{202e}f\u{2066}g\u{7f}h\r\nerror: no\u{8}";

fn hostile_responses(server: &Server) {
    let mut voices = example_response("list_voices").unwrap();
    let row = &mut voices["data"]["results"][0];
    row["name"] = HOSTILE.into();
    row["language"] = HOSTILE.into();
    row[HOSTILE] = HOSTILE.into();
    let mut voice = voices.clone();
    voice["data"] = voices["data"]["results"][0].clone();
    voice["data"]["nested"] = serde_json::json!({HOSTILE: [HOSTILE, {"x": HOSTILE}]});
    let mut sessions = example_response("get_session").unwrap();
    sessions["data"]["mode"] = HOSTILE.into();
    sessions["data"]["end_reason"] = HOSTILE.into();
    sessions["data"]["end_at"] = "2026-01-02T03:05:05Z".into();
    let rejection = serde_json::json!({"code": 4000, "message": HOSTILE, "data": {HOSTILE: HOSTILE}});
    server.mock_response("list_voices", MockResponse::json(200, voices));
    server.mock_response("get_voice_by_id", MockResponse::json(200, voice));
    server.mock_response("get_session", MockResponse::json(200, sessions.clone()));
    server.mock_response("get_session", MockResponse::json(200, sessions));
    server.mock_response("list_user_contexts", MockResponse::json(400, rejection));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_sends_cannot_control_the_terminal() {
    let server = Server::start().await.unwrap();
    let commands: &[&[&str]] = &[
        &["voices", "list"],
        &["voices", "get", CONTEXT],
        &["session", "watch", CONTEXT],
        &["contexts", "list"],
    ];
    let mut all = String::new();
    for arguments in commands {
        for option in [None, Some("--json")] {
            hostile_responses(&server);
            let arguments: Vec<&str> = arguments.iter().copied().chain(option).collect();
            let shown = run(Some(&server), &arguments, "").await;
            let controls = |c: char| {
                c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            assert!(!shown.contains(controls), "{shown:?}");
            assert!(!shown.lines().any(|line| line.starts_with("error: no")), "{shown}");
            all += &shown;
            if option.is_some() {
                let line = shown.lines().find(|line| line.starts_with('{')).unwrap();
                let data: Value = serde_json::from_str(line).unwrap();
                let sent = data["data"].to_string() + &data["error"].to_string();
                assert!(sent.contains("title"), "JSON keeps the text: {sent}");
            }
        }
    }
    assert!(all.contains("\\u009b") && all.contains("\\u202e"), "JSON escapes them: {all}");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_cannot_be_written_is_an_error_and_a_closed_pipe_is_not() {
    let server = Server::start().await.unwrap();
    let full: &[&[&str]] = &[
        &["credits"],
        &["credits", "--json"],
        &["credits", "--jq", ".data.credits_left"],
        &["session", "check", "lite-sandbox.json"],
        &["completions", "bash"],
        &["schema"],
        &["--help"],
        &["--version"],
        &["doctor", "--no-session"],
    ];
    let mut shown = String::new();
    for arguments in full {
        let device = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = program(Some(&server), arguments).stdout(device).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        let code = output.status.code().unwrap();
        let _ = write!(shown, "$ liveavatar {}\nexit {code}\n{error}", arguments.join(" "));
    }
    insta::assert_snapshot!(shown);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = program(Some(&server), &["credits"]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expression_selects_from_each_line_of_json() {
    let server = Server::start().await.unwrap();
    let all: &[&[&str]] = &[
        &["credits", "--jq", ".data.credits_left"],
        &["languages", "list", "--jq", ".data[:2][] | [.code, .language] | join(\";\")"],
        &["languages", "list", "--jq", "[.data[] | select(.code | test(\"^C\"; \"i\"))] | length"],
        &["voices", "list", "--jq", ".page.count, (.data | type)"],
        &["secrets", "list", "--jq", ".data[0]"],
        &["credits", "--jq", ".data["],
        &["credits", "--jq", ".data | nothing"],
        &["credits", "--jq", ".data.credits_left.x"],
        &["contexts", "get", "x", "--jq", ".data"],
    ];
    insta::assert_snapshot!(redact_ids(&run_all(Some(&server), all).await));
}
