//! Audio as the avatar takes it: PCM, 16-bit signed little-endian, 24 kHz, mono, without a container.
//!
//! The service names no wrong format; the avatar is garbled or silent (documentation). So whatever is known about the
//! audio at hand is said here:
//!
//! - Samples of another rate, of two channels, or as `f32`: `Converter`, with the feature `audio`.
//! - WAV files: `Wav`, with the feature `audio`; it reads the rate and the format from the file.
//! - PCM in the service's format goes to the socket as it is, in pieces of any size; with the feature `lite`, `Framer` cuts
//!   it into frames for those who bring their own web socket.

#[cfg(feature = "audio")]
mod convert;
#[cfg(feature = "lite")]
mod frame;
#[cfg(feature = "audio")]
mod wav;

use std::time::Duration;

#[cfg(feature = "audio")]
pub use convert::{Converter, Sample};
#[cfg(feature = "lite")]
pub use frame::{Chunks, Frame, Framer};
#[cfg(feature = "audio")]
pub use wav::Wav;

/// Samples per second that the service takes (documentation).
pub const SAMPLE_RATE: u32 = 24_000;

/// Bytes of a sample.
pub const SAMPLE_BYTES: usize = 2;

/// Bytes of PCM per second of speech.
pub const BYTES_PER_SECOND: usize = SAMPLE_RATE as usize * SAMPLE_BYTES;

/// The largest message that the service takes, as text on the socket (documentation).
pub const MAX_FRAME_BYTES: usize = 1_000_000;

/// How long so many bytes of PCM play.
#[must_use]
pub fn duration(pcm_bytes: usize) -> Duration {
    let samples = u64::try_from(pcm_bytes / SAMPLE_BYTES).unwrap_or(u64::MAX);
    let rate = u64::from(SAMPLE_RATE);
    let nanoseconds = (samples % rate) * 1_000_000_000 / rate;
    Duration::from_secs(samples / rate) + Duration::from_nanos(nanoseconds)
}

/// The bytes of PCM, in whole samples, that play at most so long.
#[must_use]
pub fn bytes(duration: Duration) -> usize {
    let samples = duration.as_nanos() * u128::from(SAMPLE_RATE) / 1_000_000_000;
    usize::try_from(samples).unwrap_or(usize::MAX / SAMPLE_BYTES) * SAMPLE_BYTES
}
