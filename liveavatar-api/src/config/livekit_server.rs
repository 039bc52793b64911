//! Minting tokens for rooms of the caller's LiveKit server.

use std::fmt;
use std::time::Duration;

use livekit_token::{AccessToken, VideoGrants};
use reqwest::Url;

use crate::error::Error;
use crate::secret::Secret;
use crate::types::LiveKitConfig;

/// The environment variables of a LiveKit server, named as in LiveKit's own tools: URL, API key, API secret.
pub const LIVEKIT_ENV: [&str; 3] = ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"];

/// The caller's LiveKit server, for sessions whose avatar joins a room there.
///
/// ```
/// use std::time::Duration;
/// use liveavatar_api::session::{CustomSession, LiveKitServer, SANDBOX_AVATAR_ID};
///
/// let server = LiveKitServer::new("wss://livekit.example.com", "key", "secret")?;
/// let room = server.room("lobby", Duration::from_secs(3600))?;
/// let session = CustomSession::builder().avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).livekit_config(room).build()?;
/// # let _ = session;
/// # Ok::<(), liveavatar_api::Error>(())
/// ```
#[derive(Clone)]
pub struct LiveKitServer {
    url: String,
    api_key: Secret,
    api_secret: Secret,
}

impl LiveKitServer {
    /// Creates a server from its URL, such as `wss://livekit.example.com`, its API key and its API secret.
    ///
    /// LiveAvatar must be able to reach the URL.
    ///
    /// # Errors
    /// If the URL is not one of a LiveKit server, or the key or the secret is empty.
    pub fn new(
        url: impl Into<String>,
        api_key: impl Into<Secret>,
        api_secret: impl Into<Secret>,
    ) -> Result<Self, Error> {
        let server = Self { url: url.into(), api_key: api_key.into(), api_secret: api_secret.into() };
        let fits = |url: Url| url.has_host() && matches!(url.scheme(), "ws" | "wss" | "http" | "https");
        if !Url::parse(&server.url).is_ok_and(fits) {
            return Err(Error::invalid_request("the LiveKit URL must be like wss://livekit.example.com"));
        }
        for (name, secret) in [("API key", &server.api_key), ("API secret", &server.api_secret)] {
            if secret.expose().is_empty() {
                return Err(Error::invalid_request(format!("the LiveKit {name} is empty")));
            }
        }
        Ok(server)
    }

    /// Creates a server from the environment variables [`LIVEKIT_ENV`].
    ///
    /// # Errors
    /// If one of them is not set or is invalid.
    pub fn from_env() -> Result<Self, Error> {
        let [url, key, secret] = LIVEKIT_ENV.map(|name| {
            std::env::var(name)
                .map_err(|_| Error::invalid_request(format!("{name} is not set or is not valid Unicode")))
        });
        Self::new(url?, key?, secret?)
    }

    /// Creates the room configuration of a session, with a token that grants only what the avatar needs.
    ///
    /// `lifetime` starts now and must be longer than the session can last. Each token has a random identity, so that two
    /// avatars in one room do not disconnect each other.
    ///
    /// # Errors
    /// If the room's name is empty or the lifetime is shorter than 1 s.
    pub fn room(&self, room: impl Into<String>, lifetime: Duration) -> Result<LiveKitConfig, Error> {
        self.room_as(room, format!("liveavatar-{:016x}", fastrand::u64(..)), lifetime)
    }

    /// Creates a room configuration like [`room`](Self::room), with the given identity.
    ///
    /// LiveKit disconnects a participant when another one joins the room with the same identity.
    ///
    /// # Errors
    /// As [`room`](Self::room), and if the identity is empty.
    pub fn room_as(
        &self,
        room: impl Into<String>,
        identity: impl AsRef<str>,
        lifetime: Duration,
    ) -> Result<LiveKitConfig, Error> {
        let (room, identity) = (room.into(), identity.as_ref());
        for (wrong, message) in [
            (room.is_empty(), "room: must not be empty"),
            (identity.is_empty(), "identity: must not be empty"),
            (lifetime < Duration::from_secs(1), "lifetime: must be at least 1 s"),
        ] {
            if wrong {
                return Err(Error::invalid_request(message));
            }
        }
        // LiveKit allows rights that the token omits, but a start was seen to fail with such a token.
        let grants = VideoGrants {
            room: room.clone(),
            room_join: true,
            can_publish: Some(true),
            can_publish_data: Some(true),
            can_subscribe: Some(true),
            ..VideoGrants::default()
        };
        let token = AccessToken::with_api_key(self.api_key.expose(), self.api_secret.expose())
            .with_identity(identity)
            .with_ttl(lifetime)
            .with_grants(grants)
            .to_jwt()
            .map_err(|error| Error::invalid_request("signing the LiveKit token failed").caused_by(error))?;
        Ok(LiveKitConfig {
            livekit_url: self.url.clone(),
            livekit_room: room,
            livekit_client_token: token.into(),
        })
    }
}

impl fmt::Debug for LiveKitServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveKitServer").finish_non_exhaustive()
    }
}
