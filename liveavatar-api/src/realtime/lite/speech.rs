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
    /// How much of the audio was played, and so heard: cut the history of a conversation here after an interruption.
    ///
    /// It equals [`audio`](Self::audio) if the utterance has finished. Otherwise it is the time since the service reported that
    /// playback started, without the pauses in which it had nothing to play, so it is accurate to about the time of a network round
    /// trip. If the service reported no start of this utterance, it is zero; if it never reports any, playback is assumed to start
    /// 1 s after the first frame.
    pub played: Duration,
    /// The time from the first byte of the audio stream to sending the first frame; `None` if no frame was sent.
    ///
    /// The socket reads the stream when the audio of all earlier utterances is sent. A long time shows that the source is slow after its
    /// first chunk, or that audio is already sent as far [ahead](super::SocketOptions::ahead) of playback as allowed.
    pub first_frame_after: Option<Duration>,
    /// The time from the call of [`Socket::speak`](super::Socket::speak) to sending the first frame; `None` if no frame was sent.
    ///
    /// It also contains the wait for earlier utterances and for the first byte of audio.
    pub first_frame_after_speak: Option<Duration>,
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
    /// The connection was lost, the session ended, or the server did not report the end in time.
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
