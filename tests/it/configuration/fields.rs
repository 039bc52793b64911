//! The mode, and fields that nobody reads.

use super::Case;
use super::bases::{custom, full, lite, persona};

pub(super) const CASES: &[Case] = &[
    // The mode.
    Case { name: "mode in lower case", base: lite, change: r#"{"mode": "lite", "avatar_id": "x"}"# },
    Case { name: "mode of another service", base: persona, change: r#"{"mode": "INTERACTIVE"}"# },
    Case { name: "mode is null", base: full, change: r#"{"mode": null}"# },
    Case { name: "mode is a number", base: lite, change: r#"{"mode": 1, "is_sandbox": "true"}"# },
    Case {
        name: "mode left out with persona",
        base: persona,
        change: r#"{"mode": "$GONE", "voice_id": "$ID"}"#,
    },
    Case {
        name: "mode left out in lite",
        base: lite,
        change: r#"{"mode": "$GONE", "livekit_config": {"url": "u"}}"#,
    },
    Case {
        name: "mode left out with fields of both",
        base: persona,
        change: r#"{"mode": "$GONE", "livekit_config": "$ROOM"}"#,
    },
    Case {
        name: "mode left out, voice agent null",
        base: lite,
        change: r#"{"mode": "$GONE", "voice_agent": null}"#,
    },
    // Fields nobody reads.
    Case {
        name: "misspelt",
        base: full,
        change: r#"{"issandbox": true, "interactivty_type": "PUSH_TO_TALK"}"#,
    },
    Case {
        name: "camel case",
        base: lite,
        change: r#"{"avatar_id": "$GONE", "avatarId": "$ID", "isSandbox": true}"#,
    },
    Case {
        name: "words swapped",
        base: full,
        change: r#"{"sandbox": true, "duration": 60, "voice_agent_id": "$ID"}"#,
    },
    Case {
        name: "video fields flat",
        base: lite,
        change: r#"{"video_quality": "high", "video_encoding": "H264"}"#,
    },
    Case {
        name: "old persona names",
        base: persona,
        change: r#"{"voice": {}, "knowledge_id": "k", "avatar_name": "n"}"#,
    },
    Case {
        name: "persona fields at the top",
        base: persona,
        change: r#"{"voice_id": "$ID", "context_id": "$ID", "language": "de", "llm_settings": {"model":
            "gpt-4o"}}"#,
    },
    Case { name: "language beside a voice agent", base: full, change: r#"{"language": "de"}"# },
    Case {
        name: "persona field without persona",
        base: full,
        change: r#"{"stt_config": {"provider": "deepgram"}}"#,
    },
    Case {
        name: "llm configuration in persona",
        base: persona,
        change: r#"{"avatar_persona": {"llm_configuration_id": "$ID"}}"#,
    },
    Case {
        name: "variables in persona",
        base: persona,
        change: r#"{"avatar_persona": {"dynamic_variables": {"a": "b"}}}"#,
    },
    Case {
        name: "field of the other voice vendor",
        base: persona,
        change: r#"{"avatar_persona": {"voice_settings": {"provider": "fish", "stability": 0.5, "sped":
            1}}}"#,
    },
    Case {
        name: "misspelt below",
        base: persona,
        change: r#"{"avatar_persona": {"voice_settings": {"provider": "elevenLabs", "similarty_boost":
            0.5}}}"#,
    },
    Case {
        name: "livekit names of the guide",
        base: lite,
        change: r#"{"livekit_config": {"url": "u", "token": "t", "room": "r"}}"#,
    },
    Case {
        name: "agora names of the guide",
        base: lite,
        change: r#"{"agora_config": {"app_id": "a", "channel": "c", "token": "t", "uid": "1"}}"#,
    },
    Case { name: "nothing alike", base: full, change: r#"{"zzz": 1, "x.y": 2, "voice_agent": {"qqq": 1}}"# },
    Case {
        name: "id in lite",
        base: lite,
        change: r#"{"id": "$ID", "voice_id": "$ID", "context_id": "$ID"}"#,
    },
    Case {
        name: "persona field beside a voice agent",
        base: full,
        change: r#"{"voice_id": "$ID", "voice_settings": {}}"#,
    },
    // Fields of the other mode.
    Case {
        name: "null for a field of the other mode",
        base: lite,
        change: r#"{"voice_agent": null, "zzz": null}"#,
    },
    Case { name: "room in full", base: full, change: r#"{"livekit_config": "$ROOM"}"# },
    Case { name: "room fields in full", base: full, change: r#"{"livekit_url": "u", "livekit_token": "t"}"# },
    Case {
        name: "full fields in lite",
        base: lite,
        change: r#"{"avatar_persona": {}, "voice_agent": {}, "interactivity_type": "PUSH_TO_TALK",
            "llm_configuration_id": "$ID", "dynamic_variables": {}, "memory": {}, "language":
            "de"}"#,
    },
    Case {
        name: "full fields in custom",
        base: custom,
        change: r#"{"voice_agent": {"id": "$ID"}, "stt_config": {}}"#,
    },
    Case {
        name: "variables beside a connector",
        base: lite,
        change: r#"{"elevenlabs_agent_config": {"secret_id": "$ID", "agent_id": "a"},
            "dynamic_variables": {}}"#,
    },
];
