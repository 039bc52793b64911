//! Strict JSON.

use liveavatar_api::session::{Diagnostic, validate};

const BROKEN: [(&str, &str); 9] = [
    ("missing colon", "{\n  \"mode\": \"LITE\",\n  \"avatar_id\" \"x\"\n}"),
    ("columns count characters", "{\"größe\": \"äöü\" x}"),
    ("trailing comma", "{\"mode\": \"LITE\",}"),
    ("comment", "{\"mode\": \"LITE\" // lite\n}"),
    ("text after the configuration", "{} {}"),
    ("empty", " \n"),
    ("cut off", "{\"mode\": \"LITE\",\n"),
    ("number beyond any range", "{\"max_session_duration\": 1e999}"),
    ("second byte order mark", "\u{feff}\u{feff}{}"),
];

#[test]
fn broken_json_is_reported_with_line_and_column() {
    let report = |(name, text)| format!("# {name}\n{}\n", validate(text));
    insta::assert_snapshot!(BROKEN.map(report).join("\n"));
}

#[test]
fn a_duplicate_key_is_reported_with_its_path() {
    let text = r#"{"mode": "LITE", "avatar_id": "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11",
        "video_settings": {"quality": "low", "encoding": "H264", "quality": "high"}}"#;
    let diagnostics = validate(text);
    let found: Vec<_> = diagnostics.iter().map(|one| (one.path(), one.rule())).collect();
    assert_eq!(found, [("video_settings.quality", "duplicate-key")]);
}

#[test]
fn a_key_that_appears_three_times_is_reported_once() {
    let text = r#"{"mode": "LITE", "mode": "LITE", "mode": "LITE",
        "avatar_id": "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11"}"#;
    assert_eq!(validate(text).len(), 1);
}

#[test]
fn an_escaped_spelling_of_the_same_key_is_a_duplicate() {
    let text = r#"{"mode": "LITE", "mod\u0065": "LITE",
        "avatar_id": "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11"}"#;
    assert_eq!(validate(text).iter().next().map(Diagnostic::rule), Some("duplicate-key"));
}

#[test]
fn duplicate_keys_in_a_list_are_found() {
    let diagnostics = validate(r#"[{"a": 1, "a": 2}]"#);
    let found: Vec<_> = diagnostics.iter().map(|one| (one.path(), one.rule())).collect();
    assert_eq!(found, [("", "not-an-object"), ("[0].a", "duplicate-key")]);
}

#[test]
fn endless_nesting_is_an_error() {
    assert_eq!(validate(&"[".repeat(100_000)).len(), 1);
}

#[test]
fn a_leading_byte_order_mark_is_skipped() {
    let text = "\u{feff}{\"mode\": \"LITE\", \"avatar_id\": \"0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11\"}";
    assert_eq!(validate(text).to_string(), "");
}
