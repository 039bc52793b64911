//! `mock`: serving until an interrupt, with options.

use std::process::Command;

use super::signals::{INTERRUPTED, SIGNALS, exit, signal, spawn, spawn_command};
use super::{PROGRAM, mock_builder, program, redact_ids, run, run_command};

#[tokio::test(flavor = "multi_thread")]
async fn a_mock_serves_until_it_is_interrupted() {
    for kind in SIGNALS {
        let other = mock_builder().start().await.unwrap();
        let (child, mut lines) = spawn(&other, &["mock", "--json"]);
        let first: serde_json::Value = serde_json::from_str(&lines.recv().await.unwrap()).unwrap();
        let url = first["data"]["url"].as_str().unwrap();
        let mut doctor = program(Some(&other), &["doctor"]);
        doctor.env("LIVEAVATAR_BASE_URL", url);
        let shown = run_command(None, doctor, &["doctor"], Vec::new()).await;
        assert!(shown.contains("exit 0"), "{shown}");
        let port = url.rsplit(':').next().unwrap();
        let shown = run(Some(&other), &["mock", "--port", port], "").await;
        assert!(shown.contains("exit 2") && shown.contains("failed to listen on port"), "{shown}");
        signal(&child, kind);
        assert_eq!(exit(child, lines).await.0, INTERRUPTED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_export_line_connects_a_shell_to_the_mock() {
    let (child, mut lines) = spawn_command(program(None, &["mock"]));
    let first = lines.recv().await.unwrap();
    let export = lines.recv().await.unwrap();
    let window = lines.recv().await.unwrap();
    let mut shell = Command::new("sh");
    shell.env_clear().args(["-c", &format!("{export}; \"{PROGRAM}\" credits")]);
    let shell = tokio::task::spawn_blocking(move || shell.output()).await.unwrap().unwrap();
    assert!(shell.status.success(), "{export}: {shell:?}");
    signal(&child, "-INT");
    assert_eq!(exit(child, lines).await.0, INTERRUPTED);
    // A key that is set is not printed.
    let mut command = program(None, &["mock"]);
    command.env("LIVEAVATAR_API_KEY", "secret-key");
    let (child, mut lines) = spawn_command(command);
    let more = [lines.recv().await.unwrap(), lines.recv().await.unwrap()];
    signal(&child, "-INT");
    assert_eq!(exit(child, lines).await.0, INTERRUPTED);
    let shown = [&[first, export, window], &more[..]].concat().join("\n");
    let port = |text: &str| text.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned();
    let mut parts = shown.split("127.0.0.1:");
    let start = parts.next().unwrap().to_owned();
    insta::assert_snapshot!(parts.fold(start, |all, part| all + "127.0.0.1:[port]" + &port(part)));
}

#[tokio::test(flavor = "multi_thread")]
async fn options_configure_the_mock() {
    let other = mock_builder().start().await.unwrap();
    let options = ["--credits", "7", "--session-limit", "0", "--public-entries", "2", "--rate-limit", "1"];
    let (child, mut lines) = spawn(&other, &[&["mock", "--json"], &options[..]].concat());
    let first: serde_json::Value = serde_json::from_str(&lines.recv().await.unwrap()).unwrap();
    let url = first["data"]["url"].as_str().unwrap();
    let mut all = Vec::new();
    for arguments in [
        &["credits"][..],
        &["call", "list_public_avatars", "--json"],
        &["session", "start", "lite-sandbox.json"],
    ] {
        let mut command = program(Some(&other), arguments);
        command.env("LIVEAVATAR_BASE_URL", url);
        all.push(run_command(None, command, arguments, Vec::new()).await);
    }
    signal(&child, "-INT");
    assert_eq!(exit(child, lines).await.0, INTERRUPTED);
    insta::assert_snapshot!(redact_ids(&all.join("\n").replace(url, "http://mock")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_configures_the_mock_and_options_take_precedence() {
    let other = mock_builder().start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mock.toml");
    let path = file.to_str().unwrap();
    let settings =
        "credits = 7\nsession-limit = 1\nknown-avatars-only = true\nsockets = \"task\"\nsocket-delay = 20\n";
    std::fs::write(&file, settings).unwrap();
    let (child, mut lines) = spawn(&other, &["mock", "--json", "--settings", path, "--credits", "9"]);
    let first: serde_json::Value = serde_json::from_str(&lines.recv().await.unwrap()).unwrap();
    let url = first["data"]["url"].as_str().unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let credits = http.get(format!("{url}/_mock/credits")).send().await.unwrap().text().await.unwrap();
    assert_eq!(credits, r#"{"credits":9}"#);
    let token = http.post(format!("{url}/v1/sessions/token")).header("x-api-key", other.api_key());
    let unknown = r#"{"mode": "LITE", "avatar_id": "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11"}"#;
    let rejected = token.header("content-type", "application/json").body(unknown).send().await.unwrap();
    assert_eq!(rejected.status(), 400);
    signal(&child, "-INT");
    assert_eq!(exit(child, lines).await.0, INTERRUPTED);

    let mut shown = Vec::new();
    for settings in ["socket_delay = 20\n", "credits = \"many\"\n", "credits = \n"] {
        std::fs::write(&file, settings).unwrap();
        shown.push(run(Some(&other), &["mock", "--settings", path], "").await);
    }
    shown.push(run(Some(&other), &["mock", "--settings", "missing.toml"], "").await);
    insta::assert_snapshot!(shown.join("\n").replace(path, "mock.toml"));
}
