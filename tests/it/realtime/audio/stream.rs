//! Converting streams and readers.

use std::error::Error as StdError;
use std::io;

use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use liveavatar_api::realtime::audio::{Audio, AudioData, Converter};
use liveavatar_api::{Error, ErrorKind};
use proptest::prelude::*;

/// Returns all items of a stream whose source is always ready.
fn collect(chunks: impl Stream<Item = Result<Vec<u8>, Error>>) -> Vec<Result<Vec<u8>, Error>> {
    chunks.collect::<Vec<_>>().now_or_never().expect("the source is always ready")
}

fn pcm(chunks: impl Stream<Item = Result<Vec<u8>, Error>>) -> Vec<u8> {
    collect(chunks).into_iter().collect::<Result<Vec<_>, _>>().unwrap().concat()
}

fn samples() -> Vec<i16> {
    let mut random = fastrand::Rng::with_seed(3);
    std::iter::repeat_with(|| random.i16(..)).take(3_000).collect()
}

/// Samples as another crate has them.
struct Frame(Vec<i16>);

impl Audio for Frame {
    fn into_data(self) -> Result<AudioData, Error> {
        self.0.into_data()
    }
}

#[test]
fn every_kind_of_chunk_gives_the_same_audio() {
    let samples = samples();
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let floats: Vec<f32> = samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
    let float_bytes: Vec<u8> = floats.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    for (rate, channels) in [(24_000, 1), (16_000, 1), (44_100, 2)] {
        let converter = || Converter::new(rate, channels).unwrap();
        let mut once = converter();
        let mut expected = once.push(&samples).unwrap();
        expected.extend(once.finish().unwrap());
        for size in [1, 7, 960, bytes.len()] {
            let chunks = stream::iter(samples.chunks(size).map(<[i16]>::to_vec));
            assert_eq!(pcm(converter().stream(chunks)), expected);
            let chunks = stream::iter(samples.chunks(size).map(|samples| Frame(samples.to_vec())));
            assert_eq!(pcm(converter().stream(chunks)), expected);
            let chunks = stream::iter(floats.chunks(size).map(<[f32]>::to_vec));
            assert_eq!(pcm(converter().stream(chunks)), expected);
            let chunks = stream::iter(bytes.chunks(size).map(|bytes| Ok::<_, io::Error>(bytes.to_vec())));
            assert_eq!(pcm(converter().stream(chunks)), expected);
            let chunks = stream::iter(float_bytes.chunks(size).map(<[u8]>::to_vec));
            assert_eq!(pcm(converter().f32_bytes().stream(chunks)), expected);
        }
        assert_eq!(pcm(converter().read(&bytes[..])), expected);
    }
}

#[test]
fn a_stream_ends_after_the_first_error() {
    let chunks = [Ok(vec![1_i16, 2]), Err("hoarse"), Ok(vec![3]), Err("still hoarse")];
    let items = collect(Converter::new(24_000, 1).unwrap().stream(stream::iter(chunks)));
    let [Ok(first), Err(error)] = &items[..] else { panic!("{items:?}") };
    assert_eq!(first, &[1, 0, 2, 0]);
    assert_eq!(error.kind(), ErrorKind::AudioSource);
    assert_eq!(error.source().unwrap().to_string(), "hoarse");
}

#[test]
fn the_errors_of_nested_converters_are_not_wrapped_twice() {
    let failing = || Converter::new(24_000, 1).unwrap().stream(stream::iter([Err::<Vec<u8>, _>("hoarse")]));
    let [Err(error)] = &collect(Converter::new(24_000, 1).unwrap().stream(failing()))[..] else {
        panic!("an error")
    };
    assert_eq!(error.source().unwrap().to_string(), "hoarse");
}

#[test]
fn a_file_is_detected_over_pieces() {
    for rate in [24_000, 44_100] {
        let mut converter = Converter::new(rate, 1).unwrap();
        let results = b"RIFF".map(|byte| converter.push_bytes(&[byte]).map_err(|error| error.to_string()));
        insta::allow_duplicates! {
            insta::assert_snapshot!(
                results[3].as_ref().unwrap_err(),
                @"the audio must be PCM without a container, but is a WAV file: read it with `audio::Wav`"
            );
        }
        assert!(results[..3].iter().all(Result::is_ok));
    }
}

/// The first bytes of files and of audio that resembles them.
const STARTS: [&[u8]; 8] = [
    b"",
    b"RIF",
    b"RIFF",
    b"ID",
    b"\0\0\0\x20ftyp",
    b"\xFF\xFB\x90",
    b"\xFF\xE3\x18\xC4\0\0",
    b"\xFF\xF1\x50\x80\x01\x1F",
];

proptest! {
    #[test]
    fn pieces_do_not_change_whether_a_file_is_detected(
        start in prop::sample::select(STARTS.to_vec()), rest in prop::collection::vec(any::<u8>(), 0..200), cut in 1..20_usize,
    ) {
        let bytes = [start, &rest, start, &rest].concat();
        let mut in_pieces = Converter::new(24_000, 1).unwrap();
        let whole = Converter::new(24_000, 1).unwrap().push_bytes(&bytes).map_err(|error| error.to_string());
        let pieces: Result<Vec<_>, _> = bytes.chunks(cut).map(|piece| in_pieces.push_bytes(piece)).collect();
        prop_assert_eq!(pieces.map(|pcm| pcm.concat()).map_err(|error| error.to_string()), whole);
    }
}

#[test]
fn audio_is_not_shown_by_debug() {
    let shown = [vec![1_u8, 2].into_data(), vec![1_i16].into_data(), vec![1.0_f32, 0.5].into_data()];
    assert_eq!(
        shown.map(|data| format!("{:?}", data.unwrap())),
        ["Bytes(2 bytes)", "I16(1 samples)", "F32(2 samples)"]
    );
}

#[test]
fn a_left_sample_without_its_right_one_is_kept() {
    let mut converter = Converter::new(24_000, 2).unwrap();
    let mut pcm = converter.push(&[1_i16, 1, 5]).unwrap();
    pcm.extend(converter.finish().unwrap());
    assert_eq!(pcm, [1, 0, 5, 0]);
}
