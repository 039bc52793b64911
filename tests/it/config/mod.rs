//! Session configurations: each rule breaks in a configuration that is otherwise without errors.

pub(crate) mod bases;
mod cases;
mod configuration;
mod livekit;
mod properties;
mod schema;
mod secrets;
mod text;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bases::{custom, everything_of_full, everything_of_lite, full, lite, mode_omitted, persona};
use liveavatar_api::session::{RULES, Severity, validate};
use serde_json::{Map, Value, json};

/// In a change, removes the field.
const GONE: &str = "$GONE";

/// A configuration that breaks a rule: its name, a base, and JSON that is merged into the base.
///
/// In the JSON, `"$ID"`, `"$ROOM"` and `"$CHANNEL"` are replaced by parts from `bases`.
type Case = (&'static str, fn() -> Value, &'static str);

/// Merges a change into a base: objects are merged, everything else is replaced.
fn merge(base: &mut Value, change: &Value) {
    let (Value::Object(base), Value::Object(change)) = (&mut *base, change) else {
        *base = change.clone();
        return;
    };
    for (key, value) in change {
        if value == GONE {
            base.remove(key);
        } else if value.is_object() && base.get(key).is_some_and(Value::is_object) {
            merge(base.entry(key.as_str()).or_insert_with(|| Value::Object(Map::new())), value);
        } else {
            base.insert(key.clone(), value.clone());
        }
    }
}

fn text_of(base: fn() -> Value, change: &str) -> String {
    let change = change
        .replace("$ID", bases::ID)
        .replace("\"$ROOM\"", &bases::room().to_string())
        .replace("\"$CHANNEL\"", &bases::channel().to_string());
    let mut value = base();
    merge(&mut value, &serde_json::from_str(&change).expect("a change is JSON"));
    value.to_string()
}

/// Configurations that only text can express: rule, name, text.
const TEXTS: [(&str, &str, &str); 3] = [
    ("invalid-json", "incomplete JSON", "{"),
    ("not-an-object", "list", "[]"),
    ("duplicate-key", "a key twice", r#"{"mode": "LITE", "mode": "LITE", "avatar_id": ""}"#),
];

/// Rules that only values typed in code can break; the unit tests of `schema` have their cases.
pub(crate) const ONLY_IN_CODE: [&str; 1] = ["unlisted-value"];

/// Rule, name and text of every case.
fn all_cases() -> impl Iterator<Item = (&'static str, &'static str, String)> {
    let cases = RULES.iter().flat_map(|rule| {
        cases::of(rule.id).iter().map(|(name, base, change)| (rule.id, *name, text_of(*base, change)))
    });
    cases.chain(TEXTS.map(|(rule, name, text)| (rule, name, text.to_owned())))
}

/// Name and text of every case.
pub(crate) fn all_texts() -> impl Iterator<Item = (&'static str, String)> {
    all_cases().map(|(_, name, text)| (name, text))
}

#[test]
fn base_configurations_have_no_diagnostics() {
    let bases = [full, persona, lite, custom, everything_of_full, everything_of_lite, mode_omitted];
    for base in bases {
        let text = base().to_string();
        assert_eq!(validate(&text).to_string(), "", "{text}");
    }
}

#[test]
fn every_rule_reports_its_cases() {
    for rule in RULES.iter().filter(|rule| !ONLY_IN_CODE.contains(&rule.id)) {
        let mut report = String::new();
        for (_, name, text) in all_cases().filter(|(of, ..)| *of == rule.id) {
            writeln!(report, "# {name}\n{}\n", validate(&text)).unwrap();
        }
        insta::with_settings!({ description => rule.text, omit_expression => true }, {
            insta::assert_snapshot!(format!("rule__{}", rule.id), report.trim_end());
        });
    }
}

#[test]
fn every_case_breaks_its_rule() {
    for (rule, name, text) in all_cases() {
        let diagnostics = validate(&text);
        assert!(diagnostics.iter().any(|one| one.rule() == rule), "{name}: {diagnostics}");
    }
}

#[test]
fn every_rule_has_a_case() {
    let mut listed: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    for rule in ONLY_IN_CODE {
        assert!(listed.remove(rule), "{rule} is not in the table");
    }
    let reported: BTreeSet<&str> =
        all_cases().flat_map(|(.., text)| validate(&text)).map(|one| one.rule()).collect();
    assert_eq!(reported, listed);
    let idle: Vec<_> = listed.into_iter().filter(|id| !all_cases().any(|(rule, ..)| rule == *id)).collect();
    assert_eq!(idle, [""; 0]);
}

#[test]
fn rule_ids_are_unique() {
    let ids: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), RULES.len());
}

#[test]
fn a_diagnostic_has_severity_and_source_of_its_rule() {
    for one in all_texts().flat_map(|(_, text)| validate(&text)) {
        let rule = RULES.iter().find(|rule| rule.id == one.rule()).expect("a listed rule");
        assert_eq!((one.severity(), one.source()), (rule.severity, rule.source));
    }
}

#[test]
fn errors_and_warnings_are_separate() {
    let mut value = persona();
    merge(&mut value, &json!({"zzz": 1, "video_settings": {"encoding": "VP8"}}));
    let diagnostics = validate(&value.to_string());
    assert!(diagnostics.has_errors());
    assert!(diagnostics.errors().all(|one| one.severity() == Severity::Error));
    assert_eq!((diagnostics.errors().count(), diagnostics.warnings().count()), (1, 1));
}

#[test]
fn the_order_of_fields_does_not_matter() {
    let one = r#"{"mode": "LITE", "avatar_id": "x", "zzz": 1, "aaa": 1}"#;
    let other = r#"{"aaa": 1, "zzz": 1, "avatar_id": "x", "mode": "LITE"}"#;
    assert_eq!(validate(one), validate(other));
}

#[test]
fn the_rule_table_is_reviewed() {
    let mut table = String::new();
    for rule in RULES {
        let modes: Vec<&str> = rule.modes.iter().map(|mode| mode.as_str()).collect();
        let modes = modes.join(" ");
        writeln!(table, "{} [{}] {modes}: {}\n  {}", rule.severity, rule.id, rule.text, rule.source).unwrap();
    }
    insta::assert_snapshot!(table.trim_end());
}
