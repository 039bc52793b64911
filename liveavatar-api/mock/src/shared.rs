//! What all requests to one server share, and the log of those requests.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::fault::FaultPlan;
use crate::journal::Journal;
use crate::rate_limit::RateLimiter;
use crate::recorded_request::RecordedRequest;
use crate::response::MockResponse;
use crate::socket_activity::SocketMonitor;
use crate::state::{ServerState, lock};

/// What all requests to one server share.
pub(crate) struct Shared {
    pub(crate) url: String,
    pub(crate) api_key: String,
    /// Delay of every request.
    pub(crate) latency: Duration,
    pub(crate) clock: Clock,
    pub(crate) state: Arc<Mutex<ServerState>>,
    pub(crate) rate_limiter: Mutex<RateLimiter>,
    pub(crate) queued_responses: Mutex<HashMap<&'static str, VecDeque<MockResponse>>>,
    pub(crate) faults: Mutex<FaultPlan>,
    pub(crate) log: Mutex<RequestLog>,
    pub(crate) journal: Arc<Journal>,
    /// Number of requests in progress, without those that hang.
    pub(crate) in_progress: watch::Sender<usize>,
    pub(crate) monitor: Arc<Mutex<SocketMonitor>>,
    #[cfg(feature = "room")]
    pub(crate) rooms: Option<crate::room::Rooms>,
}

impl Shared {
    /// Removes all faults.
    pub(crate) fn clear_faults(&self) {
        lock(&self.faults).clear();
        lock(&self.monitor).faults = None;
        #[cfg(feature = "room")]
        if let Some(rooms) = &self.rooms {
            rooms.clear_faults();
        }
    }
}

#[derive(Default)]
pub(crate) struct RequestLog {
    requests: Vec<RecordedRequest>,
    /// Number of requests that were taken.
    taken: usize,
    /// Number of all responses so far; numbers the request ids.
    responses: u64,
}

impl RequestLog {
    pub(crate) fn requests(&self) -> &[RecordedRequest] {
        &self.requests
    }

    pub(crate) fn take(&mut self) -> Vec<RecordedRequest> {
        self.taken += self.requests.len();
        std::mem::take(&mut self.requests)
    }

    /// Records a request on its arrival and returns its number.
    pub(crate) fn arrived(&mut self, request: RecordedRequest) -> usize {
        self.requests.push(request);
        self.taken + self.requests.len() - 1
    }

    /// Records the status of a response and returns its request id.
    pub(crate) fn responded(&mut self, number: usize, status: u16) -> String {
        let request = number.checked_sub(self.taken).and_then(|index| self.requests.get_mut(index));
        if let Some(request) = request {
            request.status = Some(status);
        }
        self.responses += 1;
        format!("mock-request-{}", self.responses)
    }
}

/// Counts the requests in progress; dropped when one has its response or is broken.
pub(crate) struct InProgress<'a>(&'a watch::Sender<usize>);

impl<'a> InProgress<'a> {
    pub(crate) fn new(count: &'a watch::Sender<usize>) -> InProgress<'a> {
        count.send_modify(|count| *count += 1);
        InProgress(count)
    }
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
