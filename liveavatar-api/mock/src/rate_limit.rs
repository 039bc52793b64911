//! Rate limits: fixed windows of one second per caller and operation, as the documentation describes them.

use std::collections::HashMap;

use crate::clock::Clock;
use crate::credentials::Caller;
use crate::response::MockResponse;

const WINDOW_SECONDS: u64 = 1;

/// Counts the requests of the current window.
pub(crate) struct RateLimiter {
    /// Requests per window; `None` means no limit.
    limit: Option<u32>,
    clock: Clock,
    window: u64,
    counts: HashMap<(Caller, &'static str), u32>,
}

impl RateLimiter {
    pub(crate) fn new(limit: Option<u32>, clock: Clock) -> RateLimiter {
        RateLimiter { limit, clock, window: 0, counts: HashMap::new() }
    }

    /// Counts a request; returns the error response if the caller is over the limit.
    pub(crate) fn reject(&mut self, caller: Caller, operation: &'static str) -> Option<MockResponse> {
        let limit = self.limit?;
        let window = self.clock.elapsed().as_secs() / WINDOW_SECONDS;
        if window != self.window {
            self.window = window;
            self.counts.clear();
        }
        let count = self.counts.entry((caller, operation)).or_default();
        *count = count.saturating_add(1);
        let reset = self.clock.unix(self.clock.now()).saturating_add_unsigned(WINDOW_SECONDS);
        (*count > limit).then(|| MockResponse::too_many_requests(WINDOW_SECONDS, reset))
    }
}
