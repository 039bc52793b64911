//! Remembering running sessions outside the process, so that a crash leaves none unknown.
//!
//! | | [`FileStore`] | `RedisStore` (feature `redis`) |
//! | --- | --- | --- |
//! | shared by | processes of one machine | machines that share one account |
//! | an owner is gone when | its process is, however it ended; the kernel says so at once | it has not renewed for one lease |
//! | slots of the account | not counted | taken before start, free again a pause after stop |
//! | survives | a crash of any process at any byte, two processes at once, loss of power | its own restart, with or without its data |
//! | if its data is lost | what lives is noted again with the next [`renew`](Store::renew), and until then nothing is reaped | the same |
//!
//! Neither holds a session token or another secret: only ids and times.
//!
//! # What happens on SIGKILL
//!
//! The killed process cannot stop its sessions. What it noted before each start stays in the store, and as soon as the
//! store knows that the owner is gone, the next [`Client::reap`](crate::Client::reap) of any process claims and stops
//! them: at once with a [`FileStore`], within a lease with a `RedisStore`. If no process of the fleet runs any more, the service itself
//! was seen to end such a session after 194 to 210 s (field reports).

mod file;
mod journal;
#[cfg(feature = "redis")]
mod redis;

pub use file::FileStore;
#[cfg(feature = "redis")]
pub use redis::{RedisStore, RedisStoreBuilder};

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::error::{Error, ErrorKind};

/// A future as [`Store`]'s methods return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A stopped session's slot is free after this time at the latest (field reports: 0.8 to 3 s).
pub const SLOT_FREE_AFTER: Duration = Duration::from_secs(3);

/// How long a reaper has a claimed session for itself; later it is offered again, to whoever asks first.
const CLAIM: Duration = Duration::from_secs(60);

/// Remembers running sessions outside this process, so that a crash leaves none unknown.
///
/// Every method can be called again with the same arguments: twice is the same as once.
///
/// # Cancel safety
/// A future that is dropped after its first poll may have taken effect or not. After a dropped [`take`](Self::take), give
/// the slot back; a store applies what one process asks of it in the order in which it was asked.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Takes a slot for a session that is about to start, and remembers it; durable when this returns.
    ///
    /// `until` is the latest time at which the session can still run. From then on the store forgets it by itself.
    ///
    /// # Errors
    /// When all slots of the account are taken, or the store cannot be reached or written. Do not start the session then.
    fn acquire(&self, session: Uuid, until: SystemTime) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Says that the session and this process are alive; called with every keep-alive.
    ///
    /// It also notes the session again if the store has lost it. A session that was not taken through this store, or was
    /// given back, is left as it is.
    ///
    /// # Errors
    /// When the store cannot be reached or written. The session lives on; say so again with the next beat.
    fn renew(&self, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Gives the slot back: the session is certainly stopped, or certainly never started.
    ///
    /// # Errors
    /// When the store cannot be reached or written. Until it is given back, the session counts as running.
    fn release(&self, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Sessions whose owner is gone, claimed for the caller alone.
    ///
    /// The caller stops each and then calls [`release`](Self::release). Nobody else gets them within the next minute;
    /// what is not given back by then is offered again.
    ///
    /// # Errors
    /// When the store cannot be reached or written.
    fn claim_abandoned(&self) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>>;

    /// Sessions that some living owner holds, this process or another: never to be reaped.
    ///
    /// # Errors
    /// When the store cannot be reached, or cannot be sure: its data was lost and living owners may not have said so again.
    /// Nothing is to be reaped then except what [`abandoned`](Self::abandoned) returns.
    fn held(&self) -> BoxFuture<'_, Result<BTreeSet<Uuid>, StoreError>>;
}

/// Several clients of one process share a store this way.
impl<S: Store + ?Sized> Store for Arc<S> {
    fn acquire(&self, session: Uuid, until: SystemTime) -> BoxFuture<'_, Result<(), StoreError>> {
        (**self).acquire(session, until)
    }

    fn renew(&self, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        (**self).renew(session)
    }

    fn release(&self, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        (**self).release(session)
    }

    fn claim_abandoned(&self) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>> {
        (**self).claim_abandoned()
    }

    fn held(&self) -> BoxFuture<'_, Result<BTreeSet<Uuid>, StoreError>> {
        (**self).held()
    }
}

/// Why a store did not do what it was asked.
///
/// `Display` says so in one line, [`source`](std::error::Error::source) has the cause. Neither shows an address or a password.
#[derive(Debug)]
pub struct StoreError(Kind);

#[derive(Debug)]
enum Kind {
    NoSlot { retry_after: Option<Duration> },
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// All slots of the account are taken.
    #[must_use]
    pub fn no_slot(retry_after: Option<Duration>) -> Self {
        Self(Kind::NoSlot { retry_after })
    }

    /// The store cannot be reached, read or written, or cannot be sure; the source says which, without secrets.
    #[must_use]
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(Kind::Unavailable(source.into()))
    }

    /// Whether all slots of the account are taken.
    ///
    /// # Troubleshooting
    /// [`retry_after`](Self::retry_after) says when one may be free. Slots of owners that are gone are freed by
    /// [`Client::reap`](crate::Client::reap).
    #[must_use]
    pub fn is_no_slot(&self) -> bool {
        matches!(self.0, Kind::NoSlot { .. })
    }

    /// Whether the store cannot be reached, read or written, or cannot be sure of its data.
    ///
    /// # Troubleshooting
    /// [`source`](std::error::Error::source) has the cause. Running sessions go on; try again with the next beat.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self.0, Kind::Unavailable(_))
    }

    /// When a slot may be free, where known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.0 {
            Kind::NoSlot { retry_after } => retry_after,
            Kind::Unavailable(_) => None,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::NoSlot { .. } => "all slots of the account are taken",
            Kind::Unavailable(_) => "the session store is not available",
        })
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Kind::Unavailable(source) => Some(&**source),
            Kind::NoSlot { .. } => None,
        }
    }
}

/// Milliseconds since 1970, which both stores count in; times before are 0.
fn milliseconds(time: SystemTime) -> u64 {
    millis(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let (kind, message) = if error.is_no_slot() {
            (ErrorKind::ConcurrencyLimit, "all slots of the session store are taken")
        } else {
            (ErrorKind::Store, "the session store failed, and the session was not started")
        };
        Self::new(kind, message).before_sending(error.retry_after()).caused_by(error)
    }
}
