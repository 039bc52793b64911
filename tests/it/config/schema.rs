//! The JSON Schema of configurations.

use liveavatar_api::session::AnyConfiguration;
use serde_json::json;

use super::bases::{ID, room};

#[test]
fn the_json_schema_agrees_with_the_check() {
    let schema = schemars::schema_for!(AnyConfiguration);
    let validator = jsonschema::options().should_validate_formats(true).build(schema.as_value()).unwrap();
    let cases = [
        json!({ "mode": "LITE", "avatar_id": ID }),
        json!({ "mode": "FULL", "avatar_id": ID, "voice_agent": { "id": ID } }),
        json!({ "mode": "FULL", "avatar_id": ID }),
        json!({ "mode": "FULL", "avatar_id": ID, "voice_agent": { "id": ID }, "livekit_config": room() }),
        json!({ "mode": "CUSTOM", "avatar_id": ID }),
        json!({ "mode": "CUSTOM", "avatar_id": ID, "livekit_config": room() }),
        json!({ "mode": "LITE", "avatar_id": ID, "issandbox": true }),
        json!({ "mode": "LITE", "avatar_id": "Anna" }),
        json!({ "mode": "LITE", "avatar_id": ID, "video_settings": { "quality": "best" } }),
        json!({ "avatar_id": ID }),
    ];
    for case in cases {
        let is_accepted = AnyConfiguration::from_json(&case.to_string()).is_ok();
        assert_eq!(validator.is_valid(&case), is_accepted, "{case}");
    }
    insta::assert_json_snapshot!(schema);
}
