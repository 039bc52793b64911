//! The send queue: reads audio of utterances from their sources, cuts it into frames, and paces them.

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::time::Instant;

use super::options::FLUSH_AFTER;
use super::speech::AudioSource;
use crate::error::{Error, ErrorKind};
use crate::realtime::audio::{Chunks, ContainerCheck, Frame, Framer, SOURCE_FAILED};

/// The next step of the queue.
pub(super) enum NextSend {
    /// Send a frame. `first_after` is the time since the utterance's first byte if this is its first frame.
    Frame { id: String, text: Bytes, audio: Duration, first_after: Option<Duration> },
    /// Report that the utterance's audio ended within a sample, and continue.
    OddByte { id: String },
    /// Send the utterance's end, because all its audio is sent.
    End { id: String },
    /// Send nothing; the utterance had no audio.
    Empty { id: String },
    /// The audio failed. If `begun`, frames were sent, so the end must be sent too.
    Failed { id: String, error: Error, begun: bool },
}

pub(super) struct SendQueue {
    chunks: Chunks,
    ahead: Duration,
    waiting: VecDeque<(String, AudioSource)>,
    current: Option<Current>,
    playback_end: Instant,
}

/// The utterance that is being sent.
struct Current {
    id: String,
    /// `None` after its end.
    source: Option<AudioSource>,
    container: ContainerCheck,
    framer: Framer,
    /// The part of a chunk that did not fit into the last frame.
    rest: Bytes,
    /// Why the source has ended, if it failed.
    failed: Option<Error>,
    /// A complete frame that is not due yet.
    frame: Option<Frame>,
    begun: bool,
    first_byte: Option<Instant>,
    last_byte: Instant,
}

impl SendQueue {
    pub(super) fn new(chunks: Chunks, ahead: Duration, now: Instant) -> Self {
        Self { chunks, ahead, waiting: VecDeque::new(), current: None, playback_end: now }
    }

    pub(super) fn push(&mut self, id: String, source: AudioSource) {
        self.waiting.push_back((id, source));
    }

    /// When all sent audio will have been played, if playback does not pause.
    pub(super) fn playback_end(&self) -> Instant {
        self.playback_end
    }

    /// Drops all utterances, including the audio that the server has not played.
    pub(super) fn clear(&mut self, now: Instant) {
        self.waiting.clear();
        self.current = None;
        self.playback_stopped(now);
    }

    /// Records that the server has nothing left to play.
    pub(super) fn playback_stopped(&mut self, now: Instant) {
        self.playback_end = now;
    }

    /// Stops sending an utterance. Returns whether it was the current one.
    pub(super) fn stop_sending(&mut self, id: &str) -> bool {
        self.current.take_if(|current| current.id == id).is_some()
    }

    /// When to call [`next`](Self::next) again if no more audio arrives.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let current = self.current.as_ref()?;
        match &current.frame {
            Some(frame) => Some(self.due(frame)),
            None => current.flush_at(),
        }
    }

    /// The time to send a frame, so that the sent audio is at most `ahead` of playback.
    fn due(&self, frame: &Frame) -> Instant {
        let lead = self.ahead.saturating_sub(frame.duration());
        // A lead that the clock cannot represent makes the frame due as soon as its audio is here.
        let at_once = || self.current.as_ref().map_or(self.playback_end, |current| current.last_byte);
        self.playback_end.checked_sub(lead).unwrap_or_else(at_once)
    }

    /// Returns the next step, or `None` if it has to wait for audio or time.
    pub(super) fn next(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<NextSend> {
        if self.current.is_none() {
            let (id, source) = self.waiting.pop_front()?;
            self.current = Some(Current {
                container: ContainerCheck::default(),
                framer: Framer::with_chunks(&id, self.chunks),
                id,
                source: Some(source),
                rest: Bytes::new(),
                failed: None,
                frame: None,
                begun: false,
                first_byte: None,
                last_byte: now,
            });
        }
        let current = self.current.as_mut()?;
        if current.frame.is_none() {
            current.fill(cx, now);
        }
        if let Some(frame) = current.frame.take() {
            if self.due(&frame) > now {
                self.current.as_mut()?.frame = Some(frame);
                return None;
            }
            let current = self.current.as_mut()?;
            let first_after = current.first_byte.filter(|_| !current.begun).map(|first| now - first);
            current.begun = true;
            let audio = frame.duration();
            self.playback_end = self.playback_end.max(now) + audio;
            return Some(NextSend::Frame {
                id: current.id.clone(),
                text: frame.into_text(),
                audio,
                first_after,
            });
        }
        if current.source.is_some() {
            return None;
        }
        if current.failed.is_none() && current.framer.drop_odd_byte() {
            return Some(NextSend::OddByte { id: current.id.clone() });
        }
        let Current { id, begun, failed, .. } = self.current.take()?;
        if let Some(error) = failed {
            let error = match (begun, error.is_invalid_request()) {
                (false, _) => error.before_sending(None),
                // Nothing is sent before an invalid request.
                (true, true) => Error::new(ErrorKind::AudioSource, SOURCE_FAILED).caused_by(error),
                (true, false) => error,
            };
            return Some(NextSend::Failed { id, error, begun });
        }
        Some(if begun { NextSend::End { id } } else { NextSend::Empty { id } })
    }
}

impl Current {
    /// When to send an incomplete frame, if there is one that may be sent.
    fn flush_at(&self) -> Option<Instant> {
        let may_send = !self.framer.is_empty() && !self.container.is_undecided();
        may_send.then(|| self.last_byte + FLUSH_AFTER)
    }

    /// Reads audio until a frame is complete or no more audio is available now.
    fn fill(&mut self, cx: &mut Context<'_>, now: Instant) {
        while self.frame.is_none() {
            if !self.rest.is_empty() {
                let (taken, frame) = self.framer.push(&self.rest);
                self.rest.advance(taken);
                self.frame = frame;
                continue;
            }
            let Some(source) = &mut self.source else { break };
            match source.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(chunk))) => {
                    if let Err(error) = self.container.push(&chunk) {
                        (self.source, self.failed) = (None, Some(error));
                    } else if !chunk.is_empty() {
                        self.first_byte.get_or_insert(now);
                        self.last_byte = now;
                        self.rest = chunk;
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    // What arrived before is still sent.
                    (self.source, self.failed) = (None, Some(error));
                    self.frame = self.framer.flush();
                }
                Poll::Ready(None) => {
                    self.source = None;
                    self.frame = self.framer.flush();
                }
                Poll::Pending => {
                    if self.flush_at().is_some_and(|at| at <= now) {
                        self.frame = self.framer.flush();
                    }
                    break;
                }
            }
        }
    }
}
