//! `speak` and `session watch`, against a service with web sockets.

use std::process::Stdio;

use liveavatar_api::session::{AnyConfiguration, Configuration, Full};
use liveavatar_api::types::SessionEndReason;
use liveavatar_api::{Client, Credential};
use serde_json::Value;

use super::{program, run, service, told};

/// A WAV file with one channel of a square wave.
pub(super) fn wav(rate: u32, milliseconds: u32) -> Vec<u8> {
    let samples = rate / 1000 * milliseconds;
    let data: Vec<u8> = (0..samples)
        .flat_map(|sample| if sample / 40 % 2 == 0 { 8_000_i16 } else { -8_000 }.to_le_bytes())
        .collect();
    let size = u32::try_from(data.len()).unwrap();
    let mut file = b"RIFF".to_vec();
    file.extend((36 + size).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    for half in [1_u16, 1] {
        file.extend(half.to_le_bytes());
    }
    file.extend(rate.to_le_bytes());
    file.extend((rate * 2).to_le_bytes());
    for half in [2_u16, 16] {
        file.extend(half.to_le_bytes());
    }
    file.extend(b"data");
    file.extend(size.to_le_bytes());
    file.extend(data);
    file
}

/// The events of a run with `--json`.
fn events(told: &str) -> Vec<Value> {
    let lines = told.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_spoken_at_its_own_rate_and_the_session_stopped() {
    let server = service().start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let custom = concat!(env!("CARGO_MANIFEST_DIR"), "/../liveavatar-api/examples/lite-sandbox.json");
    for (rate, name) in [(8_000, "8.wav"), (48_000, "48.wav")] {
        std::fs::write(folder.path().join(name), wav(rate, 300)).unwrap();
        let mut command = program(Some(&server), &["speak", name, "--session", custom, "--json"]);
        command.current_dir(folder.path());
        let told = told(Some(&server), command, &["speak"], Vec::new()).await;
        let events: Vec<Value> = events(&told).into_iter().map(|line| line["data"].clone()).collect();
        let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
        assert_eq!(names, ["started", "spoken", "ended"], "{told}");
        let seconds = events[1]["seconds"].as_f64().unwrap();
        assert!((seconds - 0.3).abs() < 0.01, "{told}");
        assert!(server.running_sessions().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_session_is_not_spoken_to_and_nothing_is_started() {
    let server = service().start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.wav");
    std::fs::write(&file, wav(24_000, 100)).unwrap();
    let file = file.to_str().unwrap();
    let told = run(Some(&server), &["speak", file, "--session", "full-sandbox.json"], "").await;
    assert!(told.contains("exit 2") && told.contains("takes no audio"), "{told}");
    assert!(server.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_under_the_speech_is_a_failure() {
    let server = service().max_session_duration(1).start().await.unwrap();
    let told =
        told(Some(&server), program(Some(&server), &["speak", "-"]), &["speak", "-"], wav(24_000, 9_000))
            .await;
    // The socket's end may be heard before the session's.
    let why = ["ended before all was spoken", "nothing was heard of the end"];
    assert!(told.contains("exit 1") && why.iter().any(|why| told.contains(why)), "{told}");
    assert!(server.running_sessions().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_followed_until_somebody_stops_it() {
    use std::io::{BufRead as _, BufReader};
    let server = service().start().await.unwrap();
    let key = Credential::api_key(server.api_key()).unwrap();
    let client = Client::builder().base_url(server.url()).credential(key).build().unwrap();
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../liveavatar-api/examples/full-sandbox.json"
    ));
    let configuration: AnyConfiguration = Configuration::<Full>::from_json(&text.unwrap()).unwrap().into();
    let session = client.mint(&configuration).await.unwrap().start().await.unwrap();
    let id = session.id().to_string();
    let mut child = program(Some(&server), &["session", "watch", &id, "--every", "1", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (said, heard) = tokio::sync::oneshot::channel();
    let reader = tokio::task::spawn_blocking(move || {
        let (mut said, mut all) = (Some(said), Vec::new());
        for line in out.lines().map(Result::unwrap) {
            if line.contains(r#""event":"said""#)
                && let Some(said) = said.take()
            {
                said.send(()).unwrap();
            }
            all.push(line);
        }
        all
    });
    heard.await.unwrap();
    session.stop(SessionEndReason::UserClosed).await.unwrap();
    let all = events(&reader.await.unwrap().join("\n"));
    let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
    let names: Vec<_> = all.iter().map(|line| line["data"]["event"].as_str().unwrap()).collect();
    assert_eq!((names.first(), names.last()), (Some(&"status"), Some(&"ended")), "{names:?}");
    let said: Vec<_> = all.iter().filter(|line| line["data"]["event"] == "said").collect();
    let whole = session.transcript().await.unwrap();
    assert_eq!(said.len(), whole.len(), "each line once: {names:?}");
    assert_eq!(all.last().unwrap()["data"]["session"]["end_reason"], "USER_CLOSED");
}
