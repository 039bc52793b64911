//! The caller's own LiveKit room: what the avatar's token must allow, read without verifying it, and minting one.
//!
//! No text here repeats a part of a token.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::limits::SANDBOX_MAX_SESSION_DURATION;
use super::mode_rules::{Context, Finding};
use super::problem::{Diagnostic, Diagnostics, ModeName};
use super::rules::LIVEKIT_TOKEN_EXPIRED;
use crate::types::CreateSessionTokenBody;

#[cfg(feature = "livekit")]
pub use minting::{LIVEKIT_ENV, LiveKitServer};

const TOKEN: [&str; 2] = ["livekit_config", "livekit_client_token"];

/// The way out that every finding has.
const HINT: &str = "mint a token with `room`, `roomJoin`, `canPublish`, `canPublishData` and `canSubscribe`; the feature `livekit` \
    of this crate does so";

/// The token as a JWT's claims; none where there is no token or the mode does not read it.
enum Token {
    Absent,
    Unreadable,
    Claims(Value),
}

impl Token {
    fn of(context: &Context<'_>) -> Self {
        match context.get(&TOKEN).and_then(Value::as_str) {
            Some(token) if !context.is_full() => claims(token).map_or(Self::Unreadable, Self::Claims),
            _ => Self::Absent,
        }
    }

    /// What its owner may do in a room; an object without entries where it says nothing.
    fn grants(context: &Context<'_>) -> Option<Value> {
        match Self::of(context) {
            Self::Claims(mut claims) => Some(claims.get_mut("video").map(Value::take).unwrap_or_default()),
            Self::Absent | Self::Unreadable => None,
        }
    }
}

/// The payload of a JWT; the signature is for those who have the key.
pub(crate) fn claims(token: &str) -> Option<Value> {
    let mut parts = token.trim().split('.');
    let (header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    let object = |part: &str| {
        let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
        value.is_object().then_some(value)
    };
    object(header)?;
    object(payload).filter(|_| parts.next().is_none())
}

pub(super) fn token_unreadable(context: &Context<'_>) -> Vec<Finding> {
    let unreadable = matches!(Token::of(context), Token::Unreadable);
    Finding::at(&TOKEN, "is no JWT, as every token of LiveKit is").hint(HINT).when(unreadable)
}

pub(super) fn token_room(context: &Context<'_>) -> Vec<Finding> {
    let Some(grants) = Token::grants(context) else { return vec![] };
    let named = grants.get("room").and_then(Value::as_str).filter(|room| !room.is_empty());
    let wanted = context.get(&["livekit_config", "livekit_room"]).and_then(Value::as_str);
    Finding::at(&TOKEN, "is for another room than `livekit_room`")
        .hint(HINT)
        .when(named.is_some() && wanted.is_some() && named != wanted)
}

pub(super) fn token_join(context: &Context<'_>) -> Vec<Finding> {
    let Some(grants) = Token::grants(context) else { return vec![] };
    Finding::at(&TOKEN, "does not let its owner join a room: `video.roomJoin` is not true")
        .hint(HINT)
        .when(grants.get("roomJoin") != Some(&Value::Bool(true)))
}

pub(super) fn token_publish(context: &Context<'_>) -> Vec<Finding> {
    let Some(grants) = Token::grants(context) else { return vec![] };
    // What is absent is allowed.
    let forbidden = ["canPublish", "canPublishData"]
        .into_iter()
        .filter(|name| grants.get(*name) == Some(&Value::Bool(false)));
    let finding = |name| {
        Finding::at(&TOKEN, format!("forbids what the avatar has to do: `video.{name}` is false")).hint(HINT)
    };
    forbidden.map(finding).collect()
}

pub(super) fn token_expired(context: &Context<'_>) -> Vec<Finding> {
    expired_at(context, SystemTime::now())
}

fn expired_at(context: &Context<'_>, now: SystemTime) -> Vec<Finding> {
    let Token::Claims(claims) = Token::of(context) else { return vec![] };
    let Some(expires) = claims.get("exp").and_then(Value::as_f64) else { return vec![] };
    let left = expires - now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "60")]
    let sandbox = context.is_sandbox().then_some(SANDBOX_MAX_SESSION_DURATION as f64);
    // Without a limit of its own the session lasts as long as the plan allows, which is not known here.
    let longest = context.duration().map(|(_, seconds)| seconds).or(sandbox);
    let message = match longest {
        _ if left <= 0.0 => "has expired",
        Some(longest) if left < longest => "expires before the session can end",
        _ => return vec![],
    };
    vec![
        Finding::at(&TOKEN, message)
            .hint("mint it just before the session, for longer than the session can last"),
    ]
}

/// What has come to speak against a checked request, by the clock.
pub(super) fn diagnostics_at(mode: ModeName, body: &CreateSessionTokenBody, now: SystemTime) -> Diagnostics {
    let value = serde_json::to_value(body).unwrap_or_default();
    let findings = expired_at(&Context::new(mode, &value), now).into_iter();
    let problem = |finding: Finding| {
        Diagnostic::new(&LIVEKIT_TOKEN_EXPIRED, &finding.path, finding.message).with_hint(finding.hint)
    };
    Diagnostics::new(findings.map(problem).collect())
}

#[cfg(feature = "livekit")]
mod minting {
    use std::fmt;
    use std::time::Duration;

    use livekit_token::{AccessToken, VideoGrants};
    use reqwest::Url;

    use crate::error::Error;
    use crate::secret::Secret;
    use crate::types::LiveKitConfig;

    /// The environment variables of a LiveKit server, as its own tools name them: address, key, secret.
    pub const LIVEKIT_ENV: [&str; 3] = ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"];

    /// The caller's own LiveKit server, for sessions whose avatar joins a room there.
    ///
    /// ```
    /// use std::time::Duration;
    /// use liveavatar_api::session::{Configuration, Custom, LiveKitServer, SANDBOX_AVATAR_ID};
    ///
    /// let server = LiveKitServer::new("wss://livekit.example.com", "key", "secret")?;
    /// let room = server.room("lobby", Duration::from_secs(3600))?;
    /// let configuration = Configuration::<Custom>::build(|custom| {
    ///     custom.avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).livekit_config(Some(room))
    /// })?;
    /// # let _ = configuration;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[derive(Clone)]
    pub struct LiveKitServer {
        url: String,
        api_key: Secret,
        api_secret: Secret,
    }

    impl LiveKitServer {
        /// A server by its address, such as `wss://livekit.example.com`, and the key and secret that it knows.
        ///
        /// The address has to be one that LiveAvatar can reach.
        ///
        /// # Errors
        /// When the address is none of LiveKit, or the key or the secret is empty.
        pub fn new(
            url: impl Into<String>,
            api_key: impl Into<Secret>,
            api_secret: impl Into<Secret>,
        ) -> Result<Self, Error> {
            let server = Self { url: url.into(), api_key: api_key.into(), api_secret: api_secret.into() };
            let fits = |url: Url| url.has_host() && matches!(url.scheme(), "ws" | "wss" | "http" | "https");
            if !Url::parse(&server.url).is_ok_and(fits) {
                return Err(Error::invalid_request(
                    "the LiveKit address is not one such as wss://livekit.example.com",
                ));
            }
            if server.api_key.expose().is_empty() || server.api_secret.expose().is_empty() {
                return Err(Error::invalid_request("the LiveKit key or its secret is empty"));
            }
            Ok(server)
        }

        /// A server as the environment says, see [`LIVEKIT_ENV`].
        ///
        /// # Errors
        /// When one of them is not set or cannot be used.
        pub fn from_env() -> Result<Self, Error> {
            let [url, key, secret] = LIVEKIT_ENV.map(|name| {
                std::env::var(name)
                    .map_err(|_| Error::invalid_request(format!("{name} is not set or no text")))
            });
            Self::new(url?, key?, secret?)
        }

        /// The room for a session, with a token that lets the avatar act in it and do nothing else.
        ///
        /// `lifetime` counts from now and has to be longer than the session can last. The avatar joins under an identity of
        /// its own, so that two sessions in one room do not put each other out.
        ///
        /// # Errors
        /// When the room's name is empty or the lifetime is zero.
        pub fn room(&self, room: impl Into<String>, lifetime: Duration) -> Result<LiveKitConfig, Error> {
            self.room_as(room, format!("liveavatar-{:016x}", fastrand::u64(..)), lifetime)
        }

        /// As [`room`](Self::room), under an identity of the caller's choice.
        ///
        /// LiveKit puts out a participant when another one with its identity joins the room.
        ///
        /// # Errors
        /// As [`room`](Self::room), and when the identity is empty.
        pub fn room_as(
            &self,
            room: impl Into<String>,
            identity: impl AsRef<str>,
            lifetime: Duration,
        ) -> Result<LiveKitConfig, Error> {
            let (room, identity) = (room.into(), identity.as_ref());
            for (name, bad) in [
                ("room: a name", room.is_empty()),
                ("identity: a name", identity.is_empty()),
                ("lifetime: more than a second", lifetime < Duration::from_secs(1)),
            ] {
                if bad {
                    return Err(Error::invalid_request(format!("{name} is needed")));
                }
            }
            // Each is said, although what is absent is allowed: a start with a token that says less was seen to fail.
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
                .map_err(|error| {
                    Error::invalid_request("the LiveKit token cannot be signed").caused_by(error)
                })?;
            let config = LiveKitConfig::builder().livekit_url(self.url.clone()).livekit_room(room);
            config
                .livekit_client_token(token)
                .try_into()
                .map_err(|_| Error::invalid_request("the LiveKit room is incomplete"))
        }
    }

    impl fmt::Debug for LiveKitServer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("LiveKitServer").finish_non_exhaustive()
        }
    }
}
