//! Minting a session token, and starting the session with it.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::SessionRef;
use crate::client::Client;
use crate::config::Mintable;
use crate::credential::Credential;
use crate::error::Error;
use crate::secret::Secret;
use crate::supervisor::proves_not_started;
use crate::types::{self, SessionEndReason};

impl Client {
    /// Mints the token of one session; nothing is billed until the session starts.
    ///
    /// The session's configuration cannot be changed afterwards.
    ///
    /// # Errors
    /// If the client lacks an API key, the configuration's LiveKit token has expired, or the service rejects the configuration,
    /// for example for another account's avatar or a duration above the plan's limit.
    ///
    /// # Cancel safety
    /// If the future is dropped before the response arrives, an unused token may exist. It costs nothing and expires.
    pub async fn mint<C: Mintable>(&self, configuration: &C) -> Result<SessionToken<C::Mode>, Error> {
        self.check(configuration)?;
        let token = self.create_session_token().body(configuration.body().clone()).send().await?;
        Ok(SessionToken {
            client: self.clone(),
            id: token.session_id,
            token: token.session_token,
            mode: PhantomData,
        })
    }

    /// Returns an error if the configuration was valid when it was built but no longer is.
    pub(super) fn check(&self, configuration: &impl Mintable) -> Result<(), Error> {
        let diagnostics = configuration.diagnostics_at(self.clock().now());
        if !diagnostics.has_errors() {
            return Ok(());
        }
        let lines = diagnostics.errors().map(|error| format!("{}: {}", error.path(), error.message()));
        let text = lines.collect::<Vec<_>>().join("; ");
        Err(Error::invalid_request(text).during("create_session_token").caused_by(diagnostics))
    }
}

/// The token of a session that has not been started.
#[derive(Clone, Debug)]
#[must_use = "the token only takes effect when the session is started"]
pub struct SessionToken<M> {
    client: Client,
    id: Uuid,
    token: Secret,
    mode: PhantomData<fn() -> M>,
}

impl<M> SessionToken<M> {
    /// Returns the session's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Returns the token itself, for a browser that starts the session.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// Starts the session, which costs credits from then on.
    ///
    /// # Errors
    /// If the concurrency limit is reached, no credits are left, or the configuration refers to something that does not
    /// exist. If the failure leaves open whether the session runs, one attempt is made to stop it before the error is returned.
    ///
    /// # Cancel safety
    /// Not cancel safe: if the future is dropped before the response arrives, the session may run until the service ends it
    /// for idleness. To stop it, pass its [`id`](Self::id) to [`Client::session`].
    pub async fn start(self) -> Result<StartedSession<M>, Error> {
        let bearer = self.client.with_credential(Credential::session_token(self.token.clone())?);
        match bearer.start_session().send().await {
            Ok(response) => Ok(StartedSession {
                session: self.client.session(self.id),
                response: Arc::new(response),
                mode: PhantomData,
            }),
            Err(error) => {
                if !proves_not_started(&error) {
                    // The error of the start is more useful to the caller than one of the stop.
                    let _ = self.client.session(self.id).stop(SessionEndReason::ServerError).await;
                }
                Err(error)
            }
        }
    }
}

/// A running session without supervision.
///
/// It runs, and costs credits, until [`stop`](SessionRef::stop) is called or the service ends it. Dropping this handle does not
/// stop it. It dereferences to [`SessionRef`], whose methods keep the session alive, stop it and read its transcript. For a
/// session that is kept alive and stopped automatically, use [`Client::open`].
#[derive(Clone, Debug)]
#[must_use = "the session runs until it is stopped"]
pub struct StartedSession<M> {
    session: SessionRef,
    response: Arc<types::StartSessionResponse>,
    mode: PhantomData<fn() -> M>,
}

impl<M> StartedSession<M> {
    /// Returns the start's response, with the LiveKit room to join and the LITE socket's address.
    #[must_use]
    pub fn started(&self) -> &types::StartSessionResponse {
        &self.response
    }

    /// Returns the session's maximum duration, counted from its start.
    #[must_use]
    pub fn max_duration(&self) -> Option<Duration> {
        self.response
            .max_session_duration
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(Duration::from_secs)
    }
}

impl<M> Deref for StartedSession<M> {
    type Target = SessionRef;

    fn deref(&self) -> &SessionRef {
        &self.session
    }
}
