//! A call that failed, as the HTTP layer saw it; [`Error`](super::Error) is made from it.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use crate::operation::{CredentialKind, Operation};

/// Why a truncated body cannot be read.
pub(crate) const ENDS_EARLY: &str = "the response ends too early";

/// A failed call with all its attempts.
#[derive(Clone)]
pub(crate) struct FailedCall {
    pub(crate) operation: &'static Operation,
    /// The kind of credential that signed it, if any.
    pub(crate) credential: Option<CredentialKind>,
    pub(crate) attempts: u32,
    pub(crate) retry_after: Option<Duration>,
    /// Whether any attempt may have reached the service.
    pub(crate) may_have_arrived: bool,
    pub(crate) failure: Failure,
}

/// How one request failed.
#[derive(Clone)]
pub(crate) enum Failure {
    /// The service responded with a failure. The body is redacted.
    Response { status: u16, request_id: Option<String>, headers: Box<HeaderMap>, body: String },
    /// The status is a success, but the body is not an envelope, or did not arrive completely because of `cause`.
    Unreadable {
        status: u16,
        request_id: Option<String>,
        reason: &'static str,
        cause: Option<Arc<reqwest::Error>>,
    },
    /// Not even the head of a response arrived.
    NoResponse(Arc<reqwest::Error>),
    /// The time limit of the call left no time for another attempt.
    NoTimeLeft,
}

impl Failure {
    pub(crate) fn is_timeout(&self) -> bool {
        match self {
            Self::NoResponse(error) | Self::Unreadable { cause: Some(error), .. } => error.is_timeout(),
            Self::NoTimeLeft => true,
            Self::Response { .. } | Self::Unreadable { .. } => false,
        }
    }

    /// Whether the request may have reached the service.
    pub(crate) fn may_have_arrived(&self) -> bool {
        match self {
            Self::Response { .. } | Self::Unreadable { .. } => true,
            Self::NoResponse(error) => !error.is_connect() && !error.is_builder(),
            Self::NoTimeLeft => false,
        }
    }

    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Response { status, .. } | Self::Unreadable { status, .. } => Some(*status),
            Self::NoResponse(_) | Self::NoTimeLeft => None,
        }
    }

    pub(crate) fn request_id(&self) -> Option<&String> {
        match self {
            Self::Response { request_id, .. } | Self::Unreadable { request_id, .. } => request_id.as_ref(),
            Self::NoResponse(_) | Self::NoTimeLeft => None,
        }
    }
}

/// Whether TLS failed because the certificate is not valid for the service.
#[cfg(feature = "rustls")]
pub(crate) fn is_untrusted(error: &reqwest::Error) -> bool {
    use std::{error, io};

    use tokio_rustls::rustls::Error as Tls;

    let mut cause = error::Error::source(error);
    while let Some(error) = cause {
        if matches!(error.downcast_ref(), Some(Tls::InvalidCertificate(_))) {
            return true;
        }
        // `source` of an I/O error skips the error that it wraps.
        cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}

#[cfg(not(feature = "rustls"))]
pub(crate) fn is_untrusted(_: &reqwest::Error) -> bool {
    false
}
