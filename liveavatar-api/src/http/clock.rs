//! The clock that the crate waits on; replaceable, so that tests do not wait.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// A source of time, and a timer.
///
/// The default is the system clock with Tokio's timer.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> SystemTime;

    /// Waits for `time`.
    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The system clock, read once and advanced by Tokio's monotonic clock, so that setting the system clock does not end calls.
///
/// It agrees with Tokio's timer, also when a test pauses both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock {
    read_at: SystemTime,
    since: Instant,
}

impl SystemClock {
    pub(crate) fn new() -> Self {
        Self { read_at: SystemTime::now(), since: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        self.read_at + self.since.elapsed()
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(time))
    }
}
