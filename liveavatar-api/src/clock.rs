//! Time, as far as this crate waits for it: replaceable, so that nothing has to wait in a test.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Tells the time and waits.
///
/// The default is the machine's clock with tokio's timer.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> SystemTime;

    /// Waits.
    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The machine's clock, read once; from there on its monotonic one counts, so that setting the clock ends no call.
///
/// Tokio's, which agrees with its timer also where a test has paused both.
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
