//! Configurations without errors, and parts of them.

use liveavatar_api::session::SANDBOX_AVATAR_ID;
use serde_json::{Value, json};

pub(super) const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

pub(super) fn full() -> Value {
    json!({"mode": "FULL", "avatar_id": ID, "voice_agent": {"id": ID}})
}

pub(super) fn persona() -> Value {
    json!({
        "mode": "FULL",
        "avatar_id": ID,
        "avatar_persona": {"voice_id": ID, "context_id": ID, "language": "en"},
    })
}

pub(super) fn lite() -> Value {
    json!({"mode": "LITE", "avatar_id": ID})
}

pub(super) fn room() -> Value {
    room_with(&json!({"exp": FAR, "video": {"room": "r", "roomJoin": true}}))
}

/// 2100, in seconds since 1970.
pub(super) const FAR: u64 = 4_102_444_800;

/// A room whose token has these claims.
fn room_with(claims: &Value) -> Value {
    json!({"livekit_url": "wss://room.example", "livekit_room": "r", "livekit_client_token": jwt(claims)})
}

/// A JWT with an invalid signature.
pub(crate) fn jwt(claims: &Value) -> String {
    use base64::Engine as _;
    let part = |value: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2lnbmVk", part(&json!({"alg": "HS256"})), part(claims))
}

/// A LITE configuration in a room whose token has these claims.
pub(super) fn in_room(claims: &Value) -> Value {
    json!({"mode": "LITE", "avatar_id": ID, "livekit_config": room_with(claims)})
}

pub(super) fn token_that_expires_too_soon() -> Value {
    let mut value = in_room(&json!({"exp": FAR, "video": {"room": "r", "roomJoin": true}}));
    // Longer than the time left until 2100.
    value["max_session_duration"] = json!(FAR);
    value
}

pub(super) fn channel() -> Value {
    json!({"agora_app_id": "a", "agora_token": "t", "agora_channel": "c", "agora_uid": "1"})
}

pub(super) fn custom() -> Value {
    json!({"mode": "CUSTOM", "avatar_id": ID, "livekit_config": room()})
}

pub(super) fn everything_of_full() -> Value {
    json!({
        "mode": "FULL",
        "avatar_id": SANDBOX_AVATAR_ID.to_uppercase(),
        "avatar_persona": {
            "voice_id": ID,
            "context_id": ID,
            "language": "ja",
            "llm_settings": {"provider": "openai", "model": "gpt-4o-mini"},
            "stt_config": {"provider": "deepgram"},
            "voice_settings": {
                "provider": "elevenLabs", "model": "eleven_flash_v2_5", "speed": 1.2, "stability": 0,
                "similarity_boost": 1, "style": 0.5, "use_speaker_boost": false,
                "apply_language_text_normalization": true,
            },
        },
        "dynamic_variables": {"k".repeat(64): "ü".repeat(1000)},
        "interactivity_type": "PUSH_TO_TALK",
        "is_sandbox": true,
        "llm_configuration_id": null,
        "max_session_duration": 60,
        "memory": {"session_memory_id": ID, "prev_session_id": null},
        "video_settings": {"quality": "very_high", "encoding": "H264"},
        "voice_agent": null,
    })
}

pub(super) fn everything_of_lite() -> Value {
    json!({
        "mode": "LITE",
        "avatar_id": ID.replace('-', ""),
        "agora_config": null,
        "elevenlabs_agent_config": {
            "secret_id": ID, "agent_id": "agent", "voice_id": "any",
            "dynamic_variables": {"a": "1", "b": 2, "c": 2.5, "d": true},
        },
        "is_sandbox": false,
        "max_session_duration": 1,
        "video_settings": {},
    })
}

pub(super) fn mode_omitted() -> Value {
    json!({"avatar_id": ID, "voice_agent": {"id": ID, "language": "ja", "dynamic_variables": {"a": "b"}}})
}

pub(super) fn too_many_variables() -> Value {
    let entry = |number| (format!("key{number}"), json!("value"));
    let mut value = persona();
    value["dynamic_variables"] = (0..51).map(entry).collect();
    value
}

pub(super) fn too_long_variables() -> Value {
    let mut value = full();
    value["voice_agent"]["dynamic_variables"] = json!({"k".repeat(65): "v", "bio": "v".repeat(1001)});
    value
}

pub(super) fn too_long_value() -> Value {
    let mut value = persona();
    value["dynamic_variables"] = json!({"bio": "ü".repeat(1001)});
    value
}
