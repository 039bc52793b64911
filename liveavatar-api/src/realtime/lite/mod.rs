//! The web socket of LITE sessions, formerly CUSTOM: audio goes to the avatar, events come back.
//!
//! [`Socket::connect`] takes the `ws_url` that starting the session answered and waits until the service is ready, before
//! which it drops commands without a word. [`Socket::speak`] takes a stream of PCM (see [`audio`](super::audio)) and says
//! how the utterance ended.
//!
//! ```no_run
//! # async fn speak(
//! #     started: liveavatar_api::types::StartSessionResponse,
//! #     pcm: impl futures_util::Stream<Item = Vec<u8>> + Send + 'static,
//! # ) -> Result<(), liveavatar_api::Error> {
//! use liveavatar_api::realtime::lite::{End, Socket};
//!
//! let ws_url = started.ws_url.expect("a LITE session without a connector has one");
//! let socket = Socket::connect(&ws_url).await?;
//! let spoken = socket.speak(pcm).await;
//! match spoken.end {
//!     End::Finished => println!("spoke for {:?}", spoken.audio),
//!     End::Interrupted => println!("the user had something to say"),
//!     End::Failed(error) => println!("{error}"),
//!     End::Lost => println!("nothing more was heard of it"),
//!     _ => {}
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it sees to
//!
//! - Frames have the sizes that the service wants ([`Chunks`]), under one id per utterance, and its end is sent.
//! - Sending is paced: at most a few seconds ahead of playback, so that an interrupt has little to drop, and the source is
//!   asked for no more than that.
//! - Every utterance whose audio ends, ends, whatever the server does: with its connection, or 10 s after it should have been
//!   played.
//! - The session is kept alive while nothing is sent. Pings are answered; that the server sends no pongs is no reason to
//!   leave, since it stalls them while it works (official starter).
//! - A connection that breaks is opened again, once.
//!
//! It does not go through HTTP proxies.

mod connect;
mod driver;
mod flight;
mod outbox;
mod protocol;
mod session;
mod speech;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use tokio::sync::{mpsc, oneshot, watch};

pub use super::audio::Chunks;
pub use protocol::{AgentState, Command, EventKind, LiteEvent, Notice, SessionState};
pub use speech::{Audio, End, Speech, Spoken};

use crate::error::{Error, ErrorKind};
use crate::realtime::fresh_id;
use crate::secret::Secret;
use driver::{Driver, Order};

/// How long to wait for the service to be ready, connecting included.
pub const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// How far ahead of playback audio is sent.
pub const AHEAD: Duration = Duration::from_secs(3);

/// How much longer than its audio plays an utterance may take to be heard of.
pub const END_MARGIN: Duration = Duration::from_secs(10);

/// How long to wait for more audio before what there is is sent.
pub const FLUSH_AFTER: Duration = Duration::from_millis(200);

/// How a [`Socket`] behaves.
///
/// ```
/// use std::time::Duration;
/// use liveavatar_api::realtime::lite::SocketOptions;
///
/// let options = SocketOptions::new().ready_timeout(Duration::from_secs(20)).ahead(Duration::from_secs(2));
/// ```
#[derive(Clone)]
#[must_use]
pub struct SocketOptions {
    ready_timeout: Duration,
    keep_alive: Option<Duration>,
    ahead: Duration,
    end_margin: Duration,
    chunks: Chunks,
    reconnect: bool,
    plain: bool,
    activity: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SocketOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketOptions")
            .field("ready_timeout", &self.ready_timeout)
            .field("keep_alive", &self.keep_alive)
            .field("ahead", &self.ahead)
            .field("end_margin", &self.end_margin)
            .field("chunks", &self.chunks)
            .field("reconnect", &self.reconnect)
            .finish_non_exhaustive()
    }
}

impl SocketOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            ready_timeout: READY_TIMEOUT,
            keep_alive: Some(crate::session::KEEP_ALIVE_INTERVAL),
            ahead: AHEAD,
            end_margin: END_MARGIN,
            chunks: Chunks::default(),
            reconnect: true,
            plain: false,
            activity: None,
        }
    }

    /// How long to wait for the service to be ready; [`READY_TIMEOUT`] by default.
    pub fn ready_timeout(mut self, timeout: Duration) -> Self {
        self.ready_timeout = timeout;
        self
    }

    /// How long after the last frame to keep the session alive, or never;
    /// [`KEEP_ALIVE_INTERVAL`](crate::session::KEEP_ALIVE_INTERVAL) by default.
    pub fn keep_alive(mut self, interval: Option<Duration>) -> Self {
        self.keep_alive = interval;
        self
    }

    /// How far ahead of playback to send, at least one frame; [`AHEAD`] by default.
    ///
    /// Less makes interrupts drop less; more bridges longer pauses of the network.
    pub fn ahead(mut self, ahead: Duration) -> Self {
        self.ahead = ahead;
        self
    }

    /// How much longer than it plays to wait for the end of an utterance; [`END_MARGIN`] by default.
    pub fn end_margin(mut self, margin: Duration) -> Self {
        self.end_margin = margin;
        self
    }

    /// How audio is cut into frames.
    pub fn chunks(mut self, chunks: Chunks) -> Self {
        self.chunks = chunks;
        self
    }

    /// Gives up when the connection breaks.
    pub fn no_reconnect(mut self) -> Self {
        self.reconnect = false;
        self
    }

    /// Accepts plain `ws` to other machines too, over which anybody on the way can listen and speak.
    pub fn allow_plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Told of every frame that restarts the service's idle countdown; whoever keeps the session alive by calls can count from
    /// it.
    ///
    /// It is called from the socket's task and should return at once.
    pub fn on_activity(mut self, told: impl Fn() + Send + Sync + 'static) -> Self {
        self.activity = Some(Arc::new(told));
        self
    }

    /// Tells one more, after whoever the caller has set.
    pub(crate) fn also_on_activity(self, told: impl Fn() + Send + Sync + 'static) -> Self {
        match self.activity.clone() {
            Some(first) => self.on_activity(move || {
                first();
                told();
            }),
            None => self.on_activity(told),
        }
    }
}

/// The command socket of a LITE session.
///
/// A task of its own sends and receives. Clones are handles of the same socket; it closes when the last of them and of the
/// [`Speech`]es is dropped, which does not stop the session.
#[derive(Clone)]
pub struct Socket {
    orders: mpsc::UnboundedSender<Order>,
    closed: watch::Receiver<Option<Closed>>,
}

/// Why a socket is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Closed {
    /// It was asked to.
    Asked,
    /// The session has ended.
    SessionEnded,
    /// The server closed it, with this code (1005 stands for none) and for good.
    ByServer(u16),
    /// The connection broke, and opening it again did not help or was not wanted.
    Broken,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("closed", &*self.closed.borrow()).finish_non_exhaustive()
    }
}

impl Socket {
    /// Connects to the `ws_url` of a started session and waits until it takes commands.
    ///
    /// # Errors
    /// When the address cannot be used, the service refuses it or cannot be reached, or is not ready after
    /// [`READY_TIMEOUT`].
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the connection is closed.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn connect(ws_url: &Secret) -> Result<Self, Error> {
        Self::connect_with(ws_url, SocketOptions::new()).await
    }

    /// Connects as [`connect`](Self::connect) does, with other options.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// As [`connect`](Self::connect).
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn connect_with(ws_url: &Secret, options: SocketOptions) -> Result<Self, Error> {
        let address = connect::Address::read(ws_url, options.plain)?;
        let (orders, taken) = mpsc::unbounded_channel();
        let (ready, is_ready) = oneshot::channel();
        let (told, closed) = watch::channel(None);
        tokio::spawn(Driver::new(address, options, taken, ready, told));
        // The task tells before it ends, unless its runtime is shut down.
        is_ready
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Transport, "the runtime is shutting down")))?;
        Ok(Self { orders, closed })
    }

    /// Speaks audio as it comes: PCM as in [`audio`](super::audio), in pieces of any size.
    ///
    /// Utterances are spoken in the order of their calls. Each is one id, its frames and its end, also if its audio fails
    /// half-way. The returned handle is a future of how it ended; dropping it stops nothing, [`interrupt`](Self::interrupt)
    /// does. Half a sample at the end of the audio is dropped.
    ///
    /// The stream is polled from the socket's task, and not while enough audio is ahead.
    pub fn speak<S>(&self, audio: S) -> Speech
    where
        S: Stream<Item: Audio> + Send + 'static,
    {
        let (speech, order) = speech::begin(audio, fresh_id(), self.orders.clone());
        // If the task is gone, so is the other end of the handle, which says so.
        let _ = self.orders.send(order);
        speech
    }

    /// Stops speaking: sending first, then what waits here, then what the server has.
    ///
    /// All utterances under way or waiting end as [`End::Interrupted`]; one that is begun after this call is not touched, also
    /// not by what the server still tells of the others.
    ///
    /// # Errors
    /// When the socket is closed.
    pub fn interrupt(&self) -> Result<(), Error> {
        self.order(Order::Interrupt)
    }

    /// Goes to the listening pose.
    ///
    /// # Errors
    /// When the socket is closed.
    pub fn start_listening(&self) -> Result<(), Error> {
        self.order(Order::Command(Command::StartListening))
    }

    /// Goes back to the idle pose.
    ///
    /// # Errors
    /// When the socket is closed.
    pub fn stop_listening(&self) -> Result<(), Error> {
        self.order(Order::Command(Command::StopListening))
    }

    /// Restarts the service's idle countdown now; it happens by itself when nothing is sent for a while.
    ///
    /// # Errors
    /// When the socket is closed.
    pub fn keep_alive(&self) -> Result<(), Error> {
        self.order(Order::Command(Command::KeepAlive))
    }

    /// The events from now on, for one more reader.
    ///
    /// None is lost, however slowly they are read, and reading slowly holds up nobody; they wait in memory, so drop what is
    /// not read.
    #[must_use]
    pub fn events(&self) -> LiteEvents {
        let (sender, events) = mpsc::unbounded_channel();
        // A closed socket has no more events, and dropping the sender says so.
        let _ = self.orders.send(Order::Subscribe(sender));
        LiteEvents { events }
    }

    /// Why the socket is closed, if it is.
    #[must_use]
    pub fn is_closed(&self) -> Option<Closed> {
        *self.closed.borrow()
    }

    /// Waits until the socket is closed.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn closed(&self) -> Closed {
        let mut closed = self.closed.clone();
        let told = closed.wait_for(Option::is_some).await;
        // Without a word the task went with its runtime.
        told.ok().and_then(|closed| *closed).unwrap_or(Closed::Broken)
    }

    /// Closes the socket; what is under way is lost.
    ///
    /// # Cancel safety
    /// Dropped, the socket closes nevertheless.
    pub async fn close(self) {
        let _ = self.orders.send(Order::Close);
        self.closed().await;
    }

    fn order(&self, order: Order) -> Result<(), Error> {
        let closed = || Error::invalid_request("the socket is closed; connect again");
        if self.is_closed().is_some() {
            return Err(closed());
        }
        self.orders.send(order).map_err(|_| closed())
    }
}

/// LiteEvents as they come, until the socket is closed.
pub struct LiteEvents {
    events: mpsc::UnboundedReceiver<LiteEvent>,
}

impl fmt::Debug for LiteEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiteEvents").field("waiting", &self.events.len()).finish_non_exhaustive()
    }
}

impl LiteEvents {
    /// The next event; none when the socket is closed and all are read.
    ///
    /// # Cancel safety
    /// Cancel safe.
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
