//! Conversion of WAV files.

use std::io::Cursor;

use liveavatar_api::realtime::audio::Wav;

/// The largest ratio of output to input bytes: 8-bit audio at 8 kHz becomes 16-bit audio at 24 kHz.
const MAX_GROWTH: usize = 6;

/// Bytes that the resampler may add when it flushes.
const MAX_FLUSHED: usize = 64 * 1024;

/// Converts a WAV file to PCM.
pub fn wav(input: &[u8]) {
    let mut wav = match Wav::new(Cursor::new(input)) {
        Ok(wav) => wav,
        Err(error) => return assert!(error.is_invalid_request(), "{error:?}"),
    };
    let mut bytes = 0;
    for chunk in wav.by_ref() {
        match chunk {
            Ok(pcm) => {
                assert_eq!(pcm.len() % 2, 0, "the chunk ends inside a sample");
                bytes += pcm.len();
                assert!(
                    bytes <= input.len() * MAX_GROWTH + MAX_FLUSHED,
                    "{} bytes became {bytes}",
                    input.len()
                );
            }
            Err(error) => {
                assert!(error.is_invalid_request(), "{error:?}");
                break;
            }
        }
    }
    assert!(wav.next().is_none(), "the iterator continues after its end");
}
