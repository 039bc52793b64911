//! The server: listening, recording, scripted answers, and the way of a request through the other modules.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, Response, Uri};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::answer::MockResponse;
use super::builder::Builder;
use super::clock::Clock;
use super::cors;
use super::credentials::{identify, secret_headers};
use super::document::{self, Operation, Route, route};
use super::fault::{Failure, Fault, Plan};
use super::heard::{Ear, Heard, SocketFault};
use super::rate::Rates;
use super::resource::Step;
use super::session_calls::{Call, handler};
use super::validate::{self, Raw};
use super::world::World;
use liveavatar_api::realtime::lite::Command;

/// Larger request bodies are refused; an image for an avatar is the largest thing that is ever sent.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

/// A running mock of the service on a loopback port.
///
/// It stops when it is dropped: its task closes the port when it runs next, and still answers what is under way.
pub struct Server {
    pub(super) shared: Arc<Shared>,
    /// Dropping the sender stops the server.
    pub(super) stop: Option<oneshot::Sender<()>>,
    pub(super) task: JoinHandle<()>,
    pub(super) sockets: Option<AbortHandle>,
}

impl Server {
    /// Starts a server with the defaults of [`Builder`].
    ///
    /// It runs on the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// If no loopback port can be opened.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub async fn start() -> io::Result<Server> {
        Server::builder().start().await
    }

    /// Returns a builder, to change limits or the API key.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The base URL without a slash at its end, for example `http://127.0.0.1:49152`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The API key that it accepts.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.shared.api_key
    }

    /// Everything received since the start or the last [`take_requests`](Server::take_requests), oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.shared.log).entries.clone()
    }

    /// Returns the recorded requests and forgets them.
    #[must_use]
    pub fn take_requests(&self) -> Vec<Recorded> {
        std::mem::take(&mut lock(&self.shared.log).entries)
    }

    /// Serves no command sockets from here on: open ones break, and connecting is refused.
    pub fn refuse_sockets(&self) {
        if let Some(sockets) = &self.sockets {
            sockets.abort();
        }
    }

    /// The sessions that were started and have not ended, oldest first.
    #[must_use]
    pub fn running_sessions(&self) -> Vec<Uuid> {
        let sessions = &mut lock(&self.shared.world).sessions;
        sessions.settle();
        sessions.running().map(|session| session.id).collect()
    }

    /// Ends a running session as the service would, for a reason such as `AGENT_HANG_UP`; false when it is not running.
    ///
    /// Some reasons come up by themselves: `IDLE_TIMEOUT`, `MAX_DURATION_REACHED`, `NO_CREDITS` and, when the session's avatar
    /// is deleted, `AVATAR_DELETED`. Those that a client gives when it stops a session are kept as they are.
    #[must_use = "false when there was nothing to end"]
    pub fn end_session(&self, id: Uuid, reason: &str) -> bool {
        lock(&self.shared.world).sessions.stop(id, reason)
    }

    /// Credits that are left, at this moment of the server's clock.
    #[must_use]
    pub fn credits(&self) -> u64 {
        lock(&self.shared.world).sessions.credits()
    }

    /// Lets time pass on the server at once.
    ///
    /// All that depends on time sees it: idle and duration limits, credits, rate limits, transcripts, timestamps, answers that
    /// are late, and playback on command sockets. The clock of the runtime moves it as well, so that under
    /// `tokio::time::pause` it needs no help; this is for tests with a real clock. The server's time never goes more than a
    /// hundred years ahead.
    pub fn advance(&self, time: Duration) {
        self.shared.clock.advance(time);
    }

    /// What arrived on a session's command sockets so far, of this session and no other.
    ///
    /// Empty when nothing was connected to it yet.
    #[must_use]
    pub fn heard(&self, session: Uuid) -> Heard {
        lock(&self.shared.ear).heard(session)
    }

    /// Lets command sockets go wrong: `faults` is asked for each command that arrives.
    pub fn socket_faults(&self, faults: impl FnMut(&Command) -> Option<SocketFault> + Send + 'static) {
        lock(&self.shared.ear).faults = Some(Box::new(faults));
    }

    /// Queues an answer for the next call of one operation, instead of its own.
    ///
    /// It is sent before credentials or the request are looked at. Several answers are used in the order in which they
    /// were queued.
    ///
    /// # Panics
    ///
    /// If the document has no operation of that short name.
    pub fn mock_response(&self, operation: &str, answer: MockResponse) {
        let operation = known(operation);
        lock(&self.shared.scripts).entry(operation).or_default().push_back(answer);
    }

    /// Lets requests go wrong: `faults` is asked for each one, with the short name of its operation.
    ///
    /// It comes before scripted answers. A request that goes wrong without an answer is not recorded.
    pub fn faults(&self, faults: impl FnMut(&str) -> Option<Fault> + Send + 'static) {
        lock(&self.shared.faults).asked = Some(Box::new(faults));
    }

    /// Lets the next `times` calls of one operation go wrong, each in the same way.
    ///
    /// It comes before what [`faults`](Server::faults) says, and after what was queued for the operation earlier.
    ///
    /// # Panics
    ///
    /// If the document has no operation of that short name.
    pub fn inject_fault(&self, operation: &str, times: u32, fault: Fault) {
        lock(&self.shared.faults).queue(known(operation), times, fault);
    }

    /// Lets requests and command sockets be as they are again.
    pub fn no_faults(&self) {
        lock(&self.shared.faults).clear();
        {
            lock(&self.shared.ear).faults = None;
        }
    }

    /// Stops the server and waits until it has answered what is under way.
    pub async fn shutdown(mut self) {
        drop(self.stop.take());
        // The task fails only if it is cancelled with its runtime; it is gone then, too.
        let _ = (&mut self.task).await;
    }
}

/// Leaves the API key out.
impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Server").field("url", &self.shared.url).finish_non_exhaustive()
    }
}

/// A request that the server received, with the status of its answer.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// Short name of the operation; `None` when the document has no such path and method.
    pub operation: Option<String>,
    /// HTTP method in upper case.
    pub method: String,
    /// Path as it was sent, still percent-encoded.
    pub path: String,
    /// Query without the question mark, still percent-encoded.
    pub query: Option<String>,
    /// Headers in the order received, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body as it was sent.
    pub body: Vec<u8>,
    /// HTTP status of the answer.
    pub status: u16,
}

impl Recorded {
    /// The first value of a header; the name's case does not matter.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Hides credentials, and shows only the size of the body.
impl fmt::Debug for Recorded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret: Vec<String> = secret_headers().collect();
        let hide = |(name, value): &(String, String)| {
            let shown = if secret.contains(name) { "[redacted]".to_owned() } else { value.clone() };
            (name.clone(), shown)
        };
        formatter
            .debug_struct("Recorded")
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query)
            .field("headers", &self.headers.iter().map(hide).collect::<Vec<_>>())
            .field("body_bytes", &self.body.len())
            .field("status", &self.status)
            .finish()
    }
}

pub(super) struct Shared {
    pub(super) url: String,
    pub(super) api_key: String,
    /// How long every request waits.
    pub(super) latency: Duration,
    pub(super) clock: Clock,
    pub(super) world: Arc<Mutex<World>>,
    pub(super) rates: Mutex<Rates>,
    pub(super) scripts: Mutex<HashMap<&'static str, VecDeque<MockResponse>>>,
    pub(super) faults: Mutex<Plan>,
    pub(super) log: Mutex<Log>,
    pub(super) ear: Arc<Mutex<Ear>>,
}

#[derive(Default)]
pub(super) struct Log {
    entries: Vec<Recorded>,
    /// Requests ever received; numbers the request ids.
    count: u64,
}

/// The short name as the document has it.
fn known(operation: &str) -> &'static str {
    let Some(operation) = document::named(operation) else {
        let names: Vec<_> = document::all().iter().map(|operation| operation.name.as_str()).collect();
        panic!("the document has no operation {operation:?}; it has: {}", names.join(", "));
    };
    &operation.name
}

/// A poisoned lock means that a test has failed already; the data is as good as it gets.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let method = parts.method.as_str();
    let found = route(method, parts.uri.path());
    let operation = match &found {
        Route::Found(operation, _) => Some(*operation),
        Route::OtherMethods(_) | Route::Unknown => None,
    };
    let (bytes, answer) = match axum::body::to_bytes(body, MAX_BODY_BYTES).await {
        Ok(bytes) => {
            let raw = Raw { uri: &parts.uri, headers: &parts.headers, bytes: &bytes };
            let fault = operation.and_then(|it| Some((it, lock(&shared.faults).next(&it.name)?)));
            shared.clock.sleep(shared.latency).await;
            let answered = match fault {
                None => Some(answer(&shared, found, raw).await),
                Some((_, Fault::Late(time))) => {
                    shared.clock.sleep(time).await;
                    Some(answer(&shared, found, raw).await)
                }
                Some((operation, Fault::Twisted(twist))) => {
                    Some(twist.apply(operation, answer(&shared, found, raw).await))
                }
                Some((_, Fault::Before(failure))) => failing(failure).await,
                Some((_, Fault::After(failure))) => {
                    answer(&shared, found, raw).await;
                    failing(failure).await
                }
            };
            let Some(answer) = answered else { return broken() };
            (bytes.to_vec(), answer)
        }
        Err(_) => (Vec::new(), MockResponse::no_route(413, "Request Entity Too Large")),
    };
    let recorded = record(operation, method, &parts.uri, &parts.headers, bytes, answer.status());
    let mut log = lock(&shared.log);
    log.entries.push(recorded);
    log.count += 1;
    let mut response = answer.into_response(&format!("mock-request-{}", log.count));
    cors::allow(parts.headers.get(ORIGIN), &mut response);
    response
}

/// The answer of a request that goes wrong, none where its connection breaks.
async fn failing(failure: Failure) -> Option<MockResponse> {
    match failure {
        Failure::MockResponse(answer) => Some(answer),
        Failure::Break => None,
        Failure::Silence => std::future::pending().await,
    }
}

/// An answer whose connection breaks before it is whole.
fn broken() -> Response<Body> {
    let cut = io::Error::from(io::ErrorKind::ConnectionReset);
    Response::new(Body::from_stream(futures_util::stream::iter([Err::<Vec<u8>, _>(cut)])))
}

async fn answer(shared: &Shared, found: Route, raw: Raw<'_>) -> MockResponse {
    let (operation, path) = match found {
        Route::Found(operation, path) => (operation, path),
        Route::OtherMethods(methods) => {
            return cors::preflight(raw.headers, &methods).unwrap_or_else(|| {
                MockResponse::no_route(405, "Method Not Allowed").header("allow", &methods.join(", "))
            });
        }
        Route::Unknown => return MockResponse::no_route(404, "Not Found"),
    };
    let scripted = lock(&shared.scripts).get_mut(operation.name.as_str()).and_then(VecDeque::pop_front);
    if let Some(answer) = scripted {
        return answer;
    }
    let caller = {
        let sessions = &lock(&shared.world).sessions;
        identify(&operation.security, raw.headers, &shared.api_key, |token| sessions.of_token(token))
    };
    let Some(caller) = caller else {
        return MockResponse::unauthorized();
    };
    if let Some(refusal) = lock(&shared.rates).refusal(caller, &operation.name) {
        return refusal;
    }
    let uri = raw.uri;
    let input = match validate::check(operation, path, raw).await {
        Ok(input) => input,
        Err(refusal) => return refusal,
    };
    let call = Call { operation, caller, input: &input, base: &shared.url, uri };
    let world = &mut lock(&shared.world);
    if let Some(handle) = handler(&operation.name) {
        return handle(world, &call);
    }
    match Step::of(operation) {
        Some(step) => world.stored(&step, &call),
        None => call.example(),
    }
}

fn record(
    operation: Option<&Operation>,
    method: &str,
    uri: &Uri,
    headers: &HeaderMap,
    body: Vec<u8>,
    status: u16,
) -> Recorded {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Recorded {
        operation: operation.map(|operation| operation.name.clone()),
        method: method.to_owned(),
        path: uri.path().to_owned(),
        query: uri.query().map(str::to_owned),
        headers: headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
            .collect(),
        body,
        status,
    }
}
