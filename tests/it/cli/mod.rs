//! The command line, run as a program against the mock: what it prints, where, and how it exits.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use liveavatar_api::mock::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_cli");

/// A run, with what it says.
async fn run(server: Option<&Server>, arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(PROGRAM);
    command
        .args(arguments)
        .env_clear()
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../liveavatar-api/examples"));
    if let Some(server) = server {
        command.env("LIVEAVATAR_BASE_URL", server.url()).env("LIVEAVATAR_API_KEY", server.api_key());
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let mut told = format!("$ liveavatar {}\nexit {}\n", arguments.join(" "), output.status.code().unwrap());
    for (name, text) in [("stdout", out), ("stderr", err)] {
        if !text.is_empty() {
            let _ = write!(told, "-- {name}\n{text}");
        }
    }
    let key = server.map_or("canary-api-key", Server::api_key);
    assert!(!told.contains(key), "the key shows:\n{told}");
    assert!(!told.contains('\u{1b}'), "colour without a terminal:\n{told}");
    match server {
        Some(server) => told.replace(server.url(), "http://mock"),
        None => told,
    }
}

async fn runs(server: Option<&Server>, all: &[&[&str]]) -> String {
    let mut told = Vec::new();
    for arguments in all {
        told.push(run(server, arguments, "").await);
    }
    told.join("\n")
}

/// Ids and times that the mock makes anew.
fn settled(text: &str) -> String {
    let mut settled = String::new();
    let mut rest = text;
    let id = |part: &str| uuid::Uuid::try_parse(part).is_ok();
    while let Some(c) = rest.chars().next() {
        match rest.get(..36).filter(|part| id(part)) {
            Some(part) if !part.starts_with("dd73ea75") => {
                settled.push_str("[id]");
                rest = &rest[36..];
            }
            _ => {
                settled.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    settled
}

/// The mock's own, under the id of the examples.
const CONTEXT: &str = "00000000-0000-4000-8000-00006423a0dc";

#[tokio::test(flavor = "multi_thread")]
async fn help_reads_well() {
    let all: &[&[&str]] = &[
        &["--help"],
        &["call", "--help"],
        &["session", "--help"],
        &["session", "start", "--help"],
        &["voices", "--help"],
        &["avatars", "list", "--help"],
        &["llm", "create", "--help"],
    ];
    insta::assert_snapshot!(runs(None, all).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_answers_is_a_table_or_one_shape_of_json() {
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
    insta::assert_snapshot!(settled(&runs(Some(&server), all).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_says_no_exits_with_1() {
    use liveavatar_api::mock::Answer;
    let server = Server::start().await.unwrap();
    let no = r#"{"code":4033,"message":"no credits left","data":null}"#;
    let mut told = Vec::new();
    for arguments in [&["call", "get_user_credits"][..], &["credits", "--json"]] {
        server.script("get_user_credits", Answer::raw(403, "application/json", no));
        told.push(run(Some(&server), arguments, "").await);
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_fails_exits_with_3() {
    let server = Server::start().await.unwrap();
    let url = server.url().to_owned();
    server.shutdown().await;
    let told = Command::new(PROGRAM)
        .args(["credits", "--json", "--base-url", &url])
        .env_clear()
        .env("LIVEAVATAR_API_KEY", "canary-api-key")
        .output()
        .unwrap();
    assert_eq!(told.status.code(), Some(3), "{told:?}");
    let json: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&json["ok"], &json["error"]["kind"]), (&false.into(), &"transport".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_exits_with_2_and_sends_nothing() {
    let server = Server::start().await.unwrap();
    let all: &[&[&str]] = &[
        &["call", "list_voice"],
        &["call", "list_voices", "--query", "pagesize=5"],
        &["call", "get_voice_by_id"],
        &["call", "create_secret"],
        &["call", "create_secret", "--json-body", r#"{"secret_value":"sk-1"}"#],
        &["call", "create_image_avatar", "--json-body", "{}"],
        &["call", "stop_session", "--json-body", "{"],
        &["call", "start_session"],
        &["voices", "lst"],
        &["voices", "lst", "--json"],
        &["--api-key=sk-1", "credits"],
        &["credits", "--api-key-file", "no-such-file"],
        &["session", "stop"],
        &["session", "start", "broken.json", "--json"],
    ];
    let told = runs(Some(&server), all).await;
    assert_eq!(told.matches("\nexit 2\n").count(), all.len(), "{told}");
    assert!(server.requests().is_empty());
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_comes_from_standard_input_with_its_line_end() {
    let server = Server::start().await.unwrap();
    let key = format!("{}\n", server.api_key());
    let all = ["credits", "--api-key-file", "-", "--base-url", server.url()];
    let mut told = run(None, &all[..3], "").await;
    assert!(told.contains("exit 2"), "{told}");
    told = run(None, &all, &key).await;
    assert!(told.contains("exit 0"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_of_a_configuration_is_shown_in_its_place() {
    let toml = "mode = \"LITE\"\navatar_id = \"dd73ea75-1218-4ef3-92ce-606d5f7fbc0a\"\nissandbox = true\n\n[livekit_config]\nlivekit_url = \"wss://ü.example\"\nlivekit_agent_tokn = \"sk-1\"\n";
    let mut told = vec![
        run(None, &["session", "check", "broken.json"], "").await,
        run(None, &["session", "check", "lite-sandbox.json", "full-sandbox.json"], "").await,
        run(None, &["session", "check", "-"], toml).await,
        run(None, &["session", "check", "-", "--json"], toml).await,
        run(None, &["session", "check", "-"], "mode = \"LITE\navatar_id = sk-1\n").await,
        run(None, &["session", "check", "-"], "{\"mode\": \"LITE\", \"x\": \"sk-1\" \"y\"}").await,
    ];
    assert!(told[2..].iter().all(|told| !told.contains("sk-1")), "{told:?}");
    insta::assert_snapshot!(std::mem::take(&mut told).join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_hidden_unless_it_is_asked_for() {
    let server = Server::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let file = file.to_str().unwrap();
    let hidden = run(Some(&server), &["session", "token", "lite-sandbox.json"], "").await;
    assert!(hidden.contains("[hidden]"), "{hidden}");
    let arguments = ["session", "token", "lite-sandbox.json", "--token-file", file, "--json"];
    let written = run(Some(&server), &arguments, "").await;
    let token = std::fs::read_to_string(file).unwrap();
    assert!(token.len() > 20 && !written.contains(token.trim()), "{written}");
    assert!(run(Some(&server), &arguments, "").await.contains("exit 2"), "it writes over a file");
    let shown =
        run(Some(&server), &["session", "token", "lite-sandbox.json", "--reveal", "--json"], "").await;
    assert!(shown.contains("eyJ"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_looks_at_everything_and_leaves_no_session() {
    let server = Server::start().await.unwrap();
    let told = runs(Some(&server), &[&["doctor"], &["doctor", "--no-session", "--json"]]).await;
    assert!(server.running_sessions().is_empty());
    insta::assert_snapshot!(told);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_stops_the_session_before_leaving() {
    use std::io::{BufRead as _, BufReader};
    let server = Server::start().await.unwrap();
    let mut child = Command::new(PROGRAM)
        .args(["session", "start", "lite-sandbox.json", "--json"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../liveavatar-api/examples"))
        .env("LIVEAVATAR_BASE_URL", server.url())
        .env("LIVEAVATAR_API_KEY", server.api_key())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let id = child.id().to_string();
    let (started, wait) = tokio::sync::oneshot::channel();
    let told = tokio::task::spawn_blocking(move || {
        let mut lines = out.lines().map(Result::unwrap);
        let first = lines.next().unwrap();
        started.send(()).unwrap();
        std::iter::once(first).chain(lines).collect::<Vec<_>>()
    });
    wait.await.unwrap();
    assert_eq!(server.running_sessions().len(), 1);
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let told = told.await.unwrap();
    let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0), "{told:?}");
    assert!(server.running_sessions().is_empty());
    assert!(told.iter().all(|line| !line.contains("eyJ")), "{told:?}");
    assert!(told.last().unwrap().contains(r#""event":"ended","reason":"stopped""#), "{told:?}");
}
