//! The socket of a supervised session.

use std::sync::Arc;

use super::{Socket, SocketOptions};
use crate::error::Error;
use crate::session::{Session, SuppliesAudio};

impl<M: SuppliesAudio> Session<M> {
    /// Connects the session's web socket and waits until the avatar takes commands.
    ///
    /// The session counts its keep-alives from the socket's last frame. After a rotation, connect again: the address is
    /// another one.
    ///
    /// ```no_run
    /// # async fn speak(
    /// #     session: liveavatar_api::session::Session<liveavatar_api::session::Lite>,
    /// #     pcm: impl futures_util::Stream<Item = Vec<u8>> + Send + 'static,
    /// # ) -> Result<(), liveavatar_api::Error> {
    /// let socket = session.connect().await?;
    /// let spoken = socket.speak(pcm).await;
    /// # let _ = spoken;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the session has no socket, because a connector supplies the audio; else as
    /// [`Socket::connect`](crate::realtime::lite::Socket::connect). The session goes on either way: drop it to have it stopped.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the connection is closed; the session goes on.
    pub async fn connect(&self) -> Result<Socket, Error> {
        self.connect_with(SocketOptions::new()).await
    }

    /// Connects as [`connect`](Self::connect) does, with other options.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// As [`connect`](Self::connect).
    pub async fn connect_with(&self, options: SocketOptions) -> Result<Socket, Error> {
        let started = self.started();
        let Some(ws_url) = &started.ws_url else {
            return Err(Error::invalid_request(
                "the session has no web socket: a connector supplies its audio, and the LiveKit room takes its commands",
            ));
        };
        // The socket may outlive the session's handle, and must not keep it alive.
        let task = Arc::downgrade(self.task());
        let told = move || {
            if let Some(task) = task.upgrade() {
                task.record_activity();
            }
        };
        Socket::connect_with(ws_url, options.also_on_activity(told)).await
    }
}
