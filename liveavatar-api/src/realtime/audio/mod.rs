//! The service's audio format: PCM, 16-bit signed little-endian, 24 kHz, mono, without a container.
//!
//! The service reports no error for another format; the avatar is garbled or silent (documentation). Convert other audio first:
//!
//! - `Converter` (feature `audio`) takes other sample rates, stereo and `f32` samples, in chunks or as a stream.
//! - `Wav` (feature `audio`) reads WAV, whose header gives the rate and the sample format, from files, streams and async readers.
//! - The LITE socket takes PCM in chunks of any size, as bytes or samples ([`Audio`]). If you bring your own WebSocket, `Framer` (feature `lite`) makes its frames.

#[cfg(any(feature = "audio", feature = "lite"))]
mod chunk;
#[cfg(any(feature = "audio", feature = "lite"))]
mod container;
#[cfg(feature = "audio")]
mod converter;
#[cfg(feature = "audio")]
mod decode;
mod format;
#[cfg(feature = "lite")]
mod framer;
#[cfg(any(feature = "audio", feature = "lite"))]
mod sample;
#[cfg(feature = "audio")]
mod wav;

#[cfg(feature = "lite")]
pub(super) use chunk::SOURCE_FAILED;
#[cfg(any(feature = "audio", feature = "lite"))]
pub use chunk::{Audio, AudioData};
#[cfg(feature = "lite")]
pub(super) use container::ContainerCheck;
#[cfg(feature = "audio")]
pub use converter::Converter;
pub use format::{BYTES_PER_SECOND, MAX_FRAME_BYTES, SAMPLE_BYTES, SAMPLE_RATE, bytes, duration};
#[cfg(feature = "lite")]
pub use framer::{Chunks, Frame, Framer};
#[cfg(any(feature = "audio", feature = "lite"))]
pub use sample::Sample;
#[cfg(feature = "audio")]
pub use wav::Wav;
