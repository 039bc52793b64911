//! The command line, run as a program against the mock: what it prints, where, and how it exits.

mod checked;
mod commands;
#[cfg(unix)]
mod interrupted;
mod spoken;
mod terminals;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use liveavatar_mock::{Builder, EventStyle, Server};

const PROGRAM: &str = env!("CARGO_BIN_EXE_cli");

/// A service with web sockets.
fn service() -> Builder {
    Server::builder().sockets(EventStyle::default())
}

/// The program with nothing in its environment but where the service is, among the example configurations.
fn program(server: Option<&Server>, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(arguments)
        .env_clear()
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../liveavatar-api/examples"));
    if let Some(server) = server {
        command.env("LIVEAVATAR_BASE_URL", server.url()).env("LIVEAVATAR_API_KEY", server.api_key());
    }
    command
}

/// A run, with what it says.
async fn run(server: Option<&Server>, arguments: &[&str], input: &str) -> String {
    told(server, program(server, arguments), arguments, input.as_bytes().to_vec()).await
}

async fn told(server: Option<&Server>, mut command: Command, arguments: &[&str], input: Vec<u8>) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let ended = tokio::task::spawn_blocking(move || {
        // A program that refuses its arguments reads nothing.
        let _ = stdin.write_all(&input);
        drop(stdin);
        child.wait_with_output()
    });
    let output = ended.await.unwrap().unwrap();
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

const NOBODY: &str = "6b1f3c1e-4a55-4a2c-9a90-0d2f6f5f8f10";

/// The mock's own, under the id of the examples.
const CONTEXT: &str = "00000000-0000-4000-8000-00006423a0dc";

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
    use liveavatar_mock::MockResponse;
    let server = Server::start().await.unwrap();
    let no = r#"{"code":4033,"message":"no credits left","data":null}"#;
    let mut told = Vec::new();
    for arguments in [&["call", "get_user_credits"][..], &["credits", "--json"]] {
        server.mock_response("get_user_credits", MockResponse::raw(403, "application/json", no));
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
        &["call", "create_image_avatar", "--form", "resolution=720"],
        &["call", "create_image_avatar", "--form", "picture=@lite-sandbox.json"],
        &["call", "create_image_avatar", "--form", "file=@no-such-file"],
        &["call", "list_voices", "--form", "a=b"],
        &["call", "stop_session", "--json-body", "{"],
        &["call", "start_session"],
        &["voices", "lst"],
        &["voices", "lst", "--json"],
        &["--api-key=sk-1", "credits"],
        &["credits", "--api-key-file", "no-such-file"],
        &["session", "stop"],
        &["speak", "lite-sandbox.json"],
        &["session", "start", "lite-sandbox.json", "--keep-alive-interval", "200"],
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
    let both = ["session", "token", "-", "--api-key-file", "-"];
    let lite = include_str!("../../../liveavatar-api/examples/lite-sandbox.json");
    told = run(None, &both, lite).await;
    assert!(told.contains("exit 2") && told.contains("cannot be read again for the API key"), "{told}");
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
    let started = ["call", "start_session", "--session-token-file", file];
    assert!(run(Some(&server), &started, "").await.contains("exit 0"));
    let stopped = run(Some(&server), &["session", "stop", "--all"], "").await;
    assert!(stopped.contains("stopped") && server.running_sessions().is_empty(), "{stopped}");
    assert!(run(Some(&server), &arguments, "").await.contains("exit 2"), "it writes over a file");
    let shown =
        run(Some(&server), &["session", "token", "lite-sandbox.json", "--reveal", "--json"], "").await;
    assert!(shown.contains("eyJ"), "{shown}");
}

/// Without times that are other ones in each run: numbers that follow these words.
fn untimed(text: &str) -> String {
    let mut untimed = text.to_owned();
    for words in ["answers in ", "\"first_frame_after\":"] {
        let mut parts = untimed.split(words);
        let first = parts.next().unwrap_or_default().to_owned();
        let number = |c: char| c.is_ascii_digit() || c == '.' || c == 'e' || c == '-';
        untimed =
            parts.fold(first, |all, part| format!("{all}{words}[n]{}", part.trim_start_matches(number)));
    }
    untimed
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_looks_at_everything_and_leaves_no_session() {
    let server = service().start().await.unwrap();
    let mut all = vec![
        untimed(&run(Some(&server), &["doctor"], "").await),
        run(Some(&server), &["doctor", "--no-session", "--json"], "").await,
    ];
    assert!(server.running_sessions().is_empty());
    // What was fine is told all the same.
    server.reject_sockets();
    all.push(untimed(&run(Some(&server), &["doctor"], "").await));
    let failed = run(Some(&server), &["doctor", "--json"], "").await;
    let json: serde_json::Value =
        serde_json::from_str(failed.lines().find(|line| line.starts_with('{')).unwrap()).unwrap();
    let checks = json["error"]["checks"].as_array().unwrap();
    let good = checks.iter().filter(|check| check["ok"] == true).count();
    assert_eq!((good, checks.last().unwrap()["check"].as_str()), (7, Some("socket")), "{failed}");
    assert!(server.running_sessions().is_empty());
    let url = server.url().to_owned();
    let no_tls = url.replace("http", "https");
    let told_of_tls = run(Some(&server), &["doctor", "--base-url", &no_tls], "").await;
    assert!(told_of_tls.contains("exit 3") && told_of_tls.contains("\nno  tls\n"), "{told_of_tls}");
    server.shutdown().await;
    for address in ["https://user:canary@example.com", url.as_str()] {
        let mut command = program(None, &[]);
        command.args(["doctor", "--json", "--base-url", address]);
        let told = told(None, command, &["doctor", "--json", "--base-url", "…"], Vec::new()).await;
        all.push(told.replace(&url, "http://gone"));
    }
    assert!(all.iter().all(|told| !told.contains("canary")), "{all:?}");
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pages_are_walked_and_printed_as_one() {
    use liveavatar_mock::{MockResponse, example_response};
    let server = Server::start().await.unwrap();
    let next = ["http://x/v1/voices?page=2", "http://x/v1/voices?page=3", ""];
    for next in next {
        let mut page = example_response("list_voices").unwrap();
        page["data"]["count"] = 3.into();
        page["data"]["next"] = if next.is_empty() { serde_json::Value::Null } else { next.into() };
        server.mock_response("list_voices", MockResponse::json(200, page));
    }
    let told = run(Some(&server), &["voices", "list", "--all", "--page-size", "1"], "").await;
    let asked: Vec<_> = server.requests().into_iter().map(|request| request.query).collect();
    insta::assert_snapshot!(format!("{told}\n{asked:#?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_stop_says_what_became_of_each() {
    use liveavatar_mock::MockResponse;
    let server = Server::start().await.unwrap();
    let others = ["6b1f3c1e-4a55-4a2c-9a90-0d2f6f5f8f11", "6b1f3c1e-4a55-4a2c-9a90-0d2f6f5f8f12"];
    let mut told = Vec::new();
    for json in [&[][..], &["--json"]] {
        let fails = std::sync::atomic::AtomicBool::new(true);
        server.faults(move |operation| {
            use liveavatar_mock::{Failure, Fault};
            let once = operation == "stop_session" && fails.swap(false, std::sync::atomic::Ordering::Relaxed);
            let no = r#"{"code":4030,"message":"not yours","data":null}"#;
            once.then(|| Fault::Before(Failure::Response(MockResponse::raw(403, "application/json", no))))
        });
        let arguments = [&["session", "stop", NOBODY, others[0], others[1]], json].concat();
        told.push(run(Some(&server), &arguments, "").await);
    }
    // Which of the three is refused is up to the network: they are stopped at the same time.
    for told in &told {
        let all = told.contains("exit 1") && told.matches("had ended").count() == 2;
        assert!(all && told.contains("not stopped: stop session: 403 not yours"), "{told}");
        assert!(told.contains("they may still run and cost credits"), "{told}");
    }
    let json: serde_json::Value =
        serde_json::from_str(told[1].lines().find(|line| line.starts_with('{')).unwrap()).unwrap();
    let rows = json["error"]["data"].as_array().unwrap();
    let ids: Vec<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [NOBODY, others[0], others[1]], "as they were given");
    assert_eq!(rows.iter().filter(|row| row["fate"] == "not stopped" && row["error"].is_string()).count(), 1);
}
