//! Remembering running sessions outside the process, so that a crash leaves none unknown.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

/// A future as [`Store`]'s methods return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Remembers running sessions outside this process, so that a crash leaves none unknown.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Takes a slot for a session that is about to start, and remembers it; durable when this returns.
    ///
    /// `until` is the latest time at which it can still run.
    fn take(&self, session: Uuid, until: SystemTime) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Says that the session and this process are alive; called with every keep-alive.
    fn renew(&self, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Gives the slot back: the session is certainly stopped, or certainly never started.
    fn give_back(&self, session: Uuid) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Sessions whose owner is gone, claimed for the caller alone.
    fn abandoned(&self) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>>;

    /// Sessions that some living owner holds: never to be reaped.
    fn held(&self) -> BoxFuture<'_, Result<BTreeSet<Uuid>, StoreError>>;
}

/// Why a store did not do what it was asked.
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

    /// The store cannot be reached or read.
    #[must_use]
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(Kind::Unavailable(source.into()))
    }

    /// Whether all slots of the account are taken.
    #[must_use]
    pub fn is_no_slot(&self) -> bool {
        matches!(self.0, Kind::NoSlot { .. })
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
