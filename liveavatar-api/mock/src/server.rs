//! The running server, as tests see it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinHandle};
use uuid::Uuid;

use crate::document;
use crate::fault::Fault;
use crate::recorded_request::RecordedRequest;
use crate::response::MockResponse;
use crate::shared::Shared;
use crate::socket_activity::{SocketActivity, SocketFault};
use crate::state::lock;
use liveavatar_api::realtime::lite::LiteCommand;
use liveavatar_api::{Client, Credential, Error};

/// How long no request may arrive until the server has settled: long enough for one that is in the buffers of a loopback connection.
const QUIET: Duration = Duration::from_millis(20);

/// A running mock of the service on a loopback port.
///
/// Dropping it stops the server: its task closes the port the next time it runs, after the responses in progress.
pub struct Server {
    pub(crate) shared: Arc<Shared>,
    /// Dropping the sender stops the server.
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<()>,
    pub(crate) sockets: Option<AbortHandle>,
}

impl Server {
    /// Returns the base URL without a trailing slash, for example `http://127.0.0.1:49152`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// Returns the API key that the server accepts.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.shared.api_key
    }

    /// Returns a client of the server, with its URL and API key and the default options.
    ///
    /// Clients with other settings need only [`url`](Server::url) and [`api_key`](Server::api_key).
    ///
    /// # Errors
    ///
    /// If the server's API key cannot be a header value.
    pub fn client(&self) -> Result<Client, Error> {
        Client::builder().base_url(self.url()).credential(Credential::api_key(self.api_key())?).build()
    }

    /// Returns the requests since the start or the last [`take_requests`](Server::take_requests), oldest first.
    ///
    /// They include requests that a fault broke. Call [`settled`](Server::settled) first if one may still be in progress.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.shared.log).requests().to_vec()
    }

    /// Returns the recorded requests and clears the record.
    #[must_use]
    pub fn take_requests(&self) -> Vec<RecordedRequest> {
        lock(&self.shared.log).take()
    }

    /// Waits until no HTTP request is in progress and none has arrived for 20 ms, in place of a sleep in a test.
    ///
    /// A request that [hangs](crate::Failure::Hang) does not count, nor do frames on command sockets. A client's pause before
    /// a retry can be longer. The 20 ms are real time, for requests that are still on their way to the server; a paused Tokio
    /// clock does not move by itself meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn settled(&self) {
        let mut in_progress = self.shared.in_progress.subscribe();
        loop {
            // Never fails: the server holds the sender.
            let _ = in_progress.wait_for(|count| *count == 0).await;
            // Tokio's clock may be paused, and a blocking task keeps it from moving.
            let _ = tokio::task::spawn_blocking(|| std::thread::sleep(QUIET)).await;
            if !in_progress.has_changed().unwrap_or_default() {
                return;
            }
        }
    }

    /// Sends an event to the open command sockets of a session; returns false if it has none.
    ///
    /// For events that the mock never sends by itself, such as warnings and the older form of pose changes:
    ///
    /// ```
    /// # fn send(server: &liveavatar_mock::Server, session: liveavatar_api::Uuid) {
    /// use serde_json::json;
    ///
    /// let warning = json!({ "type": "audio_too_quiet", "message": "the audio is hardly audible" });
    /// assert!(server.send_socket_event(session, &json!({ "type": "warning", "warning": warning })));
    /// assert!(server.send_socket_event(session, &json!({ "type": "agent.state_updated", "state": "listening" })));
    /// # }
    /// ```
    #[must_use = "false if the session lacks a socket"]
    pub fn send_socket_event(&self, session: Uuid, event: &Value) -> bool {
        lock(&self.shared.monitor).send(session, &event.to_string())
    }

    /// Drops all open command sockets and rejects new ones.
    pub fn reject_sockets(&self) {
        if let Some(sockets) = &self.sockets {
            sockets.abort();
        }
    }

    /// Injects a fault into the rooms of the server.
    ///
    /// Without [`Builder::room`](crate::Builder::room) there are none, and it has no effect.
    #[cfg(feature = "room")]
    pub fn inject_room_fault(&self, fault: crate::RoomFault) {
        if let Some(rooms) = &self.shared.rooms {
            rooms.add_fault(fault);
        }
    }

    /// Returns what the room of a session received; empty if it has none.
    #[cfg(feature = "room")]
    #[must_use]
    pub fn room_activity(&self, session: Uuid) -> crate::RoomActivity {
        let rooms = self.shared.rooms.as_ref();
        rooms.map(|rooms| rooms.activity(session)).unwrap_or_default()
    }

    /// Returns the sessions that were started and have not ended, oldest first.
    #[must_use]
    pub fn running_sessions(&self) -> Vec<Uuid> {
        let sessions = &mut lock(&self.shared.state).sessions;
        sessions.settle();
        sessions.running().map(|session| session.id).collect()
    }

    /// Ends a running session for a reason such as `AGENT_HANG_UP`; returns false if it is not running.
    ///
    /// The mock ends sessions by itself for the reasons `IDLE_TIMEOUT`, `MAX_DURATION_REACHED`, `NO_CREDITS`,
    /// `ZOMBIE_SESSION_REAP` (see [`Builder::zombie_timeout`](crate::Builder::zombie_timeout)) and, when the session's avatar
    /// is deleted, `AVATAR_DELETED`. A reason that a client sends with a stop request is kept.
    #[must_use = "false if the session was not running"]
    pub fn end_session(&self, id: Uuid, reason: &str) -> bool {
        lock(&self.shared.state).sessions.stop(id, reason)
    }

    /// Returns the remaining credits.
    #[must_use]
    pub fn credits(&self) -> u64 {
        lock(&self.shared.state).sessions.credits()
    }

    /// Sets the remaining credits.
    pub fn set_credits(&self, credits: u64) {
        lock(&self.shared.state).sessions.set_credits(credits);
    }

    /// Returns the audio that a session has received on its command sockets, as a WAV file.
    ///
    /// `None` if the session has received none, or without [`Builder::record_audio`](crate::Builder::record_audio).
    #[must_use]
    pub fn heard_audio(&self, session: Uuid) -> Option<Vec<u8>> {
        lock(&self.shared.monitor).wav(session, 0)
    }

    /// Moves the server's clock forward, at most 100 years ahead in total.
    ///
    /// This affects everything that depends on time: idle and duration limits, credits, rate limits, transcripts,
    /// timestamps, delayed responses, and playback on command sockets. The server's clock also follows Tokio's clock, so
    /// tests under `tokio::time::pause` do not need this method; it is for tests with a real clock.
    pub fn advance(&self, time: Duration) {
        self.shared.clock.advance(time);
    }

    /// Returns what a session has received on its command sockets.
    ///
    /// Empty if no socket was connected to it yet.
    #[must_use]
    pub fn socket_activity(&self, session: Uuid) -> SocketActivity {
        lock(&self.shared.monitor).sessions.get(&session).cloned().unwrap_or_default()
    }

    /// Injects faults into command sockets: calls `faults` for each command that arrives.
    pub fn socket_faults(&self, faults: impl FnMut(&LiteCommand) -> Option<SocketFault> + Send + 'static) {
        lock(&self.shared.monitor).faults = Some(Box::new(faults));
    }

    /// Queues a response to the next call of one operation, in place of its normal response.
    ///
    /// The server sends it without checking the credentials or the request. Several queued responses are sent in the order
    /// in which they were queued.
    ///
    /// # Panics
    ///
    /// If `operation` is not the short name of an operation.
    pub fn mock_response(&self, operation: &str, response: MockResponse) {
        let operation = short_name(operation);
        lock(&self.shared.queued_responses).entry(operation).or_default().push_back(response);
    }

    /// Injects faults: calls `faults` for each request, with the short name of its operation.
    ///
    /// Faults take precedence over queued responses. A request that fails without a response is recorded without a status.
    pub fn faults(&self, faults: impl FnMut(&str) -> Option<Fault> + Send + 'static) {
        lock(&self.shared.faults).choose = Some(Box::new(faults));
    }

    /// Injects the same fault into the next `times` calls of one operation.
    ///
    /// Injected faults take precedence over [`faults`](Server::faults) and are used in the order in which they were injected.
    ///
    /// # Panics
    ///
    /// If `operation` is not the short name of an operation.
    pub fn inject_fault(&self, operation: &str, times: u32, fault: Fault) {
        lock(&self.shared.faults).queue(short_name(operation), fault, times);
    }

    /// Removes all faults of requests, command sockets and rooms.
    pub fn clear_faults(&self) {
        self.shared.clear_faults();
    }

    /// Stops the server and waits until it has sent the responses in progress.
    pub async fn shutdown(mut self) {
        drop(self.stop.take());
        // The task fails only if it is cancelled together with its runtime.
        let _ = (&mut self.task).await;
    }
}

/// Omits the API key.
impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Server").field("url", &self.shared.url).finish_non_exhaustive()
    }
}

/// Returns the document's own copy of a short name.
fn short_name(operation: &str) -> &'static str {
    let Some(operation) = document::named(operation) else {
        let names: Vec<_> = document::all().iter().map(|operation| operation.name.as_str()).collect();
        panic!("the document has no operation {operation:?}; it has: {}", names.join(", "));
    };
    &operation.name
}
