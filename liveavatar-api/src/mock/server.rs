//! The server: listening, recording, scripted answers, and the way of a request through the other modules.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, Response, Uri};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
#[cfg(feature = "lite")]
use tokio::task::AbortHandle;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::answer::Answer;
use super::cors;
use super::credentials::{identify, secret_headers};
use super::document::{self, Operation, Route, route};
use super::example::example_answer;
use super::session_calls::{Call, handler};
use super::sessions::Sessions;
#[cfg(feature = "lite")]
use super::socket::{self, EventStyle};
use super::validate::{self, Raw};

const API_KEY: &str = "canary-api-key";
/// Sessions that may run at the same time, unless the builder says otherwise; our choice.
const SESSION_LIMIT: usize = 3;
/// Longest session in seconds, unless the builder says otherwise; our choice, the service has one per plan.
const MAX_SESSION_SECONDS: u64 = 1200;
/// Larger request bodies are refused; an image for an avatar is the largest thing that is ever sent.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

/// A running mock of the service on a loopback port.
///
/// It stops when it is dropped: its task closes the port when it runs next, and still answers what is under way.
pub struct Server {
    shared: Arc<Shared>,
    /// Dropping the sender stops the server.
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    #[cfg(feature = "lite")]
    sockets: Option<AbortHandle>,
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
        Builder {
            api_key: API_KEY.to_owned(),
            session_limit: SESSION_LIMIT,
            max_session_seconds: MAX_SESSION_SECONDS,
            port: 0,
            #[cfg(feature = "lite")]
            sockets: None,
        }
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
    #[cfg(feature = "lite")]
    pub fn refuse_sockets(&self) {
        if let Some(sockets) = &self.sockets {
            sockets.abort();
        }
    }

    /// The sessions that were started and have not ended, oldest first.
    #[must_use]
    pub fn running_sessions(&self) -> Vec<Uuid> {
        let mut sessions = lock(&self.shared.sessions);
        sessions.settle();
        sessions.running().map(|session| session.id).collect()
    }

    /// Queues an answer for the next call of one operation, instead of its own.
    ///
    /// It is sent before credentials or the request are looked at. Several answers are used in the order in which they
    /// were queued.
    ///
    /// # Panics
    ///
    /// If the document has no operation of that short name.
    pub fn script(&self, operation: &str, answer: Answer) {
        let Some(operation) = document::named(operation) else {
            let names: Vec<_> = document::all().iter().map(|operation| operation.name.as_str()).collect();
            panic!("the document has no operation {operation:?}; it has: {}", names.join(", "));
        };
        lock(&self.shared.scripts).entry(&operation.name).or_default().push_back(answer);
    }

    /// Lets requests go wrong: `faults` is asked for each one, with the short name of its operation.
    ///
    /// It comes before scripted answers. A request that goes wrong without an answer is not recorded.
    pub fn faults(&self, faults: impl FnMut(&str) -> Option<Fault> + Send + 'static) {
        *lock(&self.shared.faults) = Some(Box::new(faults));
    }

    /// Lets requests be as they are again.
    pub fn no_faults(&self) {
        *lock(&self.shared.faults) = None;
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

/// Settings of a [`Server`] that is about to start.
#[must_use = "a builder does nothing until it is started"]
pub struct Builder {
    api_key: String,
    session_limit: usize,
    max_session_seconds: u64,
    port: u16,
    #[cfg(feature = "lite")]
    sockets: Option<EventStyle>,
}

impl Builder {
    /// Sets the API key to accept; `canary-api-key` by default.
    pub fn api_key(mut self, key: impl Into<String>) -> Builder {
        self.api_key = key.into();
        self
    }

    /// Sets how many sessions may run at the same time; 3 by default.
    pub fn session_limit(mut self, sessions: usize) -> Builder {
        self.session_limit = sessions;
        self
    }

    /// Sets the longest session in seconds; 1200 by default, in the sandbox never above 60.
    pub fn max_session_duration(mut self, seconds: u64) -> Builder {
        self.max_session_seconds = seconds;
        self
    }

    /// Sets the loopback port to listen on; 0, the default, takes a free one.
    pub fn port(mut self, port: u16) -> Builder {
        self.port = port;
        self
    }

    /// Serves the command sockets of LITE sessions too, whose events tell utterances apart in the given way.
    ///
    /// Without this, `ws_url` names a host that does not exist.
    #[cfg(feature = "lite")]
    pub fn sockets(mut self, style: EventStyle) -> Builder {
        self.sockets = Some(style);
        self
    }

    /// Starts the server on the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// If no loopback port can be opened.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub async fn start(self) -> io::Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await?;
        let sessions = Arc::new(Mutex::new(Sessions::new(self.session_limit, self.max_session_seconds)));
        #[cfg(feature = "lite")]
        let sockets = match self.sockets {
            Some(style) => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                lock(&sessions).sockets = Some(format!("ws://{}", listener.local_addr()?));
                let serving = tokio::spawn(socket::serve(listener, style, Arc::clone(&sessions)));
                Some(serving.abort_handle())
            }
            None => None,
        };
        let shared = Arc::new(Shared {
            url: format!("http://{}", listener.local_addr()?),
            api_key: self.api_key,
            sessions,
            scripts: Mutex::default(),
            faults: Mutex::default(),
            log: Mutex::default(),
        });
        #[cfg(feature = "lite")]
        let sockets_until_then = sockets.clone();
        let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(async {
                // A dropped sender is the signal.
                let _ = stopped.await;
            });
            // Accepting never gives up, so there is no error to report.
            let _ = served.await;
            #[cfg(feature = "lite")]
            if let Some(sockets) = sockets_until_then {
                sockets.abort();
            }
        });
        Ok(Server {
            shared,
            stop: Some(stop),
            task,
            #[cfg(feature = "lite")]
            sockets,
        })
    }
}

/// Leaves the API key out.
impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Builder")
            .field("session_limit", &self.session_limit)
            .field("max_session_seconds", &self.max_session_seconds)
            .finish_non_exhaustive()
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

/// What goes wrong with one request, for [`Server::faults`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// It takes effect and is answered, so long after it came.
    Late(Duration),
    /// It goes wrong before it has taken effect.
    Before(Failure),
    /// It takes effect, and its answer goes wrong.
    After(Failure),
}

/// How a request goes wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// It gets this answer.
    Answer(Answer),
    /// Its connection breaks.
    Break,
    /// It gets no answer; the connection stays.
    Silence,
}

type Faults = Box<dyn FnMut(&str) -> Option<Fault> + Send>;

struct Shared {
    url: String,
    api_key: String,
    sessions: Arc<Mutex<Sessions>>,
    scripts: Mutex<HashMap<&'static str, VecDeque<Answer>>>,
    faults: Mutex<Option<Faults>>,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    entries: Vec<Recorded>,
    /// Requests ever received; numbers the request ids.
    count: u64,
}

/// A poisoned lock means that a test has failed already; the data is as good as it gets.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
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
            let fault =
                operation.and_then(|it| lock(&shared.faults).as_mut().and_then(|faults| faults(&it.name)));
            let answered = match fault {
                None => Some(answer(&shared, found, raw).await),
                Some(Fault::Late(time)) => {
                    tokio::time::sleep(time).await;
                    Some(answer(&shared, found, raw).await)
                }
                Some(Fault::Before(failure)) => failing(failure).await,
                Some(Fault::After(failure)) => {
                    answer(&shared, found, raw).await;
                    failing(failure).await
                }
            };
            let Some(answer) = answered else { return broken() };
            (bytes.to_vec(), answer)
        }
        Err(_) => (Vec::new(), Answer::no_route(413, "Request Entity Too Large")),
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
async fn failing(failure: Failure) -> Option<Answer> {
    match failure {
        Failure::Answer(answer) => Some(answer),
        Failure::Break => None,
        Failure::Silence => std::future::pending().await,
    }
}

/// An answer whose connection breaks before it is whole.
fn broken() -> Response<Body> {
    let cut = io::Error::from(io::ErrorKind::ConnectionReset);
    Response::new(Body::from_stream(futures_util::stream::iter([Err::<Vec<u8>, _>(cut)])))
}

async fn answer(shared: &Shared, found: Route, raw: Raw<'_>) -> Answer {
    let (operation, path) = match found {
        Route::Found(operation, path) => (operation, path),
        Route::OtherMethods(methods) => {
            return cors::preflight(raw.headers, &methods).unwrap_or_else(|| {
                Answer::no_route(405, "Method Not Allowed").header("allow", &methods.join(", "))
            });
        }
        Route::Unknown => return Answer::no_route(404, "Not Found"),
    };
    let scripted = lock(&shared.scripts).get_mut(operation.name.as_str()).and_then(VecDeque::pop_front);
    if let Some(answer) = scripted {
        return answer;
    }
    let caller = {
        let sessions = lock(&shared.sessions);
        identify(&operation.security, raw.headers, &shared.api_key, |token| sessions.of_token(token))
    };
    let Some(caller) = caller else {
        return Answer::unauthorized();
    };
    let uri = raw.uri;
    let input = match validate::check(operation, path, raw).await {
        Ok(input) => input,
        Err(refusal) => return refusal,
    };
    match handler(&operation.name) {
        Some(handle) => {
            let call = Call { operation, caller, input: &input, base: &shared.url, uri };
            handle(&mut lock(&shared.sessions), &call)
        }
        None => Answer::documented(operation.success, example_answer(&operation.name)),
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
