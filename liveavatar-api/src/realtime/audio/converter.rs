//! Converting other rates, stereo and floats to the service's format.

use std::fmt;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _};

use super::format::{SAMPLE_BYTES, SAMPLE_RATE};
use crate::error::Error;

/// Sample rates of usual audio devices and codecs, in Hz; anything else is a mistake.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// The largest input block, in samples, that the ratio of two rates may require.
const MAX_RATIO_BLOCK: u32 = 1_000;

/// Samples per resampled block: 21 ms at 48 kHz.
const BLOCK: usize = 1_024;

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

/// Converts audio to the service's format: PCM, 16-bit signed little-endian, 24 kHz, mono.
///
/// Push chunks of any size; each call returns the PCM that is ready, without artifacts where chunks meet. Samples at 24 kHz pass
/// through unchanged. At other rates, [`finish`](Self::finish) returns the last 20 to 40 ms. Stereo is mixed to the mean of both
/// channels.
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
    /// `None` if the input already has the service's rate.
    resampler: Option<Box<Fft<f32>>>,
    /// A left sample whose right sample has not arrived.
    left: Option<f32>,
    /// The first byte of a sample that was split between chunks.
    half: Option<u8>,
    mono: Vec<f32>,
    block: Vec<f32>,
    samples_in: u64,
    samples_out: u64,
    /// Output samples of the resampler's initial delay that are still to be dropped.
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
    /// Creates a converter for a sample rate in Hz and one or two channels.
    ///
    /// # Errors
    /// If the rate is outside 8 to 192 kHz or does not reduce to a small ratio with 24 kHz, or if there are not 1 or 2 channels.
    /// Mix more channels to stereo or mono first.
    pub fn new(rate: u32, channels: u16) -> Result<Self, Error> {
        if !matches!(channels, 1 | 2) {
            return Err(Error::invalid_request(format!(
                "channels is {channels}, must be 1 or 2; mix other layouts to stereo or mono first"
            )));
        }
        if !RATES.contains(&rate) {
            let (low, high) = RATES.into_inner();
            return Err(Error::invalid_request(format!(
                "rate is {rate} Hz, must be from {low} to {high} Hz"
            )));
        }
        if rate / greatest_common_divisor(rate, SAMPLE_RATE) > MAX_RATIO_BLOCK {
            return Err(Error::invalid_request(format!(
                "rate is {rate} Hz, which cannot be converted to {SAMPLE_RATE} Hz; check it, or resample to a usual rate first"
            )));
        }
        let resampler = (rate != SAMPLE_RATE)
            .then(|| Fft::new(rate as usize, SAMPLE_RATE as usize, BLOCK, 1, FixedSync::Input))
            .transpose()
            .map_err(|error| Error::invalid_request("the sample rate cannot be converted").caused_by(error))?
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
            samples_in: 0,
            samples_out: 0,
            delay,
        })
    }

    /// Converts samples, interleaved if there are two channels, and returns the PCM that is ready.
    ///
    /// # Errors
    /// If resampling fails.
    pub fn push<S: Sample>(&mut self, samples: &[S]) -> Result<Vec<u8>, Error> {
        self.push_levels(samples.iter().map(|sample| sample.level()))
    }

    /// Converts bytes of 16-bit signed little-endian samples; a chunk may end in the middle of a sample.
    ///
    /// # Errors
    /// If resampling fails.
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

    /// Returns the rest of the PCM after the last sample.
    ///
    /// # Errors
    /// If resampling fails.
    pub fn finish(mut self) -> Result<Vec<u8>, Error> {
        let mut pcm = Vec::new();
        let expected = (self.samples_in * u64::from(SAMPLE_RATE)).div_ceil(u64::from(self.rate));
        while self.resampler.is_some() && self.samples_out < expected {
            let rest = self.mono.len();
            self.resample(rest, &mut pcm)?;
            self.mono.clear();
        }
        // The last block is padded with silence.
        let surplus = usize::try_from(self.samples_out.saturating_sub(expected)).unwrap_or(usize::MAX);
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
        self.samples_in += (self.mono.len() - before) as u64;
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

    /// Resamples one block; only the last block may be shorter than the resampler's block size.
    fn resample(&mut self, samples: usize, pcm: &mut Vec<u8>) -> Result<(), Error> {
        let Some(resampler) = &mut self.resampler else { return Ok(()) };
        let capacity = self.block.len();
        let input = InterleavedSlice::new(&self.mono, 1, samples).map_err(cannot_resample)?;
        let mut output = InterleavedSlice::new_mut(&mut self.block, 1, capacity).map_err(cannot_resample)?;
        let indexing = Indexing::new().partial_len(samples);
        let partial = (samples < resampler.input_frames_next()).then_some(&indexing);
        let (_, written) =
            resampler.process_into_buffer(&input, &mut output, partial).map_err(cannot_resample)?;
        let skipped = self.delay.min(written);
        self.delay -= skipped;
        self.samples_out += (written - skipped) as u64;
        pcm.extend(self.block[skipped..written].iter().copied().flat_map(pcm_of));
        Ok(())
    }
}

fn cannot_resample(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::invalid_request("the audio cannot be resampled").caused_by(error)
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i16")]
fn pcm_of(level: f32) -> [u8; SAMPLE_BYTES] {
    ((level * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16).to_le_bytes()
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
