//! WAV files.

use std::fmt;
use std::io::Read;
use std::time::Duration;

use hound::{SampleFormat, WavReader};

use super::converter::Converter;
use crate::error::Error;

/// Samples per chunk, over all channels: about 0.1 s.
const CHUNK_SAMPLES: usize = 4_800;

/// Reads a WAV file and yields PCM in the service's format.
///
/// The file may have any rate that [`Converter`] takes, one or two channels, and integer samples of 8, 16, 24 or 32 bits or float
/// samples of 32 bits.
///
/// ```no_run
/// use liveavatar_api::realtime::audio::Wav;
///
/// let chunks: Result<Vec<Vec<u8>>, _> = Wav::new(std::fs::File::open("greeting.wav")?)?.collect();
/// let pcm = chunks?.concat();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Wav<R> {
    reader: WavReader<R>,
    /// `None` after the end of the file or an error.
    converter: Option<Converter>,
}

impl<R> fmt::Debug for Wav<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wav").field("converter", &self.converter).finish_non_exhaustive()
    }
}

impl<R: Read> Wav<R> {
    /// Reads the file's header.
    ///
    /// # Errors
    /// If the file is not a WAV file, or has a format that this type or [`Converter`] does not support.
    pub fn new(reader: R) -> Result<Self, Error> {
        let reader = WavReader::new(reader).map_err(unreadable)?;
        let spec = reader.spec();
        let converter = Converter::new(spec.sample_rate, spec.channels)?;
        Ok(Self { reader, converter: Some(converter) })
    }

    /// Returns the playback time that the file's header gives, which is wrong for a file that was streamed.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let rate = self.reader.spec().sample_rate;
        Duration::from_secs_f64(f64::from(self.reader.duration()) / f64::from(rate.max(1)))
    }

    fn read_chunk(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let spec = self.reader.spec();
        let samples: Vec<f32> = match spec.sample_format {
            SampleFormat::Float => self.reader.samples::<f32>().take(CHUNK_SAMPLES).collect::<Result<_, _>>(),
            SampleFormat::Int => {
                let full_scale = f64::from(1_u32 << (spec.bits_per_sample.clamp(1, 32) - 1));
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "an f32 has 24 bits of precision, and the output has 16"
                )]
                let level = |sample: i32| (f64::from(sample) / full_scale) as f32;
                self.reader.samples::<i32>().take(CHUNK_SAMPLES).map(|sample| sample.map(level)).collect()
            }
        }
        .map_err(unreadable)?;
        let Some(converter) = &mut self.converter else { return Ok(None) };
        if !samples.is_empty() {
            return converter.push(&samples).map(Some);
        }
        self.converter.take().map(Converter::finish).transpose()
    }
}

impl<R: Read> Iterator for Wav<R> {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.converter.as_ref()?;
        let chunk = self.read_chunk();
        if chunk.is_err() {
            self.converter = None;
        }
        chunk.transpose()
    }
}

fn unreadable(error: hound::Error) -> Error {
    let message = match &error {
        hound::Error::Unsupported => "the format of the WAV file is not supported; convert it to 16-bit PCM",
        hound::Error::IoError(_) => "the WAV file is truncated or cannot be read",
        _ => "the file is not a WAV file; convert it to WAV or PCM",
    };
    Error::invalid_request(message).caused_by(error)
}
