//! Rate limits: fixed windows of one second per caller and operation, as the documentation describes them.

use std::collections::HashMap;

use crate::clock::Clock;
use crate::credentials::Caller;
use crate::response::MockResponse;

/// Counts the requests of the current window.
pub(crate) struct RateLimiter {
    /// Requests per window; `None` means no limit.
    limit: Option<u32>,
    clock: Clock,
    /// The second of the current window, in Unix time.
    window: i64,
    counts: HashMap<(Caller, &'static str), u32>,
}

impl RateLimiter {
    pub(crate) fn new(limit: Option<u32>, clock: Clock) -> RateLimiter {
        RateLimiter { limit, clock, window: 0, counts: HashMap::new() }
    }

    /// Counts a request; returns the error response if the caller is over the limit.
    pub(crate) fn check(&mut self, caller: Caller, operation: &'static str) -> Result<(), MockResponse> {
        let Some(limit) = self.limit else { return Ok(()) };
        let window = self.clock.unix(self.clock.now());
        if window != self.window {
            self.window = window;
            self.counts.clear();
        }
        let count = self.counts.entry((caller, operation)).or_default();
        *count = count.saturating_add(1);
        if *count <= limit {
            return Ok(());
        }
        // The code is invented after the pattern of 4010: no body of a 429 is recorded.
        Err(MockResponse::error(429, 4290, "Too many requests")
            .header("retry-after", "1")
            .header("x-ratelimit-reset", &(window + 1).to_string()))
    }
}
