//! Events on their way to the caller.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::Stream;
use tokio::sync::mpsc;

use super::protocol::LiteEvent;

/// The limit of the events that one [`LiteEvents`] buffers, in bytes: their JSON and 256 bytes each.
pub const EVENT_BUFFER: usize = 8 * 1024 * 1024;

/// The limit of the events that are buffered before the first [`Socket::events`](super::Socket::events), counted in the same way.
pub const EARLY_EVENT_BUFFER: usize = 256 * 1024;

/// What each buffered event counts in addition to its JSON, in bytes.
const OVERHEAD: usize = 256;

/// The events of a socket, until it is closed.
///
/// A reader that is slow does not block the socket or other readers. Events are buffered up to [`EVENT_BUFFER`]. If the buffer is full,
/// new events are dropped, and [`missed`](Self::missed) counts them.
pub struct LiteEvents {
    events: mpsc::UnboundedReceiver<Buffered>,
    backlog: Arc<Backlog>,
}

/// An event and what it counts in the buffer, boxed because a channel reserves space for 32 items.
type Buffered = Box<(LiteEvent, usize)>;

#[derive(Default)]
struct Backlog {
    bytes: AtomicUsize,
    missed: AtomicU64,
}

impl fmt::Debug for LiteEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiteEvents")
            .field("buffered", &self.events.len())
            .field("missed", &self.missed())
            .finish_non_exhaustive()
    }
}

impl LiteEvents {
    /// Returns the next event, or `None` when the socket is closed and all events have been read.
    ///
    /// # Cancel safety
    /// This method is cancel safe.
    pub async fn next(&mut self) -> Option<LiteEvent> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Returns how many events were dropped so far, because the buffer was full or because they were larger than
    /// [`MAX_EVENT`](super::MAX_EVENT).
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.backlog.missed.load(Ordering::Relaxed)
    }
}

impl Stream for LiteEvents {
    type Item = LiteEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<LiteEvent>> {
        self.events.poll_recv(cx).map(|received| {
            let (event, size) = *received?;
            self.backlog.bytes.fetch_sub(size, Ordering::Relaxed);
            Some(event)
        })
    }
}

struct Subscriber {
    sender: mpsc::UnboundedSender<Buffered>,
    backlog: Arc<Backlog>,
}

impl Subscriber {
    fn send(&self, event: LiteEvent, size: usize) {
        if self.backlog.bytes.load(Ordering::Relaxed) + size > EVENT_BUFFER {
            self.miss();
            return;
        }
        self.backlog.bytes.fetch_add(size, Ordering::Relaxed);
        // A receiver that was dropped is removed with the next event.
        let _ = self.sender.send(Box::new((event, size)));
    }

    fn miss(&self) {
        self.backlog.missed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Subscriptions to events, from the side of the handles.
#[derive(Default)]
pub(super) struct Subscriptions(Mutex<Subscribers>);

#[derive(Default)]
struct Subscribers {
    open: Vec<Subscriber>,
    /// The events since the handshake, for the first subscription.
    early: Option<LiteEvents>,
    is_closed: bool,
}

impl Subscribers {
    fn add(&mut self) -> LiteEvents {
        let (sender, events) = mpsc::unbounded_channel();
        let backlog = Arc::<Backlog>::default();
        if !self.is_closed {
            self.open.push(Subscriber { sender, backlog: Arc::clone(&backlog) });
        }
        LiteEvents { events, backlog }
    }
}

impl Subscriptions {
    pub(super) fn subscribe(&self) -> LiteEvents {
        let mut subscribers = self.lock();
        subscribers.early.take().unwrap_or_else(|| subscribers.add())
    }

    fn lock(&self) -> MutexGuard<'_, Subscribers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The side of the socket's task. Dropping it ends all subscriptions.
pub(super) struct Publisher(Arc<Subscriptions>);

impl Publisher {
    pub(super) fn new() -> (Self, Arc<Subscriptions>) {
        let subscriptions = Arc::<Subscriptions>::default();
        let mut subscribers = subscriptions.lock();
        subscribers.early = Some(subscribers.add());
        drop(subscribers);
        (Self(Arc::clone(&subscriptions)), subscriptions)
    }

    /// Publishes an event whose JSON has this length.
    pub(super) fn publish(&self, event: LiteEvent, json: usize) {
        let size = json + OVERHEAD;
        let mut subscribers = self.open();
        let early = subscribers.early.as_ref().map(|early| early.backlog.bytes.load(Ordering::Relaxed));
        if early.is_some_and(|bytes| bytes + size > EARLY_EVENT_BUFFER) {
            subscribers.early = None;
            subscribers.open.retain(|subscriber| !subscriber.sender.is_closed());
        }
        if let Some((last, others)) = subscribers.open.split_last() {
            for subscriber in others {
                subscriber.send(event.clone(), size);
            }
            last.send(event, size);
        }
    }

    /// Counts an event that is not published.
    pub(super) fn miss(&self) {
        self.open().open.iter().for_each(Subscriber::miss);
    }

    fn open(&self) -> MutexGuard<'_, Subscribers> {
        let mut subscribers = self.0.lock();
        subscribers.open.retain(|subscriber| !subscriber.sender.is_closed());
        subscribers
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let mut subscribers = self.0.lock();
        subscribers.open.clear();
        subscribers.is_closed = true;
    }
}
