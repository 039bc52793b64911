//! One ending has one word, in every command.

#[cfg(unix)]
use super::signals::{INTERRUPTED, exit, signal, spawn};
use super::{json_lines, mock_builder, redact_ids, run};

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_session_ends_with_the_same_word_everywhere() {
    let server = mock_builder().start().await.unwrap();
    let (child, mut lines) = spawn(&server, &["session", "start", "lite-sandbox.json"]);
    lines.recv().await.unwrap();
    let id = server.running_sessions()[0].to_string();
    signal(&child, "-INT");
    let (code, output) = exit(child, lines).await;
    assert_eq!(code, INTERRUPTED);
    let started = output.iter().find(|line| line.starts_with("ended ")).unwrap();
    assert!(started.ends_with(": USER_CLOSED"), "{started}");
    let watched = run(Some(&server), &["session", "watch", &id], "").await;
    assert!(watched.contains(started.as_str()), "{started}\n{watched}");
    let watched = run(Some(&server), &["session", "watch", &id, "--json"], "").await;
    assert_eq!(json_lines(&watched).last().unwrap()["data"]["end_reason"], "USER_CLOSED");
    let read = run(Some(&server), &["session", "get", &id, "--json"], "").await;
    assert_eq!(json_lines(&read)[0]["data"]["end_reason"], "USER_CLOSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_session_ends_with_the_same_word_everywhere() {
    let server = mock_builder().max_session_duration(1).start().await.unwrap();
    let shown = run(Some(&server), &["session", "start", "lite-sandbox.json"], "").await;
    assert!(shown.contains("exit 0") && shown.contains(": MAX_DURATION_REACHED\n"), "{}", redact_ids(&shown));
    let shown = run(Some(&server), &["session", "start", "lite-sandbox.json", "--json"], "").await;
    let ended = &json_lines(&shown).pop().unwrap()["data"];
    assert_eq!(ended["event"], "ended");
    assert_eq!(
        (&ended["end_reason"], &ended["session"]["end_reason"]),
        (&"MAX_DURATION_REACHED".into(), &"MAX_DURATION_REACHED".into())
    );
}
