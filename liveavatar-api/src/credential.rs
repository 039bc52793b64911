//! What a request is signed with.

use std::fmt;

use http::HeaderValue;

use crate::error::Error;
use crate::secret::Secret;

/// The kinds of credential that the service knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CredentialKind {
    /// The account's key, sent as `X-API-KEY`: everything except starting a session.
    ApiKey,
    /// A session's token, sent as `Authorization: Bearer`: start, keep-alive and stop of that session.
    SessionToken,
}

impl fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ApiKey => "an API key",
            Self::SessionToken => "a session token",
        })
    }
}

/// One credential: an API key or a session token, never both.
///
/// `Debug` shows the kind only.
#[derive(Clone)]
pub struct Credential {
    kind: CredentialKind,
    value: HeaderValue,
    secret: Secret,
}

impl Credential {
    /// An account's API key.
    ///
    /// # Errors
    /// When the key is empty or has characters that no header may carry, such as a line break from a file.
    pub fn api_key(key: impl Into<Secret>) -> Result<Self, Error> {
        Self::new(CredentialKind::ApiKey, key.into(), "")
    }

    /// A session's token, from minting it.
    ///
    /// # Errors
    /// As [`Credential::api_key`].
    pub fn session_token(token: impl Into<Secret>) -> Result<Self, Error> {
        Self::new(CredentialKind::SessionToken, token.into(), "Bearer ")
    }

    fn new(kind: CredentialKind, secret: Secret, prefix: &str) -> Result<Self, Error> {
        let text = secret.expose();
        let bad = if text.is_empty() {
            Some("is empty")
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Some(
                "has a space, a line break or another character that no key has; was it read with its line end?",
            )
        } else {
            None
        };
        if let Some(bad) = bad {
            return Err(Error::invalid_request(format!("{kind} that {bad}")));
        }
        let mut value = HeaderValue::from_str(&format!("{prefix}{text}"))
            .map_err(|_| Error::invalid_request(format!("{kind} that no header can carry")))?;
        value.set_sensitive(true);
        Ok(Self { kind, value, secret })
    }

    /// Which kind this is.
    #[must_use]
    pub fn kind(&self) -> CredentialKind {
        self.kind
    }

    /// The value of the header that carries it.
    pub(crate) fn header(&self) -> &HeaderValue {
        &self.value
    }

    /// Replaces the credential in a text that somebody else wrote.
    pub(crate) fn scrub(&self, text: &str) -> String {
        text.replace(self.secret.expose(), "[credential]")
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(..)", self.kind)
    }
}
