//! A session addressed by its id: keep-alive, stop, details.

use std::time::Duration;

use uuid::Uuid;

use crate::client::Client;
use crate::error::{Error, Stop};
use crate::types::{self, SessionEndReason};

/// Default interval between keep-alive calls: 60 s.
///
/// The service ends a session after 5 idle minutes (documentation); one was observed to end after 194 s (field report). One
/// minute leaves room for two failed calls.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(60);

impl Client {
    /// Returns a handle to a session by its id, even if another process started it.
    ///
    /// No request is sent. If the session does not exist, the first call returns an error.
    ///
    /// ```no_run
    /// # async fn print(client: liveavatar_api::Client, id: liveavatar_api::Uuid) -> Result<(), liveavatar_api::Error> {
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

/// A session addressed by its id, started by any client; see [`Client::session`].
///
/// It holds only the id and the client. Dropping it does not stop the session.
#[derive(Clone, Debug)]
pub struct SessionRef {
    pub(super) client: Client,
    pub(super) id: Uuid,
}

impl SessionRef {
    /// Returns the session's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Resets the service's idle timeout; call it every [`KEEP_ALIVE_INTERVAL`].
    ///
    /// # Errors
    /// If the session has ended ([`Error::is_not_found`], which a 404 of a proxy is, too) or the call fails.
    ///
    /// # Cancel safety
    /// Cancel safe: call it again.
    pub async fn keep_alive(&self) -> Result<(), Error> {
        self.client.keep_session_alive().session_id(self.id).send().await.map(drop)
    }

    /// Stops the session with the reason `USER_CLOSED`; succeeds if it has already ended.
    ///
    /// The service frees the session's slot 0.8 to 3 s later (field reports).
    ///
    /// # Errors
    /// If the call fails. The session may still run. A 404 is proof that it has ended only in the service's own form; with that of
    /// a proxy, this returns an error.
    ///
    /// # Cancel safety
    /// If the future is dropped before the response arrives, the session may still run. Call it again.
    pub async fn stop(&self) -> Result<(), Error> {
        self.stop_with(SessionEndReason::UserClosed).await
    }

    /// Stops the session like [`stop`](Self::stop), with another reason in the service's records.
    ///
    /// # Errors
    /// As [`stop`](Self::stop).
    ///
    /// # Cancel safety
    /// As [`stop`](Self::stop).
    pub async fn stop_with(&self, reason: SessionEndReason) -> Result<(), Error> {
        match self.client.stop_session().session_id(self.id).reason(reason).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.proves_gone() => Ok(()),
            Err(error) => Err(error.about_session(self.id, Stop::LeftToCaller)),
        }
    }

    /// Returns the session's entry in the service's session lists.
    ///
    /// # Errors
    /// If the call fails.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn details(&self) -> Result<types::ListHistoricEntry, Error> {
        self.client.get_session().session_id(self.id).send().await
    }
}
