//! The numbers of the service's audio format.

use std::time::Duration;

/// Samples per second (documentation).
pub const SAMPLE_RATE: u32 = 24_000;

/// Bytes per sample.
pub const SAMPLE_BYTES: usize = 2;

/// Bytes of PCM per second of audio.
pub const BYTES_PER_SECOND: usize = SAMPLE_RATE as usize * SAMPLE_BYTES;

/// The service's limit for one text message on the socket (documentation).
pub const MAX_FRAME_BYTES: usize = 1_000_000;

/// Returns the playback time of PCM.
#[must_use]
pub fn duration(pcm_bytes: usize) -> Duration {
    let samples = u64::try_from(pcm_bytes / SAMPLE_BYTES).unwrap_or(u64::MAX);
    let rate = u64::from(SAMPLE_RATE);
    let nanoseconds = (samples % rate) * 1_000_000_000 / rate;
    Duration::from_secs(samples / rate) + Duration::from_nanos(nanoseconds)
}

/// Returns the size of PCM that plays for the given time, rounded down to whole samples.
#[must_use]
pub fn bytes(duration: Duration) -> usize {
    let samples = duration.as_nanos() * u128::from(SAMPLE_RATE) / 1_000_000_000;
    usize::try_from(samples).unwrap_or(usize::MAX / SAMPLE_BYTES) * SAMPLE_BYTES
}
