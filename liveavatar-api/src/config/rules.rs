//! The table of all rules a configuration can break.
//!
//! Rules over several fields have their check in `mode_rules`; the others belong to the reader or to
//! the walk over the schemas, which name them by their constants.

use super::mode_rules as check;
use super::mode_rules::{Context, Finding};
use super::own_room;
use super::problem::{Diagnostic, ModeName, Severity};
use super::shape::Found;
use serde_json::Value;

/// One rule for session configurations, and where it is known from.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The stable name, in `kebab-case`.
    pub id: &'static str,
    /// How much a problem with it weighs.
    pub severity: Severity,
    /// The evidence: behaviour seen in the field, documentation, or the published document.
    pub source: &'static str,
    /// The rule in one sentence.
    pub text: &'static str,
    check: Option<Check>,
}

type Check = fn(&Context<'_>) -> Vec<Finding>;

/// Every rule that the check of session configurations knows.
///
/// In a source, "field reports" is behaviour of the live service that developers recorded in public, "spec" the schemas
/// that the service publishes, "docs" a page of its documentation, "sdk" a client package or an official repository.
pub static RULES: &[Rule] = &[
    INVALID_JSON,
    DUPLICATE_KEY,
    NOT_AN_OBJECT,
    MODE_UNKNOWN,
    MODE_MISSING,
    UNKNOWN_FIELD,
    MISPLACED_FIELD,
    WRONG_MODE_FIELD,
    MISSING_FIELD,
    WRONG_TYPE,
    NULL_NOT_ALLOWED,
    NOT_ALLOWED_VALUE,
    OUT_OF_RANGE,
    NOT_A_UUID,
    Rule::error(
        "persona-or-voice-agent",
        "field reports; docs core-concepts/voice-agents",
        "FULL needs exactly one of `avatar_persona` and `voice_agent`.",
        check::persona_or_voice_agent,
    ),
    Rule::error(
        "dynamic-variables-twice",
        "field reports",
        "With `voice_agent`, `dynamic_variables` are set in one place only.",
        check::dynamic_variables_twice,
    ),
    Rule::warning(
        "dynamic-variables-outside-agent",
        "field reports",
        "With `voice_agent`, `dynamic_variables` go inside it.",
        check::dynamic_variables_outside_agent,
    ),
    Rule::error(
        "dynamic-variables-entries",
        "spec",
        "`dynamic_variables` have up to 50 entries.",
        check::dynamic_variables_entries,
    ),
    Rule::error(
        "dynamic-variable-key",
        "spec; field reports",
        "Keys in `dynamic_variables` have up to 64 characters.",
        check::dynamic_variable_key,
    ),
    Rule::error(
        "dynamic-variable-value",
        "spec; field reports",
        "Values in `dynamic_variables` have up to 1000 characters.",
        check::dynamic_variable_value,
    ),
    Rule::error(
        "one-transport",
        "follows from the descriptions of the two fields in the spec; no refusal is recorded",
        "A session has one transport: `livekit_config` or `agora_config`, not both.",
        check::one_transport,
    ),
    Rule::error(
        "one-connector",
        "follows from the descriptions of the three fields in the spec; no refusal is recorded",
        "A session has one driver, so at most one of the connectors.",
        check::one_connector,
    ),
    Rule::warning(
        "connector-with-transport",
        "inferred from docs: a connector makes its own room; the effect is unknown",
        "A connector and an own transport hardly go together.",
        check::connector_with_transport,
    ),
    Rule::error(
        "custom-needs-livekit",
        "rule of this crate; early docs of create_session_token expected it, later ones did not",
        "CUSTOM needs `livekit_config`.",
        check::custom_needs_livekit,
    ),
    Rule::warning(
        "livekit-token-unreadable",
        "LiveKit: tokens are JWTs; no refusal is recorded",
        "A LiveKit token is a JWT.",
        own_room::token_unreadable,
    ),
    Rule::error(
        "livekit-token-room",
        "LiveKit: a token is bound to the room it names",
        "The LiveKit token is for the room of `livekit_room`.",
        own_room::token_room,
    ),
    Rule::error(
        "livekit-token-join",
        "LiveKit; sdk livekit-plugins-liveavatar 1.8.9",
        "The LiveKit token has `roomJoin`.",
        own_room::token_join,
    ),
    Rule::error(
        "livekit-token-publish",
        "field reports: a start without data rights fails; sdk grahamseamans/liveavatar-livekit-examples",
        "The LiveKit token does not forbid `canPublish` or `canPublishData`.",
        own_room::token_publish,
    ),
    LIVEKIT_TOKEN_EXPIRED,
    Rule::error(
        "sandbox-avatar",
        "docs; sdk heygen-com/liveavatar-agent-skills; field reports",
        "Only one avatar works in sandbox sessions.",
        check::sandbox_avatar,
    ),
    Rule::error(
        "sandbox-duration",
        "field reports",
        "A sandbox session lasts 60 seconds at most.",
        check::sandbox_duration,
    ),
    Rule::error(
        "session-duration",
        "rule of this crate; the spec bounds the same field of embeds",
        "A session lasts at least one second.",
        check::session_duration,
    ),
    Rule::warning(
        "no-context",
        "docs full-mode/configuration",
        "Without a context the avatar hears but does not answer.",
        check::no_context,
    ),
    Rule::warning(
        "vp8-deprecated",
        "sdk pipecat-ai 1.14.0; the spec still lists it",
        "`VP8` is reported as deprecated.",
        check::vp8_deprecated,
    ),
    Rule::warning(
        "normalization-needs-japanese",
        "spec",
        "`apply_language_text_normalization` is for the language `ja` only.",
        check::normalization_needs_japanese,
    ),
    Rule::warning(
        "llm-model-undocumented",
        "docs full-mode/llm-settings; GET /v1/llm-models may list more",
        "`llm_settings.model` is one of the provider's managed models.",
        check::llm_model_undocumented,
    ),
    Rule::warning(
        "two-language-models",
        "docs full-mode/llm-settings; which of the two counts is unknown",
        "`llm_settings` and `llm_configuration_id` both choose a language model.",
        check::two_language_models,
    ),
    Rule::warning(
        "two-memories",
        "spec",
        "Both references in `memory` resolve to the same memory.",
        check::two_memories,
    ),
];

pub(super) const INVALID_JSON: Rule = Rule::shape(
    "invalid-json",
    "RFC 8259",
    "A configuration is strict JSON, without comments and trailing commas.",
);
pub(super) const DUPLICATE_KEY: Rule = Rule::shape(
    "duplicate-key",
    "RFC 8259 section 4: receivers keep different ones",
    "A key stands once in an object.",
);
pub(super) const NOT_AN_OBJECT: Rule =
    Rule::shape("not-an-object", "spec", "A configuration is one JSON object.");
pub(super) const MODE_UNKNOWN: Rule = Rule::shape(
    "mode-unknown",
    "spec; CUSTOM: sdk heygen-com/liveavatar-web-sdk before February 2026",
    "`mode` is `FULL`, `LITE` or `CUSTOM`, in capitals.",
);
pub(super) const MODE_MISSING: Rule = Rule::error(
    "mode-missing",
    "field reports",
    "`mode` may be left out only with `voice_agent`, which decides it then.",
    check::mode_missing,
);
/// Checked by the machine's clock, and by the client's once more when the token is used.
pub(super) const LIVEKIT_TOKEN_EXPIRED: Rule = Rule::error(
    "livekit-token-expired",
    "LiveKit: an expired token is refused at join",
    "The LiveKit token outlives the session.",
    own_room::token_expired,
);
pub(super) const UNKNOWN_FIELD: Rule = Rule::shape(
    "unknown-field",
    "field reports; sdk livekit-plugins-liveavatar",
    "The service ignores fields it does not know, in silence.",
);
pub(super) const MISPLACED_FIELD: Rule =
    Rule::shape("misplaced-field", "field reports", "A field counts only inside the object it belongs to.");
pub(super) const WRONG_MODE_FIELD: Rule = Rule::shape(
    "wrong-mode-field",
    "field reports; docs create_session_token and start_session; spec",
    "A mode ignores the fields of the other.",
);
pub(super) const MISSING_FIELD: Rule = Rule::shape("missing-field", "spec", "Required fields are there.");
pub(super) const WRONG_TYPE: Rule = Rule::shape("wrong-type", "spec", "A value is of its field's type.");
pub(super) const NULL_NOT_ALLOWED: Rule =
    Rule::shape("null-not-allowed", "spec", "Null stands only where the document allows it.");
pub(super) const NOT_ALLOWED_VALUE: Rule =
    Rule::shape("not-allowed-value", "spec", "A value from a fixed list is on the list.");
pub(super) const OUT_OF_RANGE: Rule =
    Rule::shape("out-of-range", "spec", "Numbers and lengths keep to their range.");
pub(super) const NOT_A_UUID: Rule =
    Rule::shape("not-a-uuid", "spec; field reports", "Ids of the service are UUIDs.");

impl Rule {
    const fn shape(id: &'static str, source: &'static str, text: &'static str) -> Self {
        Self { id, severity: Severity::Error, source, text, check: None }
    }

    const fn error(id: &'static str, source: &'static str, text: &'static str, check: Check) -> Self {
        Self { id, severity: Severity::Error, source, text, check: Some(check) }
    }

    const fn warning(id: &'static str, source: &'static str, text: &'static str, check: Check) -> Self {
        Self { id, severity: Severity::Warning, source, text, check: Some(check) }
    }
}

/// Checks the rules over several fields, except at places whose shape is broken already.
pub(super) fn problems(mode: ModeName, value: &Value, shape: &[Found]) -> Vec<Diagnostic> {
    let context = Context::new(mode, value);
    let is_broken = |finding: &Finding| {
        let at = |found: &Found| !found.path.is_root() && finding.path.starts_with(&found.path);
        shape.iter().any(at)
    };
    RULES
        .iter()
        .filter_map(|rule| Some((rule, rule.check?)))
        .flat_map(|(rule, check)| check(&context).into_iter().map(move |finding| (rule, finding)))
        .filter(|(_, finding)| !is_broken(finding))
        .map(|(rule, finding)| Diagnostic::new(rule, &finding.path, finding.message).with_hint(finding.hint))
        .collect()
}
