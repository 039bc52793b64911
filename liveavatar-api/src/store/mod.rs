//! Session stores: records of running sessions that survive a crash of the process.
//!
//! | | [`FileStore`] | `RedisStore` (feature `redis`) |
//! | --- | --- | --- |
//! | Shared by | processes on one machine | machines |
//! | An owner counts as dead | as soon as its process has ended; the operating system reports it | when it has not renewed its sessions for one lease |
//! | Times are compared with | the wall clock at that moment; it may be wrong by one day | the clock of Redis, which may be set forward by 5 min |
//! | The account's slots | are not counted | are acquired before a start, and free again a few seconds after the stop |
//! | Survives | a crash at any point, concurrent processes, power loss | a restart of Redis, with or without its data |
//! | If its data is lost | living owners record their sessions again with the next [`renew`](Store::renew). Nothing is reaped for 200 s after an owner has noticed it | the same, for one lease after the first call |
//!
//! Both keep the sessions of each [`Account`] apart, so that clients with different API keys can share one folder or one Redis.
//! Neither holds a key, a session token or another secret, only ids, times and fingerprints of keys.
//!
//! # What happens on SIGKILL
//!
//! A killed process cannot stop its sessions, but each was recorded in the store before it started. Once the store knows that
//! the owner is dead (at once with a [`FileStore`], within one lease with a `RedisStore`), the next
//! [`Client::reap`](crate::Client::reap) of any process claims the sessions and stops them. If no other process runs, the service
//! ends such a session by itself; 194 to 210 s was observed (field reports).

mod account;
mod file;
mod folder;
#[cfg(feature = "redis")]
mod redis;

pub use account::Account;
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

/// The boxed future that the methods of [`Store`] return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Maximum time until the service frees a stopped session's slot (field reports: 0.8 to 3 s).
pub const SLOT_FREE_AFTER: Duration = Duration::from_secs(3);

/// How long a claim lasts; after that, the session can be claimed again.
const CLAIM: Duration = Duration::from_secs(60);

/// Records running sessions outside this process, so that they can be stopped after a crash.
///
/// All methods are idempotent. A store applies the calls of one process in the order in which they were made. It never returns
/// the sessions of another [`Account`].
///
/// # Cancel safety
/// A call whose future is dropped after its first poll may or may not take effect. After a dropped
/// [`acquire`](Self::acquire), call [`release`](Self::release).
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Acquires a slot for a session before its start, and records the session durably.
    ///
    /// `until` is the latest time at which the session can still run, on the wall clock. Some time after it, which covers a wrong
    /// clock, the store forgets the session if its owner is dead.
    ///
    /// # Errors
    /// If all slots of the account are taken, or the store cannot be reached or written. Do not start the session then.
    fn acquire(
        &self,
        account: Account,
        session: Uuid,
        until: SystemTime,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Acquires a slot for a session that runs without an owner, such as one that a browser starts with a token.
    ///
    /// No one renews it, and it outlives the process: [`held`](Self::held) returns it in every process, and
    /// [`claim_abandoned`](Self::claim_abandoned) in none, until `until` has passed or any process releases it.
    ///
    /// The default is [`acquire`](Self::acquire), which is not enough for a store that lets others claim the sessions of an owner
    /// that does not renew them or is dead.
    ///
    /// # Errors
    /// The same as [`acquire`](Self::acquire). Do not give the token away then.
    fn hold(
        &self,
        account: Account,
        session: Uuid,
        until: SystemTime,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.acquire(account, session, until)
    }

    /// Renews the record of a live session; called with every keep-alive.
    ///
    /// Records the session again if the store has lost it. Does nothing if the session was not acquired through this store, or
    /// was released.
    ///
    /// # Errors
    /// If the store cannot be reached or written. The session continues; renew again with the next keep-alive.
    fn renew(&self, account: Account, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Releases the slot of a session that is confirmed stopped or was never started.
    ///
    /// # Errors
    /// If the store cannot be reached or written. The session counts as running until it is released.
    fn release(&self, account: Account, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Claims the sessions of dead owners for the caller.
    ///
    /// The caller must stop each session and then call [`release`](Self::release). A claim is exclusive and lasts one minute;
    /// after that, a session that was not released can be claimed again.
    ///
    /// # Errors
    /// If the store cannot be reached or written, or has lost its data and does not know which owners live.
    fn claim_abandoned(&self, account: Account) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>>;

    /// Returns the sessions that living owners in any process hold, or that run without an owner; do not reap them.
    ///
    /// # Errors
    /// If the store cannot be reached, or has lost its data and living owners may not have recorded their sessions again. Reap
    /// nothing then except the sessions that [`claim_abandoned`](Self::claim_abandoned) returns.
    fn held(&self, account: Account) -> BoxFuture<'_, Result<BTreeSet<Uuid>, StoreError>>;
}

/// Lets several clients of one process share a store.
impl<S: Store + ?Sized> Store for Arc<S> {
    fn acquire(
        &self,
        account: Account,
        session: Uuid,
        until: SystemTime,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        (**self).acquire(account, session, until)
    }

    fn hold(
        &self,
        account: Account,
        session: Uuid,
        until: SystemTime,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        (**self).hold(account, session, until)
    }

    fn renew(&self, account: Account, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        (**self).renew(account, session)
    }

    fn release(&self, account: Account, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>> {
        (**self).release(account, session)
    }

    fn claim_abandoned(&self, account: Account) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>> {
        (**self).claim_abandoned(account)
    }

    fn held(&self, account: Account) -> BoxFuture<'_, Result<BTreeSet<Uuid>, StoreError>> {
        (**self).held(account)
    }
}

/// An error of a session store.
///
/// `Display` prints one line; [`source`](std::error::Error::source) returns the cause. Neither shows an address or a password.
#[derive(Debug)]
pub struct StoreError(Kind);

#[derive(Debug)]
enum Kind {
    NoSlot { retry_after: Option<Duration> },
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// Creates the error for an account whose slots are all taken.
    #[must_use]
    pub fn no_slot(retry_after: Option<Duration>) -> Self {
        Self(Kind::NoSlot { retry_after })
    }

    /// Creates the error for a store that cannot be used; `source` must not contain secrets.
    #[must_use]
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(Kind::Unavailable(source.into()))
    }

    /// Returns whether all slots of the account are taken.
    ///
    /// Try again after [`retry_after`](Self::retry_after). [`Client::reap`](crate::Client::reap) frees the slots of dead owners.
    #[must_use]
    pub fn is_no_slot(&self) -> bool {
        matches!(self.0, Kind::NoSlot { .. })
    }

    /// Returns whether the store cannot be used, or does not know which owners live.
    ///
    /// [`source`](std::error::Error::source) returns the cause. Running sessions continue, and their records are renewed with the
    /// next keep-alive.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self.0, Kind::Unavailable(_))
    }

    /// Returns the time until a slot may be free, if known.
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
            Kind::Unavailable(_) => "the session store failed",
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

/// Milliseconds since 1970, or 0 for earlier times.
fn unix_millis(time: SystemTime) -> u64 {
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
