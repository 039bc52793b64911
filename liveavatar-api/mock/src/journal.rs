//! What happened on a server, in order, for readers of the control API.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use crate::clock::Clock;
use crate::credentials::secret_headers;
use crate::mask::{MASK, masked_json};
use crate::recorded_request::RecordedRequest;
use crate::response::MockResponse;
use crate::state::lock;

/// Older entries are dropped beyond this number.
const MAX_ENTRIES: usize = 20_000;
/// Older entries are dropped beyond this sum of their bodies and frames.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// Only the size of a larger body is kept.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// Most events that one chunk of a stream has.
const BATCH: usize = 256;

/// Everything that happened on one server, up to a limit.
pub(crate) struct Journal {
    clock: Clock,
    /// Differs between servers, so that a reader that resumes notices a restart.
    run: u128,
    entries: Mutex<Entries>,
    /// Number of entries so far; `None` after the server has stopped.
    count: watch::Sender<Option<u64>>,
}

#[derive(Default)]
struct Entries {
    kept: VecDeque<(Instant, Event)>,
    dropped: u64,
    bytes: usize,
}

enum Event {
    Request { request: RecordedRequest, body: Body, fault: Option<String> },
    Response { request: u64, sent: Option<Sent>, milliseconds: u128 },
    Opened { session: Uuid, channel: Channel },
    Frame { session: Uuid, channel: Channel, direction: Direction, frame: String, bytes: usize },
    Closed { session: Uuid, channel: Channel },
}

/// The response that was sent.
struct Sent {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
}

/// A body, or only its size if that is large.
struct Body {
    kept: Vec<u8>,
    size: usize,
}

/// How a session exchanges frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Socket,
    #[cfg(feature = "room")]
    Room,
}

/// Who sent a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    FromClient,
    ToClient,
}

impl Journal {
    pub(crate) fn new(clock: Clock) -> Arc<Journal> {
        Arc::new(Journal {
            clock,
            run: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros()),
            entries: Mutex::default(),
            count: watch::Sender::new(Some(0)),
        })
    }

    /// Records a request on its arrival; the response is recorded by what this returns.
    pub(crate) fn request(self: &Arc<Journal>, request: &RecordedRequest, fault: Option<String>) -> Exchange {
        let body = Body::new(&request.body);
        let request = RecordedRequest {
            operation: request.operation.clone(),
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers: request.headers.clone(),
            body: Vec::new(),
            status: None,
        };
        let number = self.record(Event::Request { request, body, fault });
        Exchange { journal: Arc::clone(self), number, arrived: Instant::now(), sent: None }
    }

    pub(crate) fn opened(&self, session: Uuid, channel: Channel) {
        self.record(Event::Opened { session, channel });
    }

    pub(crate) fn closed(&self, session: Uuid, channel: Channel) {
        self.record(Event::Closed { session, channel });
    }

    /// Records a frame as text, without its audio; `bytes` is its size on the wire.
    pub(crate) fn frame(
        &self,
        session: Uuid,
        channel: Channel,
        direction: Direction,
        frame: String,
        bytes: usize,
    ) {
        let is_large = frame.len() > MAX_BODY_BYTES;
        let frame = if is_large { format!("{} bytes, too large to show", frame.len()) } else { frame };
        self.record(Event::Frame { session, channel, direction, frame, bytes });
    }

    /// Ends all streams.
    pub(crate) fn stop(&self) {
        self.count.send_replace(None);
    }

    /// Returns the events after the one with this id, as server-sent events, until the server stops.
    ///
    /// An id of another server, or none, begins with the oldest event.
    pub(crate) fn stream(
        self: &Arc<Journal>,
        last_id: Option<&str>,
    ) -> impl Stream<Item = Result<String, std::convert::Infallible>> + use<> {
        let resumed = last_id.and_then(|id| {
            let (run, number) = id.split_once('-')?;
            (run.parse() == Ok(self.run)).then(|| number.parse::<u64>().ok())?
        });
        // The first chunk is sent at once, so that the reader knows that it is connected.
        let greeting =
            Some(format!("retry: 1000\nevent: hello\ndata: {}\n\n", json!({ "run": self.run.to_string() })));
        let state = (Arc::clone(self), self.count.subscribe(), resumed.unwrap_or(0), greeting);
        unfold(state, |(journal, mut count, after, greeting)| async move {
            if let Some(greeting) = greeting {
                return Some((Ok(greeting), (journal, count, after, None)));
            }
            // Fails if the journal is gone, which this future prevents.
            let next = count.wait_for(|count| count.is_none_or(|count| count > after)).await.ok()?.is_some();
            if !next {
                return None;
            }
            let (text, last) = journal.after(after);
            Some((Ok(text), (journal, count, last, None)))
        })
    }

    /// Returns events after a number, and the number of the last one.
    fn after(&self, number: u64) -> (String, u64) {
        let entries = lock(&self.entries);
        let missed = entries.dropped.saturating_sub(number);
        let first = number.max(entries.dropped);
        let mut text = String::new();
        if missed > 0 {
            text = format!("event: dropped\ndata: {}\n\n", json!({ "events": missed }));
        }
        let skipped = usize::try_from(first - entries.dropped).unwrap_or(usize::MAX);
        let mut last = first;
        for (at, event) in entries.kept.iter().skip(skipped).take(BATCH) {
            last += 1;
            let (kind, mut data) = event.render(last);
            data["at"] = self.clock.rfc3339(*at).into();
            let _ = write!(text, "id: {}-{last}\nevent: {kind}\ndata: {data}\n\n", self.run);
        }
        (text, last)
    }

    /// Returns the number of the new entry; the first is 1.
    fn record(&self, event: Event) -> u64 {
        let mut entries = lock(&self.entries);
        entries.bytes += event.size();
        entries.kept.push_back((self.clock.now(), event));
        while entries.kept.len() > MAX_ENTRIES || entries.bytes > MAX_BYTES {
            let Some((_, oldest)) = entries.kept.pop_front() else { break };
            entries.bytes -= oldest.size();
            entries.dropped += 1;
        }
        let number = entries.dropped + entries.kept.len() as u64;
        // Under the lock, so that the count never falls.
        self.count.send_if_modified(|count| {
            count.as_mut().is_some_and(|count| {
                *count = number;
                true
            })
        });
        number
    }
}

/// A request whose response is not recorded yet; dropping it records that the connection ended.
pub(crate) struct Exchange {
    journal: Arc<Journal>,
    number: u64,
    arrived: Instant,
    sent: Option<Sent>,
}

impl Exchange {
    pub(crate) fn responded(mut self, response: &MockResponse) {
        self.sent = Some(Sent {
            status: response.status(),
            headers: response.headers().collect(),
            body: Body::new(response.body()),
        });
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let milliseconds = self.arrived.elapsed().as_millis();
        let (request, sent) = (self.number, self.sent.take());
        self.journal.record(Event::Response { request, sent, milliseconds });
    }
}

impl Event {
    /// Returns the size of what an entry keeps, approximately.
    fn size(&self) -> usize {
        match self {
            Event::Request { body, .. } => body.kept.len(),
            Event::Response { sent, .. } => sent.as_ref().map_or(0, |sent| sent.body.kept.len()),
            Event::Frame { frame, .. } => frame.len(),
            Event::Opened { .. } | Event::Closed { .. } => 0,
        }
    }

    fn render(&self, number: u64) -> (&'static str, Value) {
        match self {
            Event::Request { request, body, fault } => (
                "request",
                json!({
                    "request": number,
                    "operation": request.operation,
                    "method": request.method,
                    "path": request.path,
                    "query": request.query,
                    "headers": masked_headers(&request.headers),
                    "body": body.render(),
                    "body_bytes": body.size,
                    "fault": fault,
                }),
            ),
            Event::Response { request, sent, milliseconds } => (
                "response",
                json!({
                    "request": request,
                    "status": sent.as_ref().map(|sent| sent.status),
                    "headers": sent.as_ref().map(|sent| masked_headers(&sent.headers)),
                    "body": sent.as_ref().and_then(|sent| sent.body.render()),
                    "body_bytes": sent.as_ref().map(|sent| sent.body.size),
                    "milliseconds": milliseconds,
                }),
            ),
            Event::Opened { session, channel } => {
                ("opened", json!({ "session": session, "channel": channel.as_str() }))
            }
            Event::Closed { session, channel } => {
                ("closed", json!({ "session": session, "channel": channel.as_str() }))
            }
            Event::Frame { session, channel, direction, frame, bytes } => (
                "frame",
                json!({
                    "session": session,
                    "channel": channel.as_str(),
                    "from": direction.as_str(),
                    // Read only for a reader, because the mock answers in real time.
                    "frame": masked_json(frame.as_bytes()).unwrap_or_else(|| frame.as_str().into()),
                    "bytes": bytes,
                }),
            ),
        }
    }
}

fn masked_headers(headers: &[(String, String)]) -> Value {
    let secret: Vec<String> = secret_headers().collect();
    let mask = |(name, value): &(String, String)| {
        json!([name, if secret.contains(name) { MASK } else { value.as_str() }])
    };
    headers.iter().map(mask).collect()
}

impl Body {
    fn new(body: &[u8]) -> Body {
        let kept = if body.len() <= MAX_BODY_BYTES { body.to_vec() } else { Vec::new() };
        Body { kept, size: body.len() }
    }

    /// Returns a JSON body without its secrets; none of another type, because secrets in it cannot be found.
    fn render(&self) -> Option<Value> {
        masked_json(&self.kept)
    }
}

impl Channel {
    fn as_str(self) -> &'static str {
        match self {
            Channel::Socket => "socket",
            #[cfg(feature = "room")]
            Channel::Room => "room",
        }
    }
}

impl Direction {
    fn as_str(self) -> &'static str {
        match self {
            Direction::FromClient => "client",
            Direction::ToClient => "mock",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Channel, Direction, Journal, MAX_ENTRIES};
    use crate::clock::Clock;
    use serde_json::json;
    use uuid::Uuid;

    #[tokio::test]
    async fn the_oldest_entries_are_dropped_and_counted() {
        let journal = Journal::new(Clock::new());
        for number in 0..MAX_ENTRIES + 3 {
            let frame = json!({ "number": number }).to_string();
            journal.frame(Uuid::nil(), Channel::Socket, Direction::ToClient, frame, 10);
        }
        let (text, _) = journal.after(0);
        assert!(text.starts_with("event: dropped\ndata: {\"events\":3}\n\nid: "), "{}", &text[..200]);
        assert!(text.contains("{\"number\":3}"));
        // A reader that has seen the dropped ones misses nothing.
        assert!(!journal.after(3).0.contains("dropped"));
    }
}
