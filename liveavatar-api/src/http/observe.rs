//! A hook that sees every request.

use std::fmt::Debug;
use std::time::Duration;

use crate::operation::Operation;

/// Callbacks before and after every request, for metrics and logs.
///
/// They never see a header, a body or a full address. The crate's own spans and events (feature `tracing`) do not need them.
pub trait Observer: Debug + Send + Sync + 'static {
    /// Called before a request is sent.
    fn before(&self, request: &Attempt) {
        let _ = request;
    }

    /// Called after a request got a response or failed.
    fn after(&self, request: &Attempt, outcome: &AttemptOutcome) {
        let _ = (request, outcome);
    }
}

/// One request of a call.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The operation that is called.
    pub operation: &'static Operation,
    /// The number of this request within the call, from 1.
    pub number: u32,
}

/// The outcome of one request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AttemptOutcome {
    /// Whether the request succeeded; decoding the data can still fail.
    pub succeeded: bool,
    /// The HTTP status; `None` without a response.
    pub status: Option<u16>,
    /// Time from sending to the last byte of the response.
    pub duration: Duration,
    /// The service's id of the request.
    pub request_id: Option<String>,
    /// The pause before the next attempt; `None` if this was the last one.
    pub retry_in: Option<Duration>,
}
