//! An utterance as its speaker sees it: what it is made of and how it ends.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::sync::{mpsc, oneshot};

use super::driver::Order;
use crate::error::Error;

/// A piece of audio: PCM bytes, samples, or a piece that may have failed to come.
pub trait Audio {
    /// The PCM, as in [`audio`](crate::realtime::audio).
    ///
    /// # Errors
    /// When there is none, because its source failed.
    fn into_pcm(self) -> Result<Bytes, Error>;
}

impl Audio for Bytes {
    fn into_pcm(self) -> Result<Bytes, Error> {
        Ok(self)
    }
}

impl Audio for Vec<u8> {
    fn into_pcm(self) -> Result<Bytes, Error> {
        Ok(self.into())
    }
}

impl Audio for &'static [u8] {
    fn into_pcm(self) -> Result<Bytes, Error> {
        Ok(Bytes::from_static(self))
    }
}

/// Samples at 24 kHz.
impl Audio for Vec<i16> {
    fn into_pcm(self) -> Result<Bytes, Error> {
        Ok(self.into_iter().flat_map(i16::to_le_bytes).collect())
    }
}

impl<A: Audio, E: std::error::Error + Send + Sync + 'static> Audio for Result<A, E> {
    fn into_pcm(self) -> Result<Bytes, Error> {
        self.map_err(|error| Error::invalid_request("the source of the audio failed").caused_by(error))?
            .into_pcm()
    }
}

/// An utterance under way: a future of how it ends.
///
/// Dropping it stops nothing.
#[must_use = "await it to learn how the utterance ends"]
pub struct Speech {
    id: String,
    spoken: oneshot::Receiver<Spoken>,
    /// Keeps the socket open.
    _orders: mpsc::UnboundedSender<Order>,
}

impl Speech {
    /// The utterance's id, which its frames bear.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for Speech {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Speech").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Future for Speech {
    type Output = Spoken;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Spoken> {
        let lost = Spoken { end: End::Lost, audio: Duration::ZERO, first_frame_after: None };
        Pin::new(&mut self.spoken).poll(cx).map(|spoken| spoken.unwrap_or(lost))
    }
}

/// What came of an utterance.
#[derive(Debug)]
#[non_exhaustive]
pub struct Spoken {
    /// How it ended.
    pub end: End,
    /// How much audio was sent.
    pub audio: Duration,
    /// How long after the first byte of audio the first frame was handed to the connection; none if none was.
    pub first_frame_after: Option<Duration>,
}

/// How an utterance ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum End {
    /// It was spoken to its end.
    Finished,
    /// It was cut off, by [`Socket::interrupt`](super::Socket::interrupt) or by the server.
    Interrupted,
    /// Its audio cannot be used or failed to come, or the server refused it.
    Failed(Error),
    /// Nothing more was heard of it: the connection broke, or the server never told of its end.
    Lost,
}

pub(super) type Source = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// An utterance that waits for its turn, or is being sent.
pub(super) struct Waiting {
    pub(super) id: String,
    pub(super) source: Source,
    pub(super) spoken: oneshot::Sender<Spoken>,
}

pub(super) fn begin<S>(audio: S, id: String, orders: mpsc::UnboundedSender<Order>) -> (Speech, Order)
where
    S: Stream<Item: Audio> + Send + 'static,
{
    let (sender, spoken) = oneshot::channel();
    let waiting = Waiting { id: id.clone(), source: Box::pin(audio.map(Audio::into_pcm)), spoken: sender };
    (Speech { id, spoken, _orders: orders }, Order::Speak(waiting))
}
