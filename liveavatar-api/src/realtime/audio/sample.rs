//! Samples: their types, and how they are encoded as bytes.

use super::format::SAMPLE_BYTES;

/// An audio sample: an `i16`, or an `f32` from -1 to 1.
pub trait Sample: Copy + sealed::Sealed {
    /// Returns the sample as a float, clamped to -1 and 1; NaN becomes silence.
    fn level(self) -> f32;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for i16 {}
    impl Sealed for f32 {}
}

impl Sample for i16 {
    fn level(self) -> f32 {
        f32::from(self) / 32_768.0
    }
}

impl Sample for f32 {
    fn level(self) -> f32 {
        if self.is_nan() { 0.0 } else { self.clamp(-1.0, 1.0) }
    }
}

/// Returns a level as a sample in the service's format.
#[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i16")]
pub(super) fn pcm_of(level: f32) -> [u8; SAMPLE_BYTES] {
    ((level * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16).to_le_bytes()
}

/// How a sample is encoded as bytes, little-endian.
#[cfg(feature = "audio")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SampleFormat {
    U8,
    I16,
    I24,
    /// Followed by an unused byte, as `arecord -f S24_LE` writes it.
    I24Padded,
    I32,
    F32,
    F64,
}

#[cfg(feature = "audio")]
impl SampleFormat {
    /// The largest number of bytes of a sample.
    pub(super) const MAX_BYTES: usize = 8;

    pub(super) fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::I16 => 2,
            Self::I24 => 3,
            Self::I24Padded | Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Decodes one sample.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an f32 has 24 bits of precision, and the output has 16"
    )]
    pub(super) fn level(self, sample: &[u8]) -> f32 {
        let level = |sample: i32| (f64::from(sample) / 2_147_483_648.0) as f32;
        match (self, sample) {
            (Self::U8, &[byte]) => (f32::from(byte) - 128.0) / 128.0,
            (Self::I16, &[a, b]) => i16::from_le_bytes([a, b]).level(),
            (Self::I24, &[a, b, c]) | (Self::I24Padded, &[a, b, c, _]) => {
                level(i32::from_le_bytes([0, a, b, c]))
            }
            (Self::I32, &[a, b, c, d]) => level(i32::from_le_bytes([a, b, c, d])),
            (Self::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]).level(),
            (Self::F64, _) => {
                sample.try_into().map_or(0.0, |bytes| (f64::from_le_bytes(bytes) as f32).level())
            }
            // All callers pass a whole sample.
            _ => 0.0,
        }
    }
}
