//! WAV files.

use std::fmt;
use std::io::Read;
use std::time::Duration;

use hound::{SampleFormat, WavReader};

use super::Converter;
use crate::error::Error;

/// Samples of all channels that one piece is made of: about a tenth of a second.
const PIECE: usize = 4_800;

/// The PCM of a WAV file, piece by piece, in the service's format.
///
/// Rate, channels and sample format are those of the file: integers of 8, 16, 24 and 32 bits and floats of 32.
///
/// ```no_run
/// use liveavatar_api::realtime::audio::Wav;
///
/// let pieces: Result<Vec<Vec<u8>>, _> = Wav::new(std::fs::File::open("greeting.wav")?)?.collect();
/// let pcm = pieces?.concat();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Wav<R> {
    reader: WavReader<R>,
    /// None once the end was reached or a piece failed.
    converter: Option<Converter>,
}

impl<R> fmt::Debug for Wav<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wav").field("converter", &self.converter).finish_non_exhaustive()
    }
}

impl<R: Read> Wav<R> {
    /// Reads the head of the file.
    ///
    /// # Errors
    /// When it is no WAV file, or has a format that [`Converter`] or this type does not take.
    pub fn new(reader: R) -> Result<Self, Error> {
        let reader = WavReader::new(reader).map_err(unreadable)?;
        let spec = reader.spec();
        let converter = Converter::new(spec.sample_rate, spec.channels)?;
        Ok(Self { reader, converter: Some(converter) })
    }

    /// How long the whole file plays, as its head says; a file of unknown length may say anything.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let rate = self.reader.spec().sample_rate;
        Duration::from_secs_f64(f64::from(self.reader.duration()) / f64::from(rate.max(1)))
    }

    fn piece(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let spec = self.reader.spec();
        let samples: Vec<f32> = match spec.sample_format {
            SampleFormat::Float => self.reader.samples::<f32>().take(PIECE).collect::<Result<_, _>>(),
            SampleFormat::Int => {
                let loudest = f64::from(1_u32 << (spec.bits_per_sample.clamp(1, 32) - 1));
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "24 bits of a level are more than 16 bits hear"
                )]
                let level = |sample: i32| (f64::from(sample) / loudest) as f32;
                self.reader.samples::<i32>().take(PIECE).map(|sample| sample.map(level)).collect()
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
        let piece = self.piece();
        if piece.is_err() {
            self.converter = None;
        }
        piece.transpose()
    }
}

fn unreadable(error: hound::Error) -> Error {
    let what = match &error {
        hound::Error::Unsupported => {
            "the WAV file has a format that is not supported; convert it to 16-bit PCM"
        }
        hound::Error::IoError(_) => "the WAV file ends too early or cannot be read",
        _ => "the file is no WAV file; convert it, or decode it to PCM",
    };
    Error::invalid_request(what).caused_by(error)
}
