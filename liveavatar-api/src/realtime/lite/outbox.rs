//! What is to be sent of utterances, one after the other: taken from their sources, cut into frames, paced.

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::time::Instant;

use super::speech::Source;
use super::{Chunks, FLUSH_AFTER};
use crate::error::Error;
use crate::realtime::audio::{Frame, Framer};

/// What to send next, or what came of an utterance here.
pub(super) enum Next {
    /// A frame of an utterance, and how long after its first byte if it is the first.
    Frame { id: String, text: Bytes, audio: Duration, first_after: Option<Duration> },
    /// Everything of it is sent but its end.
    End { id: String },
    /// There was no audio in it.
    Empty { id: String },
    /// Its audio cannot be had; whether some of it is sent, so that its end must be, too.
    Failed { id: String, error: Error, begun: bool },
}

/// Utterances to send.
pub(super) struct Outbox {
    chunks: Chunks,
    ahead: Duration,
    waiting: VecDeque<(String, Source)>,
    sending: Option<Sending>,
    /// When what was sent will have been played, if it is played without a pause.
    play_until: Instant,
}

struct Sending {
    id: String,
    /// None once it has ended.
    source: Option<Source>,
    framer: Framer,
    /// What the framer had no room for.
    piece: Bytes,
    /// Complete, and waiting for its time.
    frame: Option<Frame>,
    begun: bool,
    first_byte: Option<Instant>,
    last_byte: Instant,
}

impl Outbox {
    pub(super) fn new(chunks: Chunks, ahead: Duration, now: Instant) -> Self {
        Self { chunks, ahead, waiting: VecDeque::new(), sending: None, play_until: now }
    }

    pub(super) fn push(&mut self, id: String, source: Source) {
        self.waiting.push_back((id, source));
    }

    /// When what was sent will have been played.
    pub(super) fn play_until(&self) -> Instant {
        self.play_until
    }

    /// Drops everything, and what the far end has with it.
    pub(super) fn clear(&mut self, now: Instant) {
        self.waiting.clear();
        self.sending = None;
        self.cut(now);
    }

    /// Notes that what was sent is not played any more.
    pub(super) fn cut(&mut self, now: Instant) {
        self.play_until = now;
    }

    /// Drops an utterance that is being sent; tells whether it was.
    pub(super) fn drop_sending(&mut self, id: &str) -> bool {
        let is_it = self.sending.as_ref().is_some_and(|sending| sending.id == id);
        if is_it {
            self.sending = None;
        }
        is_it
    }

    /// When [`next`](Self::next) has something that it does not have now, if no more audio comes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let sending = self.sending.as_ref()?;
        match &sending.frame {
            Some(frame) => Some(self.due(frame)),
            None => (!sending.framer.is_empty()).then(|| sending.last_byte + FLUSH_AFTER),
        }
    }

    /// The time of a frame: as late as the lead over playback allows.
    fn due(&self, frame: &Frame) -> Instant {
        let lead = self.ahead.saturating_sub(frame.duration());
        self.play_until.checked_sub(lead).unwrap_or(self.play_until)
    }

    /// What to send now.
    pub(super) fn next(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<Next> {
        if self.sending.is_none() {
            let (id, source) = self.waiting.pop_front()?;
            self.sending = Some(Sending {
                framer: Framer::with_chunks(&id, self.chunks),
                id,
                source: Some(source),
                piece: Bytes::new(),
                frame: None,
                begun: false,
                first_byte: None,
                last_byte: now,
            });
        }
        let sending = self.sending.as_mut()?;
        if sending.frame.is_none()
            && let Err(error) = sending.fill(cx, now)
        {
            let Sending { id, begun, .. } = self.sending.take()?;
            return Some(Next::Failed { id, error, begun });
        }
        if let Some(frame) = sending.frame.take() {
            if self.due(&frame) > now {
                if let Some(sending) = &mut self.sending {
                    sending.frame = Some(frame);
                }
                return None;
            }
            let sending = self.sending.as_mut()?;
            let first_after = sending.first_byte.filter(|_| !sending.begun).map(|first| now - first);
            sending.begun = true;
            let audio = frame.duration();
            self.play_until = self.play_until.max(now) + audio;
            return Some(Next::Frame { id: sending.id.clone(), text: frame.into_text(), audio, first_after });
        }
        if sending.source.is_some() {
            return None;
        }
        let Sending { id, begun, .. } = self.sending.take()?;
        Some(if begun { Next::End { id } } else { Next::Empty { id } })
    }
}

impl Sending {
    /// Takes audio until a frame is complete, or the source has no more for now.
    fn fill(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), Error> {
        while self.frame.is_none() {
            if !self.piece.is_empty() {
                let (taken, frame) = self.framer.push(&self.piece);
                self.piece.advance(taken);
                self.frame = frame;
                continue;
            }
            let Some(source) = &mut self.source else { break };
            match source.as_mut().poll_next(cx) {
                Poll::Ready(Some(piece)) => {
                    self.piece = piece?;
                    if self.piece.is_empty() {
                        continue;
                    }
                    if self.first_byte.is_none() {
                        refuse_container(&self.piece)?;
                        self.first_byte = Some(now);
                    }
                    self.last_byte = now;
                }
                Poll::Ready(None) => {
                    self.source = None;
                    self.frame = self.framer.flush();
                }
                Poll::Pending => {
                    if now >= self.last_byte + FLUSH_AFTER {
                        self.frame = self.framer.flush();
                    }
                    break;
                }
            }
        }
        Ok(())
    }
}

/// How files begin that are no PCM; the service would play them as noise, or nothing.
const CONTAINERS: [(&[u8], &str); 5] = [
    (b"RIFF", "a WAV file: read it with `audio::Wav`"),
    (b"OggS", "an Ogg file: decode it to PCM"),
    (b"fLaC", "a FLAC file: decode it to PCM"),
    (b"ID3", "an MP3 file: decode it to PCM"),
    (b"\x1a\x45\xdf\xa3", "a WebM file: decode it to PCM"),
];

fn refuse_container(pcm: &[u8]) -> Result<(), Error> {
    match CONTAINERS.iter().find(|(begin, _)| pcm.starts_with(begin)) {
        Some((_, what)) => {
            Err(Error::invalid_request(format!("the audio must be PCM without a container and is {what}")))
        }
        None => Ok(()),
    }
}
