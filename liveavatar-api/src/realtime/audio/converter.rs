//! Converting other rates, stereo and floats to the service's format.

use std::fmt;
use std::iter;

use futures_util::{Stream, StreamExt as _};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _};

use super::chunk::{Audio, AudioData};
use super::container::ContainerCheck;
use super::decode::{decode, pieces};
use super::format::{SAMPLE_BYTES, SAMPLE_RATE};
use super::sample::{Sample, SampleFormat, pcm_of};
use crate::error::Error;

/// Sample rates of usual audio devices and codecs, in Hz; anything else is a mistake.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// The largest input block, in samples, that the ratio of two rates may require.
const MAX_RATIO_BLOCK: u32 = 1_000;

/// Samples per resampled block: 21 ms at 48 kHz.
const BLOCK: usize = 1_024;

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
///
/// For a stream, such as that of a text-to-speech service, [`stream`](Self::stream) does the same; an
/// [`AsyncRead`](tokio::io::AsyncRead) has [`read`](Self::read).
pub struct Converter {
    rate: u32,
    channels: u16,
    /// How bytes encode samples.
    format: SampleFormat,
    container: ContainerCheck,
    /// `None` if the input already has the service's rate.
    resampler: Option<Box<Fft<f32>>>,
    /// A left sample whose right sample has not arrived.
    left: Option<f32>,
    /// The first bytes of a sample that was split between chunks.
    split: [u8; SampleFormat::MAX_BYTES],
    split_len: usize,
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
            .field("format", &self.format)
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
            format: SampleFormat::I16,
            container: ContainerCheck::default(),
            resampler,
            left: None,
            split: [0; SampleFormat::MAX_BYTES],
            split_len: 0,
            mono: Vec::new(),
            block,
            samples_in: 0,
            samples_out: 0,
            delay,
        })
    }

    /// Decodes bytes as 32-bit float little-endian samples, instead of 16-bit integers.
    #[must_use]
    pub fn f32_bytes(self) -> Self {
        self.with_format(SampleFormat::F32)
    }

    pub(super) fn with_format(mut self, format: SampleFormat) -> Self {
        self.format = format;
        self
    }

    /// Returns whether both convert the same kind of input.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.rate, self.channels, self.format) == (other.rate, other.channels, other.format)
    }

    /// Converts samples, interleaved if there are two channels, and returns the PCM that is ready.
    ///
    /// # Errors
    /// If resampling fails.
    pub fn push<S: Sample>(&mut self, samples: &[S]) -> Result<Vec<u8>, Error> {
        self.push_levels(samples.iter().map(|sample| sample.level()))
    }

    /// Converts bytes of 16-bit signed little-endian samples.
    ///
    /// A chunk may end in the middle of a sample. After [`f32_bytes`](Self::f32_bytes), the samples are 32-bit floats.
    ///
    /// # Errors
    /// If the bytes are a file, such as WAV or MP3, or if resampling fails.
    pub fn push_bytes(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        self.container.push(bytes)?;
        self.push_encoded(bytes)
    }

    /// Converts bytes of samples without looking for a container.
    pub(super) fn push_encoded(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let (format, size) = (self.format, self.format.bytes());
        let missing = if self.split_len > 0 { size - self.split_len } else { 0 };
        let (head, bytes) = bytes.split_at(missing.min(bytes.len()));
        self.split[self.split_len..self.split_len + head.len()].copy_from_slice(head);
        self.split_len += head.len();
        let first = (self.split_len == size).then_some(self.split);
        if first.is_some() {
            self.split_len = 0;
        }
        let samples = bytes.chunks_exact(size);
        let rest = samples.remainder();
        if !rest.is_empty() {
            self.split[..rest.len()].copy_from_slice(rest);
            self.split_len = rest.len();
        }
        let first = first.iter().map(|sample| &sample[..size]);
        self.push_levels(first.chain(samples).map(|sample| format.level(sample)))
    }

    fn push_data(&mut self, data: AudioData) -> Result<Vec<u8>, Error> {
        match data {
            AudioData::Bytes(bytes) => self.push_bytes(&bytes),
            AudioData::I16(samples) => self.push(&samples),
            AudioData::F32(samples) => self.push(&samples),
        }
    }

    /// Converts a stream of chunks to a stream of PCM.
    ///
    /// The source may be a text-to-speech service. The chunks are bytes, `i16` or `f32` samples, or `Result`s of these. The stream ends after the first error. It keeps nothing
    /// but the samples of an incomplete block, and passes on an odd byte at the end, which the LITE socket reports.
    ///
    /// ```no_run
    /// # async fn speak(
    /// #     socket: liveavatar_api::realtime::lite::Socket,
    /// #     tts: impl futures_util::Stream<Item = Result<Vec<u8>, std::io::Error>> + Send + 'static,
    /// # ) -> Result<(), liveavatar_api::Error> {
    /// use liveavatar_api::realtime::audio::Converter;
    ///
    /// socket.speak(Converter::new(44_100, 1)?.stream(tts)).await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The stream's errors are those of the source, with [`ErrorKind::AudioSource`](crate::ErrorKind::AudioSource), and those of
    /// [`push`](Self::push) and [`push_bytes`](Self::push_bytes).
    pub fn stream<S>(self, chunks: S) -> impl Stream<Item = Result<Vec<u8>, Error>>
    where
        S: Stream<Item: Audio>,
    {
        let mut converter = Some(self);
        decode(chunks.map(Audio::into_data), move |chunk| match (chunk, &mut converter) {
            (Some(chunk), Some(converter)) => converter.push_data(chunk),
            (_, converter) => converter.take().map_or_else(|| Ok(Vec::new()), Self::finish_stream),
        })
    }

    /// Converts what an async reader yields to a stream of PCM.
    ///
    /// The reader yields bytes as [`push_bytes`](Self::push_bytes) takes them; for WAV see [`Wav::read`](super::Wav::read).
    ///
    /// # Errors
    /// See [`stream`](Self::stream).
    pub fn read<R: tokio::io::AsyncRead>(self, reader: R) -> impl Stream<Item = Result<Vec<u8>, Error>> {
        self.stream(pieces(reader))
    }

    fn finish_stream(self) -> Result<Vec<u8>, Error> {
        let is_odd = self.split_len > 0;
        let mut pcm = self.finish()?;
        pcm.extend(is_odd.then_some(0));
        Ok(pcm)
    }

    /// Returns the rest of the PCM after the last sample.
    ///
    /// # Errors
    /// If resampling fails.
    pub fn finish(mut self) -> Result<Vec<u8>, Error> {
        let mut pcm = match self.left {
            // The input ends between the channels: the other one would have had the same level.
            Some(left) => self.push_levels(iter::once(left))?,
            None => Vec::new(),
        };
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

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
