//! The sessions that browsers can start, with tokens that the token endpoint gave to them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use uuid::Uuid;

/// The number of sessions from which those that are over are removed.
#[cfg(feature = "axum")]
const MIN_SWEEP_SIZE: usize = 64;

/// Sessions that browsers may run, each with the latest time of its end.
#[derive(Debug, Default)]
pub(crate) struct BrowserSessions(Mutex<Sessions>);

#[derive(Debug, Default)]
struct Sessions {
    ends: BTreeMap<Uuid, SystemTime>,
    /// The size at which sessions that are over are removed next.
    #[cfg(feature = "axum")]
    sweep_at: usize,
}

impl BrowserSessions {
    #[cfg(feature = "axum")]
    pub(crate) fn insert(&self, id: Uuid, until: SystemTime, now: SystemTime) {
        let mut sessions = self.lock();
        if sessions.ends.len() >= sessions.sweep_at.max(MIN_SWEEP_SIZE) {
            sessions.ends.retain(|_, until| now < *until);
            // Doubling makes the cost per session constant on average.
            sessions.sweep_at = 2 * sessions.ends.len();
        }
        sessions.ends.insert(id, until);
    }

    #[cfg(feature = "axum")]
    pub(crate) fn remove(&self, id: &Uuid) {
        self.lock().ends.remove(id);
    }

    /// Returns whether a browser may run the session.
    pub(crate) fn can_run(&self, id: &Uuid, now: SystemTime) -> bool {
        self.lock().ends.get(id).is_some_and(|until| now < *until)
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        // Nothing that holds the lock can panic halfway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
