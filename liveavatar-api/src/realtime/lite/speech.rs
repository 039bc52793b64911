//! The audio of an utterance and its outcome.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;

use crate::error::Error;

pub(super) type AudioSource = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// The outcome of an utterance.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SpeechOutcome {
    /// How it ended.
    pub end: SpeechEnd,
    /// The playback time of the audio that was sent.
    pub audio: Duration,
    /// The time from the first byte of audio to sending the first frame; `None` if no frame was sent.
    pub first_frame_after: Option<Duration>,
}

/// How an utterance ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SpeechEnd {
    /// It was played to its end.
    Finished,
    /// [`Socket::interrupt`](super::Socket::interrupt) or the server cut it off.
    Interrupted,
    /// The audio is unusable, its source failed, or the server rejected it.
    ///
    /// If the source failed, the error's kind is [`ErrorKind::AudioSource`](crate::ErrorKind::AudioSource). Audio that was sent before
    /// may still be played.
    Failed(Arc<Error>),
    /// The connection was lost, or the server did not report the end in time.
    Lost,
}

impl SpeechEnd {
    /// Returns whether the utterance was played to its end.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self, Self::Finished)
    }

    /// Returns whether the utterance was cut off by an interrupt.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        matches!(self, Self::Interrupted)
    }

    /// Returns whether the connection was lost, or the server did not report the end in time.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost)
    }

    /// Returns the error of an utterance that failed.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}
