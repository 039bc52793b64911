//! WAV files, complete or streamed.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, Read};
use std::time::Duration;

use futures_util::{Stream, TryStreamExt as _};

use super::chunk::source_failed;
use super::converter::Converter;
use super::decode::{PIECE, decode, pieces};
use super::sample::SampleFormat;
use crate::error::{Error, ErrorKind};

/// The sizes of the audio that a header may announce. Programs that do not know it write a larger one, or 0.
const KNOWN_SIZES: std::ops::Range<usize> = 1..1 << 30;

/// How much audio may be missing without an error, in bytes: some programs count the header, too.
const MISSING_MAX: usize = 64;

/// The size of an id and a size.
const CHUNK_HEADER: usize = 8;

/// Sizes of the content of a `fmt ` chunk, without and with its extension.
const FORMAT_MIN: usize = 16;
const FORMAT_MAX: usize = 40;

const FILE_TYPE: [u8; 4] = *b"WAVE";

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xFFFE;

/// The end of an extended format's id, which starts with a plain format.
const EXTENSIBLE_TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];

/// Reads WAV and yields PCM in the service's format.
///
/// The audio may have any rate that [`Converter`] takes, one or two channels, and integer samples of 8, 16, 24 or 32 bits or float
/// samples of 32 or 64 bits.
///
/// Text-to-speech services and `espeak-ng --stdout` write the header before they know the size of the audio. Such audio is read to
/// the end of the input. If a file ends before the size that its header gives, the last item is an error.
///
/// This type is an iterator for a blocking reader. [`Wav::stream`] and [`Wav::read`] are for async sources:
///
/// ```no_run
/// # async fn speak(
/// #     socket: liveavatar_api::realtime::lite::Socket,
/// #     espeak: impl tokio::io::AsyncRead + Send + 'static,
/// # ) {
/// use liveavatar_api::realtime::audio::Wav;
///
/// socket.speak(Wav::read(espeak)).await;
/// # }
/// ```
pub struct Wav<R> {
    reader: R,
    decoder: Decoder,
    /// PCM that was read together with the header.
    first: Vec<u8>,
    is_done: bool,
}

impl<R> fmt::Debug for Wav<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wav").field("converter", &self.decoder.converter).finish_non_exhaustive()
    }
}

impl Wav<()> {
    /// Converts a stream of bytes to a stream of PCM.
    ///
    /// The bytes may be the body of a response. The stream ends after the first error.
    ///
    /// # Errors
    /// The stream's errors are those of [`Wav::new`] and of the source, with
    /// [`ErrorKind::AudioSource`](crate::ErrorKind::AudioSource).
    pub fn stream<S, B, E>(bytes: S) -> impl Stream<Item = Result<Vec<u8>, Error>>
    where
        S: Stream<Item = Result<B, E>>,
        B: AsRef<[u8]>,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let mut decoder = Decoder::default();
        decode(bytes.map_err(source_failed), move |piece| match piece {
            Some(piece) => decoder.push(piece.as_ref()),
            None => decoder.finish(),
        })
    }

    /// Converts what an async reader yields to a stream of PCM.
    ///
    /// The reader may be the standard output of a speech synthesizer.
    ///
    /// # Errors
    /// See [`Wav::stream`].
    pub fn read<R: tokio::io::AsyncRead>(reader: R) -> impl Stream<Item = Result<Vec<u8>, Error>> {
        Self::stream(pieces(reader))
    }
}

impl<R: Read> Wav<R> {
    /// Reads the header.
    ///
    /// ```no_run
    /// use liveavatar_api::realtime::audio::Wav;
    ///
    /// let chunks: Result<Vec<Vec<u8>>, _> = Wav::new(std::fs::File::open("greeting.wav")?)?.collect();
    /// let pcm = chunks?.concat();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the file is not a WAV file, or has a format that this type or [`Converter`] does not support.
    pub fn new(reader: R) -> Result<Self, Error> {
        let mut wav = Self { reader, decoder: Decoder::default(), first: Vec::new(), is_done: false };
        while !wav.decoder.is_past_header {
            wav.first = wav.read_piece()?;
        }
        Ok(wav)
    }

    /// Returns the playback time that the header gives; `None` if the audio was streamed.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.decoder.duration
    }

    /// Reads and converts a piece. At the end of the input, returns the rest, then an error if audio is missing, then nothing.
    fn read_piece(&mut self) -> Result<Vec<u8>, Error> {
        self.decoder.check()?;
        let mut buffer = [0; PIECE];
        loop {
            return match self.reader.read(&mut buffer) {
                Ok(0) => self.decoder.finish().inspect(|pcm| self.is_done = pcm.is_empty()),
                Ok(read) => self.decoder.push(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => self.decoder.fail(source_failed(error), Vec::new()),
            };
        }
    }
}

impl<R: Read> Iterator for Wav<R> {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut pcm = Ok(std::mem::take(&mut self.first));
        while !self.is_done && pcm.as_ref().is_ok_and(Vec::is_empty) {
            pcm = self.read_piece();
            self.is_done |= pcm.is_err();
        }
        (!pcm.as_ref().is_ok_and(Vec::is_empty)).then_some(pcm)
    }
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Default)]
enum Position {
    /// The id and the size of a chunk.
    #[default]
    ChunkHeader,
    /// The type of a RIFF file.
    FileType,
    /// The content of a `fmt ` chunk of this size.
    Format { size: usize },
    /// Audio, as long as this, or else to the end of the input.
    Audio { left: Option<usize> },
    /// Anything else.
    Skipped { left: usize },
}

/// Decodes WAV that arrives in pieces of any size.
#[derive(Default)]
struct Decoder {
    position: Position,
    /// The start of a header that has not arrived completely, at most [`FORMAT_MAX`] bytes.
    header: Vec<u8>,
    /// Whether the last chunk has an odd size, so that a pad byte follows.
    is_odd: bool,
    is_riff: bool,
    is_past_header: bool,
    /// `None` before the format is known and after the end.
    converter: Option<Converter>,
    /// Of the input; 0 before the format is known.
    bytes_per_second: u64,
    duration: Option<Duration>,
    /// An error to return after the PCM before it.
    failed: Option<Error>,
}

impl Decoder {
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        self.check()?;
        let mut pcm = Vec::new();
        match self.decode(bytes, &mut pcm) {
            Ok(()) => Ok(pcm),
            Err(error) => self.fail(error, pcm),
        }
    }

    /// Returns the error that follows the last PCM.
    fn check(&mut self) -> Result<(), Error> {
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Returns the rest of the PCM before an error, or the error if there is none.
    fn fail(&mut self, error: Error, mut pcm: Vec<u8>) -> Result<Vec<u8>, Error> {
        let rest = self.converter.take().map(Converter::finish);
        pcm.extend(rest.and_then(Result::ok).unwrap_or_default());
        if pcm.is_empty() {
            return Err(error);
        }
        self.failed = Some(error);
        Ok(pcm)
    }

    fn decode(&mut self, mut bytes: &[u8], pcm: &mut Vec<u8>) -> Result<(), Error> {
        while let Some(first) = bytes.first() {
            match self.position {
                // No id starts with 0, and some programs leave out the pad byte.
                Position::ChunkHeader if std::mem::take(&mut self.is_odd) && *first == 0 => {
                    bytes = &bytes[1..];
                }
                Position::ChunkHeader => {
                    if let Some(header) = self.header(&mut bytes, CHUNK_HEADER) {
                        self.chunk(&header, pcm)?;
                    }
                }
                Position::FileType => {
                    if let Some(file_type) = self.header(&mut bytes, FILE_TYPE.len()) {
                        if file_type != FILE_TYPE[..] {
                            return Err(not_wav());
                        }
                        self.position = Position::ChunkHeader;
                    }
                }
                Position::Format { size } => {
                    let used = size.min(FORMAT_MAX);
                    if let Some(format) = self.header(&mut bytes, used) {
                        self.format(&format, pcm)?;
                        self.position = Position::Skipped { left: size - used };
                    }
                }
                Position::Audio { left } => {
                    let audio = split_off(&mut bytes, left.unwrap_or(usize::MAX));
                    self.position = match left.map(|left| left - audio.len()) {
                        Some(0) => Position::ChunkHeader,
                        left => Position::Audio { left },
                    };
                    self.audio(audio, pcm)?;
                }
                Position::Skipped { left } => {
                    self.position = match left - split_off(&mut bytes, left).len() {
                        0 => Position::ChunkHeader,
                        left => Position::Skipped { left },
                    };
                }
            }
        }
        Ok(())
    }

    /// Returns the rest of the PCM, then an error if audio is missing, then nothing.
    fn finish(&mut self) -> Result<Vec<u8>, Error> {
        self.check()?;
        if !self.is_past_header {
            return Err(Error::invalid_request("the WAV file ends before its audio"));
        }
        let mut pcm = Vec::new();
        let header = std::mem::take(&mut self.header);
        if matches!(self.position, Position::ChunkHeader) && !is_id(&header) {
            self.audio(&header, &mut pcm)?;
        }
        if let Some(converter) = self.converter.take() {
            pcm.extend(converter.finish()?);
        }
        match self.position {
            Position::Audio { left: Some(left) } if pcm.is_empty() && left > MISSING_MAX => {
                self.position = Position::ChunkHeader;
                let message =
                    format!("the WAV file is truncated: the last {left} bytes of its audio are missing");
                Err(Error::new(ErrorKind::AudioSource, message))
            }
            _ => Ok(pcm),
        }
    }

    /// Returns a header of a given size once it is complete.
    fn header(&mut self, bytes: &mut &[u8], size: usize) -> Option<Vec<u8>> {
        self.header.extend_from_slice(split_off(bytes, size - self.header.len()));
        (self.header.len() == size).then(|| std::mem::take(&mut self.header))
    }

    /// Begins a chunk.
    fn chunk(&mut self, header: &[u8], pcm: &mut Vec<u8>) -> Result<(), Error> {
        let (id, size) = header.split_at(CHUNK_HEADER / 2);
        let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize;
        self.is_odd = size % 2 == 1;
        self.position = match id {
            // Another one follows if several files were joined to one stream.
            b"RIFF" => {
                self.is_riff = true;
                Position::FileType
            }
            _ if !self.is_riff => return Err(not_wav()),
            b"fmt " if size < FORMAT_MIN => return Err(unsupported()),
            b"fmt " => Position::Format { size },
            b"data" if self.converter.is_none() => return Err(not_wav()),
            b"data" => {
                let left = Some(size).filter(|size| KNOWN_SIZES.contains(size));
                if !self.is_past_header {
                    let nanoseconds = |size| size as u64 * 1_000_000_000 / self.bytes_per_second;
                    self.duration = left.map(|size| Duration::from_nanos(nanoseconds(size)));
                }
                self.is_past_header = true;
                Position::Audio { left }
            }
            // The size of the audio was too small.
            _ if self.is_past_header && !is_id(id) => {
                self.audio(header, pcm)?;
                Position::Audio { left: None }
            }
            _ => Position::Skipped { left: size },
        };
        Ok(())
    }

    /// Reads the content of a `fmt ` chunk.
    fn format(&mut self, format: &[u8], pcm: &mut Vec<u8>) -> Result<(), Error> {
        let number = |at: usize| u16::from_le_bytes([format[at], format[at + 1]]);
        let [tag, channels, block, bits] = [0, 2, 12, 14].map(number);
        let rate = u32::from(number(4)) | u32::from(number(6)) << 16;
        let tag = match tag {
            EXTENSIBLE if format.get(26..) == Some(&EXTENSIBLE_TAIL) => number(24),
            tag => tag,
        };
        let converter = Converter::new(rate, channels)?;
        let sample_format = match (tag, bits.div_ceil(8)) {
            (PCM, 1) => SampleFormat::U8,
            (PCM, 2) => SampleFormat::I16,
            (PCM, 3) if block == 4 * channels => SampleFormat::I24Padded,
            (PCM, 3) => SampleFormat::I24,
            (PCM, 4) => SampleFormat::I32,
            (FLOAT, 4) => SampleFormat::F32,
            (FLOAT, 8) => SampleFormat::F64,
            _ => return Err(unsupported()),
        };
        let converter = converter.with_format(sample_format);
        self.bytes_per_second = u64::from(rate) * u64::from(channels) * sample_format.bytes() as u64;
        // Between files of the same format, the audio continues without a seam.
        if !self.converter.as_ref().is_some_and(|old| old.is_like(&converter))
            && let Some(old) = self.converter.replace(converter)
        {
            pcm.extend(old.finish()?);
        }
        Ok(())
    }

    fn audio(&mut self, audio: &[u8], pcm: &mut Vec<u8>) -> Result<(), Error> {
        if let Some(converter) = &mut self.converter {
            pcm.extend(converter.push_encoded(audio)?);
        }
        Ok(())
    }
}

/// Splits off the first bytes, at most `size`.
fn split_off<'b>(bytes: &mut &'b [u8], size: usize) -> &'b [u8] {
    let (head, rest) = bytes.split_at(size.min(bytes.len()));
    *bytes = rest;
    head
}

/// Returns whether bytes may be the id of a chunk, or the start of one.
fn is_id(bytes: &[u8]) -> bool {
    bytes.iter().take(CHUNK_HEADER / 2).all(|byte| matches!(byte, b' '..=b'~'))
}

fn not_wav() -> Error {
    Error::invalid_request("the file is not a WAV file; convert it to WAV or PCM")
}

fn unsupported() -> Error {
    Error::invalid_request("the format of the WAV file is not supported; convert it to 16-bit PCM")
}
