//! A first hour with the command line, as a terminal of 80 columns shows it.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _, pipe};
use std::process::{Command, Stdio};
use std::time::Duration;

use liveavatar_mock::Server;

use super::speak::wav;
use super::{mock_builder, program, replace_numbers, signals};

const COLUMNS: usize = 80;

/// How long the started session runs, by the clock of the mock.
const SESSION: Duration = Duration::from_secs(42);

/// Runs a command and returns what it shows. An interrupt follows the line that says how to stop.
fn record(mut command: Command, server: &Server, input: &str) -> String {
    let (reader, writer) = pipe().unwrap();
    command.stdin(Stdio::piped()).stderr(writer.try_clone().unwrap()).stdout(writer);
    let mut child = command.spawn().unwrap();
    // It holds the ends for writing.
    drop(command);
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let mut shown = String::new();
    for line in BufReader::new(reader).lines() {
        let line = line.unwrap();
        let _ = writeln!(shown, "{line}");
        if line.starts_with("stop ") && input == "^C" {
            server.advance(SESSION);
            shown.push_str("^C\n");
            signals::signal(&child, "-INT");
        }
    }
    let code = child.wait().unwrap().code().unwrap();
    if code != 0 {
        let _ = writeln!(shown, "[exit code {code}]");
    }
    shown
}

/// Replaces what differs between two runs by what it may be.
fn with_fixed_times(text: &str, seconds: &str) -> String {
    let fixed = [("responded in ", "12"), ("ended    after ", seconds), ("2026-01-01T00:00:", "00")];
    fixed.into_iter().fold(text.to_owned(), |text, (before, by)| replace_numbers(&text, before, by))
}

/// Breaks lines where a terminal does.
fn on_screen(text: &str) -> String {
    let mut screen = String::new();
    for line in text.lines() {
        let characters: Vec<char> = line.chars().collect();
        if characters.is_empty() {
            screen.push('\n');
        }
        for part in characters.chunks(COLUMNS) {
            screen.extend(part);
            screen.push('\n');
        }
    }
    screen
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_commands_of_a_new_user() {
    let server = mock_builder().credits(25).start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("greeting.wav"), wav(24_000, 300)).unwrap();
    let mut recording = String::new();
    for (line, input) in [
        ("login", server.api_key()),
        ("doctor", ""),
        ("avatars public", ""),
        ("voices list --page-size 2", ""),
        ("session new", ""),
        ("session check session.toml", ""),
        ("session start session.toml", "^C"),
        ("session list --type historic", ""),
        ("speak greeting.wav", ""),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let mut command = program(None, &arguments);
        command.current_dir(home.path()).env("HOME", home.path()).env("COLUMNS", COLUMNS.to_string());
        if line == "login" {
            command.env("LIVEAVATAR_BASE_URL", server.url());
        }
        let shown = tokio::task::block_in_place(|| record(command, &server, input));
        let shown = shown.replace(server.url(), "http://127.0.0.1:40404");
        let shown = shown.replace(home.path().to_str().unwrap(), "~");
        let seconds = if input == "^C" { SESSION.as_secs() } else { 1 };
        let shown = on_screen(&with_fixed_times(&shown, &seconds.to_string()));
        let _ = writeln!(recording, "$ liveavatar {line}\n{shown}");
        if line == "session check session.toml" {
            // The same file with a typing error.
            let file = home.path().join("session.toml");
            let text = fs::read_to_string(&file).unwrap();
            fs::write(home.path().join("wrong.toml"), text.replace("is_sandbox", "issandbox")).unwrap();
            let mut command = program(None, &["session", "check", "wrong.toml"]);
            command.current_dir(home.path()).env("COLUMNS", COLUMNS.to_string());
            let shown = tokio::task::block_in_place(|| record(command, &server, ""));
            let _ = writeln!(recording, "$ liveavatar session check wrong.toml\n{}", on_screen(&shown));
        }
    }
    assert!(server.running_sessions().is_empty());
    assert!(!recording.contains(server.api_key()) && !recording.contains("[hidden]"), "{recording}");
    insta::assert_snapshot!(recording);
}
