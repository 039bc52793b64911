//! `cargo xtask diff`: one base document, many changes of it, and what is said of each in both directions.

mod cases;
mod comparison;
mod never_silent;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;
use xtask::diff::{self, Diff};
use xtask::{normalise, regen};

/// The changes of the committed document, as JSON Patch, by name.
fn changes() -> BTreeMap<String, json_patch::Patch> {
    serde_json::from_str(include_str!("cases.json")).unwrap()
}

/// The committed document.
fn base() -> Value {
    let text = std::fs::read_to_string(regen::workspace().join(regen::UPSTREAM)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn changed(base: &Value, patch: &json_patch::Patch) -> Value {
    let mut document = base.clone();
    json_patch::patch(&mut document, patch).unwrap();
    document
}

/// What is said of a change there and back.
fn both_ways(base: &Value, changed: &Value) -> [Diff; 2] {
    let between = |old: &Value, new: &Value| {
        let normal = |document: &Value| normalise::normalise(document.clone(), "document").unwrap();
        diff::between(&regen::workspace(), ("before", &normal(old)), ("after", &normal(new))).unwrap()
    };
    [between(base, changed), between(changed, base)]
}

/// What is said of every change there and back, by its name; told once for all tests, since it takes a while.
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
