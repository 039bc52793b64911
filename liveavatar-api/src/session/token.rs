//! Minting a session's token, and starting the session with it.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::SessionRef;
use crate::calls::Call as _;
use crate::client::Client;
use crate::config::Mintable;
use crate::credential::Credential;
use crate::error::Error;
use crate::secret::Secret;
use crate::supervisor::certainly_not_started;
use crate::types::{self, SessionEndReason};

impl Client {
    /// Mints the token of one session; nothing is billed before it is started.
    ///
    /// The configuration cannot be changed afterwards.
    ///
    /// # Errors
    /// When the client has no API key, the configuration's LiveKit token has expired by now, or the service refuses the
    /// configuration: a foreign avatar, a duration above the plan's limit.
    ///
    /// # Cancel safety
    /// Dropped before the answer, a token may exist that nobody knows; it costs nothing and expires.
    pub async fn mint<C: Mintable>(&self, configuration: &C) -> Result<SessionToken<C::Mode>, Error> {
        self.check(configuration)?;
        let token = self.create_session_token().body(configuration.body().clone()).data().await?;
        Ok(SessionToken {
            client: self.clone(),
            id: token.session_id,
            token: token.session_token,
            mode: PhantomData,
        })
    }

    /// Refuses a configuration that was fine when it was built and is so no more.
    pub(super) fn check(&self, configuration: &impl Mintable) -> Result<(), Error> {
        let problems = configuration.diagnostics_at(self.clock().now());
        if !problems.has_errors() {
            return Ok(());
        }
        let lines = problems.errors().map(|problem| format!("{}: {}", problem.path(), problem.message()));
        let text = lines.collect::<Vec<_>>().join("; ");
        Err(Error::invalid_request(text).during("create_session_token").caused_by(problems))
    }
}

/// A session that has a token and is not started.
#[derive(Clone, Debug)]
#[must_use = "a token is for starting its session"]
pub struct SessionToken<M> {
    client: Client,
    id: Uuid,
    token: Secret,
    mode: PhantomData<fn() -> M>,
}

impl<M> SessionToken<M> {
    /// The session's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The session's token, for a browser that starts the session itself.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// Starts the session and returns its media endpoints; from here on it costs credits.
    ///
    /// # Errors
    /// When too many sessions run, no credits are left, or what the configuration refers to does not exist. After a
    /// failure that leaves open whether the session runs, it is stopped as far as possible before the error is returned.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropped before the answer, the session may run until the service ends it for idleness. Stop it by
    /// [`id`](Self::id) then.
    pub async fn start(self) -> Result<StartedSession<M>, Error> {
        let bearer = self.client.with_credential(Credential::session_token(self.token.clone())?);
        match bearer.start_session().data().await {
            Ok(started) => Ok(StartedSession {
                session: self.client.session(self.id),
                answer: Arc::new(started),
                mode: PhantomData,
            }),
            Err(error) => {
                if !certainly_not_started(&error) {
                    // The first error says more than one about the stop.
                    let _ = self.client.session(self.id).stop(SessionEndReason::ServerError).await;
                }
                Err(error)
            }
        }
    }
}

/// A running session that nobody looks after.
///
/// It runs, and costs credits, until [`stop`](SessionRef::stop) or until the service ends it; dropping this handle does not
/// stop it. [`Client::open`] makes one that keeps itself alive and stops. It dereferences to [`SessionRef`], whose methods keep
/// it alive, stop it and read what was said.
#[derive(Clone, Debug)]
#[must_use = "a session runs until it is stopped"]
pub struct StartedSession<M> {
    session: SessionRef,
    answer: Arc<types::StartSessionResponse>,
    mode: PhantomData<fn() -> M>,
}

impl<M> StartedSession<M> {
    /// What the start answered: where to join the LiveKit room, the LITE socket's address.
    #[must_use]
    pub fn started(&self) -> &types::StartSessionResponse {
        &self.answer
    }

    /// How long the service lets the session run, counted from its start.
    #[must_use]
    pub fn max_duration(&self) -> Option<Duration> {
        self.answer
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
