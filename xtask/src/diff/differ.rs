//! The state of a comparison: the two documents, the findings, and the parts that are done.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::findings::Findings;
use super::normalised::Located;
use super::rules::DiffSide;
use super::{components, document};

/// A comparison of two documents, which every module of the differ passes on.
pub(super) struct Differ<'a> {
    /// The older document.
    pub(super) base: &'a Value,
    /// The newer document.
    pub(super) revision: &'a Value,
    pub(super) findings: Findings,
    pub(super) seen: Compared<'a>,
}

/// Parts that need not be compared again.
#[derive(Default)]
pub(super) struct Compared<'a> {
    /// The nodes of the component schemas, by their names in both documents and the side.
    pub(super) schemas: BTreeMap<(&'a str, &'a str, DiffSide), usize>,
    /// Pointers of the parameters, bodies, responses and headers that references lead to.
    pub(super) targets: BTreeSet<String>,
    /// Pairs of schemas whose references are being followed, to end recursion.
    pub(super) following: Vec<(String, String)>,
}

impl<'a> Differ<'a> {
    /// Compares two documents.
    pub(super) fn run(base: &'a Value, revision: &'a Value) -> Self {
        let mut cx = Self { base, revision, findings: Findings::default(), seen: Compared::default() };
        let scope = document::compare(&mut cx);
        components::compare(&mut cx, &scope);
        cx
    }

    /// Follows a reference to a parameter, body, response or header.
    pub(super) fn resolved(&mut self, document: &'a Value, part: Located<'a>) -> Located<'a> {
        let reference = part.value.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#'));
        match reference.and_then(|pointer| Some((document.pointer(pointer)?, pointer))) {
            Some((value, pointer)) => {
                self.seen.targets.insert(pointer.to_owned());
                Located::new(value, pointer)
            }
            None => part,
        }
    }
}
