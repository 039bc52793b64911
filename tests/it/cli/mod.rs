//! The command line, run as a program against the mock.

mod check;
mod commands;
#[cfg(unix)]
mod completion;
mod doctor;
mod ending;
mod failure;
mod fields;
mod hint;
#[cfg(unix)]
mod login;
#[cfg(unix)]
mod mock;
mod output;
#[cfg(unix)]
mod page;
#[cfg(unix)]
mod progress;
#[cfg(unix)]
mod pty;
#[cfg(unix)]
mod recording;
mod resource;
mod service;
mod session;
#[cfg(unix)]
mod signals;
mod speak;
mod starter;
mod terminal;
mod watch;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use liveavatar_mock::{Builder, EventStyle, Server};

const PROGRAM: &str = env!("CARGO_BIN_EXE_cli");
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../liveavatar-api/examples");

const UNKNOWN_SESSION: &str = "6b1f3c1e-4a55-4a2c-9a90-0d2f6f5f8f10";

/// Returns a mock whose LITE sessions have web sockets.
fn mock_builder() -> Builder {
    Server::builder().sockets(EventStyle::default())
}

/// Returns a command in the folder of the examples, whose environment has only the URL and key of the server.
fn program(server: Option<&Server>, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_clear().current_dir(EXAMPLES);
    if let Some(server) = server {
        command.env("LIVEAVATAR_BASE_URL", server.url()).env("LIVEAVATAR_API_KEY", server.api_key());
    }
    command
}

/// Runs the program and returns its exit code and output.
async fn run(server: Option<&Server>, arguments: &[&str], input: &str) -> String {
    run_command(server, program(server, arguments), arguments, input.as_bytes().to_vec()).await
}

/// Runs a command and returns its exit code and output, below the given arguments.
async fn run_command(
    server: Option<&Server>,
    mut command: Command,
    arguments: &[&str],
    input: Vec<u8>,
) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let ended = tokio::task::spawn_blocking(move || {
        // This fails if the program exits without reading its input.
        let _ = stdin.write_all(&input);
        drop(stdin);
        child.wait_with_output()
    });
    let output = ended.await.unwrap().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let mut shown = format!("$ liveavatar {}\nexit {}\n", arguments.join(" "), output.status.code().unwrap());
    for (name, text) in [("stdout", out), ("stderr", err)] {
        if !text.is_empty() {
            let _ = write!(shown, "-- {name}\n{text}");
        }
    }
    let key = server.map_or("canary-api-key", Server::api_key);
    assert!(!shown.contains(key), "the output contains the API key:\n{shown}");
    assert!(!shown.contains('\u{1b}'), "the output is coloured without a terminal:\n{shown}");
    match server {
        Some(server) => shown.replace(server.url(), "http://mock"),
        None => shown,
    }
}

/// Runs the program once with each list of arguments.
async fn run_all(server: Option<&Server>, all: &[&[&str]]) -> String {
    let mut shown = Vec::new();
    for arguments in all {
        shown.push(run(server, arguments, "").await);
    }
    shown.join("\n")
}

/// Replaces the IDs that the mock generates; the sandbox avatar's ID stays.
fn redact_ids(text: &str) -> String {
    let mut redacted = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match rest.get(..36).filter(|part| uuid::Uuid::try_parse(part).is_ok()) {
            Some(id) if !id.starts_with("dd73ea75") => {
                redacted.push_str("[id]");
                rest = &rest[36..];
            }
            _ => {
                redacted.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    redacted
}

/// Replaces measured times: the numbers after these texts.
fn redact_times(text: &str) -> String {
    // The mock's clock starts at that hour, and its sandbox sessions cost nothing.
    const BEFORE: [&str; 5] = [
        "responded in ",
        "\"first_frame_after\":",
        "\"credits_consumed\":0,\"duration\":",
        "ended    after ",
        "2026-01-01T00:00:",
    ];
    BEFORE.into_iter().fold(text.to_owned(), |text, before| replace_numbers(&text, before, "[n]"))
}

/// Replaces every number that follows a text.
fn replace_numbers(text: &str, before: &str, by: &str) -> String {
    let mut parts = text.split(before);
    let first = parts.next().unwrap_or_default().to_owned();
    let number = |c: char| c.is_ascii_digit() || c == '.' || c == 'e' || c == '-';
    parts.fold(first, |all, part| {
        let rest = part.trim_start_matches(number);
        if rest.len() == part.len() { all + before + part } else { all + before + by + rest }
    })
}

/// Returns the lines of JSON in the output of a run.
fn json_lines(shown: &str) -> Vec<serde_json::Value> {
    let lines = shown.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}
