//! Types, allowed values and ranges.

use super::Case;
use super::bases::{full, lite, persona};

pub(super) const CASES: &[Case] = &[
    Case { rule: "missing-field", name: "avatar missing", base: lite, change: r#"{"avatar_id": "$GONE"}"# },
    Case { rule: "null-not-allowed", name: "avatar null", base: lite, change: r#"{"avatar_id": null}"# },
    Case {
        rule: "not-a-uuid",
        name: "avatar name instead of its id",
        base: lite,
        change: r#"{"avatar_id": "Wayne_20240711"}"#,
    },
    Case {
        rule: "not-a-uuid",
        name: "secret instead of its id",
        base: lite,
        change: r#"{"openai_realtime_config": {"secret_id": "sk-1"}}"#,
    },
    Case {
        rule: "wrong-type",
        name: "quoted values",
        base: lite,
        change: r#"{"is_sandbox": "true", "max_session_duration": "60"}"#,
    },
    Case {
        rule: "wrong-type",
        name: "unquoted values",
        base: full,
        change: r#"{"voice_agent": {"dynamic_variables": {"age": 7, "n": null}}}"#,
    },
    Case {
        rule: "wrong-type",
        name: "objects as text",
        base: full,
        change: r#"{"voice_agent": "a", "video_settings": [], "memory": 1}"#,
    },
    Case {
        rule: "wrong-type",
        name: "fraction of a second",
        base: lite,
        change: r#"{"max_session_duration": 1.5}"#,
    },
    Case {
        rule: "null-not-allowed",
        name: "null in fields that are not nullable",
        base: full,
        change: r#"{"is_sandbox": null, "interactivity_type": null}"#,
    },
    Case {
        rule: "null-not-allowed",
        name: "required field null",
        base: lite,
        change: r#"{"agora_config": "$CHANNEL", "is_sandbox": true, "avatar_id": null}"#,
    },
    Case {
        rule: "not-allowed-value",
        name: "value misspelt",
        base: lite,
        change: r#"{"video_settings": {"quality": "hihg", "encoding": "h264"}}"#,
    },
    Case {
        rule: "not-allowed-value",
        name: "value from a guide",
        base: lite,
        change: r#"{"video_settings": {"quality": "1080p"}}"#,
    },
    Case {
        rule: "not-allowed-value",
        name: "misspelt value of many",
        base: lite,
        change: r#"{"gemini_realtime_config": {"secret_id": "$ID", "voice": "puk"}}"#,
    },
    Case {
        rule: "not-allowed-value",
        name: "unknown value of many",
        base: lite,
        change: r#"{"openai_realtime_config": {"secret_id": "$ID", "voice": "x"}}"#,
    },
    Case {
        rule: "not-allowed-value",
        name: "only one allowed value",
        base: persona,
        change: r#"{"avatar_persona": {"llm_settings": {"provider": "anthropic", "model": "m"}}}"#,
    },
    Case {
        rule: "missing-field",
        name: "voice vendor missing",
        base: persona,
        change: r#"{"avatar_persona": {"voice_settings": {"speed": 3, "stability": 0.5, "zzz": 1}}}"#,
    },
    Case {
        rule: "not-allowed-value",
        name: "voice vendor misspelt",
        base: persona,
        change: r#"{"avatar_persona": {"voice_settings": {"provider": "elevenlabs", "stability": 2}}}"#,
    },
    Case {
        rule: "not-allowed-value",
        name: "voice vendor unknown",
        base: persona,
        change: r#"{"avatar_persona": {"voice_settings": {"provider": "azure", "stability": 2}}}"#,
    },
    Case {
        rule: "wrong-type",
        name: "voice settings as text",
        base: persona,
        change: r#"{"avatar_persona": {"voice_settings": "fish"}}"#,
    },
    Case {
        rule: "out-of-range",
        name: "out of range",
        base: lite,
        change: r#"{"openai_realtime_config": {"secret_id": "$ID", "temperature": 0.5}}"#,
    },
    Case {
        rule: "missing-field",
        name: "incomplete model settings",
        base: persona,
        change: r#"{"avatar_persona": {"llm_settings": {"model": "gpt-4o"}}}"#,
    },
    Case {
        rule: "missing-field",
        name: "incomplete agora config",
        base: lite,
        change: r#"{"agora_config": {"agora_app_id": "a"}}"#,
    },
    Case {
        rule: "wrong-type",
        name: "connector value of the wrong type",
        base: lite,
        change: r#"{"elevenlabs_agent_config": {"secret_id": "$ID", "agent_id": "a",
            "dynamic_variables": {"a": [], "b": null}}}"#,
    },
];
