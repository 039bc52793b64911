//! Types, allowed values and ranges.

use super::Case;
use super::bases::{full, lite, persona};

pub(super) const CASES: &[Case] = &[
    Case { name: "avatar missing", base: lite, change: r#"{"avatar_id": "$GONE"}"# },
    Case { name: "avatar null", base: lite, change: r#"{"avatar_id": null}"# },
    Case { name: "avatar name", base: lite, change: r#"{"avatar_id": "Wayne_20240711"}"# },
    Case {
        name: "secret instead of its id",
        base: lite,
        change: r#"{"openai_realtime_config": {"secret_id": "sk-1"}}"#,
    },
    Case {
        name: "quoted values",
        base: lite,
        change: r#"{"is_sandbox": "true", "max_session_duration": "60"}"#,
    },
    Case {
        name: "unquoted values",
        base: full,
        change: r#"{"voice_agent": {"dynamic_variables": {"age": 7, "n": null}}}"#,
    },
    Case {
        name: "objects as text",
        base: full,
        change: r#"{"voice_agent": "a", "video_settings": [], "memory": 1}"#,
    },
    Case { name: "fraction of a second", base: lite, change: r#"{"max_session_duration": 1.5}"# },
    Case {
        name: "null where none is allowed",
        base: full,
        change: r#"{"is_sandbox": null, "interactivity_type": null}"#,
    },
    Case {
        name: "required null",
        base: lite,
        change: r#"{"agora_config": "$CHANNEL", "is_sandbox": true, "avatar_id": null}"#,
    },
    Case {
        name: "value misspelt",
        base: lite,
        change: r#"{"video_settings": {"quality": "hihg", "encoding": "h264"}}"#,
    },
    Case {
        name: "value as a guide for people says it",
        base: lite,
        change: r#"{"video_settings": {"quality": "1080p"}}"#,
    },
    Case {
        name: "one of many values",
        base: lite,
        change: r#"{"gemini_realtime_config": {"secret_id": "$ID", "voice": "puk"}}"#,
    },
    Case {
        name: "none of many values",
        base: lite,
        change: r#"{"openai_realtime_config": {"secret_id": "$ID", "voice": "x"}}"#,
    },
    Case {
        name: "only value",
        base: persona,
        change: r#"{"avatar_persona": {"llm_settings": {"provider": "anthropic", "model": "m"}}}"#,
    },
    Case {
        name: "voice vendor missing",
        base: persona,
        change: r#"{"avatar_persona": {"voice_settings": {"speed": 3, "stability": 0.5, "zzz": 1}}}"#,
    },
    Case {
        name: "voice vendor misspelt",
        base: persona,
        change: r#"{"avatar_persona": {"voice_settings": {"provider": "elevenlabs", "stability": 2}}}"#,
    },
    Case {
        name: "voice vendor unknown",
        base: persona,
        change: r#"{"avatar_persona": {"voice_settings": {"provider": "azure", "stability": 2}}}"#,
    },
    Case {
        name: "voice settings as text",
        base: persona,
        change: r#"{"avatar_persona": {"voice_settings": "fish"}}"#,
    },
    Case {
        name: "out of range",
        base: lite,
        change: r#"{"openai_realtime_config": {"secret_id": "$ID", "temperature": 0.5}}"#,
    },
    Case {
        name: "model settings in part",
        base: persona,
        change: r#"{"avatar_persona": {"llm_settings": {"model": "gpt-4o"}}}"#,
    },
    Case { name: "agora in part", base: lite, change: r#"{"agora_config": {"agora_app_id": "a"}}"# },
    Case {
        name: "connector value of the wrong type",
        base: lite,
        change: r#"{"elevenlabs_agent_config": {"secret_id": "$ID", "agent_id": "a",
            "dynamic_variables": {"a": [], "b": null}}}"#,
    },
];
