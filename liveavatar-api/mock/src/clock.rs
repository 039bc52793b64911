//! The clock of one server: the runtime's clock plus an adjustable offset.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// Every server starts at 2026-01-01T00:00:00Z (here in Unix seconds), so that timestamps are stable.
const EPOCH: i64 = 1_767_225_600;
/// Largest offset, 100 years: keeps instants within what the operating system can represent.
const MAX_OFFSET: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

#[derive(Clone, Debug)]
pub(crate) struct Clock {
    origin: Instant,
    offset: Arc<watch::Sender<Duration>>,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock { origin: Instant::now(), offset: Arc::new(watch::Sender::new(Duration::ZERO)) }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::now() + *self.offset.borrow()
    }

    /// Moves the clock forward and wakes all sleepers.
    pub(crate) fn advance(&self, time: Duration) {
        self.offset.send_modify(|offset| *offset = offset.saturating_add(time).min(MAX_OFFSET));
    }

    /// Returns a receiver that is notified each time the clock is moved forward.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Duration> {
        self.offset.subscribe()
    }

    pub(crate) async fn sleep(&self, time: Duration) {
        // An instant that the clock cannot represent is never reached.
        let Some(until) = self.now().checked_add(time) else { return std::future::pending().await };
        let mut offset = self.subscribe();
        loop {
            let left = until.saturating_duration_since(self.now());
            if left.is_zero() || timeout(left, offset.changed()).await.is_err() {
                return;
            }
        }
    }

    /// Converts to Unix seconds.
    pub(crate) fn unix(&self, instant: Instant) -> i64 {
        EPOCH.saturating_add_unsigned(instant.saturating_duration_since(self.origin).as_secs())
    }

    pub(crate) fn rfc3339(&self, instant: Instant) -> String {
        let time = DateTime::from_timestamp(self.unix(instant), 0).unwrap_or(DateTime::UNIX_EPOCH);
        time.to_rfc3339_opts(SecondsFormat::Secs, true)
    }
}
