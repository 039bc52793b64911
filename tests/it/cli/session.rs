//! `session token` and `session stop`.

use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(unix)]
use liveavatar_api::session::{LiteSession, SANDBOX_AVATAR_ID};
use liveavatar_mock::{Failure, Fault, MockResponse, Server};

use super::{UNKNOWN_SESSION, json_lines, redact_ids, run};
#[cfg(unix)]
use super::{mock_builder, program, pty::Terminal};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_hidden_unless_revealed_or_written_to_a_new_file() {
    let server = Server::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let file = file.to_str().unwrap();
    let write = ["session", "token", "lite-sandbox.json", "--token-file", file, "--json"];
    let mut all = vec![
        run(Some(&server), &["session", "token", "lite-sandbox.json"], "").await,
        run(Some(&server), &write, "").await,
    ];
    let token = std::fs::read_to_string(file).unwrap();
    assert!(token.len() > 20);
    all.push(run(Some(&server), &["call", "start_session", "--session-token-file", file], "").await);
    all.push(run(Some(&server), &["session", "stop", "--all"], "").await);
    assert!(server.running_sessions().is_empty());
    // An existing file is not overwritten, and no token is used up.
    let _ = server.take_requests();
    all.push(run(Some(&server), &write, "").await);
    assert!(server.requests().is_empty());
    let shown = redact_ids(&all.join("\n").replace(file, "FILE"));
    assert!(!shown.contains(token.trim()), "{shown}");
    insta::assert_snapshot!(shown);
    let revealed = ["session", "token", "lite-sandbox.json", "--reveal", "--json"];
    let revealed = run(Some(&server), &revealed, "").await;
    assert!(revealed.contains("eyJ"), "{revealed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_token_leaves_no_file() {
    let server = Server::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let rejection = r#"{"code":4033,"message":"no credits left","data":null}"#;
    let rejection = MockResponse::raw(403, "application/json", rejection);
    server.mock_response("create_session_token", rejection);
    let arguments = ["session", "token", "lite-sandbox.json", "--token-file", file.to_str().unwrap()];
    let shown = run(Some(&server), &arguments, "").await;
    assert!(shown.contains("exit 1") && !file.exists(), "{shown}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn stopping_all_sessions_is_confirmed_on_a_terminal() {
    let server = mock_builder().start().await.unwrap();
    let configuration = LiteSession::builder().avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).build().unwrap();
    let client = server.client().unwrap();
    let mut all = Vec::new();
    for (arguments, answer) in [
        (&["session", "stop", "--all"][..], Some("")),
        (&["session", "stop", "--all"], Some("n")),
        (&["session", "stop", "--all"], Some("y")),
        (&["session", "stop", "--all", "--yes"], None),
        // There is nothing to confirm.
        (&["session", "stop", "--all"], None),
    ] {
        if server.running_sessions().is_empty() && all.len() < 4 {
            client.mint(&configuration).await.unwrap().start().await.unwrap();
        }
        let mut terminal = Terminal::spawn(program(Some(&server), arguments));
        if let Some(answer) = answer {
            terminal.wait_for("Stop 1 session? [y/N] ").await;
            terminal.enter(answer);
        }
        let (code, shown) = terminal.exit().await;
        assert_eq!(shown.contains("[y/N]"), answer.is_some(), "{shown}");
        all.push((code, server.running_sessions().len()));
    }
    assert_eq!(all, [(Some(2), 1), (Some(2), 1), (Some(0), 0), (Some(0), 0), (Some(0), 0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_stop_reports_the_outcome_of_each_session() {
    let server = Server::start().await.unwrap();
    let ids =
        [UNKNOWN_SESSION, "6b1f3c1e-4a55-4a2c-9a90-0d2f6f5f8f11", "6b1f3c1e-4a55-4a2c-9a90-0d2f6f5f8f12"];
    let mut shown = Vec::new();
    for json in [&[][..], &["--json"]] {
        let fails = AtomicBool::new(true);
        server.faults(move |operation| {
            let once = operation == "stop_session" && fails.swap(false, Ordering::Relaxed);
            let rejection = r#"{"code":4030,"message":"not yours","data":null}"#;
            let rejection = MockResponse::raw(403, "application/json", rejection);
            once.then(|| Fault::Before(Failure::Response(rejection)))
        });
        let arguments = [&["session", "stop"], &ids[..], json].concat();
        shown.push(run(Some(&server), &arguments, "").await);
    }
    // The sessions are stopped concurrently, so that any of them may be the rejected one.
    for shown in &shown {
        assert!(shown.contains("exit 1") && shown.matches("had ended").count() == 2, "{shown}");
        assert!(shown.contains("not stopped: stop session: 403 not yours"), "{shown}");
        assert!(shown.contains("these sessions may still run and cost credits"), "{shown}");
    }
    let json = &json_lines(&shown[1])[0];
    let rows = json["error"]["data"].as_array().unwrap();
    let row_ids: Vec<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(row_ids, ids, "the order of the arguments");
    let failed = rows.iter().filter(|row| row["outcome"] == "not stopped" && row["error"].is_string());
    assert_eq!(failed.count(), 1);
}
