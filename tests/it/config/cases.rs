//! Configurations that break a rule.

use super::Case;
use super::bases::{
    custom, everything_of_full, full, lite, persona, token_for_another_room, token_that_expired,
    token_that_expires_too_soon, token_that_forbids, token_without_grants, too_long_value,
    too_long_variables, too_many_variables,
};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn of(rule: &str) -> &'static [Case] {
    match rule {
        "mode-unknown" => &[
            ("mode in lower case", lite, r#"{"mode": "lite", "avatar_id": "x"}"#),
            ("mode of another service", persona, r#"{"mode": "INTERACTIVE"}"#),
        ],
        "null-not-allowed" => &[
            ("mode is null", full, r#"{"mode": null}"#),
            ("avatar null", lite, r#"{"avatar_id": null}"#),
            (
                "null in fields that are not nullable",
                full,
                r#"{"is_sandbox": null, "interactivity_type": null}"#,
            ),
            (
                "required field null",
                lite,
                r#"{"agora_config": "$CHANNEL", "is_sandbox": true, "avatar_id": null}"#,
            ),
        ],
        "wrong-type" => &[
            ("mode is a number", lite, r#"{"mode": 1, "is_sandbox": "true"}"#),
            ("quoted values", lite, r#"{"is_sandbox": "true", "max_session_duration": "60"}"#),
            ("unquoted values", full, r#"{"voice_agent": {"dynamic_variables": {"age": 7, "n": null}}}"#),
            ("objects as text", full, r#"{"voice_agent": "a", "video_settings": [], "memory": 1}"#),
            ("fraction of a second", lite, r#"{"max_session_duration": 1.5}"#),
            ("voice settings as text", persona, r#"{"avatar_persona": {"voice_settings": "fish"}}"#),
            (
                "connector value of the wrong type",
                lite,
                r#"{"elevenlabs_agent_config": {"secret_id": "$ID", "agent_id": "a",
            "dynamic_variables": {"a": [], "b": null}}}"#,
            ),
        ],
        "mode-missing" => &[
            ("mode omitted with a persona", persona, r#"{"mode": "$GONE", "voice_id": "$ID"}"#),
            ("mode omitted in LITE", lite, r#"{"mode": "$GONE", "livekit_config": {"url": "u"}}"#),
            (
                "mode omitted with fields of both modes",
                persona,
                r#"{"mode": "$GONE", "livekit_config": "$ROOM"}"#,
            ),
            ("mode omitted and voice agent null", lite, r#"{"mode": "$GONE", "voice_agent": null}"#),
        ],
        "unknown-field" => &[
            ("misspelt", full, r#"{"issandbox": true, "interactivty_type": "PUSH_TO_TALK"}"#),
            ("camel case", lite, r#"{"avatar_id": "$GONE", "avatarId": "$ID", "isSandbox": true}"#),
            (
                "words of the name in another order",
                full,
                r#"{"sandbox": true, "duration": 60, "voice_agent_id": "$ID"}"#,
            ),
            ("video fields at the top level", lite, r#"{"video_quality": "high", "video_encoding": "H264"}"#),
            (
                "persona names of the older product",
                persona,
                r#"{"voice": {}, "knowledge_id": "k", "avatar_name": "n"}"#,
            ),
            (
                "misspelt in a nested object",
                persona,
                r#"{"avatar_persona": {"voice_settings": {"provider": "elevenLabs", "similarty_boost":
            0.5}}}"#,
            ),
            (
                "LiveKit names of a guide",
                lite,
                r#"{"livekit_config": {"url": "u", "token": "t", "room": "r"}}"#,
            ),
            (
                "Agora names of a guide",
                lite,
                r#"{"agora_config": {"app_id": "a", "channel": "c", "token": "t", "uid": "1"}}"#,
            ),
            ("no similar name", full, r#"{"zzz": 1, "x.y": 2, "voice_agent": {"qqq": 1}}"#),
            ("null for a field of the other mode", lite, r#"{"voice_agent": null, "zzz": null}"#),
        ],
        "misplaced-field" => &[
            (
                "persona fields at the top level",
                persona,
                r#"{"voice_id": "$ID", "context_id": "$ID", "language": "de", "llm_settings": {"model":
            "gpt-4o"}}"#,
            ),
            ("language next to a voice agent", full, r#"{"language": "de"}"#),
            ("persona field without persona", full, r#"{"stt_config": {"provider": "deepgram"}}"#),
            (
                "LLM configuration in the persona",
                persona,
                r#"{"avatar_persona": {"llm_configuration_id": "$ID"}}"#,
            ),
            ("variables in the persona", persona, r#"{"avatar_persona": {"dynamic_variables": {"a": "b"}}}"#),
            (
                "field of the other voice vendor",
                persona,
                r#"{"avatar_persona": {"voice_settings": {"provider": "fish", "stability": 0.5, "sped":
            1}}}"#,
            ),
            ("ids in LITE", lite, r#"{"id": "$ID", "voice_id": "$ID", "context_id": "$ID"}"#),
            ("persona fields next to a voice agent", full, r#"{"voice_id": "$ID", "voice_settings": {}}"#),
            (
                "variables next to a connector",
                lite,
                r#"{"elevenlabs_agent_config": {"secret_id": "$ID", "agent_id": "a"},
            "dynamic_variables": {}}"#,
            ),
        ],
        "wrong-mode-field" => &[
            ("LiveKit room in FULL", full, r#"{"livekit_config": "$ROOM"}"#),
            ("LiveKit room fields in FULL", full, r#"{"livekit_url": "u", "livekit_token": "t"}"#),
            (
                "FULL fields in LITE",
                lite,
                r#"{"avatar_persona": {}, "voice_agent": {}, "interactivity_type": "PUSH_TO_TALK",
            "llm_configuration_id": "$ID", "dynamic_variables": {}, "memory": {}, "language":
            "de"}"#,
            ),
            ("FULL fields in CUSTOM", custom, r#"{"voice_agent": {"id": "$ID"}, "stt_config": {}}"#),
        ],
        "missing-field" => &[
            ("avatar missing", lite, r#"{"avatar_id": "$GONE"}"#),
            (
                "voice vendor missing",
                persona,
                r#"{"avatar_persona": {"voice_settings": {"speed": 3, "stability": 0.5, "zzz": 1}}}"#,
            ),
            (
                "incomplete model settings",
                persona,
                r#"{"avatar_persona": {"llm_settings": {"model": "gpt-4o"}}}"#,
            ),
            ("incomplete agora config", lite, r#"{"agora_config": {"agora_app_id": "a"}}"#),
        ],
        "not-a-uuid" => &[
            ("avatar name instead of its id", lite, r#"{"avatar_id": "Wayne_20240711"}"#),
            ("secret instead of its id", lite, r#"{"openai_realtime_config": {"secret_id": "sk-1"}}"#),
            ("sandbox with an invalid avatar id", full, r#"{"is_sandbox": true, "avatar_id": "x"}"#),
        ],
        "not-allowed-value" => &[
            ("value misspelt", lite, r#"{"video_settings": {"quality": "hihg", "encoding": "h264"}}"#),
            ("value from a guide", lite, r#"{"video_settings": {"quality": "1080p"}}"#),
            (
                "misspelt value of many",
                lite,
                r#"{"gemini_realtime_config": {"secret_id": "$ID", "voice": "puk"}}"#,
            ),
            (
                "unknown value of many",
                lite,
                r#"{"openai_realtime_config": {"secret_id": "$ID", "voice": "x"}}"#,
            ),
            (
                "only one allowed value",
                persona,
                r#"{"avatar_persona": {"llm_settings": {"provider": "anthropic", "model": "m"}}}"#,
            ),
            (
                "voice vendor misspelt",
                persona,
                r#"{"avatar_persona": {"voice_settings": {"provider": "elevenlabs", "stability": 2}}}"#,
            ),
            (
                "voice vendor unknown",
                persona,
                r#"{"avatar_persona": {"voice_settings": {"provider": "azure", "stability": 2}}}"#,
            ),
        ],
        "out-of-range" => &[(
            "out of range",
            lite,
            r#"{"openai_realtime_config": {"secret_id": "$ID", "temperature": 0.5}}"#,
        )],
        "persona-or-voice-agent" => &[
            ("neither persona nor agent", full, r#"{"voice_agent": null}"#),
            ("persona and agent", persona, r#"{"voice_agent": {"id": "$ID"}}"#),
        ],
        "dynamic-variables-twice" => &[(
            "variables twice",
            full,
            r#"{"dynamic_variables": {"a": "b"}, "voice_agent": {"dynamic_variables": {"a": "b"}}}"#,
        )],
        "dynamic-variables-outside-agent" => {
            &[("variables outside the agent", full, r#"{"dynamic_variables": {"a": "b"}}"#)]
        }
        "dynamic-variables-entries" => &[("variables too many", too_many_variables, "{}")],
        "dynamic-variable-key" => &[("variables too long", too_long_variables, "{}")],
        "dynamic-variable-value" => &[("value of a variable too long", too_long_value, "{}")],
        "one-transport" => {
            &[("two transports", lite, r#"{"livekit_config": "$ROOM", "agora_config": "$CHANNEL"}"#)]
        }
        "one-connector" => &[(
            "two connectors",
            lite,
            r#"{"openai_realtime_config": {"secret_id": "$ID"}, "gemini_realtime_config":
            {"secret_id": "$ID"}}"#,
        )],
        "connector-with-transport" => {
            &[("connector with a room", custom, r#"{"openai_realtime_config": {"secret_id": "$ID"}}"#)]
        }
        "custom-needs-livekit" => &[("CUSTOM without a room", custom, r#"{"livekit_config": null}"#)],
        "livekit-token-unreadable" => {
            &[("token is not a JWT", custom, r#"{"livekit_config": {"livekit_client_token": "t"}}"#)]
        }
        "livekit-token-room" => &[("token for another room", token_for_another_room, "{}")],
        "livekit-token-join" => &[("token without grants", token_without_grants, "{}")],
        "livekit-token-publish" => &[("token that forbids to publish", token_that_forbids, "{}")],
        "livekit-token-expired" => &[
            ("token that has expired", token_that_expired, "{}"),
            ("token that expires before the session ends", token_that_expires_too_soon, "{}"),
        ],
        "sandbox-avatar" => &[("sandbox with another avatar", full, r#"{"is_sandbox": true}"#)],
        "sandbox-duration" => {
            &[("sandbox too long", everything_of_full, r#"{"max_session_duration": 1800}"#)]
        }
        "session-duration" => &[("duration of zero", lite, r#"{"max_session_duration": 0}"#)],
        "no-context" => &[("no context", persona, r#"{"avatar_persona": {"context_id": null}}"#)],
        "vp8-deprecated" => &[("deprecated codec", lite, r#"{"video_settings": {"encoding": "VP8"}}"#)],
        "normalization-needs-japanese" => &[(
            "normalization in English",
            everything_of_full,
            r#"{"avatar_persona": {"language": "$GONE"}}"#,
        )],
        "llm-model-undocumented" => &[(
            "undocumented model",
            everything_of_full,
            r#"{"avatar_persona": {"llm_settings": {"model": "gpt-5-mini"}}}"#,
        )],
        "two-language-models" => {
            &[("two language models", everything_of_full, r#"{"llm_configuration_id": "$ID"}"#)]
        }
        "two-memories" => {
            &[("two memories", everything_of_full, r#"{"memory": {"prev_session_id": "$ID"}}"#)]
        }
        _ => &[],
    }
}
