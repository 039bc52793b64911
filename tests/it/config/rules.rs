//! Rules across fields.

use super::Case;
use super::bases::{
    custom, everything_of_full, full, lite, persona, token_for_another_room, token_that_expired,
    token_that_expires_too_soon, token_that_forbids, token_without_grants, too_long_value,
    too_long_variables, too_many_variables,
};

pub(super) const CASES: &[Case] = &[
    Case {
        rule: "persona-or-voice-agent",
        name: "neither persona nor agent",
        base: full,
        change: r#"{"voice_agent": null}"#,
    },
    Case {
        rule: "persona-or-voice-agent",
        name: "persona and agent",
        base: persona,
        change: r#"{"voice_agent": {"id": "$ID"}}"#,
    },
    Case {
        rule: "dynamic-variables-twice",
        name: "variables twice",
        base: full,
        change: r#"{"dynamic_variables": {"a": "b"}, "voice_agent": {"dynamic_variables": {"a": "b"}}}"#,
    },
    Case {
        rule: "dynamic-variables-outside-agent",
        name: "variables outside the agent",
        base: full,
        change: r#"{"dynamic_variables": {"a": "b"}}"#,
    },
    Case {
        rule: "dynamic-variables-entries",
        name: "variables too many",
        base: too_many_variables,
        change: "{}",
    },
    Case { rule: "dynamic-variable-key", name: "variables too long", base: too_long_variables, change: "{}" },
    Case {
        rule: "dynamic-variable-value",
        name: "value of a variable too long",
        base: too_long_value,
        change: "{}",
    },
    Case {
        rule: "one-transport",
        name: "two transports",
        base: lite,
        change: r#"{"livekit_config": "$ROOM", "agora_config": "$CHANNEL"}"#,
    },
    Case {
        rule: "one-connector",
        name: "two connectors",
        base: lite,
        change: r#"{"openai_realtime_config": {"secret_id": "$ID"}, "gemini_realtime_config":
            {"secret_id": "$ID"}}"#,
    },
    Case {
        rule: "connector-with-transport",
        name: "connector with a room",
        base: custom,
        change: r#"{"openai_realtime_config": {"secret_id": "$ID"}}"#,
    },
    Case {
        rule: "custom-needs-livekit",
        name: "CUSTOM without a room",
        base: custom,
        change: r#"{"livekit_config": null}"#,
    },
    Case {
        rule: "livekit-token-unreadable",
        name: "token is not a JWT",
        base: custom,
        change: r#"{"livekit_config": {"livekit_client_token": "t"}}"#,
    },
    Case {
        rule: "livekit-token-room",
        name: "token for another room",
        base: token_for_another_room,
        change: "{}",
    },
    Case {
        rule: "livekit-token-join",
        name: "token without grants",
        base: token_without_grants,
        change: "{}",
    },
    Case {
        rule: "livekit-token-publish",
        name: "token that forbids to publish",
        base: token_that_forbids,
        change: "{}",
    },
    Case {
        rule: "livekit-token-expired",
        name: "token that has expired",
        base: token_that_expired,
        change: "{}",
    },
    Case {
        rule: "livekit-token-expired",
        name: "token that expires before the session ends",
        base: token_that_expires_too_soon,
        change: "{}",
    },
    Case {
        rule: "sandbox-avatar",
        name: "sandbox with another avatar",
        base: full,
        change: r#"{"is_sandbox": true}"#,
    },
    Case {
        rule: "not-a-uuid",
        name: "sandbox with an invalid avatar id",
        base: full,
        change: r#"{"is_sandbox": true, "avatar_id": "x"}"#,
    },
    Case {
        rule: "sandbox-duration",
        name: "sandbox too long",
        base: everything_of_full,
        change: r#"{"max_session_duration": 1800}"#,
    },
    Case {
        rule: "session-duration",
        name: "duration of zero",
        base: lite,
        change: r#"{"max_session_duration": 0}"#,
    },
    Case {
        rule: "no-context",
        name: "no context",
        base: persona,
        change: r#"{"avatar_persona": {"context_id": null}}"#,
    },
    Case {
        rule: "vp8-deprecated",
        name: "deprecated codec",
        base: lite,
        change: r#"{"video_settings": {"encoding": "VP8"}}"#,
    },
    Case {
        rule: "normalization-needs-japanese",
        name: "normalization in English",
        base: everything_of_full,
        change: r#"{"avatar_persona": {"language": "$GONE"}}"#,
    },
    Case {
        rule: "llm-model-undocumented",
        name: "undocumented model",
        base: everything_of_full,
        change: r#"{"avatar_persona": {"llm_settings": {"model": "gpt-5-mini"}}}"#,
    },
    Case {
        rule: "two-language-models",
        name: "two language models",
        base: everything_of_full,
        change: r#"{"llm_configuration_id": "$ID"}"#,
    },
    Case {
        rule: "two-memories",
        name: "two memories",
        base: everything_of_full,
        change: r#"{"memory": {"prev_session_id": "$ID"}}"#,
    },
];
