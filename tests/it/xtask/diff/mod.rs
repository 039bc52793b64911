//! `cargo xtask diff`: a frozen document and many changes of it, each compared in both directions.

mod cases;
mod completeness;
mod oasdiff;
mod small;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;
use xtask::diff::{self, Diff};
use xtask::documents;
use xtask::normalise;

use super::{frozen, read};

/// The changes of the frozen document by name, as JSON Patch.
fn changes() -> BTreeMap<String, json_patch::Patch> {
    serde_json::from_str(include_str!("cases.json")).unwrap()
}

/// The frozen document.
fn base() -> Value {
    read(&frozen().join(documents::UPSTREAM))
}

fn changed(base: &Value, patch: &json_patch::Patch) -> Value {
    let mut document = base.clone();
    json_patch::patch(&mut document, patch).unwrap();
    document
}

/// The differences that a change makes, forward and back.
fn both_ways(base: &Value, changed: &Value) -> [Diff; 2] {
    let between = |old: &Value, new: &Value| {
        let normal = |document: &Value| normalise::normalise(document.clone(), "document").unwrap();
        diff::between(&frozen(), ("before", &normal(old)), ("after", &normal(new))).unwrap()
    };
    [between(base, changed), between(changed, base)]
}

/// The differences of every change by name, forward and back. Computed once for all tests, because it takes a while.
fn every_case() -> &'static BTreeMap<String, [Diff; 2]> {
    static CASES: LazyLock<BTreeMap<String, [Diff; 2]>> = LazyLock::new(|| {
        let (base, cases) = (base(), changes());
        let both = |(name, patch)| {
            let diffs = both_ways(&base, &changed(&base, &patch));
            (name, diffs)
        };
        cases.into_iter().map(both).collect()
    });
    &CASES
}
