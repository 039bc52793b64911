//! Rules across fields.

use super::bases::{
    FAR, custom, everything_of_full, full, in_room, lite, persona, token_that_expires_too_soon,
    too_long_value, too_long_variables, too_many_variables,
};
use super::{Case, cases};
use serde_json::json;

cases! {
    "persona-or-voice-agent", "neither persona nor agent", full, {"voice_agent": null};
    "persona-or-voice-agent", "persona and agent", persona, {"voice_agent": {"id": "$ID"}};
    "dynamic-variables-twice", "variables twice", full,
        {"dynamic_variables": {"a": "b"}, "voice_agent": {"dynamic_variables": {"a": "b"}}};
    "dynamic-variables-outside-agent", "variables outside the agent", full, {"dynamic_variables": {"a": "b"}};
    "dynamic-variables-entries", "variables too many", too_many_variables, {};
    "dynamic-variable-key", "variables too long", too_long_variables, {};
    "dynamic-variable-value", "value of a variable too long", too_long_value, {};
    "one-transport", "two transports", lite, {"livekit_config": "$ROOM", "agora_config": "$CHANNEL"};
    "one-connector", "two connectors", lite,
        {"openai_realtime_config": {"secret_id": "$ID"}, "gemini_realtime_config": {"secret_id": "$ID"}};
    "connector-with-transport", "connector with a room", custom,
        {"openai_realtime_config": {"secret_id": "$ID"}};
    "custom-needs-livekit", "CUSTOM without a room", custom, {"livekit_config": null};
    "livekit-token-unreadable", "token is not a JWT", custom,
        {"livekit_config": {"livekit_client_token": "t"}};
    "livekit-token-room", "token for another room",
        || in_room(&json!({"exp": FAR, "video": {"room": "lobby", "roomJoin": true}})), {};
    "livekit-token-join", "token without grants",
        || in_room(&json!({"exp": FAR})), {};
    "livekit-token-publish", "token that forbids to publish",
        || in_room(&json!({"exp": FAR, "video": {
            "room": "r", "roomJoin": true, "canPublish": false, "canPublishData": false,
        }})), {};
    "livekit-token-expired", "token that has expired",
        || in_room(&json!({"exp": 1_767_225_600, "video": {"room": "r", "roomJoin": true}})), {};
    "livekit-token-expired", "token that expires before the session ends", token_that_expires_too_soon, {};
    "sandbox-avatar", "sandbox with another avatar", full, {"is_sandbox": true};
    "not-a-uuid", "sandbox with an invalid avatar id", full, {"is_sandbox": true, "avatar_id": "x"};
    "sandbox-duration", "sandbox too long", everything_of_full, {"max_session_duration": 1800};
    "session-duration", "duration of zero", lite, {"max_session_duration": 0};
    "no-context", "no context", persona, {"avatar_persona": {"context_id": null}};
    "vp8-deprecated", "deprecated codec", lite, {"video_settings": {"encoding": "VP8"}};
    "normalization-needs-japanese", "normalization in English", everything_of_full,
        {"avatar_persona": {"language": "$GONE"}};
    "llm-model-undocumented", "undocumented model", everything_of_full,
        {"avatar_persona": {"llm_settings": {"model": "gpt-5-mini"}}};
    "two-language-models", "two language models", everything_of_full, {"llm_configuration_id": "$ID"};
    "two-memories", "two memories", everything_of_full, {"memory": {"prev_session_id": "$ID"}};
}
