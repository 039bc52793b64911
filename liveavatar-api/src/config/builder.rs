//! Builders of session configurations: those of the requests, which build a checked configuration.

use super::configuration::Configuration;
use super::mode::{Custom, Full, Lite, Mode};
use crate::builder::{Draft, FromDraft};
use crate::schema::Diagnostics;
use crate::types::{FullSessionConfigMode, builder};

/// The configuration of a FULL session; the service runs the conversation.
///
/// The session itself is a [`Session<Full>`](crate::session::Session).
pub type FullSession = Configuration<Full>;

/// The configuration of a LITE session; the caller supplies the audio.
///
/// The session itself is a [`Session<Lite>`](crate::session::Session).
pub type LiteSession = Configuration<Lite>;

/// The configuration of a LITE session in the caller's own LiveKit room, under the mode's earlier name.
///
/// The session itself is a [`Session<Custom>`](crate::session::Session).
pub type CustomSession = Configuration<Custom>;

impl FullSession {
    /// Returns a builder, with a setter for each field.
    ///
    /// It starts with the mode set. If a voice agent determines the mode, `mode(None::<&str>)` removes it.
    pub fn builder() -> builder::FullSessionConfig<Self> {
        builder::FullSessionConfig::default().mode(FullSessionConfigMode::Full)
    }
}

impl LiteSession {
    /// Returns a builder, with a setter for each field.
    pub fn builder() -> builder::LiteSessionConfig<Self> {
        builder::LiteSessionConfig::default()
    }
}

impl CustomSession {
    /// Returns a builder, with a setter for each field; `livekit_config` is required.
    pub fn builder() -> builder::LiteSessionConfig<Self> {
        builder::LiteSessionConfig::default()
    }
}

impl<M: Mode> FromDraft for Configuration<M> {
    type Error = Diagnostics;

    fn from_draft(draft: Draft) -> Result<Self, Diagnostics> {
        let (value, texts) = draft.into_parts();
        Self::from_draft(value, &texts)
    }
}
