//! Framing, converting and reading audio.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the levels of a sine stay in range"
)]

mod stream;
mod wav;

use std::f64::consts::TAU;
use std::time::Duration;

use liveavatar_api::realtime::audio::{self, BYTES_PER_SECOND, Chunks, Converter, Framer, MAX_FRAME_BYTES};
use liveavatar_api::realtime::lite::LiteCommand;
use proptest::prelude::*;

/// Decodes the PCM of a frame.
fn pcm(text: &[u8], id: &str) -> Vec<u8> {
    assert!(text.len() < MAX_FRAME_BYTES);
    match LiteCommand::decode(text).unwrap() {
        (Some(LiteCommand::Speak(pcm)), Some(read)) => {
            assert_eq!(read, id);
            pcm.to_vec()
        }
        other => panic!("not a speech frame: {other:?}"),
    }
}

/// Pushes a whole chunk and collects the PCM of its frames.
fn push(splitter: &mut Framer, mut chunk: &[u8], frames: &mut Vec<Vec<u8>>, id: &str) {
    while !chunk.is_empty() {
        let (taken, frame) = splitter.push(chunk);
        chunk = &chunk[taken..];
        if let Some(frame) = frame {
            let pcm = pcm(frame.text(), id);
            assert_eq!(pcm.len(), frame.pcm_bytes());
            frames.push(pcm);
            splitter.reuse(frame);
        }
    }
}

/// Makes the same noise each time.
fn noise(bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.u8(..)).take(bytes).collect()
}

/// Pushes a chunk of some bytes, or flushes.
#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Flush,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..2_000_usize).prop_map(Step::Push),
        2 => (0..70_000_usize).prop_map(Step::Push),
        1 => (0..400_000_usize).prop_map(Step::Push),
        2 => Just(Step::Flush),
    ];
    prop::collection::vec(step, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn frames_hold_the_whole_input_in_the_recommended_sizes(steps in steps(), id in any::<String>()) {
        let total = steps.iter().map(|step| if let Step::Push(size) = step { *size } else { 0 }).sum();
        let input = noise(total);
        let mut framer = Framer::new(&id);
        let mut frames = Vec::new();
        let mut flushed = Vec::new();
        let mut at = 0;
        for step in steps.iter().chain([&Step::Flush]) {
            match step {
                Step::Push(size) => {
                    push(&mut framer, &input[at..at + size], &mut frames, &id);
                    at += size;
                }
                Step::Flush => {
                    if let Some(frame) = framer.flush() {
                        flushed.push(frames.len());
                        frames.push(pcm(frame.text(), &id));
                    }
                }
            }
        }
        prop_assert!(framer.is_empty());
        prop_assert_eq!(frames.concat(), &input[..total - total % 2]);
        for (at, frame) in frames.iter().enumerate() {
            prop_assert!(frame.len() % 2 == 0 && !frame.is_empty());
            let (min, max) = match at {
                0 => (audio::bytes(Duration::from_millis(400)), audio::bytes(Duration::from_millis(600))),
                _ => (BYTES_PER_SECOND, BYTES_PER_SECOND),
            };
            prop_assert!(frame.len() <= max);
            prop_assert!(frame.len() >= min || flushed.contains(&at));
        }
    }

    #[test]
    fn frames_have_the_configured_length(milliseconds in 0..40_000_u64, total in 0..2_000_000_usize) {
        let chunks = Chunks::default().every(Duration::from_millis(milliseconds));
        let clamped = Duration::from_millis(milliseconds).clamp(Chunks::SHORTEST, Chunks::LONGEST);
        let mut framer = Framer::with_chunks("u", chunks);
        let mut frames = Vec::new();
        push(&mut framer, &noise(total), &mut frames, "u");
        for frame in frames.iter().skip(1) {
            prop_assert_eq!(frame.len(), audio::bytes(clamped));
        }
    }

    #[test]
    fn samples_at_24_khz_pass_through_unchanged(samples in prop::collection::vec(any::<i16>(), 0..3_000), cut in 1..500_usize) {
        let expected: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let mut by_sample = Converter::new(24_000, 1).unwrap();
        let mut by_byte = Converter::new(24_000, 1).unwrap();
        let mut stereo = Converter::new(24_000, 2).unwrap();
        let (mut one, mut two, mut three) = (Vec::new(), Vec::new(), Vec::new());
        for chunk in samples.chunks(cut) {
            one.extend(by_sample.push(chunk).unwrap());
        }
        for chunk in expected.chunks(cut) {
            two.extend(by_byte.push_bytes(chunk).unwrap());
        }
        let both: Vec<i16> = samples.iter().flat_map(|sample| [*sample, *sample]).collect();
        for chunk in both.chunks(cut) {
            three.extend(stereo.push(chunk).unwrap());
        }
        one.extend(by_sample.finish().unwrap());
        two.extend(by_byte.finish().unwrap());
        three.extend(stereo.finish().unwrap());
        prop_assert_eq!(&one, &expected);
        prop_assert_eq!(&two, &expected);
        prop_assert_eq!(&three, &expected);
    }

    #[test]
    fn resampling_matches_the_reference_for_any_chunk_size(
        rate in rates(), stereo in any::<bool>(), cut in 1..9_000_usize, milliseconds in 0..700_u32, tone in 100..3_000_u32,
    ) {
        let channels = if stereo { 2 } else { 1 };
        let samples = rate * milliseconds / 1_000;
        let input: Vec<f32> = (0..samples)
            .flat_map(|at| {
                let level = wave(tone, rate, at);
                // The channels' difference cancels out in their mean.
                if stereo { vec![level + 0.1, level - 0.1] } else { vec![level] }
            })
            .collect();
        let mut converter = Converter::new(rate, channels).unwrap();
        let mut pcm = Vec::new();
        for chunk in input.chunks(cut) {
            pcm.extend(converter.push(chunk).unwrap());
        }
        pcm.extend(converter.finish().unwrap());
        let read: Vec<f32> = pcm
            .chunks_exact(2)
            .map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0)
            .collect();
        prop_assert_eq!(read.len(), (u64::from(samples) * 24_000).div_ceil(u64::from(rate)) as usize);
        // Any filter rings at the abrupt start and end of the tone, so compare only the middle.
        let edge = 720;
        for (at, level) in read.iter().enumerate().skip(edge).take(read.len().saturating_sub(2 * edge)) {
            let expected = wave(tone, 24_000, at as u32);
            prop_assert!((level - expected).abs() < MAX_ERROR, "{at}: {level} {expected}");
        }
    }
}

/// The largest error of a resampled tone: -60 dB.
const MAX_ERROR: f32 = 0.001;

fn wave(tone: u32, rate: u32, at: u32) -> f32 {
    (0.5 * (TAU * f64::from(tone) * f64::from(at) / f64::from(rate)).sin()) as f32
}

fn rates() -> impl Strategy<Value = u32> {
    prop::sample::select(vec![8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000])
}

#[test]
fn frames_stay_bounded_for_three_minutes() {
    let chunk = noise(960);
    let mut framer = Framer::new("u");
    let mut max = 0;
    for _ in 0..3 * 60 * 50 {
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            let (taken, frame) = framer.push(rest);
            rest = &rest[taken..];
            if let Some(frame) = frame {
                max = max.max(frame.text().len());
                framer.reuse(frame);
            }
        }
    }
    // One second of audio in base64, plus the JSON around it.
    assert_eq!(max, 64_000 + r#"{"type":"agent.speak","event_id":"u","audio":""}"#.len());
}

#[test]
fn unsupported_rates_and_channels_are_rejected() {
    let errors = [(0, 1), (7_999, 1), (192_001, 1), (44_101, 1), (24_000, 0), (48_000, 6)]
        .map(|(rate, channels)| Converter::new(rate, channels).unwrap_err().to_string());
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn floats_are_clamped_and_nan_is_silence() {
    let mut converter = Converter::new(24_000, 1).unwrap();
    let pcm = converter.push(&[2.0, -2.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0_f32]).unwrap();
    let read: Vec<i16> = pcm.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    assert_eq!(read, [i16::MAX, i16::MIN, 0, i16::MAX, i16::MIN, 0]);
}
