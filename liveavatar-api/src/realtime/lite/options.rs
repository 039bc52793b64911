//! Settings of a socket.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::realtime::audio::Chunks;

/// The default time limit for connecting until the service is ready.
pub const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// How far ahead of playback audio is sent by default.
pub const AHEAD: Duration = Duration::from_secs(3);

/// The default time to wait for the end of an utterance after its audio should have been played.
pub const END_MARGIN: Duration = Duration::from_secs(10);

/// How long to wait for more audio before an incomplete frame is sent.
pub const FLUSH_AFTER: Duration = Duration::from_millis(200);

/// More keep-alives would only use bandwidth; with no pause between them, the socket would send nothing else.
const MIN_KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(1);

/// Settings of a [`Socket`](super::Socket).
///
/// ```
/// use std::time::Duration;
/// use liveavatar_api::realtime::lite::SocketOptions;
///
/// let options = SocketOptions::new().ready_timeout(Duration::from_secs(20)).ahead(Duration::from_secs(2));
/// ```
#[derive(Clone)]
#[must_use]
pub struct SocketOptions {
    pub(super) ready_timeout: Duration,
    pub(super) keep_alive_interval: Option<Duration>,
    pub(super) ahead: Duration,
    pub(super) end_margin: Duration,
    pub(super) chunks: Chunks,
    pub(super) reconnect: bool,
    pub(super) allow_plain: bool,
    pub(super) on_activity: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SocketOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketOptions")
            .field("ready_timeout", &self.ready_timeout)
            .field("keep_alive_interval", &self.keep_alive_interval)
            .field("ahead", &self.ahead)
            .field("end_margin", &self.end_margin)
            .field("chunks", &self.chunks)
            .field("reconnect", &self.reconnect)
            .finish_non_exhaustive()
    }
}

impl SocketOptions {
    /// Creates options with the defaults.
    pub fn new() -> Self {
        Self {
            ready_timeout: READY_TIMEOUT,
            keep_alive_interval: Some(crate::session::KEEP_ALIVE_INTERVAL),
            ahead: AHEAD,
            end_margin: END_MARGIN,
            chunks: Chunks::default(),
            reconnect: true,
            allow_plain: false,
            on_activity: None,
        }
    }

    /// Sets the time limit for connecting until the service is ready; by default [`READY_TIMEOUT`].
    pub fn ready_timeout(mut self, timeout: Duration) -> Self {
        self.ready_timeout = timeout;
        self
    }

    /// Sets how long after the last sent frame a keep-alive is sent, at least 1 s; `None` sends none.
    ///
    /// The default is [`KEEP_ALIVE_INTERVAL`](crate::session::KEEP_ALIVE_INTERVAL).
    pub fn keep_alive_interval(mut self, interval: Option<Duration>) -> Self {
        self.keep_alive_interval = interval;
        self
    }

    /// Sets how far ahead of playback audio is sent, at least one frame; by default [`AHEAD`].
    ///
    /// With less, an interrupt drops less audio; with more, playback survives longer network delays.
    pub fn ahead(mut self, ahead: Duration) -> Self {
        self.ahead = ahead;
        self
    }

    /// Sets how long to wait for the end of an utterance after playback; by default [`END_MARGIN`].
    pub fn end_margin(mut self, margin: Duration) -> Self {
        self.end_margin = margin;
        self
    }

    /// Sets the lengths of audio frames.
    pub fn chunks(mut self, chunks: Chunks) -> Self {
        self.chunks = chunks;
        self
    }

    /// Disables reconnecting.
    pub fn no_reconnect(mut self) -> Self {
        self.reconnect = false;
        self
    }

    /// Allows plain `ws` to hosts other than loopback, which lets anyone on the network listen and speak.
    pub fn allow_plain(mut self) -> Self {
        self.allow_plain = true;
        self
    }

    /// Sets a callback for every received frame, each of which shows that the service is connected to the session.
    ///
    /// Use it if you also send keep-alive calls. A sent frame shows nothing, because the server may not read it. The socket's task
    /// calls it, so it must return quickly.
    pub fn on_activity(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_activity = Some(Arc::new(callback));
        self
    }

    /// Returns an error if an option is out of range.
    pub(super) fn check(&self) -> Result<(), Error> {
        match self.keep_alive_interval {
            Some(interval) if interval < MIN_KEEP_ALIVE_INTERVAL => {
                let [interval, min] =
                    [interval, MIN_KEEP_ALIVE_INTERVAL].map(|duration| duration.as_secs_f64());
                Err(Error::invalid_request(format!(
                    "keep_alive_interval: {interval} s is less than {min} s; use `None` to send no keep-alives"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Adds a callback that runs after the one that the user has set.
    pub(super) fn also_on_activity(self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        match self.on_activity.clone() {
            Some(first) => self.on_activity(move || {
                first();
                callback();
            }),
            None => self.on_activity(callback),
        }
    }
}
