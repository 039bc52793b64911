//! Signals: the session is stopped before the program exits.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use liveavatar_mock::{Failure, Fault, MockResponse, Server};
use tokio::sync::mpsc;

use super::{mock_builder, program, speak::wav};

/// Ctrl-C, service managers, a closed terminal or connection, Ctrl-\\.
pub(super) const SIGNALS: [&str; 4] = ["-INT", "-TERM", "-HUP", "-QUIT"];

pub(super) fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// Starts the program and returns the lines of its standard output.
pub(super) fn spawn(server: &Server, arguments: &[&str]) -> (Child, mpsc::UnboundedReceiver<String>) {
    if ignores_hangup() {
        // These tests run under `nohup`, which the program inherits.
        return spawn_through_env(server, "--default-signal=HUP", arguments);
    }
    spawn_command(program(Some(server), arguments))
}

/// Starts the program through GNU `env`, which changes how it treats a signal.
fn spawn_through_env(
    server: &Server,
    option: &str,
    arguments: &[&str],
) -> (Child, mpsc::UnboundedReceiver<String>) {
    let program = program(Some(server), arguments);
    let mut command = Command::new("env");
    command.arg(option).arg(program.get_program()).args(program.get_args()).env_clear();
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(program.get_current_dir().unwrap());
    spawn_command(command)
}

pub(super) fn spawn_command(mut command: Command) -> (Child, mpsc::UnboundedReceiver<String>) {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || out.lines().map(Result::unwrap).try_for_each(|line| sender.send(line)));
    (child, lines)
}

fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() & 1 != 0)
}

/// Waits for the exit. Returns the exit code, the remaining lines and, as the last entry, standard error.
pub(super) async fn exit(
    mut child: Child,
    mut lines: mpsc::UnboundedReceiver<String>,
) -> (Option<i32>, Vec<String>) {
    let mut output = Vec::new();
    while let Some(line) = lines.recv().await {
        assert!(!line.contains("eyJ"), "the output contains a token: {line}");
        output.push(line);
    }
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    output.push(errors);
    let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    (status.code(), output)
}

/// Reports every call of an operation by its number, after injecting a fault into it.
fn inject_faults(
    server: &Server,
    operation: &'static str,
    mut fault: impl FnMut(u32) -> Option<Fault> + Send + 'static,
) -> mpsc::UnboundedReceiver<u32> {
    let (sender, calls) = mpsc::unbounded_channel();
    let mut count = 0;
    server.faults(move |called| {
        if called != operation {
            return None;
        }
        count += 1;
        let _ = sender.send(count);
        fault(count)
    });
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_during_a_start_leaves_no_session() {
    let start = (&["session", "start", "lite-sandbox.json", "--json"][..], 0, r#""event":"ended""#);
    let speak = (&["speak", "-", "--json"][..], 0, r#""event":"ended""#);
    // The check is incomplete.
    let doctor = (&["doctor", "--json"][..], 1, r#""check":"sandbox""#);
    for kind in SIGNALS {
        for (arguments, expected, first_line) in [start, speak, doctor] {
            let server = mock_builder().start().await.unwrap();
            let mut starts =
                inject_faults(&server, "start_session", |_| Some(Fault::Delayed(Duration::from_millis(500))));
            let (mut child, lines) = spawn(&server, arguments);
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(&wav(8_000, 100)).unwrap();
            starts.recv().await.unwrap();
            signal(&child, kind);
            let (code, output) = exit(child, lines).await;
            assert_eq!(code, Some(expected), "{output:?}");
            assert!(output[0].contains(first_line), "{output:?}");
            assert!(server.running_sessions().is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_stops_the_session_before_the_exit() {
    for kind in SIGNALS {
        let server = mock_builder().start().await.unwrap();
        let (child, mut lines) = spawn(&server, &["session", "start", "lite-sandbox.json", "--json"]);
        lines.recv().await.unwrap();
        assert_eq!(server.running_sessions().len(), 1);
        signal(&child, kind);
        let (code, output) = exit(child, lines).await;
        assert_eq!(code, Some(0), "{output:?}");
        assert!(output[0].contains(r#""event":"ended","reason":"stopped""#), "{output:?}");
        assert!(server.running_sessions().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_during_a_rotation_stops_both_sessions() {
    for kind in SIGNALS {
        let server = mock_builder().max_session_duration(4).start().await.unwrap();
        let late = |count| (count == 2).then_some(Fault::Delayed(Duration::from_millis(500)));
        let mut starts = inject_faults(&server, "start_session", late);
        let (child, lines) = spawn(&server, &["session", "start", "lite-sandbox.json", "--rotate", "--json"]);
        while starts.recv().await.unwrap() < 2 {}
        signal(&child, kind);
        let (code, output) = exit(child, lines).await;
        assert_eq!(code, Some(0), "{output:?}");
        assert!(server.running_sessions().is_empty(), "{output:?}");
        let stops = server.requests().iter().filter(|request| request.path.ends_with("/stop")).count();
        assert!(stops >= 2, "stop requests: {stops}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_during_a_speech_stops_the_session() {
    for kind in SIGNALS {
        let server = mock_builder().start().await.unwrap();
        let (mut child, mut lines) = spawn(&server, &["speak", "-", "--json"]);
        // Standard input stays open, as from a program that still produces audio.
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&wav(24_000, 20_000)[..480_000]).unwrap();
        assert!(lines.recv().await.unwrap().contains("started"));
        signal(&child, kind);
        let (code, output) = exit(child, lines).await;
        drop(stdin);
        assert_eq!(code, Some(0), "{output:?}");
        assert!(output[0].contains(r#""event":"ended""#), "{output:?}");
        assert!(server.running_sessions().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_interrupt_exits_at_once_and_names_the_command_that_stops_the_session() {
    let server = mock_builder().start().await.unwrap();
    let mut stops = inject_faults(&server, "stop_session", |_| Some(Fault::Before(Failure::Hang)));
    let (child, mut lines) = spawn(&server, &["session", "start", "lite-sandbox.json"]);
    lines.recv().await.unwrap();
    let id = server.running_sessions()[0].to_string();
    signal(&child, "-INT");
    stops.recv().await.unwrap();
    signal(&child, "-INT");
    let (code, output) = exit(child, lines).await;
    assert_eq!(code, Some(1), "{output:?}");
    assert!(output.last().unwrap().contains(&format!("session stop {id}")), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_hangup_does_not_leave_the_session() {
    let server = mock_builder().start().await.unwrap();
    let slow = |_| Some(Fault::Delayed(Duration::from_millis(300)));
    let mut stops = inject_faults(&server, "stop_session", slow);
    let (child, mut lines) = spawn(&server, &["session", "start", "lite-sandbox.json", "--json"]);
    lines.recv().await.unwrap();
    // The kernel and the shell both send one.
    signal(&child, "-HUP");
    stops.recv().await.unwrap();
    signal(&child, "-HUP");
    let (code, output) = exit(child, lines).await;
    assert_eq!(code, Some(0), "{output:?}");
    assert!(server.running_sessions().is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn under_nohup_a_closed_terminal_does_not_stop_the_session() {
    let server = mock_builder().start().await.unwrap();
    let mut keep_alives = inject_faults(&server, "keep_session_alive", |_| None);
    let arguments = ["session", "start", "lite-sandbox.json", "--keep-alive-interval", "1", "--json"];
    let (child, mut lines) = spawn_through_env(&server, "--ignore-signal=HUP", &arguments);
    lines.recv().await.unwrap();
    signal(&child, "-HUP");
    // The second one is sent an interval after the signal or later.
    for _ in 0..2 {
        tokio::select! {
            sent = keep_alives.recv() => assert!(sent.is_some()),
            line = lines.recv() => panic!("the program ends: {line:?}"),
        }
    }
    assert_eq!(server.running_sessions().len(), 1);
    signal(&child, "-INT");
    assert_eq!(exit(child, lines).await.0, Some(0));
    assert!(server.running_sessions().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_of_watch_does_not_stop_the_session() {
    let server = mock_builder().start().await.unwrap();
    let (holder, mut held) = spawn(&server, &["session", "start", "lite-sandbox.json", "--json"]);
    held.recv().await.unwrap();
    let id = server.running_sessions()[0].to_string();
    let (watcher, mut lines) = spawn(&server, &["session", "watch", &id, "--json"]);
    assert!(lines.recv().await.unwrap().contains("status"));
    signal(&watcher, "-INT");
    let (code, output) = exit(watcher, lines).await;
    assert_eq!((code, server.running_sessions().len()), (Some(0), 1), "{output:?}");
    signal(&holder, "-INT");
    assert_eq!(exit(holder, held).await.0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_keep_alive_is_a_warning() {
    let error = MockResponse::raw(500, "application/json", r#"{"code":5000,"message":"down","data":null}"#);
    for json in [true, false] {
        let server = mock_builder().start().await.unwrap();
        let error = error.clone();
        let _keep_alives = inject_faults(&server, "keep_session_alive", move |_| {
            Some(Fault::Before(Failure::Response(error.clone())))
        });
        let mut arguments = vec!["session", "start", "lite-sandbox.json", "--keep-alive-interval", "1"];
        arguments.extend(json.then_some("--json"));
        let (mut child, mut lines) = spawn(&server, &arguments);
        lines.recv().await.unwrap();
        if json {
            let line = lines.recv().await.unwrap();
            assert!(
                line.contains(r#""event":"keep_alive_failed""#) && line.contains(r#""ok":false"#),
                "{line}"
            );
        } else {
            let errors = BufReader::new(child.stderr.take().unwrap());
            let warning = tokio::task::spawn_blocking(move || {
                errors.lines().map(Result::unwrap).find(|line| line.starts_with("warning: keep alive failed"))
            });
            assert!(warning.await.unwrap().is_some());
            child.stderr = Some(empty_stderr());
        }
        signal(&child, "-INT");
        assert_eq!(exit(child, lines).await.0, Some(0));
    }
}

/// Returns an empty standard error, to replace one that was read.
fn empty_stderr() -> std::process::ChildStderr {
    Command::new("true").stderr(Stdio::piped()).spawn().unwrap().stderr.take().unwrap()
}
