//! The error type of all calls.

mod failure;
mod response;

use std::fmt;
use std::time::Duration;

use uuid::Uuid;

use crate::operation::{CredentialKind, Operation};
use crate::schema::{Diagnostic, Diagnostics, Path, Severity};

pub(crate) use failure::{ENDS_EARLY, FailedCall, Failure, is_untrusted};

/// An error of a call, or of a request that was not sent because it is invalid.
///
/// `Display` prints one line: what failed, what to write instead of each invalid field, and, if a session may be running, the
/// call that ends it. The alternate form, `{:#}`, adds the [`hint`](Self::hint). [`source`](std::error::Error::source) returns
/// the cause. Nothing shows a credential, a prompt or any other text that was sent.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: Option<&'static str>,
    status: Option<u16>,
    code: Option<i64>,
    message: String,
    fields: Vec<FieldError>,
    request_id: Option<String>,
    /// The kind of credential that signed the call.
    credential: Option<CredentialKind>,
    attempts: u32,
    retry_after: Option<Duration>,
    sent: bool,
    /// The session that a failed start or stop was about, if its id is known.
    session: Option<Uuid>,
    /// What this crate does about a session that may be running after a failed start.
    stop: Stop,
    /// Whether the response is in the service's own form; a proxy's is not.
    from_service: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What this crate does about a session that may be running after a failed start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Nothing; the caller must stop it.
    LeftToCaller,
    /// It stops or reports it in the background.
    InBackground,
    /// The service confirmed a stop, but the start was still open.
    ConfirmedEarly,
    /// The service confirmed a stop after the start.
    Confirmed,
}

/// The kinds of error, by what a caller does about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument, a credential or a configuration is invalid, and nothing was sent.
    InvalidRequest,
    /// The service rejected the request's content: 422, or 400 with code 4000. See [`Error::fields`].
    Validation,
    /// The credential is missing, wrong, of another product, or a spent or expired session token (401).
    Unauthorized,
    /// The credential is valid but lacks permission (403).
    Forbidden,
    /// The account is out of credits: code 4033, or 402.
    InsufficientCredits,
    /// Too many sessions are running: code 4032, formerly 4003.
    ConcurrencyLimit,
    /// The resource does not exist (404), as a session that has ended. See [`Error::is_not_found`].
    NotFound,
    /// Too many requests per second (429).
    RateLimited,
    /// The service failed (5xx).
    Server,
    /// Any other failure that the service returns.
    Service,
    /// The call succeeded, but the response is cut off or not of the documented shape, or a list ended before its last item.
    Decode,
    /// The time limit passed. The service may or may not have processed the request.
    Timeout,
    /// The connection failed. The service may have processed the request, unless the connection was never established.
    Transport,
    /// The session store failed, and nothing was started.
    Store,
    /// The source of an utterance's audio failed; earlier audio may have been sent.
    AudioSource,
    /// A session could not be confirmed stopped and may still run.
    StopFailed,
}

/// A field that is missing or invalid, before sending or according to the service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldError {
    /// The path of the field, such as `avatar_persona.voice_id` or `links[0].url`.
    pub path: String,
    /// The same path as a JSON pointer (RFC 6901), in which keys with dots are unambiguous.
    pub pointer: String,
    /// The error, in the words of the service or of this crate.
    pub message: String,
    /// What to write instead, if known.
    pub hint: Option<String>,
}

/// The operations after whose failure a session may be running.
const START: &str = "start_session";
const STOP: &str = "stop_session";

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            operation: None,
            status: None,
            code: None,
            message: message.into(),
            fields: Vec::new(),
            request_id: None,
            credential: None,
            attempts: 0,
            retry_after: None,
            sent: kind != ErrorKind::InvalidRequest,
            session: None,
            stop: Stop::LeftToCaller,
            from_service: false,
            source: None,
        }))
    }

    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message)
    }

    /// An argument is missing or invalid.
    pub(crate) fn invalid_field(path: &str, message: &str) -> Self {
        Self::invalid(vec![FieldError::new(Path::of(&[path]), message.to_owned())])
    }

    /// Returns all errors among the diagnostics as one.
    pub(crate) fn invalid_fields(diagnostics: impl IntoIterator<Item = Diagnostic>) -> Result<(), Self> {
        let errors = diagnostics.into_iter().filter(|one| one.severity() == Severity::Error);
        let fields: Vec<FieldError> = errors.map(FieldError::from).collect();
        if fields.is_empty() { Ok(()) } else { Err(Self::invalid(fields)) }
    }

    fn invalid(fields: Vec<FieldError>) -> Self {
        let message = match fields.len() {
            1 => "a field is invalid".to_owned(),
            number => format!("{number} fields are invalid"),
        };
        let mut error = Self::invalid_request(message);
        error.0.fields = fields;
        error
    }

    /// The call succeeded, but its response cannot be decoded.
    pub(crate) fn decode(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Decode, message)
    }

    /// A response of which only the status is known.
    pub(crate) fn from_status(status: u16, message: &str) -> Self {
        Self::new(response::kind_of(status, None), message).with_response(status, None, 1)
    }

    /// A failure that the service reports outside a call's own status, in its own words.
    pub(crate) fn reported(what: &str, text: &str) -> Self {
        Self::new(ErrorKind::Service, format!("{what}: {}", response::quote(text)))
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn with_response(mut self, status: u16, request_id: Option<String>, attempts: u32) -> Self {
        self.0.status = Some(status);
        self.0.request_id = request_id;
        self.0.attempts = attempts;
        self
    }

    pub(crate) fn with_code(mut self, code: Option<i64>) -> Self {
        self.0.code = code;
        self
    }

    /// Names the session, and what this crate does about it.
    pub(crate) fn about_session(mut self, id: Uuid, stop: Stop) -> Self {
        self.0.session = Some(id);
        self.0.stop = stop;
        self
    }

    /// Marks the error as one before which nothing was sent.
    pub(crate) fn before_sending(mut self, retry_after: Option<Duration>) -> Self {
        self.0.sent = false;
        self.0.retry_after = retry_after;
        self
    }

    /// Names the operation, unless it is named already.
    pub(crate) fn during(mut self, operation: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Returns the kind of error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the operation that failed, such as `start_session`, if known.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// Returns the HTTP status of the response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Returns the service's own code, such as 4032.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.0.code
    }

    /// Returns the message of the service or of this crate.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the fields that are missing or invalid, before sending or according to the service.
    #[must_use]
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// Returns the request's id, which the service's support asks for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Returns the number of requests that were sent, including retries.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Returns the pause that the service requests before the next call.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns whether the service may have received the request and acted on it.
    ///
    /// See also [`session_may_run`](Self::session_may_run).
    #[must_use]
    pub fn may_have_been_sent(&self) -> bool {
        self.0.sent
    }

    /// Returns whether a session may be running after this failed start or stop.
    ///
    /// It costs credits until it ends. `Display` says so and names the call that ends it.
    /// [`SessionToken::start`](crate::session::SessionToken::start) makes one attempt to stop such a session, and
    /// [`Client::open`](crate::Client::open) stops or reports it.
    #[must_use]
    pub fn session_may_run(&self) -> bool {
        match self.0.operation {
            _ if self.0.kind == ErrorKind::StopFailed => true,
            Some(START) => !self.proves_not_started() && self.0.stop != Stop::Confirmed,
            Some(STOP) => !self.proves_gone(),
            _ => false,
        }
    }

    /// Whether a failed start proves that the session does not run; any other error leaves that open.
    pub(crate) fn proves_not_started(&self) -> bool {
        let rejected = match self.0.status {
            // The service may reject a retry because an earlier attempt has started the session.
            Some(400 | 409) => self.0.attempts < 2,
            Some(status) => (300..500).contains(&status) && status != 408,
            None => false,
        };
        rejected || !self.0.sent
    }

    /// Returns whether an argument, a credential or a configuration is invalid; nothing was sent.
    ///
    /// The message names the argument and the rule. For a wrong kind of credential, use
    /// [`Client::with_credential`](crate::Client::with_credential).
    #[must_use]
    pub fn is_invalid_request(&self) -> bool {
        self.0.kind == ErrorKind::InvalidRequest
    }

    /// Returns whether the service rejected the request's content.
    ///
    /// [`fields`](Self::fields) names the fields. If a session configuration passed this crate's check, the service rejects
    /// something that only it knows: an avatar of another account, or a duration above the plan's limit.
    #[must_use]
    pub fn is_validation(&self) -> bool {
        self.0.kind == ErrorKind::Validation
    }

    /// Returns whether the credential is missing, wrong or of another product.
    ///
    /// Keys of the older HeyGen service are not valid here. Starting a session takes its token; everything else takes the API
    /// key. A token starts one session, and expires.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        self.0.kind == ErrorKind::Unauthorized
    }

    /// Returns whether the account lacks permission.
    ///
    /// The credential is valid. The plan or the workspace lacks the permission, or the resource belongs to another account.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.0.kind == ErrorKind::Forbidden
    }

    /// Returns whether the account is out of credits.
    ///
    /// Add credits; starting a session needs one minute's worth. Sandbox sessions are free.
    #[must_use]
    pub fn is_insufficient_credits(&self) -> bool {
        self.0.kind == ErrorKind::InsufficientCredits
    }

    /// Returns whether the account runs as many sessions as the plan allows.
    ///
    /// List the active sessions and stop those that are not needed. A slot becomes free 0.8 to 3 s after its session stops.
    #[must_use]
    pub fn is_concurrency_limit(&self) -> bool {
        self.0.kind == ErrorKind::ConcurrencyLimit
    }

    /// Returns whether the status is 404: the resource does not exist, as a session that has ended does not.
    ///
    /// Check the id and which account it belongs to. A proxy, or a wrong base URL, returns 404 as well, which proves nothing about a
    /// session. Therefore [`SessionRef::stop`](crate::session::SessionRef::stop), supervised sessions and
    /// [`Client::reap`](crate::Client::reap) count a session as ended only if the 404 is in the service's own form.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.0.kind == ErrorKind::NotFound
    }

    /// Returns whether the service itself says that the resource does not exist; see [`is_not_found`](Self::is_not_found).
    pub(crate) fn proves_gone(&self) -> bool {
        self.is_not_found() && self.0.from_service
    }

    /// Returns whether there were too many requests per second.
    ///
    /// The client has already waited and retried. Spread the calls, or raise
    /// [`max_attempts`](crate::RequestOptions::max_attempts); [`retry_after`](Self::retry_after) returns how long to wait.
    #[must_use]
    pub fn is_rate_limited(&self) -> bool {
        self.0.kind == ErrorKind::RateLimited
    }

    /// Returns whether the service failed.
    ///
    /// The client has already retried, if that was safe. Give [`request_id`](Self::request_id) to the service's support.
    #[must_use]
    pub fn is_server(&self) -> bool {
        self.0.kind == ErrorKind::Server
    }

    /// Returns whether the time limit passed before the response was complete.
    ///
    /// See [`may_have_been_sent`](Self::may_have_been_sent), and [`RequestOptions`](crate::RequestOptions) for the limits.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// Returns whether the service returned a failure that no other kind describes.
    ///
    /// See [`status`](Self::status), [`code`](Self::code) and [`message`](Self::message). A redirect is of this kind: check the
    /// base URL.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.0.kind == ErrorKind::Service
    }

    /// Returns whether the call succeeded, but its response cannot be decoded.
    ///
    /// The service has acted. Either a proxy responded in its place, or the service is newer than this crate: look at the
    /// response with [`Client::operation`](crate::Client::operation).
    #[must_use]
    pub fn is_decode(&self) -> bool {
        self.0.kind == ErrorKind::Decode
    }

    /// Returns whether the connection failed.
    ///
    /// See [`may_have_been_sent`](Self::may_have_been_sent); [`source`](std::error::Error::source) returns the cause.
    #[must_use]
    pub fn is_transport(&self) -> bool {
        self.0.kind == ErrorKind::Transport
    }

    /// Returns whether the session store failed.
    ///
    /// Nothing was started. [`source`](std::error::Error::source) returns the store's error.
    #[must_use]
    pub fn is_store(&self) -> bool {
        self.0.kind == ErrorKind::Store
    }

    /// Returns whether the source of an utterance's audio failed, such as a text-to-speech service.
    ///
    /// [`source`](std::error::Error::source) returns its error. [`may_have_been_sent`](Self::may_have_been_sent) returns whether
    /// audio was sent before.
    #[must_use]
    pub fn is_audio_source(&self) -> bool {
        self.0.kind == ErrorKind::AudioSource
    }

    /// Returns whether a session could not be confirmed stopped and may still run.
    ///
    /// [`source`](std::error::Error::source) returns why. Stop it again, or by its id with another key; without keep-alives, the
    /// service ends it after some minutes.
    #[must_use]
    pub fn is_stop_failed(&self) -> bool {
        self.0.kind == ErrorKind::StopFailed
    }

    /// Returns what to do about the error, if that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        let is_about_mode =
            || self.0.fields.iter().any(|field| field.path.rsplit('.').next() == Some("mode"));
        match self.0.kind {
            ErrorKind::Unauthorized => match self.0.credential {
                Some(CredentialKind::ApiKey) => {
                    Some("check the API key; keys of the older HeyGen product are not valid here")
                }
                Some(CredentialKind::SessionToken) => Some(
                    "the session token may be expired, or spent, since it starts one session: mint a new one",
                ),
                None => Operation::find(self.0.operation?)
                    .map(|_| "no credential was sent: give the client an API key"),
            },
            ErrorKind::InsufficientCredits => Some("add credits, or use the sandbox, which is free"),
            ErrorKind::Validation if is_about_mode() => Some(
                "the modes are FULL and LITE; CUSTOM is the former name of LITE, which the service may reject",
            ),
            kind if kind == ErrorKind::ConcurrencyLimit || self.session_may_run() => {
                Some("list the active sessions and stop those that are not needed")
            }
            _ => None,
        }
    }

    /// What may cost credits after the error, and the call that ends it.
    fn session_note(&self) -> Option<String> {
        let session = self.0.session.map_or_else(|| "the session".to_owned(), |id| format!("session {id}"));
        if self.session_may_run() {
            let running = "may be running and cost credits";
            Some(match self.0.stop {
                Stop::InBackground => format!(
                    "{session} {running} until this client has stopped it; `Client::shutdown()` waits for that"
                ),
                Stop::ConfirmedEarly => format!(
                    "{session} was stopped, but if its start takes effect late, it {running} until \
                     `Client::session(id).stop()` ends it"
                ),
                _ => format!("{session} {running} until `Client::session(id).stop()` ends it"),
            })
        } else {
            (self.0.stop == Stop::Confirmed).then(|| format!("{session} was stopped"))
        }
    }
}

impl FieldError {
    fn new(at: Path, message: String) -> Self {
        let Path { dotted: path, pointer } = at;
        Self { path, pointer, message, hint: None }
    }
}

impl From<Diagnostic> for FieldError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            path: diagnostic.path().to_owned(),
            pointer: diagnostic.pointer().to_owned(),
            message: diagnostic.message().to_owned(),
            hint: diagnostic.hint().map(str::to_owned),
        }
    }
}

/// The errors among the diagnostics, in [`Error::fields`] and, with their rules, as the source.
impl From<Diagnostics> for Error {
    fn from(diagnostics: Diagnostics) -> Self {
        let fields = diagnostics.errors().cloned().map(FieldError::from).collect();
        Self::invalid(fields).caused_by(diagnostics)
    }
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
            let colon = if field.path.is_empty() { "" } else { ": " };
            write!(f, "; {}{colon}{}", field.path, field.message)?;
            if let Some(hint) = &field.hint {
                write!(f, " ({hint})")?;
            }
        }
        let code = inner.code.map(|code| format!("code {code}"));
        let request = inner.request_id.as_ref().map(|id| format!("request {id}"));
        let attempts = (inner.attempts > 1).then(|| format!("{} attempts", inner.attempts));
        let notes: Vec<String> = code.into_iter().chain(request).chain(attempts).collect();
        if !notes.is_empty() {
            write!(f, " ({})", notes.join(", "))?;
        }
        if let Some(note) = self.session_note() {
            write!(f, "; {note}")?;
        }
        match self.hint() {
            Some(hint) if f.alternate() => write!(f, "; hint: {hint}"),
            _ => Ok(()),
        }
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
            .field("attempts", &self.0.attempts)
            .field("retry_after", &self.0.retry_after)
            .field("sent", &self.0.sent)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
