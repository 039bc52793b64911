//! What depends on the server's clock, and moving the clock forward.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use liveavatar_mock::{Fault, Server};

use super::harness::{Auth, Mock, full, send};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn advance_skips_a_delay_on_a_real_clock() {
    let begin = Instant::now();
    let mock = Mock::with(Server::builder().latency(seconds(3600))).await;
    let request = mock.request(Auth::None, "GET", "/v1/languages");
    let waiting = tokio::spawn(send(request));
    while !waiting.is_finished() {
        mock.server.advance(seconds(3600));
        tokio::task::yield_now().await;
    }
    assert_eq!(waiting.await.expect("no panic").status, 200);
    assert!(begin.elapsed() < seconds(60));
}

#[tokio::test]
async fn a_delayed_response_follows_the_servers_clock() {
    let mock = Mock::start().await;
    mock.server.inject_fault("get_languages", 1, Fault::Delayed(seconds(600)));
    let waiting = tokio::spawn(send(mock.request(Auth::None, "GET", "/v1/languages")));
    while !waiting.is_finished() {
        mock.server.advance(seconds(600));
        tokio::task::yield_now().await;
    }
    assert_eq!(waiting.await.expect("no panic").status, 200);
}

/// The guide's page on testing warns about the first and recommends the second.
#[tokio::test(start_paused = true)]
async fn a_paused_clock_jumps_while_a_child_process_runs_unless_a_blocking_task_waits_for_it() {
    let server = Server::start().await.unwrap();
    let start = || {
        Command::new(env!("CARGO_BIN_EXE_cli"))
            .arg("credits")
            .env_clear()
            .env("LIVEAVATAR_BASE_URL", server.url())
            .env("LIVEAVATAR_API_KEY", server.api_key())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let begin = tokio::time::Instant::now();
    let mut child = start();
    while child.try_wait().unwrap().is_none() {
        tokio::time::sleep(seconds(1)).await;
    }
    assert!(begin.elapsed() > seconds(10), "{:?}", begin.elapsed());

    let begin = tokio::time::Instant::now();
    let mut child = start();
    let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    assert_eq!((status.success(), begin.elapsed()), (true, Duration::ZERO));
}

#[tokio::test]
async fn transcripts_and_timestamps_follow_the_servers_clock() {
    let mock = Mock::start().await;
    let (id, _) = mock.start_session(full()).await;
    mock.server.advance(seconds(20));
    let transcript = mock.get(&format!("/v1/sessions/{id}/transcript")).await.body["data"].clone();
    assert_eq!(transcript["transcript_data"].as_array().map(Vec::len), Some(3));
    let session = mock.get(&format!("/v1/sessions/{id}")).await;
    assert_eq!(session.text("/data/updated_at"), "2026-01-01T00:00:20Z");
    mock.server.advance(Duration::MAX);
    assert!(mock.server.running_sessions().is_empty());
}
