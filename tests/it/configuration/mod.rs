//! Every rule for session configurations: a base that is clean, and one change per case.

pub(crate) mod bases;
mod fields;
mod rules;
mod secrets;
mod text;
mod values;

use bases::{custom, everything_of_full, everything_of_lite, full, lite, mode_left_out, persona};
use liveavatar_api::session::{RULES, Severity, validate};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;

/// In a change, stands for the removal of the field.
const GONE: &str = "$GONE";

struct Case {
    name: &'static str,
    base: fn() -> Value,
    /// JSON laid over the base. `"$ID"`, `"$ROOM"` and `"$CHANNEL"` stand for the parts in `bases`.
    change: &'static str,
}

/// Lays a change over a base: objects are merged, everything else is replaced.
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

fn text_of(case: &Case) -> String {
    let change = case
        .change
        .replace("$ID", bases::ID)
        .replace("\"$ROOM\"", &bases::room().to_string())
        .replace("\"$CHANNEL\"", &bases::channel().to_string());
    let mut value = (case.base)();
    merge(&mut value, &serde_json::from_str(&change).expect("a change is JSON"));
    value.to_string()
}

/// Configurations that only text can hold.
const TEXTS: [(&str, &str); 3] = [
    ("no json", "{"),
    ("no object", "[]"),
    ("a key twice", r#"{"mode": "LITE", "mode": "LITE", "avatar_id": ""}"#),
];

pub(crate) fn all_texts() -> impl Iterator<Item = (&'static str, String)> {
    let cases = [fields::CASES, values::CASES, rules::CASES].into_iter().flatten();
    cases.map(|case| (case.name, text_of(case))).chain(TEXTS.map(|(name, text)| (name, text.to_owned())))
}

#[test]
fn base_configurations_are_clean() {
    let bases = [full, persona, lite, custom, everything_of_full, everything_of_lite, mode_left_out];
    for base in bases {
        let text = base().to_string();
        assert_eq!(validate(&text).to_string(), "", "{text}");
    }
}

#[test]
fn every_case_reports_what_it_should() {
    let mut reports = String::new();
    for (name, text) in all_texts() {
        let _ = writeln!(reports, "# {name}\n{}\n", validate(&text));
    }
    insta::assert_snapshot!(reports.trim_end());
}

#[test]
fn every_case_has_a_problem() {
    for (name, text) in all_texts() {
        assert!(!validate(&text).is_empty(), "{name}");
    }
}

#[test]
fn the_table_lists_exactly_the_rules_that_problems_name() {
    let listed: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    let named: BTreeSet<&str> =
        all_texts().flat_map(|(_, text)| validate(&text)).map(|problem| problem.rule()).collect();
    assert_eq!(named, listed);
}

#[test]
fn every_id_is_in_the_table_once() {
    let ids: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), RULES.len());
}

#[test]
fn a_problem_repeats_severity_and_source_of_its_rule() {
    for problem in all_texts().flat_map(|(_, text)| validate(&text)) {
        let rule = RULES.iter().find(|rule| rule.id == problem.rule()).expect("a listed rule");
        assert_eq!((problem.severity(), problem.source()), (rule.severity, rule.source));
    }
}

#[test]
fn errors_and_warnings_are_told_apart() {
    let mut value = persona();
    merge(&mut value, &json!({"zzz": 1, "video_settings": {"encoding": "VP8"}}));
    let problems = validate(&value.to_string());
    assert!(problems.has_errors());
    assert!(problems.errors().all(|problem| problem.severity() == Severity::Error));
    assert_eq!((problems.errors().count(), problems.warnings().count()), (1, 1));
}

#[test]
fn the_order_of_fields_in_the_text_does_not_matter() {
    let one = r#"{"mode": "LITE", "avatar_id": "x", "zzz": 1, "aaa": 1}"#;
    let other = r#"{"aaa": 1, "zzz": 1, "avatar_id": "x", "mode": "LITE"}"#;
    assert_eq!(validate(one), validate(other));
}

#[test]
fn the_table_is_reviewed_as_a_whole() {
    let mut table = String::new();
    for rule in RULES {
        let _ = writeln!(table, "{} [{}] {}\n  {}", rule.severity, rule.id, rule.text, rule.source);
    }
    insta::assert_snapshot!(table.trim_end());
}
