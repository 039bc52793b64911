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
    /// Returns the current time, to measure durations in this process; it never jumps.
    fn now(&self) -> SystemTime;

    /// Returns the wall-clock time at this moment, to compare it with times of other processes and with the expiry of tokens.
    ///
    /// It differs from [`now`](Self::now) after a suspend, or after the system clock was set. Default: `now`.
    fn wall_clock(&self) -> SystemTime {
        self.now()
    }

    /// Waits for `time`.
    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The system clock.
///
/// `now` is the system clock when it was read once, advanced by Tokio's monotonic clock, so that setting the system clock does not
/// end calls. It agrees with Tokio's timer, also when a test pauses both.
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

    fn wall_clock(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(time))
    }
}
