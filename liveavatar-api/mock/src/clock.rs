//! The clock of one server: that of the runtime, and how far it was put ahead.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// Moment at which every server starts, so that timestamps are stable: 2026-01-01T00:00:00Z, in seconds since 1970.
const EPOCH: i64 = 1_767_225_600;
/// A clock is never put further ahead, so that its moments stay within what the system counts: a hundred years.
const FURTHEST: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

#[derive(Clone, Debug)]
pub(super) struct Clock {
    origin: Instant,
    ahead: Arc<watch::Sender<Duration>>,
}

impl Clock {
    pub(super) fn new() -> Clock {
        Clock { origin: Instant::now(), ahead: Arc::new(watch::Sender::new(Duration::ZERO)) }
    }

    pub(super) fn now(&self) -> Instant {
        Instant::now() + *self.ahead.borrow()
    }

    /// Lets time pass at once; whoever waits sees it.
    pub(super) fn advance(&self, time: Duration) {
        self.ahead.send_modify(|ahead| *ahead = ahead.saturating_add(time).min(FURTHEST));
    }

    /// Time since the server started.
    pub(super) fn elapsed(&self) -> Duration {
        self.now() - self.origin
    }

    /// Tells whenever the clock is put ahead.
    pub(super) fn moved(&self) -> watch::Receiver<Duration> {
        self.ahead.subscribe()
    }

    pub(super) async fn sleep(&self, time: Duration) {
        // A moment beyond what the clock counts never comes.
        let Some(until) = self.now().checked_add(time) else { return std::future::pending().await };
        let mut moved = self.moved();
        loop {
            let left = until.saturating_duration_since(self.now());
            if left.is_zero() || timeout(left, moved.changed()).await.is_err() {
                return;
            }
        }
    }

    /// Seconds since 1970.
    pub(super) fn unix(&self, moment: Instant) -> i64 {
        EPOCH.saturating_add_unsigned(moment.saturating_duration_since(self.origin).as_secs())
    }

    pub(super) fn rfc3339(&self, moment: Instant) -> String {
        let moment = DateTime::from_timestamp(self.unix(moment), 0).unwrap_or(DateTime::UNIX_EPOCH);
        moment.to_rfc3339_opts(SecondsFormat::Secs, true)
    }
}
