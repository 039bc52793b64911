//! What a changed document means for callers of the crate.
//!
//! Two OpenAPI 3.1 documents are walked side by side (`walk`: operations, bodies, components, schemas). A schema is read
//! through a `view` that brings the spellings of one meaning into one form; what differs is named by a [`rule`](rules),
//! and what no rule understands is [unhandled](Diff::unhandled), never silent. A component is compared once for each side,
//! and the operations that lead to it are told with it. Then the generated code of both documents is compared (`rust`),
//! each difference goes to the change that causes it, and one that takes something away makes that change breaking.

mod bodies;
mod components;
mod operation;
pub mod report;
pub mod rules;
mod rust;
mod schema;
mod unions;
mod view;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, Pipeline};
use crate::source::Source;
use crate::{normalise, regen, surface};
use report::Format;
use rules::Level;
use walk::{Found, Owner, Walk};

/// One change and its judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What kind of change it is; stable.
    pub id: String,
    /// How bad it is.
    pub level: Level,
    /// `request` or `response`; `None` for what belongs to neither.
    pub side: Option<&'static str>,
    /// The operations that it reaches.
    pub operations: Vec<String>,
    /// Where it stands: in the revision, or in the base if it is gone.
    pub pointer: String,
    /// What changed, as a sentence.
    pub text: String,
    /// The same for the same change between any two versions of the document that hold it.
    pub fingerprint: String,
    /// What changes in the generated code.
    pub rust: Vec<String>,
    /// Why it has this level.
    pub why: &'static str,
}

/// A part that differs and that no rule understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unhandled {
    /// Where it stands.
    pub pointer: String,
    /// What it is.
    pub text: String,
}

/// The difference of two documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// The name of the older document.
    pub base: String,
    /// The name of the newer one.
    pub revision: String,
    /// What changed, the worst first.
    pub changes: Vec<Change>,
    /// What differs and is not understood.
    pub unhandled: Vec<Unhandled>,
    /// What the comparison could not do, one sentence each.
    pub notes: Vec<String>,
}

/// What a difference asks of the crate's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bump {
    /// Callers have to look at their code.
    Breaking,
    /// There is more to call or to read.
    Additive,
    /// Nothing in the code shows it.
    Patch,
}

impl Diff {
    /// How bad it is altogether; `None` without a difference.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        let unhandled = (!self.unhandled.is_empty()).then_some(Level::Warning);
        self.changes.iter().map(|change| change.level).chain(unhandled).max()
    }

    /// How many changes have this level.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        self.changes.iter().filter(|change| change.level == level).count()
    }

    /// What the difference asks of the crate's version.
    #[must_use]
    pub fn bump(&self) -> Bump {
        let gains = self.changes.iter().any(|change| !change.rust.is_empty());
        match self.level() {
            Some(Level::Breaking) => Bump::Breaking,
            _ if gains => Bump::Additive,
            _ => Bump::Patch,
        }
    }

    /// The operations that the older document has and the newer has not.
    #[must_use]
    pub fn lost_operations(&self) -> Vec<&str> {
        let lost = self.changes.iter().filter(|change| change.id == rules::OPERATION_REMOVED.name);
        lost.flat_map(|change| &change.operations).map(String::as_str).collect()
    }
}

/// Runs `cargo xtask diff`.
///
/// # Errors
/// When a document cannot be read or is no OpenAPI 3.1 document.
pub fn run(
    root: &Path,
    base: &Source,
    revision: Option<&Source>,
    format: Format,
    fail_on: Option<Level>,
    out: &mut dyn Write,
) -> Result<Outcome, Failure> {
    let committed = Source::File(root.join(regen::UPSTREAM));
    let read = |source: &Source, name: &str| normalise::normalise(source.read()?, name);
    let (base_name, base) = (base.name(), read(base, &base.name())?);
    let revision_name = revision.map_or_else(|| regen::UPSTREAM.to_owned(), Source::name);
    let revision = read(revision.unwrap_or(&committed), &revision_name)?;
    let diff = between(root, (&base_name, &base), (&revision_name, &revision))?;
    report::write(&diff, format, out).map_err(|error| regen::unwritable(&error))?;
    let met = fail_on.is_some_and(|level| diff.level().is_some_and(|worst| worst >= level));
    Ok(if met { Outcome::Different } else { Outcome::Fresh })
}

/// Compares two normalised documents, and the code that is generated from them with the committed corrections.
///
/// # Errors
/// When the corrections cannot be read.
pub fn between(root: &Path, base: (&str, &Value), revision: (&str, &Value)) -> Result<Diff, Failure> {
    if base.1 == revision.1 {
        return Ok(compare(base, revision, None, Vec::new()));
    }
    let overlay = pipeline::corrections(root)?;
    // The two have nothing to do with each other until here.
    let (old, new) = std::thread::scope(|scope| {
        let old = scope.spawn(|| Pipeline::run(base.1.clone(), &overlay));
        let new = Pipeline::run(revision.1.clone(), &overlay);
        (old.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), new)
    });
    let mut notes = Vec::new();
    let delta = old.and_then(|old| Ok((old, new?))).and_then(|(old, mut new)| {
        let stale = new.stale().len();
        if stale > 0 {
            notes.push(format!(
                "{stale} correction(s) or lowering step(s) no longer apply; `cargo xtask regen` names them"
            ));
        }
        delta(&old, &new)
    });
    let delta = delta.map_err(|failure| {
        let problem = failure.to_string();
        notes.push(format!(
            "the generated code could not be compared: {}",
            problem.lines().next().unwrap_or_default()
        ));
    });
    Ok(compare(base, revision, delta.ok(), notes))
}

/// Compares two normalised documents alone, without the code that is generated from them.
#[must_use]
pub fn documents(base: &Value, revision: &Value) -> Diff {
    compare(("base", base), ("revision", revision), None, Vec::new())
}

/// Compares two documents that went through the pipeline.
///
/// # Errors
/// When progenitor refuses one of them.
pub fn of_pipelines(old: (&str, &Pipeline), new: (&str, &Pipeline)) -> Result<Diff, Failure> {
    let delta = delta(old.1, new.1)?;
    Ok(compare((old.0, &old.1.upstream), (new.0, &new.1.upstream), Some(delta), Vec::new()))
}

/// The difference of the code that is generated from two documents.
fn delta(old: &Pipeline, new: &Pipeline) -> Result<rust::Delta, Failure> {
    let (was, is) = surface::differing(&old.lowered.document, &new.lowered.document)?;
    Ok(rust::Delta::between(&rust::Surface::new(&was, &old.lowered), &rust::Surface::new(&is, &new.lowered)))
}

/// A change on its way into the report.
struct Draft {
    change: Change,
    causes: Vec<rust::Cause>,
}

fn compare(
    base: (&str, &Value),
    revision: (&str, &Value),
    delta: Option<rust::Delta>,
    notes: Vec<String>,
) -> Diff {
    let walk = Walk::run(base.1, revision.1);
    let unhandled = walk
        .unhandled
        .iter()
        .map(|(pointer, text)| Unhandled { pointer: pointer.clone(), text: text.clone() })
        .collect();
    let operations = operations(&walk);
    let mut drafts: BTreeMap<(String, String, Option<&'static str>, String), Draft> = BTreeMap::new();
    for (node, operations) in walk.nodes.into_iter().zip(operations) {
        for found in node.found {
            let cause = rust::Cause::new(&node.owner, &found, base.1, revision.1);
            let side = found.side.map(rules::Side::name);
            let level = found.rule.level(found.side);
            let why = found.rule.reason(found.side);
            let fingerprint = fingerprint(&found, side);
            let draft = drafts
                .entry((found.pointer.clone(), found.id.clone(), side, fingerprint.clone()))
                .or_insert_with(|| Draft {
                    change: Change {
                        id: found.id,
                        level,
                        side,
                        operations: Vec::new(),
                        pointer: found.pointer,
                        text: found.text,
                        fingerprint,
                        rust: Vec::new(),
                        why,
                    },
                    causes: Vec::new(),
                });
            if level > draft.change.level {
                (draft.change.level, draft.change.why) = (level, why);
            }
            draft.change.operations.extend(operations.iter().cloned());
            draft.causes.push(cause);
        }
    }
    let mut drafts: Vec<Draft> = drafts.into_values().collect();
    for draft in &mut drafts {
        draft.change.operations.sort();
        draft.change.operations.dedup();
    }
    if let Some(delta) = delta {
        rust::attribute(delta, &mut drafts);
    }
    let renamed = rules::REFERENCE_CHANGED.name;
    // The same shape under another name is no change, unless a Rust type takes its name from it.
    drafts.retain(|draft| !draft.change.id.ends_with(renamed) || !draft.change.rust.is_empty());
    let mut changes: Vec<Change> = drafts.into_iter().map(|draft| draft.change).collect();
    changes.sort_by(|a, b| {
        b.level.cmp(&a.level).then_with(|| (&a.pointer, &a.id, a.side).cmp(&(&b.pointer, &b.id, b.side)))
    });
    Diff { base: base.0.to_owned(), revision: revision.0.to_owned(), changes, unhandled, notes }
}

/// The operations that lead to each node.
fn operations(walk: &Walk<'_>) -> Vec<BTreeSet<String>> {
    let mut operations = vec![BTreeSet::new(); walk.nodes.len()];
    for (index, node) in walk.nodes.iter().enumerate() {
        let Owner::Operation { key, .. } = &node.owner else { continue };
        let mut open = vec![index];
        while let Some(at) = open.pop() {
            if operations[at].insert(key.clone()) {
                open.extend(&walk.nodes[at].uses);
            }
        }
    }
    operations
}

/// What a change is, without the words that say it.
fn fingerprint(found: &Found, side: Option<&str>) -> String {
    let value = |value: &Option<Value>| value.as_ref().map(Value::to_string).unwrap_or_default();
    let (before, after) = (value(&found.before), value(&found.after));
    digest(&[&found.id, side.unwrap_or_default(), &found.pointer, &before, &after])
}

fn digest(parts: &[&str]) -> String {
    const BYTES: usize = 6;
    let hash = Sha256::digest(parts.join("\n"));
    let number = hash.iter().take(BYTES).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    format!("{number:012x}")
}
