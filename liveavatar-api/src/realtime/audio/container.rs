//! Detecting files that the service would play as noise or silence.

use crate::error::Error;

/// What the first bytes of a file look like: an offset, the bytes there, and what they mean.
const CONTAINERS: [(usize, &[u8], &str); 8] = [
    (0, b"RIFF", "a WAV file: read it with `audio::Wav`"),
    (0, b"OggS", "an Ogg file: decode it to PCM"),
    (0, b"fLaC", "a FLAC file: decode it to PCM"),
    (0, b"ID3", "an MP3 file: decode it to PCM"),
    (0, b"\x1a\x45\xdf\xa3", "a WebM file: decode it to PCM"),
    (0, b"FORM", "an AIFF file: decode it to PCM"),
    (0, b"caff", "a CAF file: decode it to PCM"),
    (4, b"ftyp", "an MP4 file: decode it to PCM"),
];

/// The number of bytes that decide.
const START: usize = 8;

/// Detects a container format at the start of audio, which may arrive in pieces.
#[derive(Default)]
pub(in crate::realtime) struct ContainerCheck {
    start: [u8; START],
    len: usize,
}

impl ContainerCheck {
    /// Checks the next piece.
    pub(in crate::realtime) fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        if self.len == START {
            return Ok(());
        }
        let taken = piece.len().min(START - self.len);
        self.start[self.len..self.len + taken].copy_from_slice(&piece[..taken]);
        self.len += taken;
        let start = &self.start[..self.len];
        let found =
            CONTAINERS.iter().find(|(at, magic, _)| start.get(*at..).is_some_and(|it| it.starts_with(magic)));
        match found {
            Some((_, _, found)) => Err(Error::invalid_request(format!(
                "the audio must be PCM without a container, but is {found}"
            ))),
            None => Ok(()),
        }
    }

    /// Returns whether the next bytes may reveal a container.
    #[cfg(feature = "lite")]
    pub(in crate::realtime) fn is_undecided(&self) -> bool {
        self.len < START
    }
}
