//! From PCM to text frames: how much goes into one, and base64 straight into its JSON.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use bytes::{Bytes, BytesMut};

use super::{BYTES_PER_SECOND, MAX_FRAME_BYTES, SAMPLE_BYTES, bytes, duration};

/// Bytes that are encoded together: whole samples and whole groups of base64, so that a frame can end after any sample.
const GROUP: usize = 6;

/// What stands around id and audio in a frame.
const HEAD: &str = r#"{"type":"agent.speak","event_id":"#;
const MIDDLE: &str = r#","audio":""#;
const TAIL: &str = r#""}"#;

/// See [`Chunks::LONGEST`].
const LONGEST_SECONDS: usize = 15;

const _: () = assert!((LONGEST_SECONDS * BYTES_PER_SECOND).div_ceil(3) * 4 + 8 * 1024 < MAX_FRAME_BYTES);

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
type Base64 = base64::engine::Simd;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Base64 = base64::engine::GeneralPurpose;

/// Which instructions the machine has is asked once.
static BASE64: LazyLock<Base64> = LazyLock::new(|| {
    let config = base64::engine::general_purpose::PAD;
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    return Base64::standard(config);
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return Base64::new(&base64::alphabet::STANDARD, config);
});

/// How audio is cut into frames.
///
/// The first frame of an utterance leaves as soon as it holds 400 ms and takes up to 600 ms if they are there; the others
/// hold one second. That is what the official SDK, its guide and its agents do; 20 ms frames were seen to end the lip
/// movements after each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunks {
    first_least: usize,
    first_most: usize,
    next: usize,
}

impl Default for Chunks {
    fn default() -> Self {
        Self {
            first_least: BYTES_PER_SECOND * 2 / 5,
            first_most: BYTES_PER_SECOND * 3 / 5,
            next: BYTES_PER_SECOND,
        }
    }
}

impl Chunks {
    /// The longest frame whose text stays below [`MAX_FRAME_BYTES`], with room for an id of some kilobytes.
    pub const LONGEST: Duration = Duration::from_secs(LONGEST_SECONDS as u64);

    /// The shortest frame; shorter ones were seen to stop the lips.
    pub const SHORTEST: Duration = Duration::from_millis(100);

    /// Another length of all frames but the first, held between [`SHORTEST`](Self::SHORTEST) and [`LONGEST`](Self::LONGEST).
    ///
    /// Audio that comes no faster than it plays, such as a microphone's, runs dry at the far end less often with less.
    #[must_use]
    pub fn every(mut self, length: Duration) -> Self {
        self.next = bytes(length.clamp(Self::SHORTEST, Self::LONGEST));
        self.first_least = self.first_least.min(self.next);
        self.first_most = self.first_most.min(self.next);
        self
    }
}

/// Cuts PCM into frames of `agent.speak`, ready for the socket.
///
/// It needs no clock and no connection: push what there is, take the frames that come of it, and
/// [`flush`](Self::flush) when there is nothing more for 200 ms or at all. PCM is encoded as it is pushed, straight into
/// the frame; at most five bytes of it wait.
///
/// ```
/// use liveavatar_api::realtime::audio::Framer;
///
/// let mut framer = Framer::new("utt-7");
/// let (taken, frame) = framer.push(&[0, 0, 1, 0, 2, 0, 3, 0]);
/// assert_eq!((taken, frame.is_none()), (8, true));
/// let frame = framer.flush().expect("four samples wait");
/// assert_eq!(frame.text(), br#"{"type":"agent.speak","event_id":"utt-7","audio":"AAABAAIAAwA="}"#);
/// ```
pub struct Framer {
    chunks: Chunks,
    /// What stands before the audio in every frame.
    head: Box<[u8]>,
    /// The text so far, as long as it is written; its capacity is used again.
    text: BytesMut,
    /// PCM in the open frame, waiting bytes included.
    open: usize,
    /// PCM that does not make a group yet.
    waiting: [u8; GROUP],
    waiting_len: usize,
    first: bool,
}

/// Shows no audio.
impl fmt::Debug for Framer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Framer")
            .field("chunks", &self.chunks)
            .field("open_bytes", &self.open)
            .finish_non_exhaustive()
    }
}

impl Framer {
    /// A framer of one utterance, all of whose frames bear its id.
    #[must_use]
    pub fn new(event_id: &str) -> Self {
        Self::with_chunks(event_id, Chunks::default())
    }

    /// A framer of one utterance that cuts in another way.
    #[must_use]
    pub fn with_chunks(event_id: &str, chunks: Chunks) -> Self {
        let id = serde_json::Value::from(event_id);
        Self {
            chunks,
            head: format!("{HEAD}{id}{MIDDLE}").into_bytes().into(),
            text: BytesMut::new(),
            open: 0,
            waiting: [0; GROUP],
            waiting_len: 0,
            first: true,
        }
    }

    /// Takes PCM, as much as the open frame has room for, and returns the frame if that completes it.
    ///
    /// The count says how much was taken; push the rest again. Pieces may end within a sample.
    pub fn push(&mut self, pcm: &[u8]) -> (usize, Option<Frame>) {
        let (least, most) = if self.first {
            (self.chunks.first_least, self.chunks.first_most)
        } else {
            (self.chunks.next, self.chunks.next)
        };
        // One byte of half a sample may be left over from the frame before.
        let taken = pcm.len().min(most.saturating_sub(self.open));
        self.write(&pcm[..taken], most);
        (taken, if self.open >= least { self.flush() } else { None })
    }

    /// Ends the open frame before it is full; none without a whole sample.
    ///
    /// Half a sample waits for its other half.
    pub fn flush(&mut self) -> Option<Frame> {
        let odd = self.open % SAMPLE_BYTES;
        let pcm = self.open - odd;
        if pcm == 0 {
            return None;
        }
        let whole = self.waiting_len - odd;
        self.begin(pcm);
        let rest = self.waiting;
        self.encode(&rest[..whole]);
        self.text.extend_from_slice(TAIL.as_bytes());
        self.waiting[0] = self.waiting[whole];
        self.waiting_len = odd;
        self.open = odd;
        self.first = false;
        Some(Frame { text: self.text.split(), pcm })
    }

    /// Whether anything waits to be flushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open < SAMPLE_BYTES
    }

    /// Takes back the buffer of a frame that has been sent, so that the next one needs none of its own.
    pub fn reuse(&mut self, frame: Frame) {
        if self.text.is_empty() && self.text.capacity() < frame.text.capacity() {
            self.text = frame.text;
            self.text.clear();
        }
    }

    fn write(&mut self, mut pcm: &[u8], most: usize) {
        if pcm.is_empty() {
            return;
        }
        self.begin(most);
        self.open += pcm.len();
        if self.waiting_len > 0 {
            let taken = pcm.len().min(GROUP - self.waiting_len);
            self.waiting[self.waiting_len..self.waiting_len + taken].copy_from_slice(&pcm[..taken]);
            self.waiting_len += taken;
            pcm = &pcm[taken..];
            if self.waiting_len < GROUP {
                return;
            }
            let group = self.waiting;
            self.encode(&group);
            self.waiting_len = 0;
        }
        let (groups, rest) = pcm.split_at(pcm.len() - pcm.len() % GROUP);
        self.encode(groups);
        self.waiting[..rest.len()].copy_from_slice(rest);
        self.waiting_len = rest.len();
    }

    /// Begins the text of a frame, with room for so much PCM.
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
        // The space is exactly what the encoding takes, so nothing can be short of it.
        let written = BASE64.encode_slice(pcm, &mut self.text[start..]).unwrap_or_default();
        self.text.truncate(start + written);
    }
}

/// One text frame of `agent.speak`.
pub struct Frame {
    text: BytesMut,
    pcm: usize,
}

impl Frame {
    /// The text to send: JSON in ASCII if the id is.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The text as bytes of its own, without a copy.
    #[must_use]
    pub fn into_text(self) -> Bytes {
        self.text.freeze()
    }

    /// How many bytes of PCM it holds.
    #[must_use]
    pub fn pcm_bytes(&self) -> usize {
        self.pcm
    }

    /// How long it plays.
    #[must_use]
    pub fn duration(&self) -> Duration {
        duration(self.pcm)
    }
}

/// Shows no audio.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("pcm_bytes", &self.pcm)
            .field("text_bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}
