//! Whether a failed request is retried, and after which pause.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

use crate::error::{ENDS_EARLY, Failure, is_untrusted};
use crate::operation::Operation;

/// Longest pause before the first retry; doubles with each further retry.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Longest pause that this crate chooses.
const MAX_PAUSE: Duration = Duration::from_secs(8);

/// Longest pause that the service may request; the caller handles longer ones.
const MAX_REQUESTED_PAUSE: Duration = Duration::from_secs(30);

/// The budget for retries that a client and its clones share; successful calls refill it.
const BUDGET: u32 = 500;

/// Cost of a retry; twice as much after a time-out, which held a connection for long.
const COST: u32 = 5;

/// What a call that needed no retry adds to the budget.
const REFUND: u32 = 1;

/// Values of `X-RateLimit-Reset` above this are a point in time in seconds, below it a number of seconds.
const EPOCH_FROM: f64 = 1_000_000_000.0;

/// Values of `X-RateLimit-Reset` above this are a point in time in milliseconds.
const EPOCH_IN_MILLISECONDS_FROM: f64 = 100_000_000_000.0;

/// The retry budget and the random source for jitter, shared by all clones of a client.
#[derive(Debug)]
pub(crate) struct Retries(Mutex<State>);

#[derive(Debug)]
struct State {
    budget: u32,
    random: fastrand::Rng,
}

impl Retries {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let random = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Self(Mutex::new(State { budget: BUDGET, random }))
    }

    /// Returns the pause before the next attempt, or `None` if the request must not be retried.
    ///
    /// `attempt` is the number of requests sent so far; `left` is the time that the call has left.
    pub(super) fn pause(
        &self,
        operation: &Operation,
        failure: &Failure,
        attempt: u32,
        requested: Option<Duration>,
        left: Duration,
    ) -> Option<Duration> {
        if !is_retryable(operation, failure) || requested.is_some_and(|pause| pause > MAX_REQUESTED_PAUSE) {
            return None;
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Jitter keeps callers that failed together from retrying together.
        let jitter = state.random.f64();
        let pause = match requested {
            Some(requested) => (requested + FIRST_PAUSE.mul_f64(jitter)).min(MAX_REQUESTED_PAUSE),
            None => FIRST_PAUSE.saturating_mul(1 << (attempt - 1).min(16)).min(MAX_PAUSE).mul_f64(jitter),
        };
        if pause >= left {
            return None;
        }
        let cost = if failure.is_timeout() { 2 * COST } else { COST };
        state.budget = state.budget.checked_sub(cost)?;
        Some(pause)
    }

    /// Refills the budget after a call that needed no retry.
    pub(super) fn refund(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.budget = (state.budget + REFUND).min(BUDGET);
    }
}

/// Whether a retry is safe and may help.
///
/// A request that the service certainly did not process is always safe to retry; otherwise the operation must be idempotent.
fn is_retryable(operation: &Operation, failure: &Failure) -> bool {
    match failure {
        Failure::Response { status: 429, .. } => true,
        // An untrusted certificate does not change between attempts.
        Failure::NoResponse(error) if error.is_connect() => !is_untrusted(error),
        Failure::Response { status: 408 | 500 | 502 | 503 | 504, .. } => operation.idempotent,
        Failure::NoResponse(error) => operation.idempotent && !error.is_builder(),
        // A truncated body is a broken connection.
        Failure::Unreadable { reason, .. } => operation.idempotent && *reason == ENDS_EARLY,
        Failure::Response { .. } | Failure::NoTimeLeft => false,
    }
}

/// Returns the pause that a response requests: `Retry-After` in seconds or as a date, or `X-RateLimit-Reset`.
pub(super) fn requested_pause(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    // Points in time are on the service's clock, which `Date` shows.
    let now = text(DATE.as_str()).and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or(now);
    let until = |time: SystemTime| time.duration_since(now).unwrap_or_default();
    let seconds = |text: &str| {
        let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds >= 0.0)?;
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    };
    let after = text(RETRY_AFTER.as_str())
        .and_then(|text| seconds(text).or_else(|| httpdate::parse_http_date(text).ok().map(until)));
    let reset = || {
        let pause = seconds(text("x-ratelimit-reset")?)?;
        let point = match pause.as_secs_f64() {
            moment if moment > EPOCH_IN_MILLISECONDS_FROM => pause / 1000,
            moment if moment > EPOCH_FROM => pause,
            _ => return Some(pause),
        };
        Some(UNIX_EPOCH.checked_add(point).map_or(Duration::MAX, until))
    };
    after.or_else(reset)
}
