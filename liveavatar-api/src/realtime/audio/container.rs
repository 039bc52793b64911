//! Detecting files that the service would play as noise or silence.

use crate::error::Error;

/// What the first bytes of a file look like: an offset, the bytes there, and what they mean.
const CONTAINERS: [(usize, &[u8], &str); 8] = [
    (0, b"RIFF", "a WAV file: read it with `audio::Wav`"),
    (0, b"OggS", "an Ogg file: decode it to PCM"),
    (0, b"fLaC", "a FLAC file: decode it to PCM"),
    (0, b"ID3", MP3),
    (0, b"\x1a\x45\xdf\xa3", "a WebM file: decode it to PCM"),
    (0, b"FORM", "an AIFF file: decode it to PCM"),
    (0, b"caff", "a CAF file: decode it to PCM"),
    (4, b"ftyp", "an MP4 file: decode it to PCM"),
];

const MP3: &str = "an MP3 file: decode it to PCM";
const AAC: &str = "an AAC file: decode it to PCM";

/// The number of bytes that decide, except about MP3 and AAC without a file header.
const START: usize = 8;

/// Detects a container format at the start of audio, which may arrive in pieces.
#[derive(Default)]
pub(in crate::realtime) struct ContainerCheck {
    start: [u8; START],
    /// The number of bytes checked so far.
    len: usize,
    /// Where the second frame of MP3 or AAC begins, if the first bytes look like a first one.
    second_frame: Option<(usize, &'static str)>,
}

impl ContainerCheck {
    /// Checks the next piece.
    pub(in crate::realtime) fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        if !self.is_undecided() {
            return Ok(());
        }
        let before = self.len;
        self.len = before.saturating_add(piece.len());
        if let Some(start) = self.start.get_mut(before..) {
            let taken = piece.len().min(start.len());
            start[..taken].copy_from_slice(&piece[..taken]);
            let start = &self.start[..self.len.min(START)];
            let begins = |(at, magic, _): &&(usize, &[u8], _)| {
                start.get(*at..).is_some_and(|it| it.starts_with(magic))
            };
            if let Some((_, _, found)) = CONTAINERS.iter().find(begins) {
                return Err(is_file(found));
            }
            if self.len >= START {
                self.second_frame = first_frame(self.start);
            }
        }
        let Some((at, found)) = self.second_frame else { return Ok(()) };
        let byte = |at: usize| at.checked_sub(before).and_then(|at| piece.get(at));
        // All frames begin with the same two bytes.
        let differs = |at, expected| byte(at).is_some_and(|byte| *byte != expected);
        if differs(at, self.start[0]) || differs(at + 1, self.start[1]) {
            self.second_frame = None;
        } else if byte(at + 1).is_some() {
            return Err(is_file(found));
        }
        Ok(())
    }

    /// Returns whether the next bytes may reveal a container.
    pub(in crate::realtime) fn is_undecided(&self) -> bool {
        self.len < START || self.second_frame.is_some()
    }
}

fn is_file(found: &str) -> Error {
    Error::invalid_request(format!("the audio must be PCM without a container, but is {found}"))
}

/// Returns the length of a frame of MP3 or AAC, which need no file header, if the bytes are a valid header of one.
///
/// PCM may have such bytes, but no second header at the end of the frame.
fn first_frame(start: [u8; START]) -> Option<(usize, &'static str)> {
    const BITRATES: [[usize; 14]; 2] = [
        [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
        [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    ];
    const RATES: [usize; 3] = [44_100, 48_000, 32_000];
    let [0xFF, second, third, fourth, fifth, sixth, ..] = start.map(usize::from) else { return None };
    let (length, found) = match (second >> 3, second >> 1 & 3) {
        // MPEG 2.5, 2 and 1, layer III: the rate is halved with each earlier version.
        (version @ (0b11100 | 0b11110 | 0b11111), 1) => {
            let is_mpeg_1 = version & 1;
            let bitrate = BITRATES[is_mpeg_1].get((third >> 4).checked_sub(1)?)? * 1_000;
            let rate = RATES.get(third >> 2 & 3)? >> (2 - (version >> 1 & 1) - is_mpeg_1);
            (72 * (1 + is_mpeg_1) * bitrate / rate + (third >> 1 & 1), MP3)
        }
        (0b11110 | 0b11111, 0) => ((fourth & 3) << 11 | fifth << 3 | sixth >> 5, AAC),
        _ => return None,
    };
    Some((length, found)).filter(|_| length >= START)
}
