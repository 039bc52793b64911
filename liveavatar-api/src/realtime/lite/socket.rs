//! The handles of a socket.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::{Stream, StreamExt as _};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::connect::Address;
use super::events::{LiteEvents, Publisher, Subscriptions};
use super::options::SocketOptions;
use super::playback::{Playback, SpeechProgress};
use super::protocol::LiteCommand;
use super::speech::{SpeechEnd, SpeechOutcome};
use super::task::{BoxedRequest, CloseReason, PendingOutcome, SessionLink, SocketRequest, SocketTask};
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
    requests: mpsc::UnboundedSender<BoxedRequest>,
    subscriptions: Arc<Subscriptions>,
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
    /// [`READY_TIMEOUT`](super::READY_TIMEOUT). If the server closes the socket, the message has its close code and reason.
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
        let (publisher, subscriptions) = Publisher::new();
        tokio::spawn(SocketTask::new(
            address,
            options,
            session,
            request_receiver,
            ready_sender,
            close_sender,
            publisher,
        ));
        // The task always sends a result, unless the runtime drops it.
        let shutting_down = |_| Err(Error::new(ErrorKind::Transport, "the runtime is shutting down"));
        ready.await.unwrap_or_else(shutting_down)?;
        Ok(Self { requests, subscriptions, close_reason })
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
        let (playback, progress) = Playback::new(id.clone(), Instant::now());
        let (sender, outcome) = oneshot::channel();
        let source = Box::pin(audio.map(|chunk| chunk.into_data().map(AudioData::into_pcm)));
        // If the task has ended, the outcome's sender is dropped, which the handle reports as lost.
        let pending = PendingOutcome::new(sender, playback);
        let _ = self.requests.send(Box::new(SocketRequest::Speak { id, source, outcome: pending }));
        SpeechHandle { progress, outcome, _requests: self.requests.clone() }
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

    /// Returns a new stream of all events from now on; the first call also returns those since the handshake.
    ///
    /// Before the first call, events are buffered up to [`EARLY_EVENT_BUFFER`](super::EARLY_EVENT_BUFFER). If more arrive, all of them are
    /// dropped, and the first call returns only later events. See [`LiteEvents`] for the buffer of a slow reader.
    #[must_use]
    pub fn events(&self) -> LiteEvents {
        self.subscriptions.subscribe()
    }

    /// Returns why the socket is closed, or `None` if it is open.
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.close_reason.borrow().clone()
    }

    /// Waits until the socket is closed.
    ///
    /// # Cancel safety
    /// This method is cancel safe.
    pub async fn closed(&self) -> CloseReason {
        let mut reason = self.close_reason.clone();
        let reason = reason.wait_for(Option::is_some).await;
        // The task sends a reason unless the runtime drops it.
        reason.ok().and_then(|reason| reason.clone()).unwrap_or(CloseReason::ConnectionLost)
    }

    /// Closes the socket; all current utterances are lost.
    ///
    /// # Cancel safety
    /// The socket closes even if the future is dropped after its first poll.
    pub async fn close(self) {
        let _ = self.requests.send(Box::new(SocketRequest::Close));
        self.closed().await;
    }

    fn send(&self, request: SocketRequest) -> Result<(), Error> {
        let closed = || Error::invalid_request("the socket is closed; connect again");
        if self.close_reason().is_some() {
            return Err(closed());
        }
        self.requests.send(Box::new(request)).map_err(|_| closed())
    }
}

/// A future of the [`SpeechOutcome`] of an utterance.
///
/// Dropping it does not stop the speech.
#[must_use = "await it to learn how the utterance ends"]
pub struct SpeechHandle {
    progress: SpeechProgress,
    outcome: oneshot::Receiver<SpeechOutcome>,
    /// Keeps the socket open.
    _requests: mpsc::UnboundedSender<BoxedRequest>,
}

impl SpeechHandle {
    /// Returns the utterance's id, which its frames carry as `event_id`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.progress.id()
    }

    /// Returns the utterance's progress, which can be read while the handle is awaited and after that.
    #[must_use]
    pub fn progress(&self) -> SpeechProgress {
        self.progress.clone()
    }
}

impl fmt::Debug for SpeechHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpeechHandle").field("progress", &self.progress).finish_non_exhaustive()
    }
}

impl Future for SpeechHandle {
    type Output = SpeechOutcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<SpeechOutcome> {
        let outcome = ready!(Pin::new(&mut self.outcome).poll(cx));
        // The socket was closed before the utterance was queued, or the runtime has shut down.
        let lost = |_| SpeechOutcome {
            end: SpeechEnd::Lost,
            audio: self.progress.sent(),
            played: self.progress.played(),
            first_frame_after: None,
            first_frame_after_speak: None,
        };
        Poll::Ready(outcome.unwrap_or_else(lost))
    }
}
