//! Validation of session configurations.

use liveavatar_api::session::{AnyConfiguration, validate};
use serde_json::Value;

/// Whether any key contains the text. Diagnostics may show unknown keys.
fn has_key(value: &Value, text: &str) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| key.contains(text) || has_key(value, text)),
        Value::Array(items) => items.iter().any(|item| has_key(item, text)),
        _ => false,
    }
}

/// Validates and reads a configuration.
pub fn configurations(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let diagnostics = validate(text);
    let read = AnyConfiguration::from_json(text);
    assert_eq!(read.is_ok(), !diagnostics.has_errors(), "{diagnostics}");

    let paths: Vec<&str> = diagnostics.iter().map(liveavatar_api::session::Diagnostic::path).collect();
    assert!(paths.is_sorted(), "{paths:?}");
    let value = serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}'));
    let shown = format!("{diagnostics}\n{diagnostics:?}");
    match &value {
        Ok(value) => {
            for diagnostic in &diagnostics {
                let pointer = diagnostic.pointer();
                // The diagnostic of a missing field points to a field of an existing object.
                let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
                let exists = [pointer, parent].iter().any(|pointer| value.pointer(pointer).is_some());
                assert!(exists, "{pointer} does not exist: {diagnostic}");
                assert!(!diagnostic.message().is_empty() && !diagnostic.rule().is_empty());
            }
            assert!(has_key(value, "canary") || !shown.contains("canary"), "{shown}");
        }
        Err(_) => assert!(diagnostics.has_errors(), "invalid JSON without an error"),
    }
    if let Ok(configuration) = read {
        let written = serde_json::to_string(&configuration).expect("a configuration serializes");
        assert_eq!(
            AnyConfiguration::from_json(&written).expect("a written configuration is valid"),
            configuration
        );
    }
}
