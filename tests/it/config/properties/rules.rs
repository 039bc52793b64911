//! The rules across fields, implemented a second time from their evidence, without the crate's code and limits.

use serde_json::{Map, Value};
use uuid::{Uuid, uuid};

/// The ids of all rules here.
pub(super) const RULES: [&str; 11] = [
    "session-duration",
    "sandbox-avatar",
    "sandbox-duration",
    "persona-or-voice-agent",
    "dynamic-variables-twice",
    "dynamic-variables-entries",
    "dynamic-variable-key",
    "dynamic-variable-value",
    "one-transport",
    "one-connector",
    "custom-needs-livekit",
];

/// Source: the documentation and the official guides.
const SANDBOX_AVATAR: Uuid = uuid!("dd73ea75-1218-4ef3-92ce-606d5f7fbc0a");

/// Seconds; the service was seen to reject more.
const SANDBOX_LIMIT: f64 = 60.0;

/// Entries, characters of a key, characters of a value. Source: descriptions in the document.
const VARIABLES: (usize, usize, usize) = (50, 64, 1000);

/// The ids of the rules that the configuration breaks in its mode.
pub(super) fn broken(mode: &str, configuration: &Map<String, Value>) -> Vec<&'static str> {
    // Null counts as absent in all of them.
    let get = |name: &str| configuration.get(name).filter(|value| !value.is_null());
    let set = |names: &[&str]| names.iter().filter(|name| get(name).is_some()).count();
    let duration = get("max_session_duration").and_then(Value::as_f64);
    let mut broken = Vec::new();
    let mut rule = |name, is_broken: bool| broken.extend(is_broken.then_some(name));

    rule("session-duration", duration.is_some_and(|seconds| seconds < 1.0));
    if get("is_sandbox") == Some(&Value::Bool(true)) {
        let avatar = get("avatar_id").and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
        rule("sandbox-avatar", avatar.is_some_and(|id| id != SANDBOX_AVATAR));
        rule("sandbox-duration", duration.is_some_and(|seconds| seconds > SANDBOX_LIMIT));
    }
    if mode == "FULL" {
        let inside = get("voice_agent").and_then(|agent| agent.get("dynamic_variables"));
        let inside = inside.filter(|variables| !variables.is_null());
        let outside = get("dynamic_variables");
        rule("persona-or-voice-agent", set(&["avatar_persona", "voice_agent"]) != 1);
        rule("dynamic-variables-twice", inside.is_some() && outside.is_some());
        let (entries, of_key, of_value) = VARIABLES;
        for variables in [inside, outside].into_iter().flatten().filter_map(Value::as_object) {
            let longer = |text: &str, limit| text.chars().count() > limit;
            let mut values = variables.values().filter_map(Value::as_str);
            rule("dynamic-variables-entries", variables.len() > entries);
            rule("dynamic-variable-key", variables.keys().any(|key| longer(key, of_key)));
            rule("dynamic-variable-value", values.any(|value| longer(value, of_value)));
        }
    } else {
        let connectors = ["elevenlabs_agent_config", "openai_realtime_config", "gemini_realtime_config"];
        rule("one-transport", set(&["livekit_config", "agora_config"]) > 1);
        rule("one-connector", set(&connectors) > 1);
        rule("custom-needs-livekit", mode == "CUSTOM" && get("livekit_config").is_none());
    }
    broken
}
