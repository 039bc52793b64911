//! Seeing what a client does: a hook for every request that is sent.

use std::fmt::Debug;
use std::time::Duration;

use crate::raw::Operation;

/// Told of every request before and after it is sent; never of a header, a body or a full address.
///
/// For metrics and logs of one's own. The crate's spans and events, by the `tracing` crate, need none of this.
pub trait Observer: Debug + Send + Sync + 'static {
    /// A request is about to be sent.
    fn before(&self, request: &Attempt) {
        let _ = request;
    }

    /// A request was answered, or failed.
    fn after(&self, request: &Attempt, ended: &Ended) {
        let _ = (request, ended);
    }
}

/// One request of a call.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// What is called.
    pub operation: &'static Operation,
    /// Which request of the call this is, from 1.
    pub number: u32,
}

/// How a request ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ended {
    /// Whether the call succeeded with it, as far as the transport can tell: the data may still have another shape.
    pub succeeded: bool,
    /// The HTTP status, none if there was no answer.
    pub status: Option<u16>,
    /// From sending to the answer's last byte.
    pub duration: Duration,
    /// The id that the service gave the request.
    pub request_id: Option<String>,
    /// The pause before the call is tried again, none if this was its last request.
    pub retry_in: Option<Duration>,
}
