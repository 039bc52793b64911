//! Conversion of WAV files, whole and in pieces.

use std::io::{self, Read};

use futures_util::{FutureExt as _, StreamExt as _, stream};
use liveavatar_api::Error;
use liveavatar_api::realtime::audio::Wav;

/// The largest ratio of output to input bytes: 8-bit audio at 8 kHz becomes 16-bit audio at 24 kHz.
const MAX_GROWTH: usize = 6;

/// Bytes that the resampler may add when it flushes.
const MAX_FLUSHED: usize = 64 * 1024;

/// The outcome of a conversion: the PCM up to the end or to the first error.
type Converted = (Vec<u8>, Option<String>);

/// Collects items, of which an error is the last one.
fn collect(chunks: impl Iterator<Item = Result<Vec<u8>, Error>>) -> Converted {
    let (mut pcm, mut message) = (Vec::new(), None);
    for chunk in chunks {
        assert_eq!(message, None, "something follows an error");
        match chunk {
            Ok(chunk) => {
                assert!(!chunk.is_empty() && chunk.len() % 2 == 0, "{} bytes in a chunk", chunk.len());
                pcm.extend(chunk);
            }
            Err(error) => {
                assert!(error.is_invalid_request() || error.is_audio_source(), "{error:?}");
                message = Some(error.to_string());
            }
        }
    }
    (pcm, message)
}

/// Converts with a blocking reader that yields pieces.
fn read(pieces: Pieces) -> Converted {
    match Wav::new(pieces) {
        Ok(mut wav) => {
            let converted = collect(wav.by_ref());
            assert!(wav.next().is_none(), "the iterator continues after its end");
            converted
        }
        Err(error) => collect(std::iter::once(Err(error))),
    }
}

/// Yields its input in pieces of given sizes, repeatedly.
struct Pieces<'b> {
    input: &'b [u8],
    sizes: &'b [u8],
    at: usize,
}

impl<'b> Pieces<'b> {
    fn next(&mut self) -> Option<&'b [u8]> {
        let size = usize::from(self.sizes[self.at % self.sizes.len()]).max(1);
        self.at += 1;
        let (piece, rest) = self.input.split_at(size.min(self.input.len()));
        self.input = rest;
        Some(piece).filter(|piece| !piece.is_empty())
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.next().unwrap_or_default();
        buffer[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }
}

/// Converts a WAV file to PCM.
pub fn wav(input: &[u8]) {
    let (pcm, _) = read(Pieces { input, sizes: &[u8::MAX], at: 0 });
    let most = input.len() * MAX_GROWTH + MAX_FLUSHED;
    assert!(pcm.len() <= most, "{} bytes became {}", input.len(), pcm.len());
}

/// Converts a WAV file in pieces: the first byte is the number of their sizes, which follow.
pub fn wav_pieces(input: &[u8]) {
    let Some((count, rest)) = input.split_first() else { return };
    let (sizes, input) = rest.split_at(usize::from(*count).min(rest.len()));
    let sizes = if sizes.is_empty() { &[1][..] } else { sizes };
    let whole = read(Pieces { input, sizes: &[u8::MAX], at: 0 });
    assert_eq!(read(Pieces { input, sizes, at: 0 }), whole, "a reader of pieces of {sizes:?} bytes");
    let mut pieces = Pieces { input, sizes, at: 0 };
    let pieces = std::iter::from_fn(move || pieces.next().map(Ok::<_, io::Error>));
    let converted = Wav::stream(stream::iter(pieces)).collect::<Vec<_>>();
    let converted = converted.now_or_never().expect("the source is always ready");
    assert_eq!(collect(converted.into_iter()), whole, "a stream of pieces of {sizes:?} bytes");
}
