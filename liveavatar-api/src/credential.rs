//! Credentials, which sign requests.

use std::fmt;

use http::HeaderValue;

use crate::error::Error;
use crate::operation::CredentialKind;
use crate::secret::Secret;

/// An API key or a session token.
///
/// `Debug` shows only the kind.
#[derive(Clone)]
pub struct Credential {
    kind: CredentialKind,
    value: HeaderValue,
    secret: Secret,
}

impl Credential {
    /// Makes a credential of an account's API key.
    ///
    /// # Errors
    /// If the key is empty or contains a space, a line break or a non-ASCII character.
    pub fn api_key(key: impl Into<Secret>) -> Result<Self, Error> {
        Self::new(CredentialKind::ApiKey, key.into(), "the API key")
    }

    /// As [`api_key`](Self::api_key); errors call the key `name`.
    pub(crate) fn named_api_key(name: &str, key: impl Into<Secret>) -> Result<Self, Error> {
        Self::new(CredentialKind::ApiKey, key.into(), name)
    }

    /// Makes a credential of a session's token.
    ///
    /// # Errors
    /// As for [`Credential::api_key`].
    pub fn session_token(token: impl Into<Secret>) -> Result<Self, Error> {
        Self::new(CredentialKind::SessionToken, token.into(), "the session token")
    }

    fn new(kind: CredentialKind, secret: Secret, name: &str) -> Result<Self, Error> {
        let text = secret.expose();
        let bad = if text.is_empty() {
            Some("is empty")
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Some(
                "contains a space, a line break or another invalid character; trim it if it was read from a file",
            )
        } else {
            None
        };
        if let Some(bad) = bad {
            return Err(Error::invalid_request(format!("{name} {bad}")));
        }
        let prefix = match kind {
            CredentialKind::ApiKey => "",
            CredentialKind::SessionToken => "Bearer ",
        };
        let mut value = HeaderValue::from_str(&format!("{prefix}{text}"))
            .map_err(|_| Error::invalid_request(format!("{name} is not a valid header value")))?;
        value.set_sensitive(true);
        Ok(Self { kind, value, secret })
    }

    /// Returns the kind of this credential.
    #[must_use]
    pub fn kind(&self) -> CredentialKind {
        self.kind
    }

    pub(crate) fn header(&self) -> &HeaderValue {
        &self.value
    }

    /// Replaces the credential in a text from elsewhere.
    pub(crate) fn scrub(&self, text: &str) -> String {
        text.replace(self.secret.expose(), "[credential]")
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(..)", self.kind)
    }
}
