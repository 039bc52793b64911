//! Operations for which no code can be generated: their changes are judged from the documents alone.

use std::collections::BTreeSet;

use serde_json::Value;

use super::findings::NodeOwner;
use super::rules::{self, DiffRule, Level};
use super::{ApiChange, Draft};
use crate::error::TaskError;
use crate::lower::{RefusedOperation, closure, references};
use crate::pointer::child;

/// Reports refused operations that differ, and judges their changes without the generated code.
pub(super) fn refused(refused: &[RefusedOperation], documents: [&Value; 2], drafts: &mut Vec<Draft>) {
    let mut keys = BTreeSet::new();
    for RefusedOperation { path, method, problem, .. } in refused {
        let key = format!("{} {path}", method.to_uppercase());
        let pointer = child(&child("/paths", path), method);
        let [before, after] = documents.map(|document| parts(document, path, method));
        if before != after && keys.insert(key.clone()) {
            let text = format!("{key}: its generated code could not be compared: {problem}");
            drafts.push(draft(vec![key], pointer, text));
        }
    }
    judge(drafts, |change| change.operations.iter().any(|key| keys.contains(key)));
}

/// Reports that no generated code could be compared, and judges all changes without it.
pub(super) fn everything(error: &TaskError, drafts: &mut Vec<Draft>) {
    let reason = error.problems().next().and_then(|(problem, _)| problem.lines().next());
    let text =
        format!("the document: the generated code could not be compared: {}", reason.unwrap_or_default());
    drafts.push(draft(Vec::new(), String::new(), text));
    judge(drafts, |_| true);
}

/// An operation with the parameters of its path and every component that it reaches.
fn parts<'d>(document: &'d Value, path: &str, method: &str) -> Vec<(String, Option<&'d Value>)> {
    let item = document.get("paths").and_then(|paths| paths.get(path));
    let own = ["parameters", method].map(|key| (key.to_owned(), item.and_then(|item| item.get(key))));
    let roots = own.iter().filter_map(|(_, part)| *part).flat_map(references).collect();
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    let reached = schemas.map(|schemas| {
        closure(schemas, roots).into_iter().map(|name| {
            let schema = schemas.get(&name);
            (name, schema)
        })
    });
    own.into_iter().chain(reached.into_iter().flatten()).collect()
}

fn draft(operations: Vec<String>, pointer: String, text: String) -> Draft {
    let rule = &rules::NOT_COMPARED;
    let fingerprint = super::digest(&[rule.name, &pointer]);
    let change = ApiChange {
        id: rule.name.to_owned(),
        level: rule.level(None),
        side: None,
        operations,
        pointer,
        text,
        fingerprint,
        rust: Vec::new(),
        why: rule.reason(None),
        before: None,
        after: None,
    };
    Draft { owner: NodeOwner::Document, change, causes: Vec::new() }
}

/// Raises the level of changes that are harmless only if the generated code shows it.
fn judge(drafts: &mut [Draft], applies: impl Fn(&ApiChange) -> bool) {
    let is = |change: &ApiChange, rule: &DiffRule| change.id.ends_with(rule.name);
    for Draft { owner, change, .. } in drafts {
        let renamed = matches!(owner, NodeOwner::Operation { base, revision, .. } if base != revision);
        if !applies(change) {
        } else if is(change, &rules::OPERATION_ID) && renamed {
            (change.level, change.why) = (Level::Breaking, "callers use the method under its old name");
        } else if is(change, &rules::REFERENCE_CHANGED) {
            (change.level, change.why) = (Level::Warning, "callers may use the type under its old name");
        }
    }
}
