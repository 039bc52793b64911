//! The task of a socket: one future that reads, writes, waits and takes orders, none of which holds up another.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink as _, Stream as _};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, Sleep};
use tokio_websockets::Message;

use super::connect::{Address, CLOSE_LIMIT, Connection};
use super::flight::{Flight, Outcome};
use super::outbox::{Next, Outbox};
use super::protocol::{Command, EventKind, LiteEvent, SessionState};
use super::speech::{End, Spoken, Waiting};
use super::{Closed, SocketOptions};
use crate::error::{Error, ErrorKind};
use crate::realtime::fresh_id;

/// How long the connection must have stood before a break of it is worth another try.
const RECONNECT_REST: Duration = Duration::from_secs(60);

/// How long the connection may take nothing before it counts as broken.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// What a handle asks for.
pub(super) enum Order {
    Speak(Waiting),
    Interrupt,
    Command(Command),
    Subscribe(mpsc::UnboundedSender<LiteEvent>),
    Close,
}

enum Link {
    Opening(Pin<Box<dyn Future<Output = Result<Connection, Error>> + Send>>),
    Open(Box<Connection>),
    Closing(Box<Connection>, Instant),
    Gone,
}

/// What an utterance's handle is told in the end.
struct Report {
    to: oneshot::Sender<Spoken>,
    audio: Duration,
    first_frame_after: Option<Duration>,
}

pub(super) struct Driver {
    address: Address,
    options: SocketOptions,
    orders: mpsc::UnboundedReceiver<Order>,
    /// Taken when the socket is ready for the first time, or cannot be.
    ready_told: Option<oneshot::Sender<Result<(), Error>>>,
    closed_told: watch::Sender<Option<Closed>>,
    subscribers: Vec<mpsc::UnboundedSender<LiteEvent>>,
    link: Link,
    /// Whether the service takes commands.
    ready: bool,
    ready_by: Instant,
    connected_at: Instant,
    reconnected: bool,
    /// Why the socket closes, once it does.
    closing: Option<Closed>,
    close_code: Option<u16>,
    /// Commands that go before audio.
    controls: VecDeque<Bytes>,
    outbox: Outbox,
    flight: Flight,
    reports: HashMap<String, Report>,
    last_frame: Instant,
    /// Since when the connection takes nothing.
    stalled: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
}

impl Driver {
    pub(super) fn new(
        address: Address,
        options: SocketOptions,
        orders: mpsc::UnboundedReceiver<Order>,
        ready_told: oneshot::Sender<Result<(), Error>>,
        closed_told: watch::Sender<Option<Closed>>,
    ) -> Self {
        let now = Instant::now();
        Self {
            link: Link::Opening(Box::pin(address.clone().open())),
            address,
            orders,
            ready_told: Some(ready_told),
            closed_told,
            subscribers: Vec::new(),
            ready: false,
            ready_by: now + options.ready_timeout,
            connected_at: now,
            reconnected: false,
            closing: None,
            close_code: None,
            controls: VecDeque::new(),
            outbox: Outbox::new(options.chunks, options.ahead, now),
            flight: Flight::default(),
            reports: HashMap::new(),
            last_frame: now,
            stalled: None,
            sleep: Box::pin(tokio::time::sleep_until(now)),
            options,
        }
    }

    fn take_orders(&mut self, cx: &mut Context<'_>, now: Instant) {
        while self.closing.is_none() {
            match self.orders.poll_recv(cx) {
                Poll::Ready(Some(order)) => self.take(order, now),
                // Nobody is left to speak, or to be told.
                Poll::Ready(None) => self.close(Closed::Asked, now),
                Poll::Pending => break,
            }
        }
    }

    fn take(&mut self, order: Order, now: Instant) {
        match order {
            Order::Speak(Waiting { id, source, spoken }) => {
                let report = Report { to: spoken, audio: Duration::ZERO, first_frame_after: None };
                self.reports.insert(id.clone(), report);
                self.outbox.push(id, source);
            }
            Order::Interrupt => {
                self.outbox.clear(now);
                self.flight.interrupt(now);
                for (_, report) in self.reports.drain() {
                    report.tell(End::Interrupted);
                }
                self.control(&Command::Interrupt);
            }
            Order::Command(command) => self.control(&command),
            Order::Subscribe(subscriber) => self.subscribers.push(subscriber),
            Order::Close => self.close(Closed::Asked, now),
        }
    }

    fn control(&mut self, command: &Command) {
        let id = fresh_id();
        self.controls.push_back(command.encode(&id).into());
        self.flight.other_command(id);
    }

    /// Begins to close; what is under way is lost.
    fn close(&mut self, why: Closed, now: Instant) {
        self.closing.get_or_insert(why);
        self.outbox.clear(now);
        self.lose_all();
        self.link = match std::mem::replace(&mut self.link, Link::Gone) {
            Link::Open(mut connection) => {
                // An interrupt that was asked for just before still goes out.
                for text in self.controls.drain(..).filter(|_| self.ready) {
                    let _ = Pin::new(&mut *connection).start_send(Message::text(text));
                }
                Link::Closing(connection, now + CLOSE_LIMIT)
            }
            Link::Closing(connection, by) => Link::Closing(connection, by),
            Link::Opening(_) | Link::Gone => Link::Gone,
        };
    }

    fn lose_all(&mut self) {
        self.flight.lose();
        for (_, report) in self.reports.drain() {
            report.tell(End::Lost);
        }
    }

    /// Goes on after the connection broke: with another one if that can help.
    fn broken(&mut self, helps: bool, why: Closed, error: Error, now: Instant) {
        self.link = Link::Gone;
        self.stalled = None;
        self.ready = false;
        if let Some(told) = self.ready_told.take() {
            let _ = told.send(Err(error));
            self.closing.get_or_insert(why);
            return;
        }
        for id in self.flight.lose() {
            self.outbox.drop_sending(&id);
            self.end(&id, End::Lost);
        }
        let rested = !self.reconnected || now >= self.connected_at + RECONNECT_REST;
        if !(helps && rested && self.options.reconnect) || self.closing.is_some() {
            self.close(why, now);
            return;
        }
        #[cfg(feature = "tracing")]
        tracing::info!(%error, "the LITE socket broke and is opened again");
        self.reconnected = true;
        self.close_code = None;
        self.ready_by = now + self.options.ready_timeout;
        self.link = Link::Opening(Box::pin(self.address.clone().open()));
    }

    fn end(&mut self, id: &str, end: End) {
        if let Some(report) = self.reports.remove(id) {
            report.tell(end);
        }
    }

    fn ended(&mut self, id: &str, outcome: Outcome) {
        let was_sending = self.outbox.drop_sending(id);
        let end = match outcome {
            Outcome::Finished => End::Finished,
            Outcome::Interrupted => End::Interrupted,
            Outcome::Lost => End::Lost,
            Outcome::Failed(notice) => {
                if was_sending {
                    // What follows must not become part of it.
                    self.controls.push_back(Command::SpeakEnd.encode(id).into());
                }
                End::Failed(Error::reported("the service reports", &notice.message))
            }
        };
        self.end(id, end);
    }

    /// Reads what has come.
    fn read(&mut self, cx: &mut Context<'_>, now: Instant) {
        while let Link::Open(connection) = &mut self.link {
            match Pin::new(&mut **connection).poll_next(cx) {
                Poll::Ready(Some(Ok(message))) => self.received(&message, now),
                Poll::Ready(Some(Err(error))) => {
                    let error = Error::new(ErrorKind::Transport, "the connection failed").caused_by(error);
                    self.broken(true, Closed::Broken, error, now);
                }
                Poll::Ready(None) => {
                    let (helps, why) = match self.close_code {
                        None => (true, Closed::Broken),
                        // Codes by which a server says that it is not up to it now.
                        Some(code @ (1001 | 1011..=1014)) => (true, Closed::ByServer(code)),
                        Some(code) => (false, Closed::ByServer(code)),
                    };
                    let error = Error::new(
                        ErrorKind::Transport,
                        match self.close_code {
                            None => "the server closed the connection".to_owned(),
                            Some(code) => format!("the server closed the socket with code {code}"),
                        },
                    );
                    self.broken(helps, why, error, now);
                }
                Poll::Pending => break,
            }
        }
    }

    fn received(&mut self, message: &Message, now: Instant) {
        if let Some((code, _)) = message.as_close() {
            self.close_code = Some(code.into());
            return;
        }
        // Some servers send media in binary frames beside the events; what is no event is noise.
        let Some(event) = message.as_text().and_then(|text| LiteEvent::decode(text.as_bytes()).ok()) else {
            return;
        };
        match &event.kind {
            EventKind::SessionState(SessionState::Connected) => self.be_ready(),
            EventKind::SessionState(SessionState::New | SessionState::Connecting) if self.ready => {
                self.ready = false;
                self.ready_by = now + self.options.ready_timeout;
            }
            EventKind::SessionState(SessionState::Closed | SessionState::Disconnected) => {
                if let Some(told) = self.ready_told.take() {
                    let _ = told.send(Err(Error::new(ErrorKind::Transport, "the session has ended")));
                }
                self.tell(event);
                self.close(Closed::SessionEnded, now);
                return;
            }
            _ => {}
        }
        if let Some((id, outcome)) = self.flight.event(&event, now) {
            let cut = matches!(outcome, Outcome::Interrupted | Outcome::Failed(_));
            // A server that has played all that it was sent needs more at once.
            if cut || self.flight.is_empty() {
                self.outbox.cut(now);
            }
            self.ended(&id, outcome);
        }
        self.tell(event);
    }

    fn be_ready(&mut self) {
        self.ready = true;
        let now = Instant::now();
        self.connected_at = now;
        self.last_frame = now;
        if let Some(told) = self.ready_told.take()
            && told.send(Ok(())).is_err()
        {
            // Nobody waits any more; the handles that would close the socket were never made.
            self.close(Closed::Asked, now);
        }
    }

    fn tell(&mut self, event: LiteEvent) {
        self.subscribers.retain(|subscriber| !subscriber.is_closed());
        if let Some((last, others)) = self.subscribers.split_last() {
            for subscriber in others {
                let _ = subscriber.send(event.clone());
            }
            let _ = last.send(event);
        }
    }

    /// Writes what is due, one frame at a time, so that an interrupt waits for one at most.
    fn write(&mut self, cx: &mut Context<'_>, now: Instant) {
        loop {
            let Link::Open(connection) = &mut self.link else { return };
            match Pin::new(&mut **connection).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.stalled = None,
                Poll::Ready(Err(error)) => {
                    let error = Error::new(ErrorKind::Transport, "the connection failed").caused_by(error);
                    return self.broken(true, Closed::Broken, error, now);
                }
                Poll::Pending => {
                    self.stalled.get_or_insert(now);
                    return;
                }
            }
            let Some(text) = self.next_text(cx, now) else { return };
            let Link::Open(connection) = &mut self.link else { return };
            if let Err(error) = Pin::new(&mut **connection).start_send(Message::text(text)) {
                let error = Error::new(ErrorKind::Transport, "the connection failed").caused_by(error);
                return self.broken(true, Closed::Broken, error, now);
            }
            self.last_frame = now;
            if let Some(told) = &self.options.activity {
                told();
            }
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
            match self.outbox.next(cx, now)? {
                Next::Frame { id, text, audio, first_after } => {
                    self.flight.sent(&id, audio);
                    if let Some(report) = self.reports.get_mut(&id) {
                        report.audio += audio;
                        report.first_frame_after = report.first_frame_after.or(first_after);
                    }
                    return Some(text);
                }
                Next::End { id } => {
                    let deadline = self.outbox.play_until().max(now) + self.options.end_margin;
                    if let Some((id, outcome)) = self.flight.closed(&id, deadline) {
                        self.ended(&id, outcome);
                    }
                    return Some(Command::SpeakEnd.encode(&id).into());
                }
                Next::Empty { id } => self.end(&id, End::Finished),
                Next::Failed { id, error, begun } => {
                    self.flight.give_up(&id, now);
                    self.end(&id, End::Failed(error));
                    if begun {
                        return Some(Command::SpeakEnd.encode(&id).into());
                    }
                }
            }
        }
    }

    /// When to look again if nothing happens.
    fn deadline(&self) -> Option<Instant> {
        let open = matches!(self.link, Link::Open(_) | Link::Opening(_));
        let of_link = match &self.link {
            Link::Closing(_, by) => Some(*by),
            _ if open && !self.ready => Some(self.ready_by),
            // What waits for a connection that takes nothing waits for no time.
            _ => self.stalled.map(|since| since + WRITE_LIMIT),
        };
        let writes = open && self.ready && self.stalled.is_none();
        let keep_alive = self.options.keep_alive.map(|interval| self.last_frame + interval);
        let of_writing = [self.outbox.deadline(), keep_alive].into_iter().flatten().filter(|_| writes);
        of_writing.chain(of_link).chain(self.flight.deadline()).min()
    }

    /// Does what the time has come for, except for writing.
    fn expire(&mut self, now: Instant) {
        for (id, outcome) in self.flight.expire(now) {
            self.ended(&id, outcome);
        }
        match &self.link {
            Link::Closing(_, by) if *by <= now => self.link = Link::Gone,
            Link::Opening(_) | Link::Open(_) if !self.ready && self.ready_by <= now => {
                let limit = self.options.ready_timeout;
                let error = Error::new(
                    ErrorKind::Timeout,
                    format!("the service was not ready for commands after {limit:?}"),
                );
                self.broken(false, Closed::Broken, error, now);
            }
            Link::Open(_) if self.stalled.is_some_and(|since| since + WRITE_LIMIT <= now) => {
                self.broken(
                    true,
                    Closed::Broken,
                    Error::new(ErrorKind::Transport, "the server reads nothing"),
                    now,
                );
            }
            Link::Open(_) if self.ready && self.stalled.is_none() && self.controls.is_empty() => {
                let interval = self.options.keep_alive;
                if interval.is_some_and(|interval| self.last_frame + interval <= now) {
                    self.control(&Command::KeepAlive);
                }
            }
            _ => {}
        }
    }

    fn poll_link(&mut self, cx: &mut Context<'_>, now: Instant) {
        match &mut self.link {
            Link::Opening(opening) => match opening.as_mut().poll(cx) {
                Poll::Ready(Ok(connection)) => self.link = Link::Open(Box::new(connection)),
                Poll::Ready(Err(error)) => self.broken(false, Closed::Broken, error, now),
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

impl Report {
    fn tell(self, end: End) {
        let Self { to, audio, first_frame_after } = self;
        // Whoever dropped the handle does not want to know.
        let _ = to.send(Spoken { end, audio, first_frame_after });
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            let now = Instant::now();
            this.take_orders(cx, now);
            let before = std::mem::discriminant(&this.link);
            this.poll_link(cx, now);
            if std::mem::discriminant(&this.link) != before && !matches!(this.link, Link::Gone) {
                // What it has become was not asked yet, so it would wake nobody.
                continue;
            }
            if matches!(this.link, Link::Gone) {
                let why = this.closing.unwrap_or(Closed::Broken);
                this.lose_all();
                #[cfg(feature = "tracing")]
                tracing::debug!(?why, "the LITE socket is closed");
                this.closed_told.send_replace(Some(why));
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
