//! The table of all rules for session configurations.
//!
//! Rules across fields have their checks in `checks`. The others are checked while the text is parsed or the fields are
//! walked, which refer to them by their constants; those that follow from the schema alone are constants of `schema`.

mod checks;

use serde_json::Value;

use super::limits::{DYNAMIC_VARIABLE_KEY_CHARACTERS, DYNAMIC_VARIABLE_VALUE_CHARACTERS};
use super::mode::ModeName;
use crate::schema::{self, Diagnostic, Path, RuleInfo, Severity};
use Check::{Each, When};
use ModeName::{Custom, Full, Lite};
use checks::{CONNECTORS, DYNAMIC_VARIABLES, LLM_MODEL, NORMALIZATION, TOKEN, TRANSPORTS, several, too_long};

pub(super) use checks::Input;

/// One rule for session configurations.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The stable name, in `kebab-case`.
    pub id: &'static str,
    /// The modes that it applies to.
    pub modes: &'static [ModeName],
    /// Whether breaking it is an error or a warning.
    pub severity: Severity,
    /// The evidence: behaviour seen in the field, documentation, or the published document.
    pub source: &'static str,
    /// The rule in one sentence.
    pub text: &'static str,
    /// Where it is reported, with which message and hint, unless its check determines them.
    at: &'static [&'static str],
    pub(super) message: &'static str,
    hint: &'static str,
    check: Check,
    /// Exactly one of these fields is required in these modes; for the JSON Schema.
    #[cfg_attr(not(feature = "schemars"), expect(dead_code, reason = "only the JSON Schema reads it"))]
    pub(super) requires: (&'static [ModeName], &'static [&'static str]),
}

#[derive(Clone, Copy, Debug)]
enum Check {
    /// Reported while the text is parsed or the fields are walked.
    Elsewhere,
    When(fn(&Input<'_>) -> bool),
    Each(fn(&Rule, &Input<'_>) -> Vec<Diagnostic>),
}

pub(super) const MODE_HINT: &str =
    "use `FULL` if the service runs the conversation, `LITE` if you send the audio";

/// FULL needs exactly one of these.
pub(super) const PERSONA_OR_AGENT: [&str; 2] = ["avatar_persona", "voice_agent"];

const TOKEN_HINT: &str = "mint a token with `room`, `roomJoin`, `canPublish`, `canPublishData` and `canSubscribe`, \
    as the `livekit` feature of this crate does";

const ALL: &[ModeName] = &ModeName::ALL;
const FULL: &[ModeName] = &[Full];
/// The modes in which the caller supplies the audio.
const LITE: &[ModeName] = &[Lite, Custom];

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
    Rule::of_schema(schema::UNKNOWN_FIELD),
    Rule::of_schema(schema::MISPLACED_FIELD),
    WRONG_MODE_FIELD,
    Rule::of_schema(schema::MISSING_FIELD),
    Rule::of_schema(schema::WRONG_TYPE),
    Rule::of_schema(schema::NULL_NOT_ALLOWED),
    Rule::of_schema(schema::NOT_ALLOWED_VALUE),
    Rule::of_schema(schema::UNLISTED_VALUE),
    Rule::of_schema(schema::OUT_OF_RANGE),
    Rule::of_schema(schema::NOT_A_UUID),
    Rule::error("persona-or-voice-agent", FULL)
        .source("field reports; docs core-concepts/voice-agents")
        .text("FULL needs exactly one of `avatar_persona` and `voice_agent`.")
        .check(Each(checks::persona_or_voice_agent))
        .requires((FULL, &PERSONA_OR_AGENT)),
    Rule::error("dynamic-variables-twice", FULL)
        .source("field reports")
        .text("With `voice_agent`, `dynamic_variables` is set in only one place.")
        .at(&["dynamic_variables"])
        .message("is set here and inside `voice_agent`")
        .hint("keep the one inside `voice_agent`")
        .check(When(|input| DYNAMIC_VARIABLES.iter().all(|keys| input.has(keys)))),
    Rule::warning("dynamic-variables-outside-agent", FULL)
        .source("field reports")
        .text("With `voice_agent`, `dynamic_variables` belongs inside it.")
        .at(&["dynamic_variables"])
        .message("belongs inside `voice_agent` if there is one")
        .hint("move it to `voice_agent.dynamic_variables`")
        .check(When(|input| {
            let [outside, inside] = DYNAMIC_VARIABLES;
            input.has(outside) && input.has(&["voice_agent"]) && !input.has(inside)
        })),
    Rule::error("dynamic-variables-entries", FULL)
        .source("spec")
        .text("`dynamic_variables` has at most 50 entries.")
        .check(Each(checks::too_many_variables)),
    Rule::error("dynamic-variable-key", FULL)
        .source("spec; field reports")
        .text("Keys in `dynamic_variables` have at most 64 characters.")
        .check(Each(|rule, input| {
            too_long(rule, input, "key", DYNAMIC_VARIABLE_KEY_CHARACTERS, |key, _| Some(key))
        })),
    Rule::error("dynamic-variable-value", FULL)
        .source("spec; field reports")
        .text("Values in `dynamic_variables` have at most 1000 characters.")
        .check(Each(|rule, input| {
            too_long(rule, input, "value", DYNAMIC_VARIABLE_VALUE_CHARACTERS, |_, value| value.as_str())
        })),
    Rule::error("one-transport", LITE)
        .source("follows from the descriptions of the two fields in the spec; no rejection is recorded")
        .text("A session has one transport: `livekit_config` or `agora_config`.")
        .check(Each(|rule, input| several(rule, input, &TRANSPORTS, "transport"))),
    Rule::error("one-connector", LITE)
        .source("follows from the descriptions of the three fields in the spec; no rejection is recorded")
        .text("A session has at most one connector.")
        .check(Each(|rule, input| several(rule, input, &CONNECTORS, "connector"))),
    Rule::warning("connector-with-transport", LITE)
        .source("inferred from docs: a connector creates its own room; the effect is unknown")
        .text("A connector and a transport of the caller's probably do not work together.")
        .check(Each(checks::connector_with_transport)),
    Rule::error("custom-needs-livekit", &[Custom])
        .source("rule of this crate; early docs of create_session_token expected it, later ones did not")
        .text("CUSTOM needs `livekit_config`.")
        .at(&["livekit_config"])
        .message("is required in CUSTOM")
        .hint("add the room, or use LITE, the name of this mode since February 2026")
        .check(When(|input| !input.has(&["livekit_config"])))
        .requires((&[Custom], &["livekit_config"])),
    Rule::warning("livekit-token-unreadable", LITE)
        .source("LiveKit: tokens are JWTs; no rejection is recorded")
        .text("A LiveKit token is a JWT.")
        .at(TOKEN)
        .message("is not a JWT, but every LiveKit token is one")
        .hint(TOKEN_HINT)
        .check(When(|input| input.token.is_some() && input.claims.is_none())),
    Rule::error("livekit-token-room", LITE)
        .source("LiveKit: a token is bound to the room that it names")
        .text("The LiveKit token is for the room in `livekit_room`.")
        .at(TOKEN)
        .message("is for a different room than `livekit_room`")
        .hint(TOKEN_HINT)
        .check(When(checks::token_is_for_another_room)),
    Rule::error("livekit-token-join", LITE)
        .source("LiveKit; sdk livekit-plugins-liveavatar 1.8.9")
        .text("The LiveKit token allows joining a room.")
        .at(TOKEN)
        .message("does not allow joining a room: `video.roomJoin` is not true")
        .hint(TOKEN_HINT)
        .check(When(|input| input.claims.is_some() && input.grant("roomJoin") != Some(&Value::Bool(true)))),
    Rule::error("livekit-token-publish", LITE)
        .source(
            "field reports: a start without data rights fails; sdk grahamseamans/liveavatar-livekit-examples",
        )
        .text("The LiveKit token does not forbid `canPublish` or `canPublishData`.")
        .at(TOKEN)
        .hint(TOKEN_HINT)
        .check(Each(checks::token_forbids_publishing)),
    LIVEKIT_TOKEN_EXPIRED,
    Rule::error("sandbox-avatar", ALL)
        .source("docs; sdk heygen-com/liveavatar-agent-skills; field reports")
        .text("Only one avatar works in sandbox sessions.")
        .at(&["avatar_id"])
        .message("is not the avatar for sandbox sessions")
        .hint("use `dd73ea75-1218-4ef3-92ce-606d5f7fbc0a`, or set `is_sandbox` to false")
        .check(When(checks::is_not_the_sandbox_avatar)),
    Rule::error("sandbox-duration", ALL)
        .source("field reports")
        .text("A sandbox session lasts at most 60 seconds.")
        .at(&["max_session_duration"])
        .hint("remove it")
        .check(Each(checks::too_long_for_sandbox)),
    Rule::error("session-duration", ALL)
        .source("rule of this crate; the spec bounds the same field of embeds")
        .text("A session lasts at least one second.")
        .at(&["max_session_duration"])
        .hint("remove it for the longest session that the subscription allows")
        .check(Each(checks::too_short)),
    Rule::warning("no-context", FULL)
        .source("docs full-mode/configuration")
        .text("Without a context the avatar listens but does not answer.")
        .at(&["avatar_persona", "context_id"])
        .message("is not set, so the avatar listens but does not answer")
        .hint("create a context with POST /v1/contexts and set its id here")
        .check(When(|input| {
            input.get(&["avatar_persona"]).is_some_and(Value::is_object)
                && !input.has(&["avatar_persona", "context_id"])
        })),
    Rule::warning("vp8-deprecated", ALL)
        .source("sdk pipecat-ai 1.14.0; the spec still lists it")
        .text("`VP8` is reported as deprecated.")
        .at(&["video_settings", "encoding"])
        .message("`VP8` is reported as deprecated")
        .hint("use `H264`, the default")
        .check(When(|input| input.text(&["video_settings", "encoding"]) == Some("VP8"))),
    Rule::warning("normalization-needs-japanese", FULL)
        .source("spec")
        .text("`apply_language_text_normalization` works only in the language `ja`.")
        .at(NORMALIZATION)
        .message("works only in Japanese, which is not the language of this session")
        .hint("set `avatar_persona.language` to `ja`, or remove this field")
        .check(When(checks::normalizes_another_language)),
    Rule::warning("llm-model-undocumented", FULL)
        .source("docs full-mode/llm-settings; GET /v1/llm-models may list more")
        .text("`llm_settings.model` is one of the provider's managed models.")
        .at(LLM_MODEL)
        .check(Each(checks::undocumented_model)),
    Rule::warning("two-language-models", FULL)
        .source("docs full-mode/llm-settings; which one takes precedence is unknown")
        .text("Only one of `llm_settings` and `llm_configuration_id` selects the language model.")
        .at(&["llm_configuration_id"])
        .message("selects a language model, as does `avatar_persona.llm_settings`")
        .hint("keep one; which one takes precedence is not documented")
        .check(When(|input| {
            input.has(&["llm_configuration_id"]) && input.has(&["avatar_persona", "llm_settings"])
        })),
    Rule::warning("two-memories", FULL)
        .source("spec")
        .text("Both references in `memory` mean the same memory.")
        .at(&["memory"])
        .message("has two references, which the service rejects unless they mean the same memory")
        .hint("keep `session_memory_id` or `prev_session_id`")
        .check(When(|input| {
            ["prev_session_id", "session_memory_id"].iter().all(|name| input.has(&["memory", name]))
        })),
];

pub(super) const INVALID_JSON: Rule = Rule::error("invalid-json", ALL)
    .source("RFC 8259")
    .text("A configuration is strict JSON, without comments and trailing commas.");
pub(super) const DUPLICATE_KEY: Rule = Rule::error("duplicate-key", ALL)
    .source("RFC 8259 section 4: receivers keep different ones")
    .text("A key appears once in an object.");
pub(super) const NOT_AN_OBJECT: Rule =
    Rule::error("not-an-object", ALL).source("spec").text("A configuration is one JSON object.");
pub(super) const MODE_UNKNOWN: Rule = Rule::error("mode-unknown", ALL)
    .source("spec; CUSTOM: sdk heygen-com/liveavatar-web-sdk before February 2026")
    .text("`mode` is `FULL`, `LITE` or `CUSTOM`, in capitals.");
pub(super) const MODE_MISSING: Rule = Rule::error("mode-missing", ALL)
    .source("field reports")
    .text("`mode` may be omitted only with `voice_agent`, which then determines it.")
    .at(&["mode"])
    .message("is required without `voice_agent`")
    .hint(MODE_HINT)
    .check(When(|input| !input.has(&["mode"]) && !input.has(&["voice_agent"])))
    .requires((LITE, &["mode"]));
/// Checked by the system clock, and by the client's clock again when the token is used.
pub(super) const LIVEKIT_TOKEN_EXPIRED: Rule = Rule::error("livekit-token-expired", LITE)
    .source("LiveKit: an expired token is rejected at join")
    .text("The LiveKit token is valid for longer than the session.")
    .at(TOKEN)
    .hint("mint it just before the session, and make it valid for longer than the session can last")
    .check(Each(checks::token_expires_too_soon));
pub(super) const WRONG_MODE_FIELD: Rule = Rule::error("wrong-mode-field", ALL)
    .source("field reports; docs create_session_token and start_session; spec")
    .text("A mode ignores the fields of the other mode.");

macro_rules! setters {
    ($($field:ident: $of:ty),*) => {
        $(const fn $field(self, $field: $of) -> Self {
            Self { $field, ..self }
        })*
    };
}

impl Rule {
    const fn error(id: &'static str, modes: &'static [ModeName]) -> Self {
        Self {
            id,
            modes,
            severity: Severity::Error,
            source: "",
            text: "",
            at: &[],
            message: "",
            hint: "",
            check: Check::Elsewhere,
            requires: (&[], &[]),
        }
    }

    const fn warning(id: &'static str, modes: &'static [ModeName]) -> Self {
        Self { severity: Severity::Warning, ..Self::error(id, modes) }
    }

    /// A rule that follows from the schema, in every mode.
    const fn of_schema(info: RuleInfo) -> Self {
        let RuleInfo { id, severity, source, text } = info;
        Self { severity, source, text, ..Self::error(id, ALL) }
    }

    setters!(source: &'static str, text: &'static str, message: &'static str, hint: &'static str);
    setters!(at: &'static [&'static str], check: Check, requires: (&'static [ModeName], &'static [&'static str]));

    /// The diagnostic at the rule's own path, with its hint.
    pub(super) fn diagnostic(&self, message: impl Into<String>) -> Diagnostic {
        let hint = Some(self.hint.to_owned()).filter(|hint| !hint.is_empty());
        Diagnostic::new(self, Path::of(self.at), message).with_hint(hint)
    }

    pub(super) fn diagnostics(&self, input: &Input<'_>) -> Vec<Diagnostic> {
        match self.check {
            When(is_broken) if is_broken(input) => vec![self.diagnostic(self.message)],
            Check::Elsewhere | When(_) => Vec::new(),
            Each(check) => check(self, input),
        }
    }
}

impl From<&Rule> for RuleInfo {
    fn from(rule: &Rule) -> Self {
        let Rule { id, severity, source, text, .. } = *rule;
        Self { id, severity, source, text }
    }
}
