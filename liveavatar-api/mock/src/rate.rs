//! How often a caller may call: fixed windows of one second per caller and operation, by the documentation.

use std::collections::HashMap;

use super::answer::MockResponse;
use super::clock::Clock;
use super::credentials::Caller;

const WINDOW_SECONDS: u64 = 1;

/// Counts the requests of the current windows.
pub(super) struct Rates {
    /// Requests in one window; none lets everything through.
    limit: Option<u32>,
    clock: Clock,
    window: u64,
    counts: HashMap<(Caller, &'static str), u32>,
}

impl Rates {
    pub(super) fn new(limit: Option<u32>, clock: Clock) -> Rates {
        Rates { limit, clock, window: 0, counts: HashMap::new() }
    }

    /// Counts a request, and refuses it when its window is full.
    pub(super) fn refusal(&mut self, caller: Caller, operation: &'static str) -> Option<MockResponse> {
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
