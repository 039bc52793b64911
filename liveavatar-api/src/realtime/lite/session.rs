//! The socket of a supervised session.

use std::sync::Arc;

use super::options::SocketOptions;
use super::socket::Socket;
use super::task::SessionLink;
use crate::error::Error;
use crate::session::{AnyMode, ModeName, Session, State, SuppliesAudio};

impl<M: SuppliesAudio> Session<M> {
    /// Connects the session's WebSocket and waits until the service is ready.
    ///
    /// Every frame that is received postpones the session's next keep-alive call. The socket closes when the session ends or is
    /// replaced, with [`CloseReason::SessionEnded`](super::CloseReason::SessionEnded); after a rotation, connect again.
    /// If the service closes the socket, or the connection is lost for good, the session asks the service at once whether it still runs.
    ///
    /// ```no_run
    /// # async fn speak(
    /// #     session: liveavatar_api::session::Session<liveavatar_api::session::Lite>,
    /// #     pcm: impl futures_util::Stream<Item = Vec<u8>> + Send + 'static,
    /// # ) -> Result<(), liveavatar_api::Error> {
    /// let socket = session.connect().await?;
    /// let outcome = socket.speak(pcm).await;
    /// # let _ = outcome;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If a connector supplies the session's audio, and for the reasons of [`Socket::connect`]. The session keeps running; drop it
    /// to stop it.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection; the session keeps running.
    pub async fn connect(&self) -> Result<Socket, Error> {
        self.connect_with(SocketOptions::new()).await
    }

    /// Connects with other options.
    ///
    /// # Errors
    /// See [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// See [`connect`](Self::connect).
    pub async fn connect_with(&self, options: SocketOptions) -> Result<Socket, Error> {
        self.connect_socket(options).await
    }
}

/// For sessions whose configuration was read from a file.
impl Session<AnyMode> {
    /// Connects the session's WebSocket and waits until the service is ready.
    ///
    /// Every frame that is received postpones the session's next keep-alive call. The socket closes when the session ends or is
    /// replaced, with [`CloseReason::SessionEnded`](super::CloseReason::SessionEnded); after a rotation, connect again.
    /// If the service closes the socket, or the connection is lost for good, the session asks the service at once whether it still runs.
    ///
    /// # Errors
    /// If the session is FULL, a connector supplies its audio, and for the reasons of [`Socket::connect`]. The session keeps
    /// running; drop it to stop it.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection; the session keeps running.
    pub async fn connect(&self) -> Result<Socket, Error> {
        self.connect_with(SocketOptions::new()).await
    }

    /// Connects with other options.
    ///
    /// # Errors
    /// See [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// See [`connect`](Self::connect).
    pub async fn connect_with(&self, options: SocketOptions) -> Result<Socket, Error> {
        self.connect_socket(options).await
    }
}

impl<M> Session<M> {
    async fn connect_socket(&self, options: SocketOptions) -> Result<Socket, Error> {
        let (id, started) = self.task().current();
        let Some(ws_url) = &started.ws_url else {
            return Err(Error::invalid_request(match self.mode_name() {
                ModeName::Full => {
                    "a FULL session has no WebSocket, because the service supplies its audio; send commands through the LiveKit \
                     room, or open a LITE session"
                }
                ModeName::Lite | ModeName::Custom => {
                    "a connector supplies the session's audio, so there is no WebSocket; send commands through the LiveKit room"
                }
            }));
        };
        // The socket may outlive the session's handle, and does not keep the session running.
        let (task, clock) = (Arc::clone(self.task()), self.client().clone());
        let options = options.also_on_activity(move || task.record_sign(id, clock.clock().now()));
        let task = Arc::clone(self.task());
        let mut status = task.watch();
        let ended = async move {
            let is_over = |state: &State| !matches!(state, State::Minted | State::Started);
            let _ = status.wait_for(|status| status.id != id || is_over(&status.state)).await;
        };
        let link = SessionLink { on_lost: Box::new(move || task.check(id)), ended: Box::pin(ended) };
        Socket::connect_linked(ws_url, options, Some(link)).await
    }
}
