//! Rules over several fields.

use super::Case;
use super::bases::{
    custom, everything_of_full, full, lite, persona, token_for_another_room, token_that_ends_too_soon,
    token_that_expired, token_that_forbids, token_without_grants, too_long_variables, too_many_variables,
};

pub(super) const CASES: &[Case] = &[
    Case { name: "neither persona nor agent", base: full, change: r#"{"voice_agent": null}"# },
    Case { name: "persona and agent", base: persona, change: r#"{"voice_agent": {"id": "$ID"}}"# },
    Case {
        name: "variables twice",
        base: full,
        change: r#"{"dynamic_variables": {"a": "b"}, "voice_agent": {"dynamic_variables": {"a": "b"}}}"#,
    },
    Case { name: "variables outside the agent", base: full, change: r#"{"dynamic_variables": {"a": "b"}}"# },
    Case { name: "variables too many", base: too_many_variables, change: "{}" },
    Case { name: "variables too long", base: too_long_variables, change: "{}" },
    Case {
        name: "two transports",
        base: lite,
        change: r#"{"livekit_config": "$ROOM", "agora_config": "$CHANNEL"}"#,
    },
    Case {
        name: "two connectors",
        base: lite,
        change: r#"{"openai_realtime_config": {"secret_id": "$ID"}, "gemini_realtime_config":
            {"secret_id": "$ID"}}"#,
    },
    Case {
        name: "connector with room",
        base: custom,
        change: r#"{"openai_realtime_config": {"secret_id": "$ID"}}"#,
    },
    Case { name: "custom without room", base: custom, change: r#"{"livekit_config": null}"# },
    Case {
        name: "token of a room is no JWT",
        base: custom,
        change: r#"{"livekit_config": {"livekit_client_token": "t"}}"#,
    },
    Case { name: "token for another room", base: token_for_another_room, change: "{}" },
    Case { name: "token without grants", base: token_without_grants, change: "{}" },
    Case { name: "token that forbids to publish", base: token_that_forbids, change: "{}" },
    Case { name: "token that has expired", base: token_that_expired, change: "{}" },
    Case { name: "token that ends before the session", base: token_that_ends_too_soon, change: "{}" },
    Case { name: "sandbox with another avatar", base: full, change: r#"{"is_sandbox": true}"# },
    Case {
        name: "sandbox with a broken avatar",
        base: full,
        change: r#"{"is_sandbox": true, "avatar_id": "x"}"#,
    },
    Case { name: "sandbox too long", base: everything_of_full, change: r#"{"max_session_duration": 1800}"# },
    Case { name: "no time", base: lite, change: r#"{"max_session_duration": 0}"# },
    Case { name: "no context", base: persona, change: r#"{"avatar_persona": {"context_id": null}}"# },
    Case { name: "old codec", base: lite, change: r#"{"video_settings": {"encoding": "VP8"}}"# },
    Case {
        name: "normalization in english",
        base: everything_of_full,
        change: r#"{"avatar_persona": {"language": "$GONE"}}"#,
    },
    Case {
        name: "undocumented model",
        base: everything_of_full,
        change: r#"{"avatar_persona": {"llm_settings": {"model": "gpt-5-mini"}}}"#,
    },
    Case {
        name: "two language models",
        base: everything_of_full,
        change: r#"{"llm_configuration_id": "$ID"}"#,
    },
    Case {
        name: "two memories",
        base: everything_of_full,
        change: r#"{"memory": {"prev_session_id": "$ID"}}"#,
    },
];
