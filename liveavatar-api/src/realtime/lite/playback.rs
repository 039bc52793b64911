//! How much of an utterance was sent and played.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// From the first frame to the assumed start of playback, on a server that never reports one.
///
/// Audio and video follow the command after about 1 s (field report).
const ASSUMED_START: Duration = Duration::from_secs(1);

/// The state of playback. Only the socket's task changes it; the position between two changes follows from the clock.
#[derive(Clone, Copy, Debug)]
struct State {
    /// The playback time of the audio that was sent.
    sent: Duration,
    /// When all audio that was sent will have been played.
    plays_until: Instant,
    /// The position while nothing is played.
    paused_at: Option<Duration>,
    /// Whether the server reported the start.
    has_started: bool,
}

impl State {
    fn position(&self, now: Instant) -> Duration {
        let left = self.plays_until.saturating_duration_since(now);
        self.paused_at.unwrap_or_else(|| self.sent.saturating_sub(left))
    }
}

/// The writing side, which the socket's task has.
#[derive(Clone, Debug)]
pub(super) struct Playback(Arc<watch::Sender<State>>);

impl Playback {
    pub(super) fn new(id: String, now: Instant) -> (Self, SpeechProgress) {
        let (sender, state) = watch::channel(State {
            sent: Duration::ZERO,
            plays_until: now,
            paused_at: Some(Duration::ZERO),
            has_started: false,
        });
        (Self(Arc::new(sender)), SpeechProgress { id: id.into(), state })
    }

    pub(super) fn sent(&self) -> Duration {
        self.0.borrow().sent
    }

    pub(super) fn position(&self, now: Instant) -> Duration {
        self.0.borrow().position(now)
    }

    /// When all audio that was sent will have been played.
    pub(super) fn plays_until(&self) -> Instant {
        self.0.borrow().plays_until
    }

    /// Records that audio was sent. If the playback ran out of audio, it continues now.
    pub(super) fn add(&self, audio: Duration, now: Instant) {
        self.0.send_modify(|state| {
            state.sent += audio;
            state.plays_until = state.plays_until.max(now) + audio;
        });
    }

    /// Assumes that playback starts by itself when `previous` utterances have been played.
    pub(super) fn assume_start(&self, previous: Option<Instant>, now: Instant) {
        self.0.send_modify(|state| {
            state.plays_until = previous.map_or(now + ASSUMED_START, |previous| previous.max(now));
            state.paused_at = None;
        });
    }

    /// Records that the server reports the start of playback.
    pub(super) fn start(&self, now: Instant) {
        self.0.send_modify(|state| {
            // An assumed start was too early.
            let position =
                if state.has_started { state.position(now) } else { state.paused_at.unwrap_or_default() };
            state.plays_until = now + state.sent.saturating_sub(position);
            state.paused_at = None;
            state.has_started = true;
        });
    }

    /// Records that playback stops at a position.
    pub(super) fn pause(&self, position: Duration) {
        self.0.send_modify(|state| state.paused_at = Some(position));
    }
}

/// The progress of an utterance: whether playback has started, and how much audio is sent and played.
///
/// [`SpeechHandle::progress`](super::SpeechHandle::progress) returns it, and the values can be read at any time, also after the end.
///
/// ```no_run
/// # async fn speak(
/// #     socket: liveavatar_api::realtime::lite::Socket,
/// #     pcm: impl futures_util::Stream<Item = Vec<u8>> + Send + 'static,
/// # ) {
/// let speech = socket.speak(pcm);
/// let progress = speech.progress();
/// if progress.started().await {
///     println!("the avatar speaks; {:?} of the audio is sent", progress.sent());
/// }
/// let outcome = speech.await;
/// assert_eq!(progress.played(), outcome.played);
/// # }
/// ```
#[derive(Clone)]
pub struct SpeechProgress {
    id: Arc<str>,
    state: watch::Receiver<State>,
}

impl fmt::Debug for SpeechProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpeechProgress")
            .field("id", &self.id)
            .field("sent", &self.sent())
            .field("played", &self.played())
            .field("has_started", &self.has_started())
            .finish_non_exhaustive()
    }
}

impl SpeechProgress {
    /// Returns the utterance's id, which its frames carry as `event_id`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the playback time of the audio that was sent so far.
    #[must_use]
    pub fn sent(&self) -> Duration {
        self.state.borrow().sent
    }

    /// Returns how much of the audio was played so far; see [`SpeechOutcome::played`](super::SpeechOutcome::played).
    #[must_use]
    pub fn played(&self) -> Duration {
        self.state.borrow().position(Instant::now())
    }

    /// Returns whether the service has reported that playback started.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.state.borrow().has_started
    }

    /// Waits until the service reports that playback starts.
    ///
    /// Returns `false` if the utterance ends without such a report.
    ///
    /// # Cancel safety
    /// This method is cancel safe.
    pub async fn started(&self) -> bool {
        let mut state = self.state.clone();
        // The task drops its side when the utterance ends.
        state.wait_for(|state| state.has_started).await.is_ok()
    }
}
