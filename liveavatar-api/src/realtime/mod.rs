//! Commands, events and audio of a running session.
//!
//! There are two protocols, and each session uses one of them:
//!
//! | Session | Transport | Module |
//! | --- | --- | --- |
//! | FULL | data channel of the LiveKit room | [`full`] |
//! | LITE with a connector (ElevenLabs, `OpenAI`, Gemini) | data channel of the LiveKit room | [`full`] |
//! | LITE without a connector, formerly CUSTOM | WebSocket at `ws_url` | `lite`, with the feature `lite` |
//!
//! Nothing in this module starts or stops a session.

pub mod audio;
mod event_id;
mod fields;
pub mod full;
#[cfg(feature = "lite")]
pub mod lite;
