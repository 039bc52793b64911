//! Chunks of audio as callers have them: bytes or samples, from sources that may fail.

use std::error::Error as StdError;
use std::fmt;

use bytes::Bytes;

#[cfg(feature = "lite")]
use super::sample::{Sample as _, pcm_of};
use crate::error::{Error, ErrorKind};

/// A chunk of audio: bytes, samples, or a `Result` of either.
///
/// Implement it for your own type of audio frame, to stream such frames without a conversion.
///
/// ```
/// use liveavatar_api::Error;
/// use liveavatar_api::realtime::audio::{Audio, AudioData};
///
/// struct Frame {
///     samples: Vec<i16>,
/// }
///
/// impl Audio for Frame {
///     fn into_data(self) -> Result<AudioData, Error> {
///         self.samples.into_data()
///     }
/// }
/// ```
pub trait Audio {
    /// Returns the chunk's bytes or samples.
    ///
    /// # Errors
    /// If the source of the audio failed; the error's kind is [`ErrorKind::AudioSource`].
    fn into_data(self) -> Result<AudioData, Error>;
}

/// The content of a chunk of audio.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum AudioData {
    /// Bytes of samples, little-endian; a chunk may end in the middle of a sample.
    Bytes(Bytes),
    /// Integer samples.
    I16(Vec<i16>),
    /// Float samples from -1 to 1.
    F32(Vec<f32>),
}

/// Shows only the size of the audio.
impl fmt::Debug for AudioData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::I16(samples) => write!(f, "I16({} samples)", samples.len()),
            Self::F32(samples) => write!(f, "F32({} samples)", samples.len()),
        }
    }
}

impl AudioData {
    /// Returns PCM in the service's format; the samples must be mono at 24 kHz.
    #[cfg(feature = "lite")]
    pub(in crate::realtime) fn into_pcm(self) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::I16(samples) => samples.into_iter().flat_map(i16::to_le_bytes).collect(),
            Self::F32(samples) => samples.into_iter().flat_map(|sample| pcm_of(sample.level())).collect(),
        }
    }
}

impl Audio for Bytes {
    fn into_data(self) -> Result<AudioData, Error> {
        Ok(AudioData::Bytes(self))
    }
}

impl Audio for Vec<u8> {
    fn into_data(self) -> Result<AudioData, Error> {
        Ok(AudioData::Bytes(self.into()))
    }
}

impl Audio for &'static [u8] {
    fn into_data(self) -> Result<AudioData, Error> {
        Ok(AudioData::Bytes(Bytes::from_static(self)))
    }
}

impl Audio for Vec<i16> {
    fn into_data(self) -> Result<AudioData, Error> {
        Ok(AudioData::I16(self))
    }
}

impl Audio for Vec<f32> {
    fn into_data(self) -> Result<AudioData, Error> {
        Ok(AudioData::F32(self))
    }
}

impl<A: Audio, E: Into<Box<dyn StdError + Send + Sync>>> Audio for Result<A, E> {
    fn into_data(self) -> Result<AudioData, Error> {
        self.map_err(source_failed)?.into_data()
    }
}

/// Reports that a source of audio failed, without wrapping the errors of our own converters.
pub(super) fn source_failed(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    let is_ours = |error: &Error| {
        error.operation().is_none()
            && matches!(error.kind(), ErrorKind::AudioSource | ErrorKind::InvalidRequest)
    };
    match error.into().downcast::<Error>() {
        Ok(error) if is_ours(&error) => *error,
        Ok(error) => Error::new(ErrorKind::AudioSource, SOURCE_FAILED).caused_by(*error),
        Err(error) => Error::new(ErrorKind::AudioSource, SOURCE_FAILED).caused_by(error),
    }
}

pub(in crate::realtime) const SOURCE_FAILED: &str = "the source of the audio failed";
