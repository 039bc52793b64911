//! Limits and identifiers of the service that no schema states.

/// The only avatar that works in sandbox sessions.
///
/// Source: the documentation, the official agent guides, and rejections recorded by developers.
pub const SANDBOX_AVATAR_ID: &str = "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a";

/// Largest `max_session_duration` of a sandbox session, in seconds.
///
/// Source: the error `max_session_duration (1800s) exceeds the maximum allowed (60s)`, which developers recorded.
pub const SANDBOX_MAX_SESSION_DURATION: u64 = 60;

/// Smallest `max_session_duration` that this crate sends, in seconds.
///
/// Source: this crate; the document requires more than 0 in the same field of embeds.
pub const SHORTEST_MAX_SESSION_DURATION: u64 = 1;

/// Largest number of entries in `dynamic_variables`.
///
/// Source: the published document.
pub const DYNAMIC_VARIABLES_ENTRIES: usize = 50;

/// Longest key in `dynamic_variables`, in characters.
///
/// Source: the published document.
pub const DYNAMIC_VARIABLE_KEY_CHARACTERS: usize = 64;

/// Longest value in `dynamic_variables`, in characters.
///
/// Source: the published document; the service was seen to reject longer ones with status 422.
pub const DYNAMIC_VARIABLE_VALUE_CHARACTERS: usize = 1000;

/// Managed language models documented for the provider `openai`.
///
/// `GET /v1/llm-models` returns the authoritative list. Source: the documentation page `docs/full-mode/llm-settings`.
pub const DOCUMENTED_OPENAI_MODELS: [&str; 4] = ["gpt-4o", "gpt-4o-mini", "gpt-5-nano", "gpt-5.4-nano"];
