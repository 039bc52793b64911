//! What a changed document means for callers of the crate.
//!
//! Two OpenAPI 3.1 documents are compared part by part, in one module per part: `document`, `operation`, `security`,
//! `body`, `response`, `components`, and for schemas `schema`, `properties`, `limits` and `unions`. Schemas are brought into
//! the form of `normalised` first. Each difference is reported under a [rule](rules), or as [unhandled](Diff::unhandled) if
//! no rule covers it. A component is compared once for each side, and every operation that leads to it is listed. Then
//! `rust` compares the generated code, and assigns each difference to the change that causes it.

mod body;
mod components;
mod differ;
mod document;
mod findings;
pub mod generated;
mod limits;
mod normalised;
mod operation;
mod page;
mod properties;
pub mod report;
mod response;
pub mod rules;
mod rust;
mod schema;
mod security;
mod uncompared;
mod unions;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::documents;
use crate::error::{TaskError, TaskStatus};
use crate::lower::RefusedOperation;
use crate::normalise;
use crate::pipeline::{self, Pipeline};
use crate::shell::{Shell, count};
use crate::source::DocumentSource;
use differ::Differ;
use findings::{DiffFinding, Findings, NodeOwner, UnhandledPart};
use report::ReportFormat;
use rules::Level;
use rust::CodeChanges;

/// One change and its judgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiChange {
    /// The kind of change; stable.
    pub id: String,
    /// How bad it is.
    pub level: Level,
    /// `request` or `response`; `None` for changes that belong to neither.
    pub side: Option<&'static str>,
    /// The operations that it reaches.
    pub operations: Vec<String>,
    /// The place in the revision, or in the base for a removal.
    pub pointer: String,
    /// What changed, as a sentence.
    pub text: String,
    /// The same for the same change between any two versions of the document.
    pub fingerprint: String,
    /// What changes in the generated code.
    pub rust: Vec<String>,
    /// Why it has this level.
    pub why: &'static str,
    /// The value in the base; `None` if it has none. For a type or an enum, the schema around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value in the revision; `None` if it has none. For a type or an enum, the schema around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// A part that differs and that no rule covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unhandled {
    /// The place in the document.
    pub pointer: String,
    /// What differs, as a sentence.
    pub text: String,
    /// Why it counts as a warning.
    pub why: &'static str,
    /// The value in the base; `None` if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value in the revision; `None` if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// The difference between two documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// The name of the older document.
    pub base: String,
    /// The name of the newer document.
    pub revision: String,
    /// What changed, the worst first.
    pub changes: Vec<ApiChange>,
    /// What differs without a rule that covers it.
    pub unhandled: Vec<Unhandled>,
    /// What the comparison could not do, one sentence each.
    pub notes: Vec<String>,
}

/// What a difference requires of the crate's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionBump {
    /// Callers have to check their code.
    Breaking,
    /// The crate gains items.
    Additive,
    /// The code does not change.
    Patch,
}

impl Diff {
    /// The worst level; `None` without a difference.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        let unhandled = (!self.unhandled.is_empty()).then_some(Level::Warning);
        self.changes.iter().map(|change| change.level).chain(unhandled).max()
    }

    /// The number of changes of this level.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        self.changes.iter().filter(|change| change.level == level).count()
    }

    /// What the difference requires of the crate's version.
    #[must_use]
    pub fn bump(&self) -> VersionBump {
        let gains = self.changes.iter().any(|change| !change.rust.is_empty());
        match self.level() {
            Some(Level::Breaking) => VersionBump::Breaking,
            _ if gains => VersionBump::Additive,
            _ => VersionBump::Patch,
        }
    }

    /// The operations that only the older document has.
    #[must_use]
    pub fn removed_operations(&self) -> Vec<&str> {
        let removed = self.changes.iter().filter(|change| change.id == rules::OPERATION_REMOVED.name);
        removed.flat_map(|change| &change.operations).map(String::as_str).collect()
    }
}

/// Options of the command.
#[derive(Clone, Debug, clap::Args)]
pub struct DiffOptions {
    /// The older document: a path or a URL.
    pub base: DocumentSource,
    /// The newer document: a path or a URL; the committed one by default.
    pub revision: Option<DocumentSource>,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: ReportFormat,
    /// Exit with 1 if a change has this level or a worse one.
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub fail_on: Option<Level>,
}

/// Runs the command.
///
/// # Errors
/// When a document cannot be read or is not OpenAPI 3.1.
pub fn run(root: &Path, options: &DiffOptions, shell: &mut Shell<'_>) -> Result<TaskStatus, TaskError> {
    let committed = DocumentSource::File(root.join(documents::UPSTREAM));
    let (base_name, revision) = (options.base.name(), options.revision.as_ref());
    let revision_name = revision.map_or_else(|| documents::UPSTREAM.to_owned(), DocumentSource::name);
    let base = normalise::normalise(options.base.read()?, &base_name)?;
    let newer = normalise::normalise(revision.unwrap_or(&committed).read()?, &revision_name)?;
    let diff = between(root, (&base_name, &base), (&revision_name, &newer))?;
    report::write(&diff, options.format, shell)?;
    if options.format == ReportFormat::Text {
        let next = match revision {
            Some(_) if diff.level().is_some() => {
                format!("run `cargo xtask regen --from {revision_name}` to adopt the document")
            }
            _ => "nothing to do".to_owned(),
        };
        let found = count(diff.changes.len() + diff.unhandled.len(), "difference");
        shell.status("Finished", format_args!("{found}; {next}"))?;
    }
    let met = options.fail_on.is_some_and(|level| diff.level().is_some_and(|worst| worst >= level));
    Ok(if met { TaskStatus::Different } else { TaskStatus::Success })
}

/// Compares two normalised documents, and the code generated from them with the committed overlay.
///
/// # Errors
/// When the overlay cannot be read.
pub fn between(root: &Path, base: (&str, &Value), revision: (&str, &Value)) -> Result<Diff, TaskError> {
    if base.1 == revision.1 {
        return Ok(compare(base, revision, None, Vec::new()));
    }
    let overlay = pipeline::overlay(root)?;
    let (old, new) = std::thread::scope(|scope| {
        let old = scope.spawn(|| Pipeline::run(base.1.clone(), &overlay));
        let new = Pipeline::run(revision.1.clone(), &overlay);
        (old.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), new)
    });
    let mut notes = Vec::new();
    let code = old.and_then(|old| Ok((old, new?))).and_then(|(old, mut new)| {
        let stale = new.stale().len();
        if stale > 0 {
            notes.push(format!(
                "overlay actions and lowering steps that no longer apply: {stale}; `cargo xtask regen` names them"
            ));
        }
        CodeChanges::of(&old, &new)
    });
    Ok(compare(base, revision, Some(code), notes))
}

/// Compares two normalised documents without the code generated from them.
#[must_use]
pub fn documents(base: &Value, revision: &Value) -> Diff {
    compare(("base", base), ("revision", revision), None, Vec::new())
}

/// Compares two documents that went through the pipeline.
///
/// # Errors
/// When progenitor rejects one of them.
pub fn of_pipelines(old: (&str, &Pipeline), new: (&str, &Pipeline)) -> Result<Diff, TaskError> {
    let code = CodeChanges::of(old.1, new.1)?;
    Ok(compare((old.0, &old.1.upstream), (new.0, &new.1.upstream), Some(Ok(code)), Vec::new()))
}

/// The name of several operations in sentences; the change lists them.
const SHARED: &str = "several operations";

/// A change that is still being merged with equal findings of other nodes.
struct Draft {
    /// The part in which it was found first.
    owner: NodeOwner,
    change: ApiChange,
    causes: Vec<rust::Cause>,
}

fn compare(
    base: (&str, &Value),
    revision: (&str, &Value),
    code: Option<Result<(CodeChanges, Vec<RefusedOperation>), TaskError>>,
    notes: Vec<String>,
) -> Diff {
    let Findings { nodes, unhandled } = Differ::run(base.1, revision.1).findings;
    let unhandled = unhandled.into_iter().map(|(pointer, UnhandledPart { text, before, after })| Unhandled {
        pointer: existing(&pointer, [base.1, revision.1]),
        text,
        why: rules::UNHANDLED,
        before,
        after,
    });
    let unhandled = unhandled.collect();
    let operations = operations(&nodes);
    let mut drafts: BTreeMap<(String, String, Option<&'static str>, String), Draft> = BTreeMap::new();
    for (node, operations) in nodes.into_iter().zip(operations) {
        for mut finding in node.findings {
            finding.pointer = existing(&finding.pointer, [base.1, revision.1]);
            let cause = rust::Cause::new(&node.owner, &finding, base.1, revision.1);
            let side = finding.side.map(rules::DiffSide::name);
            let (level, why) = (finding.rule.level(finding.side), finding.rule.reason(finding.side));
            let fingerprint = fingerprint(&finding, side);
            let DiffFinding { id, pointer, label, text, before, after, .. } = finding;
            let text = format!("{label}: {text}");
            let draft = drafts
                .entry((pointer.clone(), id.clone(), side, fingerprint.clone()))
                .or_insert_with(|| Draft {
                    owner: node.owner.clone(),
                    change: ApiChange {
                        id,
                        level,
                        side,
                        operations: Vec::new(),
                        pointer,
                        text,
                        fingerprint,
                        rust: Vec::new(),
                        why,
                        before,
                        after,
                    },
                    causes: Vec::new(),
                });
            if level > draft.change.level {
                (draft.change.level, draft.change.why) = (level, why);
            }
            // The sentence must not name one of several operations that share a change.
            if draft.owner != node.owner
                && let NodeOwner::Operation { key, .. } = &draft.owner
                && let Some(rest) = draft.change.text.strip_prefix(key.as_str())
            {
                draft.change.text = format!("{SHARED}{rest}");
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
    match code {
        Some(Ok((code, refused))) => {
            rust::attribute(code, &mut drafts);
            uncompared::refused(&refused, [base.1, revision.1], &mut drafts);
        }
        Some(Err(error)) => uncompared::everything(&error, &mut drafts),
        None => {}
    }
    let mut changes: Vec<ApiChange> = drafts.into_iter().map(|draft| draft.change).collect();
    // The same data under another name is not a change, unless a Rust type is named after it.
    let renamed = rules::REFERENCE_CHANGED.name;
    changes.retain(|change| {
        !change.id.ends_with(renamed) || !change.rust.is_empty() || change.level > Level::Info
    });
    changes.sort_by(|a, b| {
        b.level.cmp(&a.level).then_with(|| (&a.pointer, &a.id, a.side).cmp(&(&b.pointer, &b.id, b.side)))
    });
    Diff { base: base.0.to_owned(), revision: revision.0.to_owned(), changes, unhandled, notes }
}

/// The pointer, or that of the innermost part around it that one of the documents has: a keyword may come from another
/// place than its schema.
fn existing(pointer: &str, documents: [&Value; 2]) -> String {
    let mut pointer = pointer;
    while documents.iter().all(|document| document.pointer(pointer).is_none()) {
        let Some((parent, _)) = pointer.rsplit_once('/') else { break };
        pointer = parent;
    }
    pointer.to_owned()
}

fn operations(nodes: &[findings::FindingNode]) -> Vec<BTreeSet<String>> {
    let mut operations = vec![BTreeSet::new(); nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        let NodeOwner::Operation { key, .. } = &node.owner else { continue };
        let mut open = vec![index];
        while let Some(at) = open.pop() {
            if operations[at].insert(key.clone()) {
                open.extend(&nodes[at].uses);
            }
        }
    }
    operations
}

/// Identifies a change without its sentence.
fn fingerprint(finding: &DiffFinding, side: Option<&str>) -> String {
    let value = |value: &Option<Value>| value.as_ref().map(Value::to_string).unwrap_or_default();
    let (before, after) = (value(&finding.before), value(&finding.after));
    digest(&[&finding.id, side.unwrap_or_default(), &finding.pointer, &before, &after])
}

fn digest(parts: &[&str]) -> String {
    const BYTES: usize = 6;
    let hash = hmac_sha256::Hash::hash(parts.join("\n").as_bytes());
    let number = hash.iter().take(BYTES).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    format!("{number:012x}")
}
