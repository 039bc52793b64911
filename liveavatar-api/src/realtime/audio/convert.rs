//! From other rates, stereo and floats to the service's format.

use std::fmt;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _};

use super::{SAMPLE_BYTES, SAMPLE_RATE};
use crate::error::Error;

/// The rates that audio comes in; anything else is a mistaken argument.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// Longest piece of input that the ratio of two rates may ask for at once, in samples.
const LONGEST_BLOCK: u32 = 1_000;

/// Input that is resampled at once, in samples: 21 ms at 48 kHz.
const BLOCK: usize = 1_024;

/// A sample of audio: `i16` over its whole range, or `f32` from -1 to 1.
pub trait Sample: Copy + sealed::Sealed {
    /// As a float from -1 to 1; what is louder is cut off there, what is no number is silence.
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

/// Turns audio into the service's format: PCM, 16-bit signed little-endian, 24 kHz, mono.
///
/// Pieces of any size are pushed, and what is ready of the result comes back; nothing is heard at the seams. At 24 kHz
/// samples go through unchanged; from another rate the last 20 to 40 ms come from [`finish`](Self::finish). Stereo is mixed
/// to the mean of both channels.
///
/// ```
/// use liveavatar_api::realtime::audio::Converter;
///
/// let mut converter = Converter::new(48_000, 2)?;
/// let tone = vec![0.25_f32; 2 * 48_000]; // one second, two channels
/// let mut pcm = converter.push(&tone)?;
/// pcm.extend(converter.finish()?);
/// assert_eq!(pcm.len(), 48_000); // one second again, in bytes
/// # Ok::<(), liveavatar_api::Error>(())
/// ```
pub struct Converter {
    rate: u32,
    channels: u16,
    /// None where the rate is the service's.
    resampler: Option<Box<Fft<f32>>>,
    /// The first channel of a sample whose second has not come.
    left: Option<f32>,
    /// Half of a sample that was pushed as bytes.
    half: Option<u8>,
    mono: Vec<f32>,
    block: Vec<f32>,
    /// Samples that went in and came out so far.
    counts: (u64, u64),
    /// Samples at the start that are the resampler's delay.
    delay: usize,
}

impl fmt::Debug for Converter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Converter")
            .field("rate", &self.rate)
            .field("channels", &self.channels)
            .finish_non_exhaustive()
    }
}

impl Converter {
    /// A converter of audio with that many samples per second, and one or two channels.
    ///
    /// # Errors
    /// When the rate is not between 8 and 192 kHz or has no small ratio to 24 kHz, or there are more channels: what they mean
    /// is not known here, so mix them first.
    pub fn new(rate: u32, channels: u16) -> Result<Self, Error> {
        if !matches!(channels, 1 | 2) {
            return Err(Error::invalid_request(format!(
                "channels is {channels} and must be 1 or 2; mix others down first"
            )));
        }
        if !RATES.contains(&rate) {
            let (low, high) = RATES.into_inner();
            return Err(Error::invalid_request(format!(
                "rate is {rate} and must be from {low} to {high} samples per second"
            )));
        }
        if rate / greatest_common_divisor(rate, SAMPLE_RATE) > LONGEST_BLOCK {
            return Err(Error::invalid_request(format!(
                "rate is {rate}, which no usual device has and has no small ratio to {SAMPLE_RATE}; check it"
            )));
        }
        let resampler = (rate != SAMPLE_RATE)
            .then(|| Fft::new(rate as usize, SAMPLE_RATE as usize, BLOCK, 1, FixedSync::Input))
            .transpose()
            .map_err(|error| Error::invalid_request("the rate cannot be converted").caused_by(error))?
            .map(Box::new);
        let delay = resampler.as_ref().map_or(0, |resampler| resampler.output_delay());
        let block = resampler.as_ref().map_or_else(Vec::new, |it| vec![0.0; it.output_frames_max()]);
        Ok(Self {
            rate,
            channels,
            resampler,
            left: None,
            half: None,
            mono: Vec::new(),
            block,
            counts: (0, 0),
            delay,
        })
    }

    /// Takes samples, of two channels in turn if there are two, and returns the PCM that is ready.
    ///
    /// # Errors
    /// When the resampler fails.
    pub fn push<S: Sample>(&mut self, samples: &[S]) -> Result<Vec<u8>, Error> {
        self.push_levels(samples.iter().map(|sample| sample.level()))
    }

    /// Takes samples as bytes, 16-bit signed little-endian; a piece may end within a sample.
    ///
    /// # Errors
    /// When the resampler fails.
    pub fn push_bytes(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let (first, bytes) = match (self.half.take(), bytes.split_first()) {
            (Some(low), Some((high, rest))) => (Some([low, *high]), rest),
            (half, _) => {
                self.half = half;
                (None, bytes)
            }
        };
        let pairs = bytes.chunks_exact(SAMPLE_BYTES);
        if let [half] = pairs.remainder() {
            self.half = Some(*half);
        }
        let samples = first.into_iter().chain(pairs.map(|pair| [pair[0], pair[1]]));
        self.push_levels(samples.map(|bytes| i16::from_le_bytes(bytes).level()))
    }

    /// Returns what is left, when no more samples come.
    ///
    /// # Errors
    /// When the resampler fails.
    pub fn finish(mut self) -> Result<Vec<u8>, Error> {
        let mut pcm = Vec::new();
        let expected = (self.counts.0 * u64::from(SAMPLE_RATE)).div_ceil(u64::from(self.rate));
        while self.resampler.is_some() && self.counts.1 < expected {
            let rest = self.mono.len();
            self.resample(rest, &mut pcm)?;
            self.mono.clear();
        }
        // The last block is longer than what it was made of.
        let surplus = usize::try_from(self.counts.1.saturating_sub(expected)).unwrap_or(usize::MAX);
        pcm.truncate(pcm.len().saturating_sub(surplus.saturating_mul(SAMPLE_BYTES)));
        Ok(pcm)
    }

    fn push_levels(&mut self, mut levels: impl Iterator<Item = f32>) -> Result<Vec<u8>, Error> {
        let before = self.mono.len();
        if self.channels == 1 {
            self.mono.extend(levels);
        } else {
            while let Some(level) = levels.next() {
                match self.left.take() {
                    Some(left) => self.mono.push(f32::midpoint(left, level)),
                    None => match levels.next() {
                        Some(right) => self.mono.push(f32::midpoint(level, right)),
                        None => self.left = Some(level),
                    },
                }
            }
        }
        self.counts.0 += (self.mono.len() - before) as u64;
        let mut pcm = Vec::new();
        let Some(needed) = self.resampler.as_ref().map(|resampler| resampler.input_frames_next()) else {
            pcm.extend(self.mono.drain(..).flat_map(pcm_of));
            return Ok(pcm);
        };
        while self.mono.len() >= needed {
            self.resample(needed, &mut pcm)?;
            self.mono.drain(..needed);
        }
        Ok(pcm)
    }

    /// Resamples one block, the last of which may have fewer samples than it takes.
    fn resample(&mut self, samples: usize, pcm: &mut Vec<u8>) -> Result<(), Error> {
        let Some(resampler) = &mut self.resampler else { return Ok(()) };
        let failed = |error: rubato::ResampleError| {
            Error::invalid_request("the audio cannot be resampled").caused_by(error)
        };
        let sizes = |error: rubato::audioadapter_buffers::SizeError| {
            Error::invalid_request("the audio cannot be resampled").caused_by(error)
        };
        let room = self.block.len();
        let input = InterleavedSlice::new(&self.mono, 1, samples).map_err(sizes)?;
        let mut output = InterleavedSlice::new_mut(&mut self.block, 1, room).map_err(sizes)?;
        let indexing = Indexing::new().partial_len(samples);
        let partial = (samples < resampler.input_frames_next()).then_some(&indexing);
        let (_, written) = resampler.process_into_buffer(&input, &mut output, partial).map_err(failed)?;
        let skipped = self.delay.min(written);
        self.delay -= skipped;
        self.counts.1 += (written - skipped) as u64;
        pcm.extend(self.block[skipped..written].iter().copied().flat_map(pcm_of));
        Ok(())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped to the range; the cast of a float saturates anyway"
)]
fn pcm_of(level: f32) -> [u8; SAMPLE_BYTES] {
    ((level * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16).to_le_bytes()
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
