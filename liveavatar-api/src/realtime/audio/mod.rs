//! The service's audio format: PCM, 16-bit signed little-endian, 24 kHz, mono, without a container.
//!
//! The service reports no error for another format; the avatar is garbled or silent (documentation). Convert other audio first:
//!
//! - `Converter` (feature `audio`) takes other sample rates, stereo and `f32` samples.
//! - `Wav` (feature `audio`) reads a WAV file, whose header gives the rate and the sample format.
//! - The LITE socket takes PCM in chunks of any size. If you bring your own WebSocket, `Framer` (feature `lite`) makes its frames.

#[cfg(feature = "audio")]
mod converter;
mod format;
#[cfg(feature = "lite")]
mod framer;
#[cfg(feature = "audio")]
mod wav;

#[cfg(feature = "audio")]
pub use converter::{Converter, Sample};
pub use format::{BYTES_PER_SECOND, MAX_FRAME_BYTES, SAMPLE_BYTES, SAMPLE_RATE, bytes, duration};
#[cfg(feature = "lite")]
pub use framer::{Chunks, Frame, Framer};
#[cfg(feature = "audio")]
pub use wav::Wav;
