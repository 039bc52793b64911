//! What long work shows: a live line on a terminal, plain lines elsewhere.

use super::pty::Terminal;
use super::signals::{INTERRUPTED, exit, signal, spawn, spawn_command};
use super::speak::wav;
use super::{UNKNOWN_SESSION, mock_builder, program, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_on_a_terminal_counts_down_and_shows_the_credits_used() {
    let server = mock_builder().start().await.unwrap();
    let mut terminal = Terminal::spawn(program(Some(&server), &["session", "start", "lite-sandbox.json"]));
    terminal.wait_for(" s left, 0 credits used").await;
    let id = server.running_sessions()[0].to_string();
    signal(terminal.child(), "-INT");
    let (code, shown) = terminal.exit().await;
    assert_eq!(code, INTERRUPTED, "{shown}");
    let mut position = 0;
    let all = ["starting a session", "session ", &id, "room ", "ends ", "see ", "stop ", " s left", "ended "];
    for text in all {
        let found = shown[position..].find(text);
        position += found.unwrap_or_else(|| panic!("{text:?} is missing, or not in this order:\n{shown}"));
    }
    assert!(shown.contains("0 credits used: USER_CLOSED") && !shown.contains("[hidden]"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_elsewhere_shows_its_steps_as_plain_lines() {
    let server = mock_builder().start().await.unwrap();
    let (child, mut lines) = spawn(&server, &["session", "start", "lite-sandbox.json"]);
    let first = lines.recv().await.unwrap();
    assert_eq!(first, format!("session  {}", server.running_sessions()[0]));
    signal(&child, "-INT");
    let (code, output) = exit(child, lines).await;
    assert_eq!(code, INTERRUPTED, "{output:?}");
    let steps = "starting a session; press Ctrl-C to stop it\nstopping the session\n";
    assert_eq!(output.last().unwrap(), steps);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_cannot_replace_a_line_gets_plain_lines() {
    let server = mock_builder().start().await.unwrap();
    let mut command = program(Some(&server), &["session", "start", "lite-sandbox.json"]);
    command.env("TERM", "dumb");
    let mut terminal = Terminal::spawn(command);
    terminal.wait_for("stop ").await;
    signal(terminal.child(), "-INT");
    let (code, shown) = terminal.exit().await;
    assert_eq!(code, INTERRUPTED, "{shown}");
    assert!(!shown.contains('\u{1b}') && shown.contains("stopping the session\r\n"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_speech_on_a_terminal_shows_a_bar() {
    let server = mock_builder().start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("long.wav"), wav(24_000, 2_000)).unwrap();
    let mut command = program(Some(&server), &["speak", "long.wav"]);
    command.current_dir(folder.path());
    let (code, shown) = Terminal::spawn(command).exit().await;
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("█") && shown.contains("speaking: "), "{shown}");
    assert!(shown.contains("spoke for 2.0 s"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_credits_of_a_session_are_shown_as_they_are_used() {
    let server = mock_builder().start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    // A minute of LITE costs one credit. Any ID is an avatar of the mock.
    let configuration = format!(r#"{{"mode": "LITE", "avatar_id": "{UNKNOWN_SESSION}"}}"#);
    std::fs::write(folder.path().join("session.json"), configuration).unwrap();
    let command = |json: Option<&str>| {
        let arguments = ["session", "start", "session.json"].into_iter().chain(json);
        let mut command = program(Some(&server), &arguments.collect::<Vec<_>>());
        command.current_dir(folder.path());
        command
    };
    let (child, mut lines) = spawn_command(command(Some("--json")));
    assert!(lines.recv().await.unwrap().contains(r#""event":"started""#));
    let status = lines.recv().await.unwrap();
    assert!(status.contains(r#""event":"status""#) && status.contains(r#""credits_consumed":1"#), "{status}");
    signal(&child, "-INT");
    assert_eq!(exit(child, lines).await.0, INTERRUPTED);
    let mut terminal = Terminal::spawn(command(None));
    terminal.wait_for(" left, 1 credit used").await;
    signal(terminal.child(), "-INT");
    let (_, shown) = terminal.exit().await;
    assert!(shown.contains("1 credit used: USER_CLOSED"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revealed_session_has_a_link_to_its_room() {
    let server = mock_builder().max_session_duration(1).start().await.unwrap();
    let shown = run(Some(&server), &["session", "start", "lite-sandbox.json", "--reveal"], "").await;
    let link = "see      https://meet.livekit.io/custom?liveKitUrl=wss://media.invalid/livekit&token=";
    assert!(shown.contains(link), "{shown}");
}
