//! The socket's task: one future that reads, writes, waits and serves requests without blocking on any of them.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink as _, Stream as _};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, Sleep};
use tokio_websockets::Message;

use super::connect::{Address, Connection, MAX_EVENT, failed};
use super::events::Publisher;
use super::in_flight::InFlight;
use super::options::SocketOptions;
use super::playback::Playback;
use super::protocol::{LiteCommand, LiteEvent, LiteEventKind, SessionState};
use super::send_queue::{NextSend, SendQueue};
use super::speech::{AudioSource, SpeechEnd, SpeechOutcome};
use crate::error::{Error, ErrorKind};
use crate::realtime::event_id::new_event_id;
use crate::types::SessionEndReason;
use crate::wire::{OpenEnum, one_line};

/// A second reconnect is allowed if the previous one is at least this long ago.
const RECONNECT_INTERVAL: Duration = Duration::from_secs(60);

/// How long a write may block before the connection counts as broken.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// How long closing may take before the connection is dropped.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// The most memory for responses to pings that the server does not read.
const MAX_UNSENT_PONGS: usize = 64 * 1024;

/// What a queued pong needs in addition to its payload, at most.
const PONG_OVERHEAD: usize = 128;

/// A century: longer waits do not fit an [`Instant`] on every system.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Why a socket is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The caller closed the socket or dropped all its handles.
    Requested,
    /// The session ended, is being stopped, or was replaced by a rotation.
    SessionEnded {
        /// The service's reason, if it sent one on this socket. Otherwise see [`Session::ended`](crate::session::Session::ended).
        reason: Option<OpenEnum<SessionEndReason>>,
    },
    /// The server closed the socket for good.
    ClosedByServer {
        /// The close code; 1005 means that the server sent none (RFC 6455).
        code: u16,
        /// The server's reason, such as `session not found`; empty if it sent none.
        reason: String,
    },
    /// The connection was lost, and reconnecting failed or was disabled.
    ConnectionLost,
}

pub(super) enum SocketRequest {
    Speak { id: String, source: AudioSource, outcome: PendingOutcome },
    Interrupt,
    Command(LiteCommand),
    Close,
}

/// A channel reserves room for 32 items, 3 kB of unboxed requests for each socket.
pub(super) type BoxedRequest = Box<SocketRequest>;

enum Link {
    Opening(Pin<Box<dyn Future<Output = Result<Connection, Error>> + Send>>),
    Open(Box<Connection>),
    Closing(Box<Connection>, Instant),
    Gone,
}

/// The outcome of an utterance so far, and where to send it.
pub(super) struct PendingOutcome {
    sender: oneshot::Sender<SpeechOutcome>,
    playback: Playback,
    requested: Instant,
    first_frame_after: Option<Duration>,
    first_frame_after_speak: Option<Duration>,
}

/// The supervised session that a socket belongs to.
pub(super) struct SessionLink {
    /// Called when the socket closes, unless the caller closes it or the session has ended: the session may have ended, too.
    pub(super) on_lost: Box<dyn Fn() + Send>,
    /// Completes when the session ends or is replaced.
    pub(super) ended: Pin<Box<dyn Future<Output = ()> + Send>>,
}

pub(super) struct SocketTask {
    address: Address,
    options: SocketOptions,
    session: Option<SessionLink>,
    requests: mpsc::UnboundedReceiver<BoxedRequest>,
    /// `None` once the socket was ready or failed to become ready.
    ready_sender: Option<oneshot::Sender<Result<(), Error>>>,
    close_sender: watch::Sender<Option<CloseReason>>,
    publisher: Publisher,
    link: Link,
    /// Whether the service accepts commands.
    ready: bool,
    ready_by: Instant,
    connected_at: Instant,
    reconnected: bool,
    /// Set when the socket starts to close.
    close_reason: Option<CloseReason>,
    /// The code and the reason of the server's close frame.
    close_frame: Option<(u16, String)>,
    /// Whether the service says that the session is ending.
    is_ending: bool,
    /// The size of the responses to pings that the server has not read.
    unsent_pongs: usize,
    /// Commands that are sent before audio.
    controls: VecDeque<Bytes>,
    send_queue: SendQueue,
    in_flight: InFlight,
    outcomes: HashMap<String, PendingOutcome>,
    last_frame: Instant,
    /// When the connection stopped accepting writes.
    stalled: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
}

impl SocketTask {
    pub(super) fn new(
        address: Address,
        options: SocketOptions,
        session: Option<SessionLink>,
        requests: mpsc::UnboundedReceiver<BoxedRequest>,
        ready_sender: oneshot::Sender<Result<(), Error>>,
        close_sender: watch::Sender<Option<CloseReason>>,
        publisher: Publisher,
    ) -> Self {
        let now = Instant::now();
        Self {
            link: Link::Opening(Box::pin(address.clone().open())),
            address,
            session,
            requests,
            ready_sender: Some(ready_sender),
            close_sender,
            publisher,
            ready: false,
            ready_by: later(now, options.ready_timeout),
            connected_at: now,
            reconnected: false,
            close_reason: None,
            close_frame: None,
            is_ending: false,
            unsent_pongs: 0,
            controls: VecDeque::new(),
            send_queue: SendQueue::new(options.chunks, options.ahead, now),
            in_flight: InFlight::default(),
            outcomes: HashMap::new(),
            last_frame: now,
            stalled: None,
            sleep: Box::pin(tokio::time::sleep_until(now)),
            options,
        }
    }

    fn poll_requests(&mut self, cx: &mut Context<'_>, now: Instant) {
        while self.close_reason.is_none() {
            match self.requests.poll_recv(cx) {
                Poll::Ready(Some(request)) => self.serve(*request, now),
                // All handles are dropped.
                Poll::Ready(None) => self.close(CloseReason::Requested, now),
                Poll::Pending => break,
            }
        }
    }

    fn serve(&mut self, request: SocketRequest, now: Instant) {
        match request {
            SocketRequest::Speak { id, source, outcome } => {
                self.outcomes.insert(id.clone(), outcome);
                self.send_queue.push(id, source);
            }
            SocketRequest::Interrupt => {
                self.send_queue.clear(now);
                self.in_flight.interrupt(now);
                for (_, outcome) in self.outcomes.drain() {
                    outcome.send(SpeechEnd::Interrupted, now);
                }
                self.control(&LiteCommand::Interrupt);
            }
            SocketRequest::Command(command) => self.control(&command),
            SocketRequest::Close => self.close(CloseReason::Requested, now),
        }
    }

    fn control(&mut self, command: &LiteCommand) {
        let id = new_event_id();
        self.controls.push_back(command.encode(&id).into());
        self.in_flight.remember(id);
    }

    /// Starts to close; all current utterances are lost.
    fn close(&mut self, reason: CloseReason, now: Instant) {
        if let Some(session) = self.session.take().filter(|_| reason != CloseReason::Requested) {
            (session.on_lost)();
        }
        self.close_reason.get_or_insert(reason);
        self.send_queue.clear(now);
        self.lose_all(now);
        self.link = match std::mem::replace(&mut self.link, Link::Gone) {
            Link::Open(mut connection) => {
                // Commands that were requested just before, such as an interrupt, are still sent.
                for text in self.controls.drain(..).filter(|_| self.ready) {
                    let _ = Pin::new(&mut *connection).start_send(Message::text(text));
                }
                Link::Closing(connection, now + CLOSE_LIMIT)
            }
            Link::Closing(connection, by) => Link::Closing(connection, by),
            Link::Opening(_) | Link::Gone => Link::Gone,
        };
    }

    fn session_ended(&mut self, reason: Option<OpenEnum<SessionEndReason>>, now: Instant) {
        if let Some(ready) = self.ready_sender.take() {
            let why = reason.as_ref().map(|reason| format!(": {}", one_line(&reason.to_string())));
            let message = format!("the session has ended{}", why.unwrap_or_default());
            let _ = ready.send(Err(Error::new(ErrorKind::Transport, message)));
        }
        self.close(CloseReason::SessionEnded { reason }, now);
    }

    fn lose_all(&mut self, now: Instant) {
        self.in_flight.lose_all();
        for (_, outcome) in self.outcomes.drain() {
            outcome.send(SpeechEnd::Lost, now);
        }
    }

    /// Handles a broken connection: reconnects if `may_reconnect`, else closes.
    fn broken(&mut self, may_reconnect: bool, reason: CloseReason, error: Error, now: Instant) {
        self.link = Link::Gone;
        self.stalled = None;
        self.unsent_pongs = 0;
        self.ready = false;
        if self.is_ending {
            return self.session_ended(None, now);
        }
        if let Some(ready) = self.ready_sender.take() {
            let _ = ready.send(Err(error));
            self.close_reason.get_or_insert(reason);
            return;
        }
        for id in self.in_flight.lose_all() {
            self.send_queue.stop_sending(&id);
            self.report(&id, SpeechEnd::Lost, now);
        }
        let is_due = !self.reconnected || now >= self.connected_at + RECONNECT_INTERVAL;
        if !(may_reconnect && is_due && self.options.reconnect) || self.close_reason.is_some() {
            self.close(reason, now);
            return;
        }
        #[cfg(feature = "tracing")]
        tracing::info!(%error, "the LITE socket lost its connection and reconnects");
        self.reconnected = true;
        self.close_frame = None;
        self.ready_by = later(now, self.options.ready_timeout);
        self.link = Link::Opening(Box::pin(self.address.clone().open()));
    }

    fn connection_lost(&mut self, error: tokio_websockets::Error, now: Instant) {
        self.broken(true, CloseReason::ConnectionLost, failed(error), now);
    }

    fn not_reading(&mut self, now: Instant) {
        let error = Error::new(ErrorKind::Transport, "the server does not read");
        self.broken(true, CloseReason::ConnectionLost, error, now);
    }

    fn report(&mut self, id: &str, end: SpeechEnd, now: Instant) {
        if let Some(outcome) = self.outcomes.remove(id) {
            outcome.send(end, now);
        }
    }

    fn ended(&mut self, id: &str, end: SpeechEnd, now: Instant) {
        let was_sending = self.send_queue.stop_sending(id);
        if was_sending && matches!(end, SpeechEnd::Failed(_)) {
            // Otherwise the audio of the next utterance would be added to this one.
            self.controls.push_back(LiteCommand::SpeakEnd.encode(id).into());
        }
        self.report(id, end, now);
    }

    fn read(&mut self, cx: &mut Context<'_>, now: Instant) {
        while let Link::Open(connection) = &mut self.link {
            match Pin::new(&mut **connection).poll_next(cx) {
                Poll::Ready(Some(Ok(message))) if message.is_ping() => {
                    // The library has queued a pong.
                    self.unsent_pongs += PONG_OVERHEAD + message.as_payload().len();
                    match Pin::new(&mut **connection).poll_flush(cx) {
                        Poll::Ready(_) => self.unsent_pongs = 0,
                        Poll::Pending if self.unsent_pongs > MAX_UNSENT_PONGS => self.not_reading(now),
                        Poll::Pending => {}
                    }
                    self.active();
                }
                Poll::Ready(Some(Ok(message))) => self.received(&message, now),
                Poll::Ready(Some(Err(error))) => self.connection_lost(error, now),
                Poll::Ready(None) => {
                    let (may_reconnect, reason, message) = match self.close_frame.take() {
                        None => {
                            let message = "the server closed the connection".to_owned();
                            (true, CloseReason::ConnectionLost, message)
                        }
                        Some((code, reason)) => {
                            // Going away, internal error, restart, try again later, bad gateway (RFC 6455, IANA).
                            let is_temporary = matches!(code, 1001 | 1011..=1014);
                            let colon = if reason.is_empty() { "" } else { ": " };
                            let message =
                                format!("the server closed the socket with code {code}{colon}{reason}");
                            (is_temporary, CloseReason::ClosedByServer { code, reason }, message)
                        }
                    };
                    self.broken(may_reconnect, reason, Error::new(ErrorKind::Transport, message), now);
                }
                Poll::Pending => break,
            }
        }
    }

    fn received(&mut self, message: &Message, now: Instant) {
        if let Some((code, reason)) = message.as_close() {
            self.close_frame = Some((code.into(), one_line(&self.address.scrub(reason))));
            return;
        }
        self.active();
        // Some servers also send media in binary frames. Ignore everything that is not an event.
        let Some(text) = message.as_text() else { return };
        if text.len() > MAX_EVENT {
            return self.publisher.miss();
        }
        let Ok(mut event) = LiteEvent::decode(text.as_bytes()) else { return };
        if let LiteEventKind::Error(notice) | LiteEventKind::Warning(notice) = &mut event.kind {
            notice.message = self.address.scrub(&notice.message);
        }
        match &event.kind {
            LiteEventKind::SessionState(SessionState::Connected) => {
                self.is_ending = false;
                self.now_ready();
            }
            LiteEventKind::SessionState(SessionState::New | SessionState::Connecting) if self.ready => {
                self.ready = false;
                self.ready_by = later(now, self.options.ready_timeout);
            }
            LiteEventKind::SessionState(SessionState::Closing) => self.is_ending = true,
            LiteEventKind::SessionState(SessionState::Closed | SessionState::Disconnected) => {
                self.publisher.publish(event, text.len());
                return self.session_ended(None, now);
            }
            LiteEventKind::SessionStopped(reason) => {
                let reason = reason.clone();
                self.publisher.publish(event, text.len());
                return self.session_ended(reason, now);
            }
            _ => {}
        }
        if let Some((id, end)) = self.in_flight.event(&event, now) {
            let was_cut = matches!(end, SpeechEnd::Interrupted | SpeechEnd::Failed(_));
            // A server that has played everything needs more audio immediately.
            if was_cut || self.in_flight.is_empty() {
                self.send_queue.playback_stopped(now);
            }
            self.ended(&id, end, now);
        }
        self.publisher.publish(event, text.len());
    }

    fn active(&self) {
        if let Some(callback) = &self.options.on_activity {
            callback();
        }
    }

    fn now_ready(&mut self) {
        self.ready = true;
        let now = Instant::now();
        self.connected_at = now;
        self.last_frame = now;
        if let Some(ready) = self.ready_sender.take()
            && ready.send(Ok(())).is_err()
        {
            // The caller dropped the connect future, so no handle exists that could close the socket.
            self.close(CloseReason::Requested, now);
        }
    }

    /// Writes frames that are due, one at a time, so that an interrupt waits for at most one frame.
    fn write(&mut self, cx: &mut Context<'_>, now: Instant) {
        loop {
            let Link::Open(connection) = &mut self.link else { return };
            match Pin::new(&mut **connection).poll_flush(cx) {
                Poll::Ready(Ok(())) => (self.stalled, self.unsent_pongs) = (None, 0),
                Poll::Ready(Err(error)) => return self.connection_lost(error, now),
                Poll::Pending => {
                    self.stalled.get_or_insert(now);
                    return;
                }
            }
            let Some(text) = self.next_text(cx, now) else { return };
            let Link::Open(connection) = &mut self.link else { return };
            if let Err(error) = Pin::new(&mut **connection).start_send(Message::text(text)) {
                return self.connection_lost(error, now);
            }
            self.last_frame = now;
        }
    }

    fn next_text(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<Bytes> {
        if !self.ready {
            return None;
        }
        if let Some(text) = self.controls.pop_front() {
            return Some(text);
        }
        loop {
            match self.send_queue.next(cx, now)? {
                NextSend::Frame { id, text, audio, first_after } => {
                    if let Some(outcome) = self.outcomes.get_mut(&id) {
                        self.in_flight.sent(&id, audio, &outcome.playback, now);
                        outcome.first_frame_after = outcome.first_frame_after.or(first_after);
                        outcome.first_frame_after_speak.get_or_insert(now - outcome.requested);
                    }
                    return Some(text);
                }
                NextSend::OddByte { id } => {
                    self.publisher.publish(LiteEvent::misaligned_audio(&id), id.len());
                }
                NextSend::End { id } => {
                    let deadline = later(self.send_queue.playback_end().max(now), self.options.end_margin);
                    if let Some((id, end)) = self.in_flight.complete(&id, deadline) {
                        self.ended(&id, end, now);
                    }
                    return Some(LiteCommand::SpeakEnd.encode(&id).into());
                }
                NextSend::Empty { id } => self.report(&id, SpeechEnd::Finished, now),
                NextSend::Failed { id, error, begun } => {
                    self.in_flight.give_up(&id, now);
                    self.report(&id, SpeechEnd::Failed(Arc::new(error)), now);
                    if begun {
                        return Some(LiteCommand::SpeakEnd.encode(&id).into());
                    }
                }
            }
        }
    }

    /// When to poll again if nothing happens.
    fn deadline(&self) -> Option<Instant> {
        let open = matches!(self.link, Link::Open(_) | Link::Opening(_));
        let link = match &self.link {
            Link::Closing(_, by) => Some(*by),
            _ if open && !self.ready => Some(self.ready_by),
            _ => self.stalled.map(|since| since + WRITE_LIMIT),
        };
        // While the connection is stalled, nothing can be written at any time.
        let can_write = open && self.ready && self.stalled.is_none();
        let keep_alive = self.options.keep_alive_interval.map(|interval| later(self.last_frame, interval));
        let writes = [self.send_queue.deadline(), keep_alive].into_iter().flatten().filter(|_| can_write);
        writes.chain(link).chain(self.in_flight.deadline()).min()
    }

    /// Handles all passed deadlines except those of writes.
    fn expire(&mut self, now: Instant) {
        for (id, end) in self.in_flight.expire(now) {
            self.ended(&id, end, now);
        }
        match &self.link {
            Link::Closing(_, by) if *by <= now => self.link = Link::Gone,
            Link::Opening(_) | Link::Open(_) if !self.ready && self.ready_by <= now => {
                let limit = self.options.ready_timeout.as_secs_f64();
                let message = format!("the service was not ready for commands within {limit} s");
                let error = Error::new(ErrorKind::Timeout, message);
                self.broken(false, CloseReason::ConnectionLost, error, now);
            }
            Link::Open(_) if self.stalled.is_some_and(|since| since + WRITE_LIMIT <= now) => {
                self.not_reading(now);
            }
            Link::Open(_) if self.ready && self.stalled.is_none() && self.controls.is_empty() => {
                let interval = self.options.keep_alive_interval;
                if interval.is_some_and(|interval| later(self.last_frame, interval) <= now) {
                    self.control(&LiteCommand::KeepAlive);
                }
            }
            _ => {}
        }
    }

    fn poll_link(&mut self, cx: &mut Context<'_>, now: Instant) {
        match &mut self.link {
            Link::Opening(opening) => match opening.as_mut().poll(cx) {
                Poll::Ready(Ok(connection)) => self.link = Link::Open(Box::new(connection)),
                Poll::Ready(Err(error)) => self.broken(false, CloseReason::ConnectionLost, error, now),
                Poll::Pending => {}
            },
            Link::Closing(connection, _) => {
                if Pin::new(&mut **connection).poll_close(cx).is_ready() {
                    self.link = Link::Gone;
                }
            }
            Link::Open(_) | Link::Gone => {}
        }
        self.read(cx, now);
        self.write(cx, now);
    }
}

/// A time that may be so late that it is never reached.
fn later(time: Instant, duration: Duration) -> Instant {
    time.checked_add(duration).unwrap_or(time + NEVER)
}

impl PendingOutcome {
    pub(super) fn new(sender: oneshot::Sender<SpeechOutcome>, playback: Playback) -> Self {
        Self {
            sender,
            playback,
            requested: Instant::now(),
            first_frame_after: None,
            first_frame_after_speak: None,
        }
    }

    fn send(self, end: SpeechEnd, now: Instant) {
        let Self { sender, playback, first_frame_after, first_frame_after_speak, .. } = self;
        let audio = playback.sent();
        let played = if end.is_finished() { audio } else { playback.position(now) };
        playback.pause(played);
        let outcome = SpeechOutcome { end, audio, played, first_frame_after, first_frame_after_speak };
        // The receiver is gone if the handle was dropped.
        let _ = sender.send(outcome);
    }
}

impl Future for SocketTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            let now = Instant::now();
            this.poll_requests(cx, now);
            let ended = this.session.as_mut().map(|session| session.ended.as_mut().poll(cx));
            if ended.is_some_and(|ended| ended.is_ready()) {
                this.session = None;
                this.session_ended(None, now);
            }
            let before = std::mem::discriminant(&this.link);
            this.poll_link(cx, now);
            if std::mem::discriminant(&this.link) != before && !matches!(this.link, Link::Gone) {
                // The new link has not been polled, so it has not registered a waker.
                continue;
            }
            if matches!(this.link, Link::Gone) {
                let reason = this.close_reason.take().unwrap_or(CloseReason::ConnectionLost);
                this.lose_all(now);
                #[cfg(feature = "tracing")]
                tracing::debug!(?reason, "the LITE socket is closed");
                this.close_sender.send_replace(Some(reason));
                return Poll::Ready(());
            }
            let Some(deadline) = this.deadline() else { return Poll::Pending };
            if deadline > now {
                if this.sleep.deadline() != deadline || this.sleep.is_elapsed() {
                    this.sleep.as_mut().reset(deadline);
                }
                if this.sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
            this.expire(Instant::now());
        }
    }
}
