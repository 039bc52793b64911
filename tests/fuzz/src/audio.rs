//! WAV files.

use std::io::Cursor;

use liveavatar_api::realtime::audio::Wav;

/// What a second of the slowest audio that is taken becomes: 8 kHz of one byte is 24 kHz of two.
const GROWTH: usize = 6;

/// What the resampler may hold back and add at the end, in bytes.
const MARGIN: usize = 64 * 1024;

/// A WAV file becomes PCM of whole samples that is no longer than it plays, or an error, after which nothing comes.
pub fn wav(input: &[u8]) {
    let mut wav = match Wav::new(Cursor::new(input)) {
        Ok(wav) => wav,
        Err(error) => return assert!(error.is_invalid_request(), "{error:?}"),
    };
    let mut bytes = 0;
    for piece in wav.by_ref() {
        match piece {
            Ok(pcm) => {
                assert_eq!(pcm.len() % 2, 0, "half a sample");
                bytes += pcm.len();
                assert!(bytes <= input.len() * GROWTH + MARGIN, "{bytes} bytes of {}", input.len());
            }
            Err(error) => {
                assert!(error.is_invalid_request(), "{error:?}");
                break;
            }
        }
    }
    assert!(wav.next().is_none(), "something comes after the end");
}
