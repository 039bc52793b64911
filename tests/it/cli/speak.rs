//! `speak`: the speech of a WAV file, and how it can fail.

use serde_json::Value;

use super::{EXAMPLES, json_lines, mock_builder, program, run_command};

/// Returns a mono WAV file with a square wave.
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

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_any_sample_rate_is_spoken_and_the_session_stopped() {
    let server = mock_builder().start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let configuration = format!("{EXAMPLES}/lite-sandbox.json");
    for (rate, name) in [(8_000, "8.wav"), (48_000, "48.wav")] {
        std::fs::write(folder.path().join(name), wav(rate, 300)).unwrap();
        let mut command = program(Some(&server), &["speak", name, "--session", &configuration, "--json"]);
        command.current_dir(folder.path());
        let shown = run_command(Some(&server), command, &["speak"], Vec::new()).await;
        let events: Vec<Value> = json_lines(&shown).into_iter().map(|line| line["data"].clone()).collect();
        let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
        assert_eq!(names, ["started", "spoken", "ended"], "{shown}");
        let seconds = events[1]["seconds"].as_f64().unwrap();
        assert!((seconds - 0.3).abs() < 0.01, "{shown}");
        assert!(server.running_sessions().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn audio_of_unknown_size_is_spoken_from_standard_input() {
    let server = mock_builder().start().await.unwrap();
    let configuration = format!("{EXAMPLES}/lite-sandbox.json");
    // As `espeak-ng --stdout` writes it.
    let mut file = wav(22_050, 300);
    file[40..44].copy_from_slice(&0x7FFF_F000_u32.to_le_bytes());
    let arguments = ["speak", "-", "--session", &configuration, "--json"];
    let command = program(Some(&server), &arguments);
    let shown = run_command(Some(&server), command, &arguments, file).await;
    let events: Vec<Value> = json_lines(&shown).into_iter().map(|line| line["data"].clone()).collect();
    let seconds = events[1]["seconds"].as_f64().unwrap();
    assert!((seconds - 0.3).abs() < 0.01, "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_configuration_is_rejected_before_anything_is_sent() {
    let server = mock_builder().start().await.unwrap();
    let arguments = ["speak", "-", "--session", "full-sandbox.json"];
    let command = program(Some(&server), &arguments);
    let shown = run_command(Some(&server), command, &arguments, wav(24_000, 100)).await;
    assert!(server.requests().is_empty());
    insta::assert_snapshot!(shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_during_the_speech_is_a_failure() {
    let server = mock_builder().max_session_duration(1).start().await.unwrap();
    let arguments = ["speak", "-"];
    let command = program(Some(&server), &arguments);
    let shown = run_command(Some(&server), command, &arguments, wav(24_000, 9_000)).await;
    // Either the session or its socket ends first.
    let messages = ["the session ended before the speech did", "the connection closed before"];
    assert!(shown.contains("exit 1") && messages.iter().any(|text| shown.contains(text)), "{shown}");
    assert!(server.running_sessions().is_empty());
}
