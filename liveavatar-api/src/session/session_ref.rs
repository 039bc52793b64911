//! A session by its id: keep-alive, stop, details.

use std::time::Duration;

use uuid::Uuid;

use crate::calls::Call as _;
use crate::client::Client;
use crate::error::Error;
use crate::types::{self, SessionEndReason};

/// How often to keep a session alive.
///
/// The service ends a session 5 minutes after the last sign of life (documentation), and was seen to reap one after 194 s
/// (field report); a minute leaves room for two lost calls.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(60);

impl Client {
    /// A session by its id, such as one that another process started.
    ///
    /// Nothing is sent, and whether there is such a session shows with the first call.
    ///
    /// ```no_run
    /// # async fn said(client: liveavatar_api::Client, id: liveavatar_api::Uuid) -> Result<(), liveavatar_api::Error> {
    /// for line in client.session(id).transcript().await? {
    ///     println!("{}: {}", line.role, line.transcript);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn session(&self, id: Uuid) -> SessionRef {
        SessionRef { client: self.clone(), id }
    }
}

/// A session known by its id, whoever started it; see [`Client::session`].
///
/// It is no more than the id and the client: dropping it stops nothing.
#[derive(Clone, Debug)]
pub struct SessionRef {
    pub(super) client: Client,
    pub(super) id: Uuid,
}

impl SessionRef {
    /// The session's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Restarts the service's idle countdown; call it every [`KEEP_ALIVE_INTERVAL`].
    ///
    /// # Errors
    /// When the session has ended, which [`Error::is_not_found`] tells, or the call failed.
    ///
    /// # Cancel safety
    /// Cancel safe: call it again.
    pub async fn keep_alive(&self) -> Result<(), Error> {
        let body = types::KeepSessionAlive::builder().session_id(self.id);
        self.client.keep_session_alive().body(body).data().await.map(drop)
    }

    /// Stops the session; one that has already ended is stopped as well.
    ///
    /// The slot that it held is free 0.8 to 3 s later (field reports).
    ///
    /// # Errors
    /// When the call failed, and the session may still run.
    ///
    /// # Cancel safety
    /// Dropped before the answer, the session may still run: call it again.
    pub async fn stop(&self, reason: SessionEndReason) -> Result<(), Error> {
        let body = types::StopSession::builder().session_id(self.id).reason(reason);
        match self.client.stop_session().body(body).data().await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The session as the service's lists show it.
    ///
    /// # Errors
    /// When the call failed.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn details(&self) -> Result<types::ListHistoricEntry, Error> {
        self.client.get_session().session_id(self.id.to_string()).data().await
    }
}
