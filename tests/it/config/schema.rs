//! The JSON Schema of configurations.

use std::fmt::Write as _;

use liveavatar_api::session::AnyConfiguration;
use serde_json::{Value, json};

use super::bases::{ID, room};

fn validator() -> jsonschema::Validator {
    let schema = schemars::schema_for!(AnyConfiguration);
    jsonschema::options().should_validate_formats(true).build(schema.as_value()).unwrap()
}

fn persona_with(voice: &Value) -> Value {
    json!({ "mode": "FULL", "avatar_id": ID, "avatar_persona": { "voice_settings": voice } })
}

/// Configurations, both right and wrong.
fn cases() -> Vec<Value> {
    let agent = json!({ "id": ID });
    vec![
        json!({ "mode": "LITE", "avatar_id": ID }),
        json!({ "$schema": "./schema.json", "mode": "LITE", "avatar_id": ID }),
        json!({ "$schema": 1, "mode": "LITE", "avatar_id": ID }),
        json!({ "mode": "FULL", "avatar_id": ID, "voice_agent": agent }),
        json!({ "avatar_id": ID, "voice_agent": agent }),
        json!({ "avatar_id": ID, "voice_agent": agent, "livekit_config": room() }),
        json!({ "mode": "FULL", "avatar_id": ID, "voice_agent": agent, "avatar_persona": null }),
        json!({ "mode": "FULL", "avatar_id": ID, "voice_agent": agent, "avatar_persona": {} }),
        json!({ "mode": "FULL", "avatar_id": ID, "voice_agent": null }),
        json!({ "mode": "FULL", "avatar_id": ID }),
        json!({ "mode": "FULL", "avatar_id": ID, "voice_agent": agent, "livekit_config": room() }),
        json!({ "mode": "CUSTOM", "avatar_id": ID }),
        json!({ "mode": "CUSTOM", "avatar_id": ID, "livekit_config": null }),
        json!({ "mode": "CUSTOM", "avatar_id": ID, "livekit_config": room() }),
        json!({ "mode": "LITE", "avatar_id": ID, "issandbox": true }),
        json!({ "mode": "LITE", "avatar_id": "Anna" }),
        json!({ "mode": "LITE", "avatar_id": ID, "max_session_duration": "60" }),
        json!({ "mode": "LITE", "avatar_id": ID, "video_settings": { "quality": "best" } }),
        json!({ "mode": "LITE", "avatar_id": ID, "video_settings": null }),
        persona_with(&json!({ "provider": "elevenLabs", "speed": 1.1 })),
        persona_with(&json!({ "provider": "elevenLabs", "speed": 2.0 })),
        persona_with(&json!({ "provider": "elevenlabs" })),
        persona_with(&json!({ "provider": "fish", "stability": 0.5 })),
        persona_with(&json!({ "speed": 1.0 })),
        persona_with(&json!(null)),
        json!({ "mode": "lite", "avatar_id": ID }),
        json!({ "avatar_id": ID }),
        json!({ "mode": "LITE" }),
    ]
}

#[test]
fn the_json_schema_agrees_with_the_check() {
    let validator = validator();
    for case in cases() {
        let is_accepted = AnyConfiguration::from_json(&case.to_string()).is_ok();
        assert_eq!(validator.is_valid(&case), is_accepted, "{case}");
    }
    insta::assert_json_snapshot!(schemars::schema_for!(AnyConfiguration));
}

#[test]
fn an_editor_marks_the_wrong_field() {
    let validator = validator();
    let mut marked = String::new();
    for case in cases().into_iter().filter(|case| !validator.is_valid(case)) {
        let shown = case.to_string().replace(ID, "ID");
        let _ = writeln!(marked, "{}", if shown.len() > 120 { &shown[..120] } else { &shown });
        for error in validator.iter_errors(&case) {
            let message = error.to_string().replace(ID, "ID");
            assert!(!message.contains("any of the") && !message.contains("exactly one"), "{case}: {message}");
            let start: String = message.chars().take(100).collect();
            let _ = writeln!(marked, "  at {:?}: {start}", error.instance_path().to_string());
        }
    }
    insta::assert_snapshot!(marked);
}
