//! Retries and time limits of calls.

use std::time::Duration;

use crate::operation::Operation;

/// Time limit of one attempt, unless the operation is known to be slow.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// Retries and time limits of a client's calls.
#[derive(Clone, Debug)]
#[must_use]
pub struct RequestOptions {
    pub(super) max_attempts: u32,
    attempt_timeout: Option<Duration>,
    pub(super) timeout: Duration,
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self { max_attempts: 4, attempt_timeout: None, timeout: Duration::from_secs(120) }
    }
}

impl RequestOptions {
    /// Returns the defaults: 4 attempts, 30 s per attempt (45 s to start a session), 120 s per call.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many attempts a call may take; 1 disables retries.
    ///
    /// A call is retried only if that is safe: reading, deleting, minting a token, keep-alive and stop, and any request that the
    /// service certainly did not process. Starting a session or creating something is never retried after a 5xx, a
    /// time-out or a broken connection.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Sets the time limit of one attempt, from connecting to the last byte of the response.
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.attempt_timeout = Some(limit);
        self
    }

    /// Sets the time limit of a call, including all attempts and the pauses between them.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Lowers the time limit of a call to `limit` if it is higher.
    pub(crate) fn at_most(self, limit: Duration) -> Self {
        let limit = limit.min(self.timeout);
        self.timeout(limit)
    }

    /// The time limit of a call.
    pub(crate) fn time_limit(&self) -> Duration {
        self.timeout
    }

    pub(super) fn attempt_timeout_of(&self, operation: &Operation) -> Duration {
        self.attempt_timeout.or(operation.attempt_timeout).unwrap_or(ATTEMPT_TIMEOUT)
    }
}
