//! Comparison, correction and lowering of OpenAPI documents.

use std::sync::LazyLock;

use serde_json::Value;
use xtask::{diff, lower, normalise, overlay, surface};

use super::edits::edit;

/// A small document with every quirk of the service's document.
static BASE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../base.json")).expect("base.json is valid JSON"));

/// The committed corrections. They apply only to the service's document.
static OVERLAY: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../openapi/overlay.json")).expect("overlay.json is valid JSON")
});

/// Parses the input as JSON, or else applies it to the base as edits.
fn parse_or_edit(input: &[u8], base: &Value) -> Value {
    serde_json::from_slice(input).unwrap_or_else(|_| {
        let mut value = base.clone();
        edit(&mut value, input);
        value
    })
}

/// Compares a document with itself and with the base, and lowers it.
pub fn documents(input: &[u8]) {
    match normalise::normalise(parse_or_edit(input, &BASE), "the document") {
        Ok(document) => {
            check_diff(&document);
            check_lowered(&document);
        }
        Err(failure) => check_failure(&failure),
    }
}

fn check_diff(document: &Value) {
    let same = diff::documents(document, document);
    assert!(same.level().is_none() && same.changes.is_empty(), "the document differs from itself");
    let base = normalise::normalise(BASE.clone(), "base").expect("the base is valid");
    let [forward, backward] = [diff::documents(&base, document), diff::documents(document, &base)];
    assert_eq!(forward.level().is_some(), backward.level().is_some(), "only one direction has a difference");
    if base == *document {
        assert!(forward.level().is_none(), "equal documents differ");
    }
}

fn check_lowered(document: &Value) {
    let lowered = match lower::lower(document) {
        Ok(lowered) => lowered,
        Err(failure) => return check_failure(&failure),
    };
    let again = lower::lower(document).expect("the document can be lowered twice");
    assert_eq!(again.document, lowered.document, "lowering is not deterministic");
    if let Err(failure) = surface::generated(&lowered.document) {
        check_failure(&failure);
    }
}

fn check_failure(failure: &xtask::error::TaskError) {
    let message = failure.to_string();
    assert!(
        message.contains("fix:") && !message.trim_start().starts_with("fix:"),
        "the failure lacks a problem or a fix: {message}"
    );
}

/// Applies an overlay to the base.
pub fn overlays(input: &[u8]) {
    let corrections = parse_or_edit(input, &OVERLAY);
    let mut document = BASE.clone();
    match overlay::apply(&mut document, &corrections) {
        Err(failure) => check_failure(&failure),
        Ok(applied) => {
            let actions = corrections["actions"].as_array().map_or(0, Vec::len);
            assert_eq!(applied.notes.len() + applied.stale.len(), actions, "each action is reported once");
            assert_eq!(
                applied.notes.is_empty(),
                document == *BASE,
                "every change is reported: {:?}",
                applied.notes
            );
            applied.stale.iter().for_each(check_failure);
        }
    }
}
