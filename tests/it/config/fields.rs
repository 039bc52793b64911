//! The mode, and fields that the service does not read.

use super::Case;
use super::bases::{custom, full, lite, persona};

pub(super) const CASES: &[Case] = &[
    Case {
        rule: "mode-unknown",
        name: "mode in lower case",
        base: lite,
        change: r#"{"mode": "lite", "avatar_id": "x"}"#,
    },
    Case {
        rule: "mode-unknown",
        name: "mode of another service",
        base: persona,
        change: r#"{"mode": "INTERACTIVE"}"#,
    },
    Case { rule: "null-not-allowed", name: "mode is null", base: full, change: r#"{"mode": null}"# },
    Case {
        rule: "wrong-type",
        name: "mode is a number",
        base: lite,
        change: r#"{"mode": 1, "is_sandbox": "true"}"#,
    },
    Case {
        rule: "mode-missing",
        name: "mode omitted with a persona",
        base: persona,
        change: r#"{"mode": "$GONE", "voice_id": "$ID"}"#,
    },
    Case {
        rule: "mode-missing",
        name: "mode omitted in LITE",
        base: lite,
        change: r#"{"mode": "$GONE", "livekit_config": {"url": "u"}}"#,
    },
    Case {
        rule: "mode-missing",
        name: "mode omitted with fields of both modes",
        base: persona,
        change: r#"{"mode": "$GONE", "livekit_config": "$ROOM"}"#,
    },
    Case {
        rule: "mode-missing",
        name: "mode omitted and voice agent null",
        base: lite,
        change: r#"{"mode": "$GONE", "voice_agent": null}"#,
    },
    // Fields that the service does not read.
    Case {
        rule: "unknown-field",
        name: "misspelt",
        base: full,
        change: r#"{"issandbox": true, "interactivty_type": "PUSH_TO_TALK"}"#,
    },
    Case {
        rule: "unknown-field",
        name: "camel case",
        base: lite,
        change: r#"{"avatar_id": "$GONE", "avatarId": "$ID", "isSandbox": true}"#,
    },
    Case {
        rule: "unknown-field",
        name: "words of the name in another order",
        base: full,
        change: r#"{"sandbox": true, "duration": 60, "voice_agent_id": "$ID"}"#,
    },
    Case {
        rule: "unknown-field",
        name: "video fields at the top level",
        base: lite,
        change: r#"{"video_quality": "high", "video_encoding": "H264"}"#,
    },
    Case {
        rule: "unknown-field",
        name: "persona names of the older product",
        base: persona,
        change: r#"{"voice": {}, "knowledge_id": "k", "avatar_name": "n"}"#,
    },
    Case {
        rule: "misplaced-field",
        name: "persona fields at the top level",
        base: persona,
        change: r#"{"voice_id": "$ID", "context_id": "$ID", "language": "de", "llm_settings": {"model":
            "gpt-4o"}}"#,
    },
    Case {
        rule: "misplaced-field",
        name: "language next to a voice agent",
        base: full,
        change: r#"{"language": "de"}"#,
    },
    Case {
        rule: "misplaced-field",
        name: "persona field without persona",
        base: full,
        change: r#"{"stt_config": {"provider": "deepgram"}}"#,
    },
    Case {
        rule: "misplaced-field",
        name: "LLM configuration in the persona",
        base: persona,
        change: r#"{"avatar_persona": {"llm_configuration_id": "$ID"}}"#,
    },
    Case {
        rule: "misplaced-field",
        name: "variables in the persona",
        base: persona,
        change: r#"{"avatar_persona": {"dynamic_variables": {"a": "b"}}}"#,
    },
    Case {
        rule: "misplaced-field",
        name: "field of the other voice vendor",
        base: persona,
        change: r#"{"avatar_persona": {"voice_settings": {"provider": "fish", "stability": 0.5, "sped":
            1}}}"#,
    },
    Case {
        rule: "unknown-field",
        name: "misspelt in a nested object",
        base: persona,
        change: r#"{"avatar_persona": {"voice_settings": {"provider": "elevenLabs", "similarty_boost":
            0.5}}}"#,
    },
    Case {
        rule: "unknown-field",
        name: "LiveKit names of a guide",
        base: lite,
        change: r#"{"livekit_config": {"url": "u", "token": "t", "room": "r"}}"#,
    },
    Case {
        rule: "unknown-field",
        name: "Agora names of a guide",
        base: lite,
        change: r#"{"agora_config": {"app_id": "a", "channel": "c", "token": "t", "uid": "1"}}"#,
    },
    Case {
        rule: "unknown-field",
        name: "no similar name",
        base: full,
        change: r#"{"zzz": 1, "x.y": 2, "voice_agent": {"qqq": 1}}"#,
    },
    Case {
        rule: "misplaced-field",
        name: "ids in LITE",
        base: lite,
        change: r#"{"id": "$ID", "voice_id": "$ID", "context_id": "$ID"}"#,
    },
    Case {
        rule: "misplaced-field",
        name: "persona fields next to a voice agent",
        base: full,
        change: r#"{"voice_id": "$ID", "voice_settings": {}}"#,
    },
    // Fields of the other mode.
    Case {
        rule: "unknown-field",
        name: "null for a field of the other mode",
        base: lite,
        change: r#"{"voice_agent": null, "zzz": null}"#,
    },
    Case {
        rule: "wrong-mode-field",
        name: "LiveKit room in FULL",
        base: full,
        change: r#"{"livekit_config": "$ROOM"}"#,
    },
    Case {
        rule: "wrong-mode-field",
        name: "LiveKit room fields in FULL",
        base: full,
        change: r#"{"livekit_url": "u", "livekit_token": "t"}"#,
    },
    Case {
        rule: "wrong-mode-field",
        name: "FULL fields in LITE",
        base: lite,
        change: r#"{"avatar_persona": {}, "voice_agent": {}, "interactivity_type": "PUSH_TO_TALK",
            "llm_configuration_id": "$ID", "dynamic_variables": {}, "memory": {}, "language":
            "de"}"#,
    },
    Case {
        rule: "wrong-mode-field",
        name: "FULL fields in CUSTOM",
        base: custom,
        change: r#"{"voice_agent": {"id": "$ID"}, "stt_config": {}}"#,
    },
    Case {
        rule: "misplaced-field",
        name: "variables next to a connector",
        base: lite,
        change: r#"{"elevenlabs_agent_config": {"secret_id": "$ID", "agent_id": "a"},
            "dynamic_variables": {}}"#,
    },
];
