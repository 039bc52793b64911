//! Session configuration files.

use liveavatar_api::session::{AnyConfiguration, validate};
use serde_json::Value;

/// Whether a key anywhere in the value holds the text: keys are shown where they are unknown.
fn has_key(value: &Value, text: &str) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| key.contains(text) || has_key(value, text)),
        Value::Array(items) => items.iter().any(|item| has_key(item, text)),
        _ => false,
    }
}

/// A configuration is taken exactly if nothing is wrong with it; what is wrong is said in order, at a place that is there or whose
/// surroundings are, and without repeating a value.
pub fn configurations(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let problems = validate(text);
    let read = AnyConfiguration::from_json(text);
    assert_eq!(read.is_ok(), !problems.has_errors(), "{problems}");

    let paths: Vec<&str> = problems.iter().map(liveavatar_api::session::Diagnostic::path).collect();
    assert!(paths.is_sorted(), "{paths:?}");
    let value = serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}'));
    let shown = format!("{problems}\n{problems:?}");
    match &value {
        Ok(value) => {
            for problem in &problems {
                let pointer = problem.pointer();
                let around = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
                let there = [pointer, around].iter().any(|pointer| value.pointer(pointer).is_some());
                assert!(there, "{pointer} is nowhere: {problem}");
                assert!(!problem.message().is_empty() && !problem.rule().is_empty());
            }
            assert!(has_key(value, "canary") || !shown.contains("canary"), "{shown}");
        }
        Err(_) => {
            assert!(problems.has_errors(), "no JSON, and nothing is wrong with it");
        }
    }
    if let Ok(configuration) = read {
        let written = serde_json::to_string(&configuration).expect("it is JSON");
        assert_eq!(AnyConfiguration::from_json(&written).expect("our own configuration"), configuration);
    }
}
