//! The maintainer's side: documents that are compared, corrected and lowered.

use std::sync::LazyLock;

use serde_json::Value;
use xtask::{diff, lower, normalise, overlay, surface};

use super::edits::edit;

/// A document with one of each of the service's quirks, small enough to be changed everywhere.
static BASE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../base.json")).expect("the base is JSON"));

/// The committed corrections, which fit the service's document only.
static OVERLAY: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../openapi/overlay.json")).expect("it is JSON")
});

/// The input as JSON, or else as changes of the base.
fn json_of(input: &[u8], base: &Value) -> Value {
    serde_json::from_slice(input).unwrap_or_else(|_| {
        let mut value = base.clone();
        edit(&mut value, input);
        value
    })
}

/// Any JSON as a document, if it is one: nothing differs from itself, what differs one way does so the other way, and lowering comes to what
/// progenitor reads or to a failure that says why.
pub fn documents(input: &[u8]) {
    match normalise::normalise(json_of(input, &BASE), "the document") {
        Ok(document) => {
            check_diff(&document);
            check_lowered(&document);
        }
        Err(failure) => check_failure(&failure),
    }
}

fn check_diff(document: &Value) {
    let same = diff::documents(document, document);
    assert!(same.level().is_none() && same.changes.is_empty(), "it differs from itself");
    let base = normalise::normalise(BASE.clone(), "base").expect("the base is a document");
    let [there, back] = [diff::documents(&base, document), diff::documents(document, &base)];
    assert_eq!(there.level().is_some(), back.level().is_some(), "it differs one way only");
    if base == *document {
        assert!(there.level().is_none(), "it differs from its equal");
    }
}

fn check_lowered(document: &Value) {
    let lowered = match lower::lower(document) {
        Ok(lowered) => lowered,
        Err(failure) => return check_failure(&failure),
    };
    let again = lower::lower(document).expect("it was lowered before");
    assert_eq!(again.document, lowered.document, "lowering comes to something else each time");
    if let Err(failure) = surface::generated(&lowered.document) {
        check_failure(&failure);
    }
}

fn check_failure(failure: &xtask::error::TaskError) {
    let told = failure.to_string();
    assert!(
        told.contains("fix:") && !told.trim_start().starts_with("fix:"),
        "a failure without problem or way out: {told}"
    );
}

/// Any JSON as an overlay: applied to the base it says what it changed, or what is wrong with it.
pub fn overlays(input: &[u8]) {
    let corrections = json_of(input, &OVERLAY);
    let mut document = BASE.clone();
    match overlay::apply(&mut document, &corrections) {
        Err(failure) => check_failure(&failure),
        Ok(applied) => {
            let actions = corrections["actions"].as_array().map_or(0, Vec::len);
            assert_eq!(applied.notes.len() + applied.stale.len(), actions, "an action is told once");
            assert_eq!(
                applied.notes.is_empty(),
                document == *BASE,
                "what was changed is told: {:?}",
                applied.notes
            );
            applied.stale.iter().for_each(check_failure);
        }
    }
}
