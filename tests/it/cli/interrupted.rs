//! Ctrl-C and SIGTERM: whatever is under way, the session is stopped before the program leaves.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use liveavatar_mock::{Failure, Fault, MockResponse, Server};
use tokio::sync::mpsc;

use super::{program, service, spoken::wav};

const SIGNALS: [&str; 2] = ["-INT", "-TERM"];

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// Starts the program, and reads all that it says on a thread.
fn spawn(server: &Server, arguments: &[&str]) -> (Child, mpsc::UnboundedReceiver<String>) {
    let mut child = program(Some(server), arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (lines, read) = mpsc::unbounded_channel();
    std::thread::spawn(move || out.lines().map(Result::unwrap).try_for_each(|line| lines.send(line)));
    (child, read)
}

/// Waits for the end, and says how it was.
async fn end(mut child: Child, mut lines: mpsc::UnboundedReceiver<String>) -> (Option<i32>, Vec<String>) {
    let mut told = Vec::new();
    while let Some(line) = lines.recv().await {
        assert!(!line.contains("eyJ"), "a token shows: {line}");
        told.push(line);
    }
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    told.push(errors);
    let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    (status.code(), told)
}

/// Tells of every call of an operation, and lets some go wrong.
fn listen(
    server: &Server,
    operation: &'static str,
    mut fault: impl FnMut(u32) -> Option<Fault> + Send + 'static,
) -> mpsc::UnboundedReceiver<u32> {
    let (told, calls) = mpsc::unbounded_channel();
    let mut count = 0;
    server.faults(move |called| {
        if called != operation {
            return None;
        }
        count += 1;
        let _ = told.send(count);
        fault(count)
    });
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_while_a_session_opens_leaves_none() {
    let start = (&["session", "start", "lite-sandbox.json", "--json"][..], 0, r#""event":"ended""#);
    let speak = (&["speak", "-", "--json"][..], 0, r#""event":"ended""#);
    // What was to be looked at was not.
    let doctor = (&["doctor", "--json"][..], 1, r#""check":"sandbox""#);
    for kind in SIGNALS {
        for (arguments, exit, says) in [start, speak, doctor] {
            let server = service().start().await.unwrap();
            let mut starts =
                listen(&server, "start_session", |_| Some(Fault::Delayed(Duration::from_millis(500))));
            let (mut child, lines) = spawn(&server, arguments);
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(&wav(8_000, 100)).unwrap();
            starts.recv().await.unwrap();
            signal(&child, kind);
            let (code, told) = end(child, lines).await;
            assert_eq!(code, Some(exit), "{told:?}");
            assert!(told[0].contains(says), "{told:?}");
            assert!(server.running_sessions().is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_stops_the_session_before_leaving() {
    for kind in SIGNALS {
        let server = service().start().await.unwrap();
        let (child, mut lines) = spawn(&server, &["session", "start", "lite-sandbox.json", "--json"]);
        lines.recv().await.unwrap();
        assert_eq!(server.running_sessions().len(), 1);
        signal(&child, kind);
        let (code, told) = end(child, lines).await;
        assert_eq!(code, Some(0), "{told:?}");
        assert!(told[0].contains(r#""event":"ended","reason":"stopped""#), "{told:?}");
        assert!(server.running_sessions().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_in_a_rotation_stops_the_old_and_the_new() {
    for kind in SIGNALS {
        let server = service().max_session_duration(4).start().await.unwrap();
        let late = |count| (count == 2).then_some(Fault::Delayed(Duration::from_millis(500)));
        let mut starts = listen(&server, "start_session", late);
        let (child, lines) = spawn(&server, &["session", "start", "lite-sandbox.json", "--rotate", "--json"]);
        while starts.recv().await.unwrap() < 2 {}
        signal(&child, kind);
        let (code, told) = end(child, lines).await;
        assert_eq!(code, Some(0), "{told:?}");
        assert!(server.running_sessions().is_empty(), "{told:?}");
        let stops = server.requests().iter().filter(|request| request.path.ends_with("/stop")).count();
        assert!(stops >= 2, "both are stopped: {stops}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_cuts_a_speech_off_and_stops_its_session() {
    for kind in SIGNALS {
        let server = service().start().await.unwrap();
        let (mut child, mut lines) = spawn(&server, &["speak", "-", "--json"]);
        // Standard input stays open, as that of a program that has more to say.
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&wav(24_000, 20_000)[..480_000]).unwrap();
        assert!(lines.recv().await.unwrap().contains("started"));
        signal(&child, kind);
        let (code, told) = end(child, lines).await;
        drop(stdin);
        assert_eq!(code, Some(0), "{told:?}");
        assert!(told[0].contains(r#""event":"ended""#), "{told:?}");
        assert!(server.running_sessions().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_interrupt_leaves_at_once_and_says_how_to_stop_the_session() {
    let server = service().start().await.unwrap();
    let mut stops = listen(&server, "stop_session", |_| Some(Fault::Before(Failure::Hang)));
    let (child, mut lines) = spawn(&server, &["session", "start", "lite-sandbox.json"]);
    lines.recv().await.unwrap();
    let id = server.running_sessions()[0].to_string();
    signal(&child, "-INT");
    stops.recv().await.unwrap();
    signal(&child, "-INT");
    let (code, told) = end(child, lines).await;
    assert_eq!(code, Some(1), "{told:?}");
    assert!(told.last().unwrap().contains(&format!("session stop {id}")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_the_watching_and_not_the_session() {
    let server = service().start().await.unwrap();
    let (holder, mut held) = spawn(&server, &["session", "start", "lite-sandbox.json", "--json"]);
    held.recv().await.unwrap();
    let id = server.running_sessions()[0].to_string();
    let (watcher, mut lines) = spawn(&server, &["session", "watch", &id, "--json"]);
    assert!(lines.recv().await.unwrap().contains("status"));
    signal(&watcher, "-INT");
    let (code, told) = end(watcher, lines).await;
    assert_eq!((code, server.running_sessions().len()), (Some(0), 1), "{told:?}");
    signal(&holder, "-INT");
    assert_eq!(end(holder, held).await.0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keep_alive_that_fails_is_told_apart_from_what_succeeds() {
    let no = MockResponse::raw(500, "application/json", r#"{"code":5000,"message":"down","data":null}"#);
    for json in [true, false] {
        let server = service().start().await.unwrap();
        let no = no.clone();
        let _beats = listen(&server, "keep_session_alive", move |_| {
            Some(Fault::Before(Failure::Response(no.clone())))
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
            let warned = tokio::task::spawn_blocking(move || {
                errors.lines().map(Result::unwrap).find(|line| line.starts_with("warning: keep alive failed"))
            });
            assert!(warned.await.unwrap().is_some());
            child.stderr = Some(spawn_nothing());
        }
        signal(&child, "-INT");
        assert_eq!(end(child, lines).await.0, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mock_serves_until_it_is_interrupted() {
    for kind in SIGNALS {
        let elsewhere = service().start().await.unwrap();
        let (child, mut lines) = spawn(&elsewhere, &["mock", "--json"]);
        let told: serde_json::Value = serde_json::from_str(&lines.recv().await.unwrap()).unwrap();
        let url = told["data"]["url"].as_str().unwrap();
        let mut doctor = program(Some(&elsewhere), &["doctor"]);
        doctor.env("LIVEAVATAR_BASE_URL", url);
        let told = super::told(None, doctor, &["doctor"], Vec::new()).await;
        assert!(told.contains("exit 0"), "{told}");
        let port = url.rsplit(':').next().unwrap();
        let taken = super::run(Some(&elsewhere), &["mock", "--port", port], "").await;
        assert!(taken.contains("exit 2") && taken.contains("cannot be opened"), "{taken}");
        signal(&child, kind);
        assert_eq!(end(child, lines).await.0, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mock_is_as_its_flags_say() {
    let elsewhere = service().start().await.unwrap();
    let flags = ["--credits", "7", "--session-limit", "0", "--public-entries", "2", "--rate-limit", "1"];
    let (child, mut lines) = spawn(&elsewhere, &[&["mock", "--json"], &flags[..]].concat());
    let told: serde_json::Value = serde_json::from_str(&lines.recv().await.unwrap()).unwrap();
    let url = told["data"]["url"].as_str().unwrap();
    let mut all = Vec::new();
    for arguments in [
        &["credits"][..],
        &["call", "list_public_avatars", "--json"],
        &["session", "start", "lite-sandbox.json"],
    ] {
        let mut command = program(Some(&elsewhere), arguments);
        command.env("LIVEAVATAR_BASE_URL", url);
        all.push(super::told(None, command, arguments, Vec::new()).await);
    }
    signal(&child, "-INT");
    assert_eq!(end(child, lines).await.0, Some(0));
    assert!(all[0].contains("7.00"), "{}", all[0]);
    assert_eq!(all[1].matches("\"preview_url\"").count(), 2, "{}", all[1]);
    assert!(all[2].contains("exit 1") && all[2].contains("4032"), "{}", all[2]);
}

/// An empty standard error, in place of one that was read.
fn spawn_nothing() -> std::process::ChildStderr {
    Command::new("true").stderr(Stdio::piped()).spawn().unwrap().stderr.take().unwrap()
}
