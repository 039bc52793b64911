//! The one error type.

use std::fmt;

use serde_json::Value;

use crate::raw::Operation;
use crate::transport::Captured;

/// Longest part of a text of the service that an error repeats, in characters.
const QUOTED: usize = 300;

/// A failed call, or one that was refused before it was sent.
///
/// `Display` says what failed in one line, [`source`](std::error::Error::source) has the next level. Neither shows a
/// credential, a prompt or any other text that was sent.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: Option<&'static str>,
    status: Option<u16>,
    code: Option<i64>,
    message: String,
    fields: Vec<FieldError>,
    request_id: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What went wrong, by what a caller does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Nothing was sent: an argument, a credential or a configuration breaks a rule.
    Refused,
    /// The service refused the request's content: 422, or 400 with code 4000. See [`Error::fields`].
    Validation,
    /// The credential is missing, wrong or of another product: 401.
    Unauthorized,
    /// The credential is right and not enough: 403.
    Forbidden,
    /// No credits are left: code 4033, or 402.
    InsufficientCredits,
    /// Too many sessions are running: code 4032, in older answers 4003. List the active sessions and stop some.
    ConcurrencyLimit,
    /// No such thing: 404. A session that is already stopped answers this too.
    NotFound,
    /// Too many calls in this second: 429.
    RateLimited,
    /// The service failed: 5xx.
    Server,
    /// Any other answer that is no success.
    Service,
    /// The answer is no JSON of the expected shape. The call itself succeeded.
    Decode,
    /// The time limit passed. Whether the service acted is not known.
    Timeout,
    /// The connection failed. Whether the service acted is not known, unless it never stood.
    Transport,
}

/// One field that the service refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldError {
    /// Where, such as `avatar_persona.voice_id`.
    pub path: String,
    /// What the service says about it.
    pub message: String,
}

impl Error {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            operation: None,
            status: None,
            code: None,
            message: message.into(),
            fields: Vec::new(),
            request_id: None,
            source: None,
        }))
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, message)
    }

    /// The call reached the service and its answer is not what this crate expects.
    pub(crate) fn decode(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Decode, message)
    }

    /// A 2xx whose envelope says that the call failed.
    pub(crate) fn service(status: u16, code: i64, message: Option<&str>) -> Self {
        let mut error =
            Self::new(kind_of(status, Some(code)), quoted(message.unwrap_or("the service says no")));
        error.0.status = Some(status);
        error.0.code = Some(code);
        error
    }

    pub(crate) fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// Names the operation where the answer itself could not.
    pub(crate) fn during(mut self, operation: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed, such as `start_session`, where known.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The service's own code, such as 4032.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.0.code
    }

    /// What the service, or this crate, says about it.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The fields that the service refused.
    #[must_use]
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// The request's id, to quote to the service's support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Whether a session may be running because of this call although it failed.
    #[must_use]
    pub fn may_have_been_sent(&self) -> bool {
        match self.0.kind {
            ErrorKind::Refused => false,
            ErrorKind::Transport => !self
                .0
                .source
                .as_deref()
                .and_then(|source| source.downcast_ref::<reqwest::Error>())
                .is_some_and(reqwest::Error::is_connect),
            _ => true,
        }
    }

    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self.0.kind {
            ErrorKind::Unauthorized => Some(
                "check the API key: keys of the older HeyGen product are not valid here; a session is started with its \
                 token, everything else takes the key",
            ),
            ErrorKind::ConcurrencyLimit => Some("list the active sessions and stop those that nobody uses"),
            ErrorKind::InsufficientCredits => Some("add credits, or use the sandbox, which costs none"),
            _ => None,
        }
    }
}

/// Success is judged by the status; the code tells failures apart.
fn kind_of(status: u16, code: Option<i64>) -> ErrorKind {
    match (status, code) {
        (_, Some(4033)) | (402, _) => ErrorKind::InsufficientCredits,
        (_, Some(4032 | 4003)) => ErrorKind::ConcurrencyLimit,
        (401, _) | (_, Some(4010)) => ErrorKind::Unauthorized,
        (403, _) => ErrorKind::Forbidden,
        (404, _) => ErrorKind::NotFound,
        (422, _) | (400, None) | (_, Some(4000)) => ErrorKind::Validation,
        (429, _) => ErrorKind::RateLimited,
        (500.., _) => ErrorKind::Server,
        _ => ErrorKind::Service,
    }
}

/// One line of limited length.
fn quoted(text: &str) -> String {
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(QUOTED) {
        line.truncate(end);
        line.push('…');
    }
    line
}

impl From<progenitor_client::Error<()>> for Error {
    fn from(error: progenitor_client::Error<()>) -> Self {
        use progenitor_client::Error as Raw;
        match error {
            Raw::InvalidRequest(text) | Raw::Custom(text) => Self::refused(text),
            Raw::CommunicationError(error) | Raw::InvalidUpgrade(error) | Raw::ResponseBodyError(error) => {
                error.into()
            }
            Raw::InvalidResponsePayload(body, error) => undecodable(&body, &error),
            Raw::ErrorResponse(answer) => {
                Self::new(kind_of(answer.status().as_u16(), None), "the service says no")
            }
            Raw::UnexpectedResponse(answer) => failure(&answer),
        }
    }
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        // The address may carry ids of the account; `Display` of reqwest's error would show it.
        let error = error.without_url();
        let (kind, message) = if error.is_timeout() {
            (ErrorKind::Timeout, "the time limit passed")
        } else if error.is_builder() {
            (ErrorKind::Refused, "the request could not be built")
        } else if error.is_connect() {
            (ErrorKind::Transport, "the service could not be reached")
        } else {
            (ErrorKind::Transport, "the connection broke")
        };
        Self::new(kind, message).caused_by(error)
    }
}

/// Says where decoding stopped; what serde says of it may quote the answer, which may hold a token.
fn undecodable(body: &[u8], error: &serde_json::Error) -> Error {
    let start = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    Error::decode(match start.first() {
        None => "the answer has no body".to_owned(),
        Some(b'<') => "the answer is HTML, perhaps from a proxy on the way".to_owned(),
        Some(_) => {
            let what = match error.classify() {
                serde_json::error::Category::Data => "the answer has another shape than the document says",
                serde_json::error::Category::Eof => "the answer ends too early",
                _ => "the answer is not JSON",
            };
            format!("{what}, at line {} column {}", error.line(), error.column())
        }
    })
}

/// Reads the failure that the transport captured.
fn failure(answer: &reqwest::Response) -> Error {
    let status = answer.status();
    let captured = answer.extensions().get::<Captured>();
    let body = captured.map_or("", |captured| captured.body.as_str());
    let value: Value = serde_json::from_str(body.trim_start_matches('\u{feff}')).unwrap_or_default();

    let code = value["code"].as_i64();
    let text = |key: &str| value[key].as_str();
    let fields: Vec<FieldError> = ["detail", "data"]
        .iter()
        .filter_map(|key| value[*key].as_array())
        .flatten()
        .filter_map(field)
        .collect();
    let message = text("message").or(text("detail")).map_or_else(
        || {
            if status.is_redirection() {
                "the service redirects, and credentials follow no redirect: check the base URL".to_owned()
            } else if body.trim_start().starts_with('<') {
                "the answer is HTML, perhaps from a proxy on the way".to_owned()
            } else {
                status.canonical_reason().unwrap_or("no reason given").to_lowercase()
            }
        },
        quoted,
    );
    let mut error = Error::new(kind_of(status.as_u16(), code), message);
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(quoted);
    error.0.operation =
        captured.and_then(|captured| captured.operation).map(|operation: &Operation| operation.id);
    error.0.status = Some(status.as_u16());
    error.0.code = code;
    error.0.fields = fields;
    error.0.request_id = header("x-request-id");
    error
}

/// One refused field, in FastAPI's form `{loc, msg}` or the service's own `{loc, message}`; the echoed `input` is not read.
fn field(value: &Value) -> Option<FieldError> {
    let message = value["msg"].as_str().or(value["message"].as_str())?;
    let parts = value["loc"].as_array().into_iter().flatten();
    let path: Vec<String> = parts
        .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
        .skip_while(|part| part == "body")
        .collect();
    Some(FieldError { path: path.join("."), message: quoted(message) })
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        if let Some(operation) = inner.operation {
            write!(f, "{}: ", operation.replace('_', " "))?;
        }
        if let Some(status) = inner.status {
            write!(f, "{status} ")?;
        }
        f.write_str(&inner.message)?;
        for field in &inner.fields {
            write!(f, "; {}: {}", field.path, field.message)?;
        }
        let code = inner.code.map(|code| format!("code {code}"));
        let request = inner.request_id.as_ref().map(|id| format!("request {id}"));
        let notes: Vec<String> = code.into_iter().chain(request).collect();
        if !notes.is_empty() {
            write!(f, " ({})", notes.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("status", &self.0.status)
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("fields", &self.0.fields)
            .field("request_id", &self.0.request_id)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
