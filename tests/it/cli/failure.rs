//! Exit codes and error messages.

use std::process::Command;

use liveavatar_mock::{MockResponse, Server};

use super::{PROGRAM, run, run_all};

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_request_exits_with_1() {
    let server = Server::start().await.unwrap();
    let rejection = r#"{"code":4033,"message":"no credits left","data":null}"#;
    let mut shown = Vec::new();
    for arguments in [&["call", "get_user_credits"][..], &["credits", "--json"]] {
        server.mock_response("get_user_credits", MockResponse::raw(403, "application/json", rejection));
        shown.push(run(Some(&server), arguments, "").await);
    }
    insta::assert_snapshot!(shown.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_error_exits_with_3() {
    let server = Server::start().await.unwrap();
    let url = server.url().to_owned();
    server.shutdown().await;
    let output = Command::new(PROGRAM)
        .args(["credits", "--json", "--base-url", &url])
        .env_clear()
        .env("LIVEAVATAR_API_KEY", "canary-api-key")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["ok"], &json["error"]["kind"]), (&false.into(), &"transport".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usage_error_exits_with_2_and_sends_nothing() {
    let server = Server::start().await.unwrap();
    let all: &[&[&str]] = &[
        &["call", "list_voice"],
        &["call", "list_voices", "--query", "pagesize=5"],
        &["call", "get_voice_by_id"],
        &["call", "create_secret"],
        &["call", "create_secret", "--json-body", r#"{"secret_value":"sk-1"}"#],
        &["call", "create_image_avatar", "--json-body", "{}"],
        &["call", "create_image_avatar", "--form", "resolution=720"],
        &["call", "create_image_avatar", "--form", "picture=@lite-sandbox.json"],
        &["call", "create_image_avatar", "--form", "file=@no-such-file"],
        &["call", "list_voices", "--form", "a=b"],
        &["call", "stop_session", "--json-body", "{"],
        &["call", "start_session"],
        &["voices", "update", "1", "--json-body", r#"{"nmae":"n"}"#],
        &["call", "update_voice", "--path", "voice_id=1", "--json-body", r#"{"name":7}"#],
        &["--base-url", "127.0.0.1:8089", "credits"],
        &["voices", "lst"],
        &["voices", "lst", "--json"],
        &["--api-key=sk-1", "credits"],
        &["credits", "--api-key-file", "no-such-file"],
        &["session", "stop"],
        &["speak", "lite-sandbox.json"],
        &["session", "start", "lite-sandbox.json", "--keep-alive-interval", "200"],
        &["session", "start", "broken.json", "--json"],
    ];
    let shown = run_all(Some(&server), all).await;
    assert_eq!(shown.matches("\nexit 2\n").count(), all.len(), "{shown}");
    assert!(server.requests().is_empty());
    insta::assert_snapshot!(shown);
}
