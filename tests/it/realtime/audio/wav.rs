//! Reading WAV files: complete, streamed, in pieces and damaged ones.

use std::io::{self, Cursor, Read};
use std::time::Duration;

use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use liveavatar_api::Error;
use liveavatar_api::realtime::audio::{BYTES_PER_SECOND, Wav};
use proptest::prelude::*;

use super::{MAX_ERROR, wave};

#[derive(Clone, Copy)]
enum Form {
    Int,
    Float,
}

/// Returns the audio of a tone.
fn tone(rate: u32, channels: u16, bits: u16, form: Form, milliseconds: u32) -> Vec<u8> {
    let mut data = Vec::new();
    for at in 0..rate * milliseconds / 1_000 {
        for _ in 0..channels {
            let level = f64::from(wave(440, rate, at));
            match (form, bits) {
                (Form::Float, 64) => data.extend(level.to_le_bytes()),
                (Form::Float, _) => data.extend((level as f32).to_le_bytes()),
                (Form::Int, 8) => data.push((level * 127.0 + 128.0) as u8),
                (Form::Int, 16) => data.extend(((level * 32_767.0) as i16).to_le_bytes()),
                (Form::Int, 24) => data.extend(&((level * 8_388_607.0) as i32).to_le_bytes()[..3]),
                (Form::Int, _) => data.extend(((level * 2_147_483_647.0) as i32).to_le_bytes()),
            }
        }
    }
    data
}

/// Returns the content of a `fmt ` chunk, following the specification of the format.
fn format(rate: u32, channels: u16, bits: u16, form: Form) -> Vec<u8> {
    let block = channels * bits / 8;
    let tag: u16 = match form {
        Form::Int => 1,
        Form::Float => 3,
    };
    let mut format = Vec::new();
    format.extend(tag.to_le_bytes());
    format.extend(channels.to_le_bytes());
    format.extend(rate.to_le_bytes());
    format.extend((rate * u32::from(block)).to_le_bytes());
    format.extend(block.to_le_bytes());
    format.extend(bits.to_le_bytes());
    format
}

/// Returns a chunk that announces a size.
fn chunk_of_size(id: &[u8], size: u32, content: &[u8]) -> Vec<u8> {
    [id, &size.to_le_bytes(), content].concat()
}

/// Returns a chunk, padded to an even size.
fn chunk(id: &[u8], content: &[u8]) -> Vec<u8> {
    let mut chunk = chunk_of_size(id, u32::try_from(content.len()).unwrap(), content);
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

/// Returns a file of chunks.
fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let content = [&b"WAVE"[..], &chunks.concat()].concat();
    chunk_of_size(b"RIFF", u32::try_from(content.len()).unwrap(), &content)
}

/// Makes a WAV file with a tone.
fn tone_file(rate: u32, channels: u16, bits: u16, form: Form, milliseconds: u32) -> Vec<u8> {
    let data = tone(rate, channels, bits, form, milliseconds);
    riff(&[chunk(b"fmt ", &format(rate, channels, bits, form)), chunk(b"data", &data)])
}

/// Returns the start of a file in the service's own format.
fn plain_format() -> Vec<u8> {
    chunk(b"fmt ", &format(24_000, 1, 16, Form::Int))
}

/// Converts a whole file.
fn read(file: &[u8]) -> Result<Vec<u8>, Error> {
    Ok(Wav::new(Cursor::new(file))?.collect::<Result<Vec<_>, _>>()?.concat())
}

/// Sizes of programs that write the header before they know the size: espeak-ng and sox, ffmpeg and OpenAI, Python's `wave`.
const UNKNOWN_SIZES: [u32; 6] = [0xFFFF_FFFF, 0x7FFF_F000, 0x7FFF_FFFF, 0xFFFF_FFFF - 36, 0x7FFF_EFFC, 0];

#[test]
fn a_file_of_unknown_size_is_read_to_its_end() {
    let audio = tone(24_000, 1, 16, Form::Int, 500);
    for size in UNKNOWN_SIZES {
        let body = [&b"WAVE"[..], &plain_format(), &chunk_of_size(b"data", size, &audio)].concat();
        let file = chunk_of_size(b"RIFF", size.saturating_add(36), &body);
        assert_eq!(read(&file).unwrap(), audio, "{size:#x}");
        assert_eq!(Wav::new(Cursor::new(file)).unwrap().duration(), None);
    }
}

#[test]
fn a_tail_shorter_than_a_block_is_kept() {
    let audio = tone(24_000, 1, 16, Form::Int, 500);
    let odd = [&audio[..], &[7]].concat();
    for size in [u32::MAX, 0, u32::try_from(odd.len()).unwrap(), u32::try_from(odd.len()).unwrap() + 1] {
        let file = riff(&[plain_format(), chunk_of_size(b"data", size, &odd)]);
        assert_eq!(read(&file).unwrap(), audio, "{size:#x}");
    }
    let stereo = chunk(b"fmt ", &format(24_000, 2, 16, Form::Int));
    let file = riff(&[stereo, chunk_of_size(b"data", u32::MAX, &[1, 0, 1, 0, 5, 0])]);
    assert_eq!(read(&file).unwrap(), [1, 0, 5, 0]);
}

#[test]
fn chunks_around_the_audio_are_skipped_with_their_pad_byte() {
    let audio = tone(24_000, 1, 16, Form::Int, 40);
    for length in [0, 1, 3, 4, 25, 70_001] {
        let other = chunk(b"LIST", &vec![b'x'; length]);
        let file = riff(&[other.clone(), plain_format(), other.clone(), chunk(b"data", &audio), other]);
        assert_eq!(read(&file).unwrap(), audio, "{length}");
    }
}

#[test]
fn an_odd_chunk_without_a_pad_byte_is_skipped() {
    let audio = tone(24_000, 1, 16, Form::Int, 40);
    let file = riff(&[plain_format(), chunk_of_size(b"LIST", 3, b"abc"), chunk(b"data", &audio)]);
    assert_eq!(read(&file).unwrap(), audio);
}

#[test]
fn extensible_formats_are_read() {
    const TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];
    for (bits, form) in [(16, Form::Int), (24, Form::Int), (32, Form::Int), (32, Form::Float)] {
        let plain = format(24_000, 1, bits, form);
        let extension =
            [&22_u16.to_le_bytes()[..], &bits.to_le_bytes(), &4_u32.to_le_bytes(), &plain[..2], &TAIL];
        let extensible = [&0xFFFE_u16.to_le_bytes()[..], &plain[2..], &extension.concat()].concat();
        let data = chunk_of_size(b"data", u32::MAX, &tone(24_000, 1, bits, form, 40));
        let file = riff(&[chunk(b"fmt ", &extensible), data]);
        assert_eq!(read(&file).unwrap(), read(&tone_file(24_000, 1, bits, form, 40)).unwrap(), "{bits}");
    }
}

#[test]
fn audio_beyond_the_announced_size_is_read() {
    let audio = tone(24_000, 1, 16, Form::Int, 500);
    for size in [2, 3, 1_000, u32::try_from(audio.len()).unwrap() - 4] {
        let file = riff(&[plain_format(), chunk_of_size(b"data", size, &audio)]);
        // The second byte of a sample is not ASCII: the tone is loud enough after its start.
        assert_eq!(read(&file).unwrap(), audio, "{size}");
    }
}

#[test]
fn a_truncated_file_is_read_as_far_as_it_goes_and_then_an_error() {
    let audio = tone(24_000, 1, 16, Form::Int, 500);
    for kept in [0, 2, 1_001, audio.len() - 100] {
        let size = u32::try_from(audio.len()).unwrap();
        let file = riff(&[plain_format(), chunk_of_size(b"data", size, &audio[..kept])]);
        let mut wav = Wav::new(Cursor::new(file)).unwrap();
        assert_eq!(wav.duration(), Some(Duration::from_millis(500)));
        let mut items: Vec<_> = wav.by_ref().collect();
        let error = items.pop().unwrap().unwrap_err();
        assert!(error.is_audio_source(), "{error}");
        assert_eq!(items.into_iter().map(Result::unwrap).collect::<Vec<_>>().concat(), audio[..kept & !1]);
        assert!(wav.next().is_none());
    }
}

#[test]
fn files_that_are_joined_to_one_stream_are_read_one_after_the_other() {
    let [first, second] = [40, 60].map(|milliseconds| tone_file(24_000, 1, 16, Form::Int, milliseconds));
    let third = tone_file(48_000, 2, 32, Form::Float, 40);
    let expected = [&first, &second, &third].map(|file| read(file).unwrap()).concat();
    assert_eq!(read(&[first, second, third].concat()).unwrap(), expected);
}

/// Fails after its bytes.
struct Failing<'b>(&'b [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the disk is broken")),
            read => Ok(read),
        }
    }
}

#[test]
fn all_audio_before_a_failure_is_read() {
    let file = tone_file(48_000, 2, 16, Form::Int, 300);
    let mut wav = Wav::new(Failing(&file)).unwrap();
    let mut items: Vec<_> = wav.by_ref().collect();
    let error = items.pop().unwrap().unwrap_err();
    assert!(error.is_audio_source(), "{error}");
    assert_eq!(items.into_iter().map(Result::unwrap).collect::<Vec<_>>().concat(), read(&file).unwrap());
    assert!(wav.next().is_none());
}

#[test]
fn a_24_bit_sample_may_have_an_unused_byte() {
    let mut format = format(24_000, 1, 24, Form::Int);
    format[12] = 4;
    let samples = [0x00_10_00_i32, -0x01_00_00, 0x7F_FF_FF, -0x80_00_00];
    let data: Vec<u8> = samples.iter().flat_map(|sample| (sample & 0xFF_FF_FF).to_le_bytes()).collect();
    let pcm = read(&riff(&[chunk(b"fmt ", &format), chunk(b"data", &data)])).unwrap();
    let read: Vec<i16> = pcm.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    assert_eq!(read, [0x10, -0x100, 0x7FFF, -0x8000]);
}

/// Returns at most some bytes at a time.
struct Pieces<'b>(&'b [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.1.min(buffer.len());
        self.0.read(&mut buffer[..length])
    }
}

fn collect(chunks: impl Stream<Item = Result<Vec<u8>, Error>>) -> Result<Vec<u8>, Error> {
    let chunks = chunks.collect::<Vec<_>>().now_or_never().expect("the source is always ready");
    Ok(chunks.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

#[test]
fn pieces_of_any_size_give_the_same_audio() {
    let format = chunk(b"fmt ", &format(44_100, 2, 16, Form::Int));
    let other = chunk(b"LIST", b"odd");
    let data = chunk_of_size(b"data", 0x7FFF_F000, &tone(44_100, 2, 16, Form::Int, 30));
    let file = riff(&[format, other, data]);
    let whole = read(&file).unwrap();
    assert_eq!(whole.len(), BYTES_PER_SECOND * 30 / 1_000);
    for size in (1..48).chain([1_000, file.len()]) {
        let wav = Wav::new(Pieces(&file, size)).unwrap();
        assert_eq!(wav.collect::<Result<Vec<_>, _>>().unwrap().concat(), whole, "{size}");
        let pieces = stream::iter(file.chunks(size).map(Ok::<_, io::Error>));
        assert_eq!(collect(Wav::stream(pieces)).unwrap(), whole, "{size}");
    }
    assert_eq!(collect(Wav::read(&file[..])).unwrap(), whole);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_read_as_wav_without_a_panic(mut bytes in any::<Vec<u8>>(), header in any::<bool>()) {
        if header {
            bytes.splice(0..0, tone_file(24_000, 1, 16, Form::Int, 40).into_iter().take(36));
        }
        if let Ok(wav) = Wav::new(Cursor::new(bytes)) {
            let _ = wav.collect::<Result<Vec<_>, _>>();
        }
    }
}

#[test]
fn wav_files_of_all_supported_formats_decode_to_the_same_tone() {
    let formats = [
        (8, Form::Int),
        (16, Form::Int),
        (24, Form::Int),
        (32, Form::Int),
        (32, Form::Float),
        (64, Form::Float),
    ];
    for (bits, form) in formats {
        for (rate, channels) in [(24_000, 1), (44_100, 2), (16_000, 1)] {
            let file = tone_file(rate, channels, bits, form, 500);
            let wav = Wav::new(Cursor::new(file)).unwrap();
            assert_eq!(wav.duration(), Some(Duration::from_millis(500)));
            let chunks: Result<Vec<_>, _> = wav.collect();
            let pcm = chunks.unwrap().concat();
            assert_eq!(pcm.len(), BYTES_PER_SECOND / 2);
            for (at, pair) in pcm.chunks_exact(2).enumerate().skip(720).take(10_000) {
                let level = f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0;
                let expected = wave(440, 24_000, u32::try_from(at).unwrap());
                // 8 bits have only 256 levels.
                let error = if bits == 8 { 0.02 } else { MAX_ERROR };
                assert!((level - expected).abs() < error, "{bits} bits, {rate}: {at}: {level} {expected}");
            }
        }
    }
}

#[test]
fn files_that_are_not_wav_are_rejected() {
    let six = tone_file(48_000, 6, 16, Form::Int, 10);
    let cut = tone_file(24_000, 1, 16, Form::Int, 100);
    let results = [&b"ID3 something"[..], b"", &six, &cut[..2_000]]
        .map(|file| read(file).map_or_else(|error| error.to_string(), |pcm| format!("{} bytes", pcm.len())));
    insta::assert_snapshot!(results.join("\n"));
}
