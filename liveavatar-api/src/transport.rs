//! The one place that every request passes: the credential of its operation, checks of its address, time limits,
//! repetition, and what failed answers say.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use progenitor_client::{ClientHooks, ClientInfo, Error, OperationInfo};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Request, Response, StatusCode};
use serde_json::Value;

use crate::call::{ATTEMPTS, request_id};
use crate::clock::Clock;
use crate::credential::{Credential, CredentialKind};
use crate::error::on_one_line;
use crate::observe::{Attempt, Ended, Observer};
use crate::raw::{Client, Operation};
use crate::retry::{Retries, asked_pause};
use crate::wire::integer_or_none;

/// A failed answer's body is read up to here, in bytes: room for every field error, not for a web page's scripts.
const FAILURE_LIMIT: usize = 256 * 1024;

/// An answer's body is read up to here, in bytes: a voice preview has some hundred thousand.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// Room is made for so many bytes of an announced answer at once; more only as it comes, since anybody can announce.
const RESERVED: usize = 1024 * 1024;

/// Shorter texts that were sent say nothing private, and hiding them would garble the answer.
const HIDDEN_FROM: usize = 8;

/// In a field that is a secret by its name, only what could be part of any word is left.
const SECRET_FROM: usize = 4;

/// So many characters of a private text, repeated, are taken for its beginning.
const HIDDEN_HEAD: usize = 16;

/// What stands in place of what was sent.
const AS_SENT: &str = "[as sent]";

/// Codes in the envelope of a call that succeeded: the document's default and what recorded answers show.
const SUCCESS: [i64; 2] = [100, 1000];

/// Why a body cannot be read that stops in the middle.
pub(crate) const ENDS_EARLY: &str = "the answer ends too early";

/// The status under which the generated code passes on what was no answer; it lies outside the registered ones.
///
/// What really happened stands in the response's extensions, from which [`crate::Error`] is made.
const NO_ANSWER: u16 = 599;

/// One request may take this long, unless the operation is known to be slow.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(30);

/// How a client calls: how often, how long.
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    attempts: u32,
    attempt_limit: Option<Duration>,
    total_limit: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { attempts: 4, attempt_limit: None, total_limit: Duration::from_secs(120) }
    }
}

impl Options {
    /// The defaults: up to 4 requests per call, 30 s for one (45 s to start a session), 120 s for all.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many requests a call may take; 1 repeats none.
    ///
    /// Only what can do no harm twice is repeated: reading, deleting, minting a token, keep-alive and stop, and any request
    /// that the service certainly did not process. A start or a create never is after a 5xx, a time-out or a broken
    /// connection.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// How long one request may take, from connecting to the answer's last byte.
    pub fn attempt_limit(mut self, limit: Duration) -> Self {
        self.attempt_limit = Some(limit);
        self
    }

    /// How long a call may take with all its requests and pauses.
    pub fn total_limit(mut self, limit: Duration) -> Self {
        self.total_limit = limit;
        self
    }

    pub(crate) fn within(self, limit: Duration) -> Self {
        let limit = limit.min(self.total_limit);
        self.total_limit(limit)
    }
}

/// What a client carries into every call.
#[derive(Clone, Debug)]
pub struct Transport {
    pub(crate) credential: Option<Credential>,
    pub(crate) options: Options,
    pub(crate) shared: Arc<Shared>,
}

/// What a client's clones have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) retries: Retries,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

/// How a call failed, read where one may wait, so that an error can be made of it where one may not.
#[derive(Clone)]
pub(crate) struct Outcome {
    pub(crate) operation: &'static Operation,
    pub(crate) attempts: u32,
    pub(crate) retry_after: Option<Duration>,
    /// Whether any of the requests may have reached the service.
    pub(crate) sent: bool,
    pub(crate) what: What,
}

/// What came of a request that did not succeed.
#[derive(Clone)]
pub(crate) enum What {
    /// An answer that is no success; the body is without what was sent.
    Answer { status: u16, request_id: Option<String>, headers: Box<HeaderMap>, body: String },
    /// A success whose body is no JSON object.
    Unreadable { status: u16, request_id: Option<String>, why: &'static str },
    /// No whole answer.
    Broken(Arc<reqwest::Error>),
    /// Nothing was sent any more, because the time for the whole call is over.
    NoTime,
}

impl Outcome {
    /// Whether the service answered something that can be passed on.
    pub(crate) fn is_answer(&self) -> bool {
        matches!(self.what, What::Answer { .. })
    }
}

impl What {
    pub(crate) fn is_timeout(&self) -> bool {
        match self {
            Self::Broken(error) => error.is_timeout(),
            Self::NoTime => true,
            Self::Answer { .. } | Self::Unreadable { .. } => false,
        }
    }

    /// Whether the request may have reached the service.
    fn may_have_arrived(&self) -> bool {
        match self {
            Self::Answer { .. } | Self::Unreadable { .. } => true,
            Self::Broken(error) => !error.is_connect() && !error.is_builder(),
            Self::NoTime => false,
        }
    }

    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Answer { status, .. } | Self::Unreadable { status, .. } => Some(*status),
            Self::Broken(_) | Self::NoTime => None,
        }
    }

    fn request_id(&self) -> Option<&String> {
        match self {
            Self::Answer { request_id, .. } | Self::Unreadable { request_id, .. } => request_id.as_ref(),
            Self::Broken(_) | Self::NoTime => None,
        }
    }
}

impl ClientHooks<Transport> for Client {
    async fn pre<E>(&self, request: &mut Request, info: &OperationInfo) -> Result<(), Error<E>> {
        prepare(self, request, info).map_err(|why| Error::Custom(format!("{}: {why}", info.operation_id)))
    }

    async fn exec(&self, request: Request, info: &OperationInfo) -> reqwest::Result<Response> {
        let Some(operation) = Operation::find(info.operation_id) else {
            return self.client().execute(request).await;
        };
        #[cfg(feature = "tracing")]
        {
            use tracing::Instrument as _;
            let span = crate::trace::span(operation, request.url());
            Ok(run(self, request, operation).instrument(span).await)
        }
        #[cfg(not(feature = "tracing"))]
        Ok(run(self, request, operation).await)
    }
}

/// Signs a request, or says why it must not be sent.
fn prepare(client: &Client, request: &mut Request, info: &OperationInfo) -> Result<(), String> {
    let operation = Operation::find(info.operation_id).ok_or("not an operation of the document")?;
    // The generator adds it to every request; the service knows no such header.
    request.headers_mut().remove("api-version");
    if operation.path.contains('{') {
        check_path(client.baseurl(), request.url(), operation)?;
    }
    if !operation.bounds.is_empty() {
        check_bounds(request.url(), operation)?;
    }
    if operation.optional_body && request.body().and_then(reqwest::Body::as_bytes) == Some(b"{}") {
        *request.body_mut() = None;
        request.headers_mut().remove(CONTENT_TYPE);
        request.headers_mut().remove(CONTENT_LENGTH);
    }
    match &client.inner().credential {
        _ if operation.credentials.is_empty() => Ok(()),
        Some(credential) if operation.credentials.contains(&credential.kind()) => {
            let name = match credential.kind() {
                CredentialKind::ApiKey => HeaderName::from_static("x-api-key"),
                CredentialKind::SessionToken => AUTHORIZATION,
            };
            request.headers_mut().insert(name, credential.header().clone());
            Ok(())
        }
        given => {
            let takes: Vec<String> = operation.credentials.iter().map(ToString::to_string).collect();
            let given = given.as_ref().map_or_else(|| "none".to_owned(), |given| given.kind().to_string());
            let way_out = match operation.credentials {
                [CredentialKind::SessionToken] => "`Client::mint` gets one for a session",
                _ => "give one with `Client::with_credential`",
            };
            Err(format!("takes {}, and this client has {given}; {way_out}", takes.join(" or ")))
        }
    }
}

/// Refuses a path parameter that changes which resource is meant: `""`, `"."` and `".."`.
///
/// The generated code escapes everything else; these three are resolved when the address is built, so that deleting one
/// thing would address the list of all of them.
fn check_path(base: &str, url: &reqwest::Url, operation: &Operation) -> Result<(), String> {
    let base = base.find("://").and_then(|at| base[at + 3..].find('/').map(|slash| &base[at + 3 + slash..]));
    let path = url.path().strip_prefix(base.unwrap_or("").trim_end_matches('/')).unwrap_or(url.path());
    let mut given = path.split('/');
    let mut wanted = operation.path.split('/');
    loop {
        match (given.next(), wanted.next()) {
            (None, None) => return Ok(()),
            (Some(given), Some(wanted)) if wanted.starts_with('{') && !given.is_empty() => {}
            (Some(given), Some(wanted)) if given == wanted => {}
            _ => {
                let names: Vec<_> = operation.path.split('/').filter(|part| part.starts_with('{')).collect();
                return Err(format!(
                    "{} is empty or made of dots, and names another resource",
                    names.join(" or ")
                ));
            }
        }
    }
}

/// Refuses a number outside the document's bounds, which the generated types do not know.
fn check_bounds(url: &reqwest::Url, operation: &Operation) -> Result<(), String> {
    for (name, least, most) in operation.bounds {
        for (_, value) in url.query_pairs().filter(|(key, _)| key == name) {
            match value.parse::<i64>() {
                Ok(number) if number < *least => return Err(format!("{name}: {number} is below {least}")),
                Ok(number) if number > *most => return Err(format!("{name}: {number} is above {most}")),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Sends a request as often as it takes and may, and returns an answer in any case.
async fn run(client: &Client, mut request: Request, operation: &'static Operation) -> Response {
    let Transport { credential, options, shared } = client.inner();
    let started = shared.clock.now();
    let left_at =
        |now: SystemTime| options.total_limit.saturating_sub(now.duration_since(started).unwrap_or_default());
    let mut sent_at = started;
    let limit = options.attempt_limit.unwrap_or_else(|| operation.attempt_limit.unwrap_or(ATTEMPT_LIMIT));
    let mut attempts = 0;
    let mut arrived = false;
    loop {
        let left = left_at(sent_at);
        if left.is_zero() {
            return failed(Outcome {
                operation,
                attempts,
                retry_after: None,
                sent: arrived,
                what: What::NoTime,
            });
        }
        attempts += 1;
        *request.timeout_mut() = Some(limit.min(left));
        // A stream cannot be sent twice; then there is no copy, and no repetition.
        let copy = request.try_clone();
        let attempt = Attempt { operation, number: attempts };
        if let Some(observer) = &shared.observer {
            observer.before(&attempt);
        }

        let sent = copy.as_ref().and_then(|request| request.body()?.as_bytes());
        let result = send(client.client(), request, operation, credential.as_ref(), sent, sent_at).await;
        let now = shared.clock.now();
        let (what, asked) = match result {
            Ok(answer) => {
                let ended = Ended {
                    succeeded: true,
                    status: Some(answer.status().as_u16()),
                    duration: now.duration_since(sent_at).unwrap_or_default(),
                    request_id: request_id(answer.headers(), credential.as_ref()),
                    retry_in: None,
                };
                seen(shared, &attempt, &ended);
                if attempts == 1 {
                    shared.retries.refund();
                }
                return counted(answer, attempts);
            }
            Err(failed) => failed,
        };

        arrived |= what.may_have_arrived();
        let left = left_at(now);
        let pause = copy
            .filter(|_| attempts < options.attempts)
            .and_then(|copy| Some((copy, shared.retries.pause(operation, &what, attempts, asked, left)?)));
        let ended = Ended {
            succeeded: false,
            status: what.status(),
            duration: now.duration_since(sent_at).unwrap_or_default(),
            request_id: what.request_id().cloned(),
            retry_in: pause.as_ref().map(|(_, pause)| *pause),
        };
        seen(shared, &attempt, &ended);
        let Some((copy, pause)) = pause else {
            return failed(Outcome { operation, attempts, retry_after: asked, sent: arrived, what });
        };
        shared.clock.sleep(pause).await;
        sent_at = shared.clock.now();
        request = copy;
    }
}

/// Tells everybody who wants to know how a request ended.
fn seen(shared: &Shared, attempt: &Attempt, ended: &Ended) {
    #[cfg(feature = "tracing")]
    crate::trace::ended(attempt, ended);
    if let Some(observer) = &shared.observer {
        observer.after(attempt, ended);
    }
}

/// Writes the number of requests into an answer.
///
/// Absent, it was one; that spares the usual answer the header.
fn counted(mut answer: Response, attempts: u32) -> Response {
    let name = HeaderName::from_static(ATTEMPTS);
    if attempts > 1 {
        answer.headers_mut().insert(name, HeaderValue::from(attempts));
    } else {
        answer.headers_mut().remove(name);
    }
    answer
}

/// A response that carries what failed; its status and body are the service's where it answered.
fn failed(outcome: Outcome) -> Response {
    let mut response = http::Response::new(Bytes::new());
    let status = match &outcome.what {
        What::Answer { status, headers, body, .. } => {
            response.headers_mut().clone_from(headers);
            // The generator's own error prints them.
            response.headers_mut().values_mut().for_each(|value| value.set_sensitive(true));
            *response.body_mut() = Bytes::from(body.clone());
            if (200..300).contains(status) { NO_ANSWER } else { *status }
        }
        // A success that is none must not reach the generated decoder, which would take it for one.
        What::Unreadable { .. } | What::Broken(_) | What::NoTime => NO_ANSWER,
    };
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    response.extensions_mut().insert(outcome);
    response.into()
}

/// Sends one request and reads its whole answer.
async fn send(
    http: &reqwest::Client,
    request: Request,
    operation: &Operation,
    credential: Option<&Credential>,
    sent: Option<&[u8]>,
    now: SystemTime,
) -> Result<Response, (What, Option<Duration>)> {
    let broken = |error: reqwest::Error| (What::Broken(Arc::new(error.without_url())), None);
    let mut answer = http.execute(request).await.map_err(broken)?;
    let status = answer.status();
    let request_id = request_id(answer.headers(), credential);
    let refused = |answer: &mut Response, body: &[u8]| What::Answer {
        status: status.as_u16(),
        request_id: request_id.clone(),
        headers: Box::new(std::mem::take(answer.headers_mut())),
        body: without_sent(body, credential, sent),
    };
    if !status.is_success() {
        let asked = asked_pause(answer.headers(), now);
        // A connection that breaks here must not hide the status that already came.
        let body = read(&mut answer, FAILURE_LIMIT).await.unwrap_or_else(|(_, start)| start);
        return Err((refused(&mut answer, &body), asked));
    }
    let body = match read(&mut answer, ANSWER_LIMIT + 1).await {
        Ok(body) => body,
        Err((error, _)) => return Err(broken(error)),
    };
    let unreadable =
        |why| (What::Unreadable { status: status.as_u16(), request_id: request_id.clone(), why }, None);
    match envelope(&body) {
        Ok(Frame::Success(body)) => Ok(with_body(answer, body)),
        Ok(Frame::Failure) => Err((refused(&mut answer, &body), None)),
        // Where nothing is answered, nothing is read.
        Err(_) if !operation.answers => Ok(with_body(answer, Bytes::new())),
        Err(why) => Err(unreadable(why)),
    }
}

/// Reads a body up to a limit; a broken one returns what came before.
async fn read(answer: &mut Response, limit: usize) -> Result<Bytes, (reqwest::Error, Bytes)> {
    let expected = answer.content_length().and_then(|length| usize::try_from(length).ok());
    let mut body = BytesMut::new();
    loop {
        match answer.chunk().await {
            // Most answers come in one piece, which needs no copy.
            Ok(Some(chunk)) if body.is_empty() && expected == Some(chunk.len()) && chunk.len() <= limit => {
                return Ok(chunk);
            }
            Ok(Some(chunk)) => {
                if body.is_empty() {
                    body.reserve(expected.unwrap_or(chunk.len()).min(limit).min(RESERVED));
                }
                body.extend_from_slice(&chunk[..chunk.len().min(limit - body.len())]);
                if body.len() == limit {
                    return Ok(body.freeze());
                }
            }
            Ok(None) => return Ok(body.freeze()),
            Err(error) => return Err((error, body.freeze())),
        }
    }
}

/// What the frame of a 2xx says.
enum Frame {
    /// A success, with the body as the generated code reads it.
    Success(Bytes),
    /// The code says that the call failed.
    Failure,
}

/// Reads the frame of a success, so that nothing of what can be wrong with it is left to the generated decoder, which
/// would lose status and headers over it.
fn envelope(body: &Bytes) -> Result<Frame, &'static str> {
    #[derive(serde::Deserialize)]
    struct Outer {
        #[serde(default, deserialize_with = "integer_or_none")]
        code: Option<i64>,
        #[serde(default, rename = "data")]
        _data: serde::de::IgnoredAny,
        #[serde(default, rename = "message")]
        _message: serde::de::IgnoredAny,
    }
    if body.len() > ANSWER_LIMIT {
        return Err("the answer is larger than 64 MiB");
    }
    let body = if body.starts_with(b"\xef\xbb\xbf") { body.slice(3..) } else { body.clone() };
    let text = body.trim_ascii();
    match (text.first(), text.last()) {
        // An envelope without data can also be said by the status alone.
        (None, _) => return Ok(Frame::Success(Bytes::from_static(b"{}"))),
        (Some(b'{'), Some(b'}')) => {}
        (Some(b'{'), _) => return Err(ENDS_EARLY),
        (Some(b'<'), _) => return Err("the answer is HTML, perhaps from a proxy on the way"),
        _ => return Err("the answer is not a JSON object"),
    }
    // The data is skipped here, and skipping looks at no text.
    let text = std::str::from_utf8(text).map_err(|_| "the answer is not JSON")?;
    let outer: Outer = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => ENDS_EARLY,
        serde_json::error::Category::Data => "the answer is no envelope",
        _ => "the answer is not JSON",
    })?;
    match outer.code {
        Some(code) if !SUCCESS.contains(&code) => Ok(Frame::Failure),
        _ => Ok(Frame::Success(body)),
    }
}

/// The same answer with a body that has been read already.
fn with_body(answer: Response, body: Bytes) -> Response {
    let (parts, _) = http::Response::<reqwest::Body>::from(answer).into_parts();
    http::Response::from_parts(parts, body).into()
}

/// A failed answer's text without the credential and without what was sent: failures may echo a key or a whole prompt.
fn without_sent(body: &[u8], credential: Option<&Credential>, sent: Option<&[u8]>) -> String {
    let text = String::from_utf8_lossy(body);
    let mut private = Vec::new();
    if let Some(sent) = sent.and_then(|sent| serde_json::from_slice(sent).ok()) {
        texts(&sent, HIDDEN_FROM, &mut private);
    }
    let lines: Vec<String> = private.iter().map(|text| on_one_line(text)).collect();
    private.extend(lines.into_iter().filter(|line| line.len() >= SECRET_FROM));
    // A text that begins another one must not leave the rest of that one behind.
    private.sort_by_key(|text| std::cmp::Reverse(text.len()));
    private.dedup();
    let hide = |text: &str| {
        let mut text = credential.map_or_else(|| text.to_owned(), |credential| credential.scrub(text));
        for whole in &private {
            if text.contains(whole.as_str()) {
                text = text.replace(whole.as_str(), AS_SENT);
            }
        }
        hide_beginnings(&private, &mut text);
        text
    };
    let clean = |text: &str| {
        // As an error shows it, it may be what was sent although it is not as it came.
        let shown = on_one_line(text);
        if shown != text {
            let hidden = hide(&shown);
            if hidden != shown {
                return hidden;
            }
        }
        hide(text)
    };
    // In JSON a text can be spelt in many ways, so it is read first.
    match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(mut value) => {
            each_text(&mut value, &clean);
            value.to_string()
        }
        Err(_) => clean(&text),
    }
}

/// Every text of a request that could be private, as it was sent and as Python and JSON would quote it.
///
/// Ids stay, because an answer that names the one that was not found is worth reading; only their usual form is one, since
/// a key may be as many hexadecimal digits.
fn texts(sent: &Value, from: usize, found: &mut Vec<String>) {
    match sent {
        Value::String(text)
            if text.len() >= from && !(text.len() == 36 && uuid::Uuid::parse_str(text).is_ok()) =>
        {
            let quoted = Value::String(text.clone()).to_string();
            let quoted = &quoted[1..quoted.len() - 1];
            found.extend([
                text.clone(),
                quoted.to_owned(),
                quoted.replace("\\\"", "\"").replace('\'', "\\'"),
            ]);
        }
        Value::Object(map) => {
            for (name, inner) in map {
                let secret = ["secret_value", "token", "prompt"].iter().any(|part| name.contains(part));
                texts(inner, if secret { SECRET_FROM } else { from }, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| texts(inner, from, found)),
        _ => {}
    }
}

fn each_text(value: &mut Value, change: &impl Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = change(text),
        Value::Object(map) => map.values_mut().for_each(|inner| each_text(inner, change)),
        Value::Array(list) => list.iter_mut().for_each(|inner| each_text(inner, change)),
        _ => {}
    }
}

/// Takes the beginnings of private texts out of another one, which repeats them cut off.
fn hide_beginnings(private: &[String], text: &mut String) {
    let same = |private: &str, text: &str| -> usize {
        let common = private.chars().zip(text.chars()).take_while(|(a, b)| a == b);
        common.map(|(c, _)| c.len_utf8()).sum()
    };
    for head in
        private.iter().filter_map(|private| Some(&private[..private.char_indices().nth(HIDDEN_HEAD)?.0]))
    {
        let mut from = 0;
        while let Some(start) = text[from..].find(head).map(|at| from + at) {
            // The same text may be there in several spellings, of which one goes on longest.
            let length =
                private.iter().map(|private| same(private, &text[start..])).max().unwrap_or(head.len());
            text.replace_range(start..start + length, AS_SENT);
            from = start + AS_SENT.len();
        }
    }
}
