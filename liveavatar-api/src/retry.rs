//! Whether a failed request is repeated, and when.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

use crate::raw::Operation;
use crate::transport::{ENDS_EARLY, What};

/// The longest pause before the first repetition; each later one may be twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// No pause of our own choice is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// A service that asks for a longer pause is better asked again by the caller.
const LONGEST_ASKED_PAUSE: Duration = Duration::from_secs(30);

/// What a client and its clones may spend on repetitions before successes refill it.
const BUDGET: u32 = 500;

/// What a repetition costs; after a time-out it costs double, because it held a place for long.
const COST: u32 = 5;

/// What a call that needed no repetition gives back.
const REFUND: u32 = 1;

/// Values of `X-RateLimit-Reset` above this are a point in time, below it a number of seconds.
const EPOCH_FROM: f64 = 1_000_000_000.0;

/// Above this the point in time is given in milliseconds, as some services do.
const EPOCH_IN_MILLISECONDS_FROM: f64 = 100_000_000_000.0;

/// Shared by a client's clones: the budget, and the random source of the pauses.
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

    /// The pause before the next request, none if there must be none.
    ///
    /// `attempt` counts the requests sent so far, from 1; `left` is the time that the call still has.
    pub(crate) fn pause(
        &self,
        operation: &Operation,
        what: &What,
        attempt: u32,
        asked: Option<Duration>,
        left: Duration,
    ) -> Option<Duration> {
        if !repeatable(operation, what) || asked.is_some_and(|asked| asked > LONGEST_ASKED_PAUSE) {
            return None;
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Jitter: callers that failed together do not come back together.
        let jitter = state.random.f64();
        let pause = match asked {
            Some(asked) => (asked + FIRST_PAUSE.mul_f64(jitter)).min(LONGEST_ASKED_PAUSE),
            None => FIRST_PAUSE.saturating_mul(1 << (attempt - 1).min(16)).min(LONGEST_PAUSE).mul_f64(jitter),
        };
        if pause >= left {
            return None;
        }
        let cost = if what.is_timeout() { 2 * COST } else { COST };
        state.budget = state.budget.checked_sub(cost)?;
        Some(pause)
    }

    /// A call succeeded at once.
    pub(crate) fn refund(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.budget = (state.budget + REFUND).min(BUDGET);
    }
}

/// Whether repeating can do no harm, and some good.
///
/// What was certainly not processed is repeated always; what may have been, only where twice is the same as once.
fn repeatable(operation: &Operation, what: &What) -> bool {
    match what {
        What::Answer { status: 429, .. } => true,
        // A certificate is the same the next time.
        What::Broken(error) if error.is_connect() => !is_untrusted(error),
        What::Answer { status: 408 | 500 | 502 | 503 | 504, .. } => operation.repeatable,
        What::Broken(error) => operation.repeatable && !error.is_builder(),
        // A body without a length that stops in the middle is a connection that broke.
        What::Unreadable { why, .. } => operation.repeatable && *why == ENDS_EARLY,
        What::Answer { .. } | What::NoTime => false,
    }
}

/// Whether the other side's certificate is none for the service.
#[cfg(feature = "rustls")]
pub(crate) fn is_untrusted(error: &reqwest::Error) -> bool {
    use std::{error, io};

    use tokio_rustls::rustls::Error as Tls;

    let mut cause = error::Error::source(error);
    while let Some(error) = cause {
        if matches!(error.downcast_ref(), Some(Tls::InvalidCertificate(_))) {
            return true;
        }
        // What an I/O error wraps is not its source.
        cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}

#[cfg(not(feature = "rustls"))]
pub(crate) fn is_untrusted(_: &reqwest::Error) -> bool {
    false
}

/// The pause that an answer asks for: `Retry-After` in seconds or as a date, or `X-RateLimit-Reset`.
pub(crate) fn asked_pause(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    // Measured by the service's own clock where it tells the time.
    let now = text(DATE.as_str()).and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or(now);
    let until = |time: SystemTime| time.duration_since(now).unwrap_or_default();
    let seconds = |text: &str| {
        let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds >= 0.0)?;
        // More than a clock counts is too long in any case.
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
