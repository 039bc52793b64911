//! Cutting PCM into text frames, with base64 written directly into their JSON.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use bytes::{Bytes, BytesMut};

use super::format::{BYTES_PER_SECOND, MAX_FRAME_BYTES, SAMPLE_BYTES, bytes, duration};

/// PCM is encoded in groups of this many bytes: whole samples, and whole base64 groups without padding.
const GROUP: usize = 6;

const HEAD: &str = r#"{"type":"agent.speak","event_id":"#;
const MIDDLE: &str = r#","audio":""#;
const TAIL: &str = r#""}"#;

const LONGEST_SECONDS: usize = 15;

const _: () = assert!((LONGEST_SECONDS * BYTES_PER_SECOND).div_ceil(3) * 4 + 8 * 1024 < MAX_FRAME_BYTES);

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
type Base64 = base64::engine::Simd;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Base64 = base64::engine::GeneralPurpose;

/// Static, so that the CPU's features are detected once.
static BASE64: LazyLock<Base64> = LazyLock::new(|| {
    let config = base64::engine::general_purpose::PAD;
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    return Base64::standard(config);
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return Base64::new(&base64::alphabet::STANDARD, config);
});

/// The lengths of frames.
///
/// By default the first frame of an utterance is sent when it holds 400 ms, with up to 600 ms if they are available. The other
/// frames hold 1 s. The official SDK, guide and agents do the same; with 20 ms frames the lips stopped after each frame (field
/// report).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunks {
    first_min: usize,
    first_max: usize,
    next: usize,
}

impl Default for Chunks {
    fn default() -> Self {
        Self {
            first_min: BYTES_PER_SECOND * 2 / 5,
            first_max: BYTES_PER_SECOND * 3 / 5,
            next: BYTES_PER_SECOND,
        }
    }
}

impl Chunks {
    /// The longest frame: its text stays below [`MAX_FRAME_BYTES`] even with an id of 8 KiB.
    pub const LONGEST: Duration = Duration::from_secs(LONGEST_SECONDS as u64);

    /// The shortest frame, because shorter ones stop the lips (field report).
    pub const SHORTEST: Duration = Duration::from_millis(100);

    /// Sets the length of all frames but the first.
    ///
    /// It is clamped to [`SHORTEST`](Self::SHORTEST) and [`LONGEST`](Self::LONGEST). Shorter frames reduce buffer underruns if the
    /// audio arrives no faster than it plays, as from a microphone.
    #[must_use]
    pub fn every(mut self, length: Duration) -> Self {
        self.next = bytes(length.clamp(Self::SHORTEST, Self::LONGEST));
        self.first_min = self.first_min.min(self.next);
        self.first_max = self.first_max.min(self.next);
        self
    }
}

/// Cuts PCM into `agent.speak` frames for your own WebSocket.
///
/// Push PCM, send the frames that it returns, and call [`flush`](Self::flush) at the end or when no audio has arrived for 200 ms. PCM is encoded when it is pushed; at most 5 bytes are buffered.
///
/// ```
/// use liveavatar_api::realtime::audio::Framer;
///
/// let mut framer = Framer::new("utt-7");
/// let (taken, frame) = framer.push(&[0, 0, 1, 0, 2, 0, 3, 0]);
/// assert_eq!((taken, frame.is_none()), (8, true));
/// let frame = framer.flush().expect("four samples are buffered");
/// assert_eq!(frame.text(), br#"{"type":"agent.speak","event_id":"utt-7","audio":"AAABAAIAAwA="}"#);
/// ```
pub struct Framer {
    chunks: Chunks,
    /// The text before the audio, the same in every frame.
    head: Box<[u8]>,
    /// The text of the open frame so far.
    text: BytesMut,
    /// Bytes of PCM in the open frame, `pending` included.
    open: usize,
    /// PCM that does not fill a group yet.
    pending: [u8; GROUP],
    pending_len: usize,
    first: bool,
}

/// Leaves out the audio.
impl fmt::Debug for Framer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Framer")
            .field("chunks", &self.chunks)
            .field("open_bytes", &self.open)
            .finish_non_exhaustive()
    }
}

impl Framer {
    /// Creates a framer for one utterance, whose frames carry its id.
    #[must_use]
    pub fn new(event_id: &str) -> Self {
        Self::with_chunks(event_id, Chunks::default())
    }

    /// Creates a framer with other frame lengths.
    #[must_use]
    pub fn with_chunks(event_id: &str, chunks: Chunks) -> Self {
        let id = serde_json::Value::from(event_id);
        Self {
            chunks,
            head: format!("{HEAD}{id}{MIDDLE}").into_bytes().into(),
            text: BytesMut::new(),
            open: 0,
            pending: [0; GROUP],
            pending_len: 0,
            first: true,
        }
    }

    /// Adds PCM to the open frame and returns the frame if it is complete.
    ///
    /// The first value is the number of bytes taken; push the rest again. A chunk may end in the middle of a sample.
    pub fn push(&mut self, pcm: &[u8]) -> (usize, Option<Frame>) {
        let (min, max) = if self.first {
            (self.chunks.first_min, self.chunks.first_max)
        } else {
            (self.chunks.next, self.chunks.next)
        };
        // `open` may exceed `max` by the half sample that the frame before left over.
        let taken = pcm.len().min(max.saturating_sub(self.open));
        self.write(&pcm[..taken], max);
        (taken, if self.open >= min { self.flush() } else { None })
    }

    /// Ends the open frame early. Returns `None` if it holds less than one sample.
    ///
    /// Half a sample stays buffered for the next frame.
    pub fn flush(&mut self) -> Option<Frame> {
        let odd = self.open % SAMPLE_BYTES;
        let pcm = self.open - odd;
        if pcm == 0 {
            return None;
        }
        let whole = self.pending_len - odd;
        self.begin(pcm);
        let rest = self.pending;
        self.encode(&rest[..whole]);
        self.text.extend_from_slice(TAIL.as_bytes());
        self.pending[0] = self.pending[whole];
        self.pending_len = odd;
        self.open = odd;
        self.first = false;
        Some(Frame { text: self.text.split(), pcm })
    }

    /// Returns whether there is nothing to flush.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open < SAMPLE_BYTES
    }

    /// Drops half a sample after a flush. Returns whether there was one.
    pub(in crate::realtime) fn drop_odd_byte(&mut self) -> bool {
        let is_odd = self.open == 1;
        if is_odd {
            (self.open, self.pending_len) = (0, 0);
        }
        is_odd
    }

    /// Reuses the buffer of a sent frame for the next one.
    pub fn reuse(&mut self, frame: Frame) {
        if self.text.is_empty() && self.text.capacity() < frame.text.capacity() {
            self.text = frame.text;
            self.text.clear();
        }
    }

    fn write(&mut self, mut pcm: &[u8], max: usize) {
        if pcm.is_empty() {
            return;
        }
        self.begin(max);
        self.open += pcm.len();
        if self.pending_len > 0 {
            let taken = pcm.len().min(GROUP - self.pending_len);
            self.pending[self.pending_len..self.pending_len + taken].copy_from_slice(&pcm[..taken]);
            self.pending_len += taken;
            pcm = &pcm[taken..];
            if self.pending_len < GROUP {
                return;
            }
            let group = self.pending;
            self.encode(&group);
            self.pending_len = 0;
        }
        let (groups, rest) = pcm.split_at(pcm.len() - pcm.len() % GROUP);
        self.encode(groups);
        self.pending[..rest.len()].copy_from_slice(rest);
        self.pending_len = rest.len();
    }

    /// Starts the text of a frame if it is empty, and reserves space for `pcm` bytes of audio.
    fn begin(&mut self, pcm: usize) {
        if self.text.is_empty() {
            let audio = pcm.div_ceil(3) * 4;
            self.text.reserve(self.head.len() + audio + TAIL.len());
            self.text.extend_from_slice(&self.head);
        }
    }

    fn encode(&mut self, pcm: &[u8]) {
        let start = self.text.len();
        self.text.resize(start + pcm.len().div_ceil(3) * 4, 0);
        // The slice has exactly the size of the encoding, so this cannot fail.
        let written = BASE64.encode_slice(pcm, &mut self.text[start..]).unwrap_or_default();
        self.text.truncate(start + written);
    }
}

/// One `agent.speak` text frame.
pub struct Frame {
    text: BytesMut,
    pcm: usize,
}

impl Frame {
    /// Returns the text to send, which is JSON.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Converts the frame to its text without a copy.
    #[must_use]
    pub fn into_text(self) -> Bytes {
        self.text.freeze()
    }

    /// Returns the number of bytes of PCM in the frame.
    #[must_use]
    pub fn pcm_bytes(&self) -> usize {
        self.pcm
    }

    /// Returns the playback time of the frame.
    #[must_use]
    pub fn duration(&self) -> Duration {
        duration(self.pcm)
    }
}

/// Leaves out the audio.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("pcm_bytes", &self.pcm)
            .field("text_bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}
