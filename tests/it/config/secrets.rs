//! Diagnostics repeat no value that may be a secret.

use super::bases::{ID, everything_of_full, full, lite, persona};
use super::merge;
use liveavatar_api::session::validate;
use serde_json::{Value, json};

const CANARY: &str = "canary-4f1d9c3a77e0";

/// Every text that a caller can get from the diagnostics.
fn texts(configuration: &str) -> String {
    let diagnostics = validate(configuration);
    assert!(!diagnostics.is_empty(), "{configuration}");
    format!("{diagnostics}\n{diagnostics:?}\n{:#?}", diagnostics.iter().next())
}

fn assert_silent(configuration: &str) {
    let texts = texts(configuration);
    assert!(!texts.contains("canary"), "{texts}");
}

fn assert_silent_about(base: fn() -> Value, change: &Value) {
    let mut value = base();
    merge(&mut value, change);
    assert_silent(&value.to_string());
}

#[test]
fn secrets_in_their_own_fields_are_not_shown() {
    let configs = json!({
        "livekit_config": {"livekit_url": CANARY, "livekit_room": CANARY, "livekit_client_token": CANARY},
        "agora_config": {
            "agora_app_id": CANARY, "agora_token": CANARY, "agora_channel": CANARY, "agora_uid": CANARY,
        },
    });
    assert_silent_about(lite, &configs);
    assert_silent_about(
        lite,
        &json!({
            "elevenlabs_agent_config": {
                "secret_id": CANARY, "agent_id": CANARY, "voice_id": CANARY,
                "dynamic_variables": {"a": CANARY, "b": [CANARY]},
            },
        }),
    );
    assert_silent_about(
        full,
        &json!({
            "voice_agent": {"dynamic_variables": {"prompt": format!("{CANARY}{}", "x".repeat(1000))}},
        }),
    );
}

#[test]
fn secrets_of_the_wrong_type_are_not_shown() {
    for wrong in [json!([CANARY]), json!({"inner": CANARY})] {
        assert_silent_about(
            lite,
            &json!({
                "avatar_id": wrong, "is_sandbox": wrong, "max_session_duration": wrong,
                "livekit_config": {"livekit_url": wrong, "livekit_room": wrong, "livekit_client_token": wrong},
                "video_settings": {"quality": wrong},
                "openai_realtime_config": {"secret_id": wrong, "temperature": wrong},
            }),
        );
        assert_silent_about(full, &json!({"mode": wrong, "dynamic_variables": wrong}));
    }
}

#[test]
fn secrets_instead_of_an_object_are_not_shown() {
    assert_silent_about(lite, &json!({"livekit_config": CANARY, "agora_config": CANARY}));
    assert_silent_about(full, &json!({"voice_agent": CANARY, "memory": CANARY}));
    assert_silent(&format!("\"{CANARY}\""));
}

#[test]
fn secrets_under_unknown_names_are_not_shown() {
    assert_silent_about(
        lite,
        &json!({
            "api_key": CANARY, "ws_url": CANARY, "secret_value": CANARY, "prompt": CANARY,
            "token": CANARY, "livekit_config": {"token": CANARY, "secret": {"deeper": CANARY}},
        }),
    );
    assert_silent_about(
        persona,
        &json!({
            "opening_text": CANARY, "avatar_persona": {"prompt": CANARY, "secret_id": CANARY},
            "livekit_config": {"livekit_client_token": CANARY},
        }),
    );
}

#[test]
fn secrets_in_fields_with_listed_values_are_not_shown() {
    assert_silent_about(lite, &json!({"mode": CANARY, "video_settings": {"encoding": CANARY}}));
    assert_silent_about(
        lite,
        &json!({
            "openai_realtime_config": {"secret_id": ID, "voice": CANARY},
            "gemini_realtime_config": {"secret_id": ID, "voice": CANARY, "model": CANARY},
        }),
    );
    assert_silent_about(
        everything_of_full,
        &json!({
            "interactivity_type": CANARY,
            "avatar_persona": {
                "language": CANARY, "voice_settings": {"provider": CANARY},
                "llm_settings": {"model": CANARY}, "stt_config": {"provider": CANARY},
            },
        }),
    );
}

#[test]
fn secrets_in_ids_are_not_shown() {
    assert_silent_about(
        persona,
        &json!({
            "avatar_id": CANARY, "llm_configuration_id": CANARY,
            "avatar_persona": {"voice_id": CANARY, "context_id": CANARY},
            "memory": {"session_memory_id": CANARY},
        }),
    );
}

#[test]
fn secrets_under_duplicate_keys_are_not_shown() {
    assert_silent(&format!(
        r#"{{"mode": "LITE", "avatar_id": "{ID}", "livekit_config": {{"livekit_client_token": "{CANARY}",
        "livekit_client_token": "{CANARY}", "token": "{CANARY}", "token": "{CANARY}"}}}}"#
    ));
}

#[test]
fn secrets_in_broken_json_are_not_shown() {
    assert_silent(&format!(r#"{{"livekit_client_token": "{CANARY}"#));
    assert_silent(&format!(r#"{{"livekit_client_token": {CANARY}}}"#));
    assert_silent(&format!(r#"{{"livekit_client_token": "{CANARY}" "{CANARY}"}}"#));
    assert_silent(&format!("{{}} {CANARY}"));
}

#[test]
fn the_sandbox_error_does_not_repeat_the_avatar() {
    let mut value = lite();
    merge(&mut value, &json!({"is_sandbox": true}));
    assert!(!texts(&value.to_string()).contains(ID));
}

#[test]
fn a_misspelt_value_is_shown_only_if_it_resembles_an_allowed_one() {
    let shown = |word: &str| {
        let mut value = lite();
        merge(&mut value, &json!({"video_settings": {"quality": word}}));
        texts(&value.to_string()).contains(word)
    };
    assert!(shown("hihg"));
    assert!(!shown("secret"));
    assert!(!shown("hi\u{1b}gh"));
    assert!(!shown(&format!("high{}", " ".repeat(60))));
}

#[test]
fn line_breaks_in_keys_do_not_forge_diagnostics() {
    let mut value = lite();
    merge(&mut value, &json!({"a\nerror[forged] b": 1}));
    assert!(!texts(&value.to_string()).contains("\nerror[forged]"));
}
