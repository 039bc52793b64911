//! Talking to an avatar while its session runs: commands, events, audio.
//!
//! Two protocols exist, and a session speaks one of them. Nothing here starts or stops a session.
//!
//! | Session | Way of commands and events | Module |
//! | --- | --- | --- |
//! | FULL | data channel of the LiveKit room | [`full`] |
//! | LITE with a connector (ElevenLabs, `OpenAI`, Gemini) | data channel of the LiveKit room | [`full`] |
//! | LITE, formerly CUSTOM | web socket at `ws_url` | `lite`, with the feature of that name |

pub mod audio;
mod fields;
pub mod full;
#[cfg(feature = "lite")]
pub mod lite;

/// A fresh id for a command: a version 4 UUID.
pub(crate) fn fresh_id() -> String {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid().to_string()
}
