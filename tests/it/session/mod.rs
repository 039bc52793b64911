//! Sessions against the mock: token, start, opening, calls by id, transcript, reaping, proof of an end, and connections that fail.

mod credits;
mod failing_connections;
mod handle;
mod proof;
mod reap;
mod session_ref;
mod token;
mod transcript;

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use liveavatar_api::Clock;
use liveavatar_api::session::{CustomSession, FullSession, LiteSession, SANDBOX_AVATAR_ID};
use liveavatar_api::types;
use serde_json::{Value, json};

pub(crate) const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// A clock that a test moves, and that sleeps in real time. So the time limit of a store's call does not pass at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct MovedClock(Arc<Mutex<Duration>>);

impl MovedClock {
    pub(crate) fn advance(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

impl Clock for MovedClock {
    fn now(&self) -> SystemTime {
        // 2026-01-01T00:00:00Z
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600) + *self.0.lock().unwrap()
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// The data of a response that echoes the session's id, in forms that the document does not allow.
fn odd_echoes() -> [Value; 5] {
    [
        json!({ "session_id": "odd" }),
        json!({ "session_id": "" }),
        json!({ "session_id": null }),
        json!({ "session_id": 7 }),
        json!({ "session_id": { "id": ID } }),
    ]
}

pub(crate) fn full() -> FullSession {
    let persona = types::AvatarPersona::builder().context_id(ID);
    let full = FullSession::builder().avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).avatar_persona(persona);
    full.build().unwrap()
}

pub(crate) fn lite() -> LiteSession {
    LiteSession::builder().avatar_id(ID).build().unwrap()
}

pub(crate) fn room() -> types::LiveKitConfig {
    let room = types::LiveKitConfig::builder().livekit_url("wss://room.example").livekit_room("lobby");
    room.livekit_client_token("canary-room-token").build().unwrap()
}

pub(crate) fn custom() -> CustomSession {
    CustomSession::builder().avatar_id(ID).livekit_config(room()).build().unwrap()
}
