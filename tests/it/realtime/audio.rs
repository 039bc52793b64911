//! Audio: what is joined again is what was cut, and what is converted is what a reference makes of it.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "levels are made from a sine, which stays in its range"
)]

use std::f64::consts::TAU;
use std::io::Cursor;
use std::time::Duration;

use liveavatar_api::realtime::audio::{
    self, BYTES_PER_SECOND, Chunks, Converter, Framer, MAX_FRAME_BYTES, Wav,
};
use liveavatar_api::realtime::lite::Command;
use proptest::prelude::*;

/// The PCM of a frame, after any JSON reader.
fn pcm(text: &[u8], id: &str) -> Vec<u8> {
    assert!(text.len() < MAX_FRAME_BYTES);
    match Command::decode(text).unwrap() {
        (Some(Command::Speak(pcm)), Some(read)) => {
            assert_eq!(read, id);
            pcm.to_vec()
        }
        other => panic!("no frame of speech: {other:?}"),
    }
}

/// Pushes a whole piece, whatever frames that makes.
fn push(framer: &mut Framer, mut piece: &[u8], made: &mut Vec<Vec<u8>>, id: &str) {
    while !piece.is_empty() {
        let (taken, frame) = framer.push(piece);
        piece = &piece[taken..];
        if let Some(frame) = frame {
            let pcm = pcm(frame.text(), id);
            assert_eq!(pcm.len(), frame.pcm_bytes());
            made.push(pcm);
            framer.reuse(frame);
        }
    }
}

/// Noise that repeats.
fn noise(bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.u8(..)).take(bytes).collect()
}

/// What happens to a framer: a piece of some size, or a pause that flushes.
#[derive(Clone, Debug)]
enum Step {
    Piece(usize),
    Pause,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..2_000_usize).prop_map(Step::Piece),
        2 => (0..70_000_usize).prop_map(Step::Piece),
        1 => (0..400_000_usize).prop_map(Step::Piece),
        2 => Just(Step::Pause),
    ];
    prop::collection::vec(step, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn joined_frames_are_the_input_and_have_their_sizes(steps in steps(), id in any::<String>()) {
        let total = steps.iter().map(|step| if let Step::Piece(size) = step { *size } else { 0 }).sum();
        let input = noise(total);
        let mut framer = Framer::new(&id);
        let mut frames = Vec::new();
        let mut flushed = Vec::new();
        let mut at = 0;
        for step in steps.iter().chain([&Step::Pause]) {
            match step {
                Step::Piece(size) => {
                    push(&mut framer, &input[at..at + size], &mut frames, &id);
                    at += size;
                }
                Step::Pause => {
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
            let (least, most) = match at {
                0 => (audio::bytes(Duration::from_millis(400)), audio::bytes(Duration::from_millis(600))),
                _ => (BYTES_PER_SECOND, BYTES_PER_SECOND),
            };
            prop_assert!(frame.len() <= most);
            prop_assert!(frame.len() >= least || flushed.contains(&at));
        }
    }

    #[test]
    fn other_frame_lengths_hold_too(milliseconds in 0..40_000_u64, total in 0..2_000_000_usize) {
        let chunks = Chunks::default().every(Duration::from_millis(milliseconds));
        let held = Duration::from_millis(milliseconds).clamp(Chunks::SHORTEST, Chunks::LONGEST);
        let mut framer = Framer::with_chunks("u", chunks);
        let mut frames = Vec::new();
        push(&mut framer, &noise(total), &mut frames, "u");
        for frame in frames.iter().skip(1) {
            prop_assert_eq!(frame.len(), audio::bytes(held));
        }
    }

    #[test]
    fn samples_at_24_khz_go_through_unchanged(samples in prop::collection::vec(any::<i16>(), 0..3_000), cut in 1..500_usize) {
        let expected: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let mut by_sample = Converter::new(24_000, 1).unwrap();
        let mut by_byte = Converter::new(24_000, 1).unwrap();
        let mut stereo = Converter::new(24_000, 2).unwrap();
        let (mut one, mut two, mut three) = (Vec::new(), Vec::new(), Vec::new());
        for piece in samples.chunks(cut) {
            one.extend(by_sample.push(piece).unwrap());
        }
        for piece in expected.chunks(cut) {
            two.extend(by_byte.push_bytes(piece).unwrap());
        }
        let both: Vec<i16> = samples.iter().flat_map(|sample| [*sample, *sample]).collect();
        for piece in both.chunks(cut) {
            three.extend(stereo.push(piece).unwrap());
        }
        one.extend(by_sample.finish().unwrap());
        two.extend(by_byte.finish().unwrap());
        three.extend(stereo.finish().unwrap());
        prop_assert_eq!(&one, &expected);
        prop_assert_eq!(&two, &expected);
        prop_assert_eq!(&three, &expected);
    }

    #[test]
    fn another_rate_gives_the_reference_whatever_the_pieces(
        rate in rates(), stereo in any::<bool>(), cut in 1..9_000_usize, milliseconds in 0..700_u32, tone in 100..3_000_u32,
    ) {
        let channels = if stereo { 2 } else { 1 };
        let samples = rate * milliseconds / 1_000;
        let input: Vec<f32> = (0..samples)
            .flat_map(|at| {
                let level = wave(tone, rate, at);
                // What the channels differ in cancels out in their mean.
                if stereo { vec![level + 0.1, level - 0.1] } else { vec![level] }
            })
            .collect();
        let mut converter = Converter::new(rate, channels).unwrap();
        let mut pcm = Vec::new();
        for piece in input.chunks(cut) {
            pcm.extend(converter.push(piece).unwrap());
        }
        pcm.extend(converter.finish().unwrap());
        let read: Vec<f32> = pcm
            .chunks_exact(2)
            .map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0)
            .collect();
        prop_assert_eq!(read.len(), (u64::from(samples) * 24_000).div_ceil(u64::from(rate)) as usize);
        // Where the tone begins and ends at once, any filter rings; in between it is the tone at the other rate.
        let edge = 720;
        for (at, level) in read.iter().enumerate().skip(edge).take(read.len().saturating_sub(2 * edge)) {
            let expected = wave(tone, 24_000, at as u32);
            prop_assert!((level - expected).abs() < STATED_ERROR, "{at}: {level} {expected}");
        }
    }

    #[test]
    fn any_bytes_are_wav_or_a_clear_error(mut bytes in any::<Vec<u8>>(), head in any::<bool>()) {
        if head {
            bytes.splice(0..0, tone_file(24_000, 1, 16, hound_int(), 40).into_iter().take(36));
        }
        if let Ok(wav) = Wav::new(Cursor::new(bytes)) {
            let _ = wav.collect::<Result<Vec<_>, _>>();
        }
    }
}

/// How far the resampled tone may be from the tone: -60 dB.
const STATED_ERROR: f32 = 0.001;

fn wave(tone: u32, rate: u32, at: u32) -> f32 {
    (0.5 * (TAU * f64::from(tone) * f64::from(at) / f64::from(rate)).sin()) as f32
}

fn rates() -> impl Strategy<Value = u32> {
    prop::sample::select(vec![8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000])
}

#[test]
fn memory_stays_bounded_for_three_minutes() {
    let piece = noise(960);
    let mut framer = Framer::new("u");
    let mut most = 0;
    for _ in 0..3 * 60 * 50 {
        let mut rest = &piece[..];
        while !rest.is_empty() {
            let (taken, frame) = framer.push(rest);
            rest = &rest[taken..];
            if let Some(frame) = frame {
                most = most.max(frame.text().len());
                framer.reuse(frame);
            }
        }
    }
    // One second as text, and what stands around it.
    assert_eq!(most, 64_000 + r#"{"type":"agent.speak","event_id":"u","audio":""}"#.len());
}

#[test]
fn what_cannot_be_known_is_refused_with_a_way_out() {
    let said = [(0, 1), (7_999, 1), (192_001, 1), (44_101, 1), (24_000, 0), (48_000, 6)]
        .map(|(rate, channels)| Converter::new(rate, channels).unwrap_err().to_string());
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn floats_beyond_their_range_are_cut_off_and_no_numbers_are_silence() {
    let mut converter = Converter::new(24_000, 1).unwrap();
    let pcm = converter.push(&[2.0, -2.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0_f32]).unwrap();
    let read: Vec<i16> = pcm.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    assert_eq!(read, [i16::MAX, i16::MIN, 0, i16::MAX, i16::MIN, 0]);
}

#[derive(Clone, Copy)]
enum Form {
    Int,
    Float,
}

fn hound_int() -> Form {
    Form::Int
}

/// A WAV file with a tone, written by hand as the format's description says.
fn tone_file(rate: u32, channels: u16, bits: u16, form: Form, milliseconds: u32) -> Vec<u8> {
    let mut data = Vec::new();
    for at in 0..rate * milliseconds / 1_000 {
        for _ in 0..channels {
            let level = f64::from(wave(440, rate, at));
            match (form, bits) {
                (Form::Float, _) => data.extend((level as f32).to_le_bytes()),
                (Form::Int, 8) => data.push((level * 127.0 + 128.0) as u8),
                (Form::Int, 16) => data.extend(((level * 32_767.0) as i16).to_le_bytes()),
                (Form::Int, 24) => data.extend(&((level * 8_388_607.0) as i32).to_le_bytes()[..3]),
                (Form::Int, _) => data.extend(((level * 2_147_483_647.0) as i32).to_le_bytes()),
            }
        }
    }
    let block = channels * bits / 8;
    let kind: u16 = match form {
        Form::Int => 1,
        Form::Float => 3,
    };
    let size = u32::try_from(data.len()).unwrap();
    let mut file = b"RIFF".to_vec();
    file.extend((36 + size).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(kind.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(block)).to_le_bytes());
    file.extend(block.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(b"data");
    file.extend(size.to_le_bytes());
    file.extend(data);
    file
}

#[test]
fn wav_files_of_every_usual_format_sound_the_same() {
    let formats = [(8, Form::Int), (16, Form::Int), (24, Form::Int), (32, Form::Int), (32, Form::Float)];
    for (bits, form) in formats {
        for (rate, channels) in [(24_000, 1), (44_100, 2), (16_000, 1)] {
            let file = tone_file(rate, channels, bits, form, 500);
            let wav = Wav::new(Cursor::new(file)).unwrap();
            assert_eq!(wav.duration(), Duration::from_millis(500));
            let pieces: Result<Vec<_>, _> = wav.collect();
            let pcm = pieces.unwrap().concat();
            assert_eq!(pcm.len(), BYTES_PER_SECOND / 2);
            for (at, pair) in pcm.chunks_exact(2).enumerate().skip(720).take(10_000) {
                let level = f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0;
                let expected = wave(440, 24_000, u32::try_from(at).unwrap());
                // Eight bits know 256 levels.
                let error = if bits == 8 { 0.02 } else { STATED_ERROR };
                assert!((level - expected).abs() < error, "{bits} bits, {rate}: {at}: {level} {expected}");
            }
        }
    }
}

#[test]
fn files_that_are_no_wav_are_refused() {
    let six = tone_file(48_000, 6, 16, Form::Int, 10);
    let cut = tone_file(24_000, 1, 16, Form::Int, 100);
    let said = [&b"ID3 something"[..], b"", &six, &cut[..2_000]].map(|file| {
        let read = Wav::new(Cursor::new(file)).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        read.map_or_else(|error| error.to_string(), |pieces| format!("{} bytes", pieces.concat().len()))
    });
    insta::assert_snapshot!(said.join("\n"));
}
