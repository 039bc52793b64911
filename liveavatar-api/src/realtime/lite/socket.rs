//! The handles of a socket.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use tokio::sync::{mpsc, oneshot, watch};

use super::connect::Address;
use super::options::SocketOptions;
use super::protocol::{LiteCommand, LiteEvent};
use super::speech::{SpeechEnd, SpeechOutcome};
use super::task::{CloseReason, SessionLink, SocketRequest, SocketTask};
use crate::error::{Error, ErrorKind};
use crate::realtime::audio::{Audio, AudioData};
use crate::realtime::event_id::new_event_id;
use crate::secret::Secret;

/// The WebSocket of a LITE session.
///
/// A background task sends and receives. Clones are handles to the same socket, which closes when the last handle and the last
/// [`SpeechHandle`] are dropped. Closing the socket does not stop the session.
#[derive(Clone)]
pub struct Socket {
    requests: mpsc::UnboundedSender<SocketRequest>,
    close_reason: watch::Receiver<Option<CloseReason>>,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("close_reason", &*self.close_reason.borrow()).finish_non_exhaustive()
    }
}

impl Socket {
    /// Connects to the `ws_url` of a started session and waits until the service is ready.
    ///
    /// # Errors
    /// If the address or an option is invalid, the service cannot be reached or rejects the connection, or it is not ready within
    /// [`READY_TIMEOUT`](super::READY_TIMEOUT).
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn connect(ws_url: &Secret) -> Result<Self, Error> {
        Self::connect_with(ws_url, SocketOptions::new()).await
    }

    /// Connects with other options.
    ///
    /// # Errors
    /// See [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// See [`connect`](Self::connect).
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn connect_with(ws_url: &Secret, options: SocketOptions) -> Result<Self, Error> {
        Self::connect_linked(ws_url, options, None).await
    }

    pub(super) async fn connect_linked(
        ws_url: &Secret,
        options: SocketOptions,
        session: Option<SessionLink>,
    ) -> Result<Self, Error> {
        options.check()?;
        let address = Address::parse(ws_url, options.allow_plain)?;
        let (requests, request_receiver) = mpsc::unbounded_channel();
        let (ready_sender, ready) = oneshot::channel();
        let (close_sender, close_reason) = watch::channel(None);
        tokio::spawn(SocketTask::new(
            address,
            options,
            session,
            request_receiver,
            ready_sender,
            close_sender,
        ));
        // The task always sends a result, unless the runtime drops it.
        let shutting_down = |_| Err(Error::new(ErrorKind::Transport, "the runtime is shutting down"));
        ready.await.unwrap_or_else(shutting_down)?;
        Ok(Self { requests, close_reason })
    }

    /// Speaks a stream of PCM as it arrives, in chunks of any size.
    ///
    /// The format is that of [`audio`](super::super::audio), whose `Converter` and `Wav` convert other streams. If the audio ends with
    /// half a sample, a warning is among the [`events`](Self::events): the bytes of the whole stream may be misaligned. Utterances play in the order of the
    /// calls. The returned handle is a future of the outcome. Dropping it does not stop the speech;
    /// [`interrupt`](Self::interrupt) does.
    ///
    /// The socket's task polls the stream, and only when it can send more audio.
    pub fn speak<S>(&self, audio: S) -> SpeechHandle
    where
        S: Stream<Item: Audio> + Send + 'static,
    {
        let id = new_event_id();
        let (sender, outcome) = oneshot::channel();
        let source = Box::pin(audio.map(|chunk| chunk.into_data().map(AudioData::into_pcm)));
        // If the task has ended, the outcome's sender is dropped, which the handle reports as lost.
        let _ = self.requests.send(SocketRequest::Speak { id: id.clone(), source, outcome: sender });
        SpeechHandle { id, outcome, _requests: self.requests.clone() }
    }

    /// Stops all speech: playing, queued at the service, and waiting here.
    ///
    /// All current utterances end with [`SpeechEnd::Interrupted`]. Utterances that start after this call are not affected, even if
    /// the service still sends events about the old ones.
    ///
    /// # Errors
    /// If the socket is closed.
    pub fn interrupt(&self) -> Result<(), Error> {
        self.send(SocketRequest::Interrupt)
    }

    /// Switches the avatar to the listening pose.
    ///
    /// # Errors
    /// If the socket is closed.
    pub fn start_listening(&self) -> Result<(), Error> {
        self.send(SocketRequest::Command(LiteCommand::StartListening))
    }

    /// Returns the avatar to the idle pose.
    ///
    /// # Errors
    /// If the socket is closed.
    pub fn stop_listening(&self) -> Result<(), Error> {
        self.send(SocketRequest::Command(LiteCommand::StopListening))
    }

    /// Sends a keep-alive now; the socket also sends one by itself after an idle interval.
    ///
    /// # Errors
    /// If the socket is closed.
    pub fn keep_alive(&self) -> Result<(), Error> {
        self.send(SocketRequest::Command(LiteCommand::KeepAlive))
    }

    /// Returns a new stream of all events from now on.
    ///
    /// A slow reader loses no events and does not block others; unread events are buffered in memory without a limit.
    #[must_use]
    pub fn events(&self) -> LiteEvents {
        let (sender, events) = mpsc::unbounded_channel();
        // If the socket is closed, the sender is dropped, which ends the stream.
        let _ = self.requests.send(SocketRequest::Subscribe(sender));
        LiteEvents { events }
    }

    /// Returns why the socket is closed, or `None` if it is open.
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        *self.close_reason.borrow()
    }

    /// Waits until the socket is closed.
    ///
    /// # Cancel safety
    /// This method is cancel safe.
    pub async fn closed(&self) -> CloseReason {
        let mut reason = self.close_reason.clone();
        let reason = reason.wait_for(Option::is_some).await;
        // The task sends a reason unless the runtime drops it.
        reason.ok().and_then(|reason| *reason).unwrap_or(CloseReason::ConnectionLost)
    }

    /// Closes the socket; all current utterances are lost.
    ///
    /// # Cancel safety
    /// The socket closes even if the future is dropped after its first poll.
    pub async fn close(self) {
        let _ = self.requests.send(SocketRequest::Close);
        self.closed().await;
    }

    fn send(&self, request: SocketRequest) -> Result<(), Error> {
        let closed = || Error::invalid_request("the socket is closed; connect again");
        if self.close_reason().is_some() {
            return Err(closed());
        }
        self.requests.send(request).map_err(|_| closed())
    }
}

/// A future of the [`SpeechOutcome`] of an utterance.
///
/// Dropping it does not stop the speech.
#[must_use = "await it to learn how the utterance ends"]
pub struct SpeechHandle {
    id: String,
    outcome: oneshot::Receiver<SpeechOutcome>,
    /// Keeps the socket open.
    _requests: mpsc::UnboundedSender<SocketRequest>,
}

impl SpeechHandle {
    /// Returns the utterance's id, which its frames carry as `event_id`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for SpeechHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpeechHandle").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Future for SpeechHandle {
    type Output = SpeechOutcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<SpeechOutcome> {
        let lost = SpeechOutcome { end: SpeechEnd::Lost, audio: Duration::ZERO, first_frame_after: None };
        Pin::new(&mut self.outcome).poll(cx).map(|outcome| outcome.unwrap_or(lost))
    }
}

/// The events of a socket, until it is closed.
pub struct LiteEvents {
    events: mpsc::UnboundedReceiver<LiteEvent>,
}

impl fmt::Debug for LiteEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiteEvents").field("buffered", &self.events.len()).finish_non_exhaustive()
    }
}

impl LiteEvents {
    /// Returns the next event, or `None` when the socket is closed and all events have been read.
    ///
    /// # Cancel safety
    /// This method is cancel safe.
    pub async fn next(&mut self) -> Option<LiteEvent> {
        self.events.recv().await
    }
}

impl Stream for LiteEvents {
    type Item = LiteEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<LiteEvent>> {
        self.events.poll_recv(cx)
    }
}
