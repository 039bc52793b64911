//! Minting a session token, and starting the session with it.

use std::marker::PhantomData;

use uuid::Uuid;

use crate::client::Client;
use crate::config::Mintable;
use crate::credential::Credential;
use crate::error::{Error, Stop};
use crate::secret::Secret;
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
        let diagnostics = configuration.diagnostics_at(self.clock().wall_clock());
        if !diagnostics.has_errors() {
            return Ok(());
        }
        Err(Error::from(diagnostics).during("create_session_token"))
    }
}

/// The token of one session, to start it in this program or in a browser.
///
/// ```no_run
/// # async fn start(
/// #     client: liveavatar_api::Client,
/// #     configuration: liveavatar_api::session::AnyConfiguration,
/// # ) -> Result<(), liveavatar_api::Error> {
/// let token = client.mint(&configuration).await?;
/// let started = token.start().await?;
/// println!("join {:?}", started.livekit_url);
/// let session = client.session(token.id());
/// session.keep_alive().await?;
/// session.stop().await?;
/// # Ok(())
/// # }
/// ```
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

    /// Starts the session without supervision; it costs credits from then on.
    ///
    /// The response has the LiveKit room to join and the LITE socket's address. The session runs until it is stopped through
    /// [`Client::session`] or the service ends it; nothing in this program keeps it alive or stops it. [`Client::open`] does.
    ///
    /// # Errors
    /// If the session has already started, the concurrency limit is reached, no credits are left, or the configuration refers to
    /// something that does not exist. If the failure leaves open whether the session runs
    /// ([`Error::session_may_run`]), one attempt is made to stop it before the error is returned.
    ///
    /// # Cancel safety
    /// Not cancel safe: if the future is dropped before the response arrives, the session may run until the service ends it
    /// for idleness. To stop it, pass its [`id`](Self::id) to [`Client::session`].
    pub async fn start(&self) -> Result<types::StartSessionResponse, Error> {
        let bearer = self.client.with_credential(Credential::session_token(self.token.clone())?);
        match bearer.start_session().send().await {
            Ok(started) => Ok(started),
            Err(error) => {
                let mut stop = Stop::LeftToCaller;
                if error.session_may_run() {
                    let stopped = self.client.session(self.id).stop_with(SessionEndReason::ServerError).await;
                    // A start without a response may still take effect after the stop.
                    let is_started = error.status().is_some_and(|status| (200..300).contains(&status));
                    stop = match stopped {
                        Ok(()) if is_started => Stop::Confirmed,
                        Ok(()) => Stop::ConfirmedEarly,
                        // The error of the start is more useful to the caller than one of the stop.
                        Err(_) => Stop::LeftToCaller,
                    };
                }
                Err(error.about_session(self.id, stop))
            }
        }
    }
}
