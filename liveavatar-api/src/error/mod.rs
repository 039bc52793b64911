//! The one error type.

mod read;

use std::fmt;
use std::time::Duration;

pub(crate) use read::on_one_line;

use crate::session::Unstopped;
use crate::session::store::StoreError;

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
    attempts: u32,
    retry_after: Option<Duration>,
    sent: bool,
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
    /// The session store could not be used, so that nothing was started.
    Store,
    /// A session was to be stopped and may still run.
    Unstopped,
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
            attempts: 0,
            retry_after: None,
            sent: kind != ErrorKind::Refused,
            source: None,
        }))
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, message)
    }

    /// A session was not started for want of a slot or of the store itself.
    pub(crate) fn store(error: StoreError) -> Self {
        let (kind, message) = if error.is_no_slot() {
            (ErrorKind::ConcurrencyLimit, "the session store has no free slot")
        } else {
            (ErrorKind::Store, "the session store could not be used, and the session was not started")
        };
        let mut refused = Self::new(kind, message);
        refused.0.retry_after = error.retry_after();
        refused.0.sent = false;
        refused.caused_by(error)
    }

    /// A session may still run.
    pub(crate) fn unstopped(unstopped: Option<Unstopped>) -> Self {
        let error = Self::new(ErrorKind::Unstopped, "the session may still run");
        match unstopped {
            Some(unstopped) => error.caused_by(unstopped),
            None => error,
        }
    }

    pub(crate) fn timed_out(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Timeout, message)
    }

    /// The call reached the service and its answer is not what this crate expects.
    pub(crate) fn decode(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Decode, message)
    }

    /// A connection other than a call's failed.
    #[cfg(feature = "lite")]
    pub(crate) fn transport(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Transport, message)
    }

    /// The service refused to open a socket.
    #[cfg(feature = "lite")]
    pub(crate) fn handshake(status: u16) -> Self {
        let error = Self::new(read::kind_of(status, None), "the service does not open the socket");
        error.answered(status, None, 1)
    }

    /// The service said on a socket that it cannot do what was asked.
    #[cfg(feature = "lite")]
    pub(crate) fn said(message: &str) -> Self {
        Self::new(ErrorKind::Service, format!("the service says: {}", read::quoted(message)))
    }

    /// The training of an avatar failed; nothing is wrong with the call that says so.
    pub(crate) fn failed_training(reason: &str) -> Self {
        Self::new(ErrorKind::Service, format!("the avatar's training failed: {}", read::quoted(reason)))
    }

    pub(crate) fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// Adds what the answer's frame says, where its content is what failed.
    pub(crate) fn answered(mut self, status: u16, request_id: Option<String>, attempts: u32) -> Self {
        self.0.status = Some(status);
        self.0.request_id = request_id;
        self.0.attempts = attempts;
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

    /// How many requests were sent, repetitions included.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// How long the service asks to wait before the next call.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the service may have got the request, and so may have acted on it.
    ///
    /// # Troubleshooting
    /// After a start with a time-out, a session may run and cost credits: list the active sessions, or stop it by its id.
    /// [`Minted::start`](crate::session::Minted::start) does so by itself.
    #[must_use]
    pub fn may_have_been_sent(&self) -> bool {
        self.0.sent
    }

    /// Whether nothing was sent, because an argument, a credential or a configuration breaks a rule.
    ///
    /// # Troubleshooting
    /// The message names the argument and the rule. A wrong kind of credential is changed with
    /// [`Client::with_credential`](crate::Client::with_credential).
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.0.kind == ErrorKind::Refused
    }

    /// Whether the request's content is at fault; [`fields`](Self::fields) says where.
    ///
    /// # Troubleshooting
    /// Mend the named fields. A session configuration that passed its check and is refused all the same names something
    /// that only the service knows: an avatar of another account, a duration above the plan's limit.
    #[must_use]
    pub fn is_validation(&self) -> bool {
        self.0.kind == ErrorKind::Validation
    }

    /// Whether the credential is missing, wrong, or of another product.
    ///
    /// # Troubleshooting
    /// Keys of the older HeyGen service are not valid here. A session is started with its token; everything else takes the
    /// API key.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        self.0.kind == ErrorKind::Unauthorized
    }

    /// Whether the account may not do this.
    ///
    /// # Troubleshooting
    /// The credential is known: the plan or the space lacks the right, or the thing belongs to somebody else.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.0.kind == ErrorKind::Forbidden
    }

    /// Whether the account has no credits left.
    ///
    /// # Troubleshooting
    /// Add credits; a start holds one minute of them. Sandbox sessions cost none.
    #[must_use]
    pub fn is_insufficient_credits(&self) -> bool {
        self.0.kind == ErrorKind::InsufficientCredits
    }

    /// Whether as many sessions run as the plan allows.
    ///
    /// # Troubleshooting
    /// List the active sessions and stop those that nobody uses. A stopped session's slot is free 0.8 to 3 s later.
    #[must_use]
    pub fn is_concurrency_limit(&self) -> bool {
        self.0.kind == ErrorKind::ConcurrencyLimit
    }

    /// Whether there is no such thing, which for a session means that it has ended.
    ///
    /// # Troubleshooting
    /// Check the id and the account it belongs to. Stopping an ended session is no mistake.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.0.kind == ErrorKind::NotFound
    }

    /// Whether too many calls came in this second.
    ///
    /// # Troubleshooting
    /// The client has already waited and repeated the call. Spread the calls, or allow more
    /// [attempts](crate::Options::attempts); [`retry_after`](Self::retry_after) says how long to wait.
    #[must_use]
    pub fn is_rate_limited(&self) -> bool {
        self.0.kind == ErrorKind::RateLimited
    }

    /// Whether the service failed.
    ///
    /// # Troubleshooting
    /// Calls that can be repeated have been. Quote [`request_id`](Self::request_id) to the service's support.
    #[must_use]
    pub fn is_server(&self) -> bool {
        self.0.kind == ErrorKind::Server
    }

    /// Whether the time limit passed before the whole answer came.
    ///
    /// # Troubleshooting
    /// See [`may_have_been_sent`](Self::may_have_been_sent), and [`Options`](crate::Options) for the limits.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// Whether the service said no in some other way.
    ///
    /// # Troubleshooting
    /// [`status`](Self::status), [`code`](Self::code) and [`message`](Self::message) are all there is. A redirect lands here:
    /// check the base URL.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.0.kind == ErrorKind::Service
    }

    /// Whether the call succeeded and its answer cannot be read.
    ///
    /// # Troubleshooting
    /// Something on the way answered for the service, or the service has moved on from this version's document: look at the
    /// answer with [`Client::operation`](crate::Client::operation). What was asked for has happened.
    #[must_use]
    pub fn is_decode(&self) -> bool {
        self.0.kind == ErrorKind::Decode
    }

    /// Whether the connection failed.
    ///
    /// # Troubleshooting
    /// See [`may_have_been_sent`](Self::may_have_been_sent); [`source`](std::error::Error::source) has the cause.
    #[must_use]
    pub fn is_transport(&self) -> bool {
        self.0.kind == ErrorKind::Transport
    }

    /// Whether the session store could not be used.
    ///
    /// # Troubleshooting
    /// Nothing was started. [`source`](std::error::Error::source) has the store's own error.
    #[must_use]
    pub fn is_store(&self) -> bool {
        self.0.kind == ErrorKind::Store
    }

    /// Whether a session was to be stopped and may still run.
    ///
    /// # Troubleshooting
    /// [`source`](std::error::Error::source) says why no stop came through. Stop it again, or by its id with another key; without a
    /// sign of life the service ends it by itself after some minutes.
    #[must_use]
    pub fn is_unstopped(&self) -> bool {
        self.0.kind == ErrorKind::Unstopped
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
            ErrorKind::Validation
                if self.0.fields.iter().any(|field| field.path.rsplit('.').next() == Some("mode")) =>
            {
                Some(
                    "the modes are FULL and LITE; CUSTOM is LITE's older name, which the service may no longer take",
                )
            }
            _ => None,
        }
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
        }
        let code = inner.code.map(|code| format!("code {code}"));
        let request = inner.request_id.as_ref().map(|id| format!("request {id}"));
        let attempts = (inner.attempts > 1).then(|| format!("{} attempts", inner.attempts));
        let notes: Vec<String> = code.into_iter().chain(request).chain(attempts).collect();
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
