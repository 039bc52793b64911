//! The tokens with which participants join rooms: LiveKit's own, signed with a key that only this mock accepts.

use std::time::Duration;

use livekit_token::{AccessToken, Claims, TokenVerifier, VideoGrants};
use uuid::Uuid;

/// The key and the secret of `livekit-server --dev`, so that tools which know them can sign tokens for the mock.
pub(super) const API_KEY: &str = "devkey";
pub(super) const API_SECRET: &str = "secret";
/// How long a token outlives the longest session, in seconds.
const SPARE_SECONDS: u64 = 600;

/// Signs the token of a role, `client` or `agent`, for the room of a session, which has the session's id as its name.
///
/// Its times are those of the system's clock, because clients compare them with that.
pub(super) fn sign(session: Uuid, role: &str, seconds: u64) -> String {
    let grants = VideoGrants {
        room_join: true,
        room: session.to_string(),
        can_publish: Some(true),
        can_subscribe: Some(true),
        can_publish_data: Some(true),
        ..VideoGrants::default()
    };
    let token = AccessToken::with_api_key(API_KEY, API_SECRET)
        .with_ttl(Duration::from_secs(seconds.saturating_add(SPARE_SECONDS)))
        .with_identity(&format!("liveavatar-{role}-{session}"))
        .with_grants(grants);
    // Fails only without a key, an identity or a room.
    token.to_jwt().unwrap_or_default()
}

/// Checks signature, expiry, room and identity. An error names the mistake, without the token.
pub(super) fn verify(token: &str) -> Result<Claims, &'static str> {
    let claims = TokenVerifier::with_api_key(API_KEY, API_SECRET)
        .verify(token)
        .map_err(|_| "invalid token: its signature, its key or its expiry is wrong")?;
    if !claims.video.room_join || claims.video.room.is_empty() {
        return Err("permissions denied: the token does not grant roomJoin with a room");
    }
    if claims.sub.is_empty() {
        return Err("invalid token: it has no identity");
    }
    Ok(claims)
}
