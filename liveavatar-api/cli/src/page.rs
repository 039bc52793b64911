//! The page of a session: the avatar's picture and sound, the transcript, and what a person can do in the session.
//!
//! It is served on loopback, and the browser joins the LiveKit room itself. The address contains a secret that works once, so that
//! no other program or user of this machine can join. The page never gets the API key or the session token.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use futures_util::stream::{self, StreamExt as _};
use liveavatar_api::session::{EndReason, Session, State as SessionState};
use serde::Serialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::browser;
use crate::failure::Failure;
use crate::output::Output;

/// How often the credits used are read. The service charges by the minute.
const CREDITS_INTERVAL: Duration = Duration::from_secs(15);
/// How long the page may take to read that the session has ended.
const FAREWELL: Duration = Duration::from_secs(1);
const SECRET_BYTES: usize = 32;

/// The files of the page: path, content type and text.
const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("page/page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page/page.js")),
    (
        "/livekit-client.js",
        "text/javascript; charset=utf-8",
        include_str!("page/livekit-client/livekit-client.umd.js"),
    ),
];

/// A page that is being served.
pub(crate) struct Page {
    shared: Arc<Shared>,
    server: JoinHandle<()>,
    /// Credits used, by the last answer of the service.
    credits: Mutex<Value>,
    mode: &'static str,
    uses_push_to_talk: bool,
}

struct Shared {
    /// `127.0.0.1:PORT`, the only accepted `Host`.
    host: String,
    secrets: Mutex<Secrets>,
    /// What the page shows, with the LiveKit token.
    status: watch::Sender<Value>,
    /// The person at the page stops the session.
    stop: Notify,
    /// The command ends.
    close: Notify,
    output: Output,
}

/// Secrets are kept as hexadecimal text.
struct Secrets {
    /// In the address that was printed last; replaced when it is used.
    once: String,
    /// Given to pages in exchange for the one above.
    page: String,
}

/// Serves a page for the session and opens it in the browser.
///
/// Returns none, and says why, if the session has a LiveKit room of the caller's own, whose token the command does not know.
pub(crate) async fn open<M>(
    session: &Session<M>,
    configuration: &impl Serialize,
    output: Output,
) -> Result<Option<Page>, Failure> {
    let started = session.started();
    let (Some(_), Some(_)) = (&started.livekit_url, &started.livekit_client_token) else {
        output.progress("there is no page for a session in your own LiveKit room; join that room to see it");
        return Ok(None);
    };
    let failed = |error| Failure::Usage(format!("failed to serve the page of the session: {error}"), None);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
    let host = listener.local_addr().map_err(failed)?.to_string();
    let secrets = Secrets { once: random_secret()?, page: random_secret()? };
    let url = address(&host, &secrets.once);
    let shared = Arc::new(Shared {
        host,
        secrets: Mutex::new(secrets),
        status: watch::Sender::new(Value::Null),
        stop: Notify::new(),
        close: Notify::new(),
        output,
    });
    let mode = if started.ws_url.is_some() { "LITE" } else { "FULL" };
    let configuration = serde_json::to_value(configuration).unwrap_or_default();
    let page = Page {
        shared: Arc::clone(&shared),
        server: serve(listener, shared),
        credits: Mutex::default(),
        mode,
        uses_push_to_talk: configuration["interactivity_type"] == "PUSH_TO_TALK",
    };
    page.report(session);
    let text = format!("page     {url}\nclosing the page does not stop the session; press Ctrl-C to stop it");
    output.print_as(json!({"event": "page", "url": url}), &text);
    browser::open(&url, output);
    Ok(Some(page))
}

fn address(host: &str, secret: &str) -> String {
    // Browsers do not send this part of an address, so it is in no log.
    format!("http://{host}/#{secret}")
}

fn serve(listener: TcpListener, shared: Arc<Shared>) -> JoinHandle<()> {
    let router = Router::new().fallback(respond).with_state(Arc::clone(&shared));
    tokio::spawn(async move {
        let ended = async move { shared.close.notified().await };
        // Never an error: accepting is retried.
        let _ = axum::serve(listener, router).with_graceful_shutdown(ended).await;
    })
}

impl Page {
    /// Keeps the page up to date until the person at the page stops the session.
    pub(crate) async fn run<M>(&self, session: &Session<M>) {
        let mut events = session.events();
        let mut ticks = interval(CREDITS_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.shared.stop.notified() => return,
                event = events.next() => if event.is_none() {
                    // The caller notices the end as well.
                    std::future::pending::<()>().await;
                },
                _ = ticks.tick() => {
                    // A failure leaves the last amount; keep-alives report a service that cannot be reached.
                    let Ok(details) = session.details().await else { continue };
                    *self.credits.lock().unwrap_or_else(PoisonError::into_inner) = json!(details.credits_consumed);
                }
            }
            self.report(session);
        }
    }

    /// Shows the page how the session ended, and stops serving.
    pub(crate) async fn finish<M>(self, session: &Session<M>) {
        self.report(session);
        self.shared.close.notify_one();
        // Until the pages have read the end, or do not read.
        let _ = timeout(FAREWELL, self.server).await;
    }

    fn report<M>(&self, session: &Session<M>) {
        let (started, state) = (session.started(), session.state());
        let secret =
            |secret: &Option<liveavatar_api::Secret>| secret.as_ref().map(|it| it.expose().to_owned());
        let status = json!({
            "mode": self.mode,
            "uses_push_to_talk": self.uses_push_to_talk,
            "session_id": session.id(),
            "livekit_url": started.livekit_url,
            "livekit_client_token": secret(&started.livekit_client_token),
            "ends_at": session.ends_at().and_then(|end| Some(end.duration_since(UNIX_EPOCH).ok()?.as_millis())),
            "credits_used": *self.credits.lock().unwrap_or_else(PoisonError::into_inner),
            "end": match &state {
                SessionState::Ended(EndReason::MaxDuration) => json!({"by": "limit"}),
                SessionState::Ended(EndReason::Service(reason)) => json!({"by": "service", "reason": reason}),
                SessionState::Ended(_) => json!({"by": "command"}),
                state if state.is_over() => json!({"by": null}),
                _ => Value::Null,
            },
        });
        self.shared.status.send_replace(status);
    }
}

async fn respond(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (method, path, headers) = (request.method(), request.uri().path(), request.headers());
    // Another name leads here only if a foreign page has it resolve to this machine.
    if headers.get(HOST).is_none_or(|host| host.as_bytes() != shared.host.as_bytes()) {
        return problem(StatusCode::FORBIDDEN, "use the address that the command printed");
    }
    if *method == Method::GET
        && let Some((_, content_type, text)) = FILES.iter().find(|(file, ..)| *file == path)
    {
        return response(StatusCode::OK, content_type, Body::from(*text), &shared);
    }
    match (method, path) {
        (&Method::POST, "/exchange") => exchange(&shared, headers),
        (&Method::GET, "/status") if shared.is_page(headers) => {
            response(StatusCode::OK, "application/x-ndjson", status_lines(&shared), &shared)
        }
        (&Method::POST, "/stop") if shared.is_page(headers) => {
            shared.stop.notify_one();
            response(StatusCode::NO_CONTENT, "text/plain", Body::empty(), &shared)
        }
        (_, "/status" | "/stop") => problem(StatusCode::UNAUTHORIZED, "the secret is wrong"),
        _ => problem(StatusCode::NOT_FOUND, "not found"),
    }
}

/// Exchanges the secret of the address for the one that this page uses from now on.
fn exchange(shared: &Shared, headers: &HeaderMap) -> Response<Body> {
    let Ok(next) = random_secret() else {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "there is no randomness");
    };
    let mut secrets = shared.secrets();
    if !is_bearer(headers, &secrets.once) {
        return problem(StatusCode::UNAUTHORIZED, "the address was used before");
    }
    let again = address(&shared.host, &next);
    secrets.once = next;
    let key = json!({"key": secrets.page}).to_string();
    drop(secrets);
    shared.output.progress(&format!("the page is open; to open it again, use {again}"));
    response(StatusCode::OK, "application/json", Body::from(key), shared)
}

/// Returns the status as JSON, one line for each change.
fn status_lines(shared: &Shared) -> Body {
    let receiver = Some(shared.status.subscribe());
    let lines = stream::unfold((receiver, true), |(receiver, is_first)| async move {
        let mut receiver = receiver?;
        if !is_first {
            receiver.changed().await.ok()?;
        }
        let status = receiver.borrow_and_update().clone();
        // The line with the end is the last one.
        let next = status["end"].is_null().then_some(receiver);
        Some((format!("{status}\n"), (next, false)))
    });
    Body::from_stream(lines.map(Ok::<_, Infallible>))
}

impl Shared {
    fn secrets(&self) -> std::sync::MutexGuard<'_, Secrets> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_page(&self, headers: &HeaderMap) -> bool {
        is_bearer(headers, &self.secrets().page)
    }
}

/// Compares in constant time, so that the time of a response says nothing about the secret.
fn is_bearer(headers: &HeaderMap, secret: &str) -> bool {
    let sent = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    let sent = sent.strip_prefix(b"Bearer ").unwrap_or_default();
    bool::from(sent.ct_eq(secret.as_bytes()))
}

fn random_secret() -> Result<String, Failure> {
    let mut bytes = [0; SECRET_BYTES];
    let failed = |error| Failure::Usage(format!("failed to get a random secret: {error}"), None);
    getrandom::fill(&mut bytes).map_err(failed)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

fn problem(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

fn response(status: StatusCode, content_type: &str, body: Body, shared: &Shared) -> Response<Body> {
    let url = shared.status.borrow()["livekit_url"].as_str().unwrap_or_default().to_owned();
    let policy = content_security_policy(&url);
    let headers = [
        ("content-type", content_type),
        ("content-security-policy", &policy),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("permissions-policy", "microphone=(self), camera=(), geolocation=()"),
        ("cross-origin-opener-policy", "same-origin"),
    ];
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response
        .body(body)
        .unwrap_or_else(|_| problem(StatusCode::INTERNAL_SERVER_ERROR, "the room's address is wrong"))
}

/// Allows what the page has, and the room as the only other server.
fn content_security_policy(livekit_url: &str) -> String {
    let mut room = String::new();
    if let Some((scheme, rest)) = livekit_url.split_once("://") {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let other = if matches!(scheme, "wss" | "https") { ["wss", "https"] } else { ["ws", "http"] };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte);
        if host.bytes().all(is_name) {
            let _ = write!(room, " {0}://{host} {1}://{host}", other[0], other[1]);
        }
        // The client asks LiveKit Cloud for the nearest region, which has another name.
        if host.ends_with(".livekit.cloud") {
            room += " wss://*.livekit.cloud https://*.livekit.cloud";
        }
    }
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'{room}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}
