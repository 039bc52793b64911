//! One operation in both documents: its names, tags and parameters.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::differ::Differ;
use super::findings::{DiffScope, NodeOwner, Pair};
use super::normalised::{Located, NormalisedSchema};
use super::rules::{self, DiffSide};
use super::{body, response, schema, security};
use crate::lower::operation_name;
use crate::pointer::child;

#[derive(Clone, Copy)]
pub(super) struct OperationRef<'a> {
    pub(super) path: &'a str,
    pub(super) method: &'a str,
    /// The path item that holds it.
    pub(super) item: &'a Value,
    pub(super) value: &'a Value,
}

impl<'a> OperationRef<'a> {
    pub(super) fn located(&self) -> Located<'a> {
        Located::new(self.value, child(&child("/paths", self.path), self.method))
    }

    pub(super) fn key(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    pub(super) fn name(&self) -> Option<String> {
        Some(operation_name(self.value.as_object()?, self.path, self.method))
    }

    /// The path without the names of its parameters.
    pub(super) fn template(&self) -> String {
        let parts = self.path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
        parts.collect::<Vec<_>>().join("/")
    }

    /// The names of the path's parameters, in order.
    fn path_parameters(&self) -> Vec<&'a str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
    }

    fn scope(&self, cx: &mut Differ<'_>, base: Option<String>, revision: Option<String>) -> DiffScope {
        let owner = NodeOwner::Operation { key: self.key(), base, revision };
        DiffScope::new(cx.findings.node(owner), self.key())
    }

    fn with_summary(&self, text: &str) -> String {
        match self.value.get("summary").and_then(Value::as_str) {
            Some(summary) => format!("{text} (\"{summary}\")"),
            None => text.to_owned(),
        }
    }
}

pub(super) fn added(cx: &mut Differ<'_>, new: &OperationRef<'_>) {
    let scope = new.scope(cx, None, new.name());
    let (pair, text) = (Pair::added(&new.located()), new.with_summary("did not exist and now does"));
    cx.findings.report(&scope, &rules::OPERATION_ADDED, &pair, &text);
}

pub(super) fn removed(cx: &mut Differ<'_>, old: &OperationRef<'_>) {
    let scope = old.scope(cx, old.name(), None);
    let (pair, text) = (Pair::removed(&old.located()), old.with_summary("existed and no longer does"));
    cx.findings.report(&scope, &rules::OPERATION_REMOVED, &pair, &text);
}

pub(super) fn compare<'a>(cx: &mut Differ<'a>, old: &OperationRef<'a>, new: &OperationRef<'a>) {
    let scope = new.scope(cx, old.name(), new.name());
    let (before, after) = (old.located(), new.located());
    address(cx, &scope, &after.pointer, old, new);
    for pair in Pair::located(&before, &after).entries() {
        match pair.key {
            "operationId" => {
                cx.findings.changed(&scope, &rules::OPERATION_ID, "the operationId", &pair);
            }
            "deprecated" => {
                let on = (&rules::OPERATION_DEPRECATED, "was current and is now deprecated");
                let off = (&rules::OPERATION_REACTIVATED, "was deprecated and no longer is");
                cx.findings.flag(&scope, &pair, [on, off]);
            }
            "tags" => tags(cx, &scope, &pair),
            // Compared below, because the components that they refer to may differ.
            "parameters" | "requestBody" | "responses" | "security" => {}
            _ => cx.findings.other(&scope, &pair),
        }
    }
    let part = |key: &str| Pair::new(child(&after.pointer, key), old.value.get(key), new.value.get(key));
    let mut security = part("security");
    security.before = security.before.or_else(|| cx.base.get("security"));
    security.after = security.after.or_else(|| cx.revision.get("security"));
    security::requirements(cx, &scope, &security);
    parameters(cx, &scope, old, new);
    body::compare(cx, &scope, &before, &after);
    response::compare(cx, &scope, &before, &after);
}

/// Compares method and path.
fn address(
    cx: &mut Differ<'_>,
    scope: &DiffScope,
    pointer: &str,
    old: &OperationRef<'_>,
    new: &OperationRef<'_>,
) {
    if old.template() != new.template() || old.method != new.method {
        let text = format!("was {} and is now {}", old.key(), new.key());
        let (before, after) = (Value::from(old.key()), Value::from(new.key()));
        let pair = Pair::new(pointer, Some(&before), Some(&after));
        cx.findings.report(scope, &rules::OPERATION_MOVED, &pair, &text);
        return;
    }
    for (before, after) in old.path_parameters().into_iter().zip(new.path_parameters()) {
        if before != after {
            let text = format!("the path parameter was `{before}` and is now `{after}`");
            let (before, after) = (Value::from(before), Value::from(after));
            let pair = Pair::new(pointer, Some(&before), Some(&after));
            cx.findings.report(scope, &rules::PATH_PARAMETER_RENAMED, &pair, &text);
        }
    }
}

fn tags(cx: &mut Differ<'_>, scope: &DiffScope, pair: &Pair<'_>) {
    fn texts(list: Option<&Value>) -> BTreeSet<&str> {
        list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }
    let (old, new) = (texts(pair.before), texts(pair.after));
    for tag in old.difference(&new) {
        let text = format!("had the tag \"{tag}\" and no longer does");
        cx.findings.report(scope, &rules::OPERATION_TAG_REMOVED, pair, &text);
    }
    for tag in new.difference(&old) {
        let text = format!("did not have the tag \"{tag}\" and now does");
        cx.findings.report(scope, &rules::OPERATION_TAG_ADDED, pair, &text);
    }
}

/// The parameters of an operation and of its path, by location and name.
fn effective<'a>(
    cx: &mut Differ<'a>,
    document: &'a Value,
    operation: &OperationRef<'a>,
) -> BTreeMap<(&'a str, &'a str), Located<'a>> {
    let of_path = (operation.item.get("parameters"), child("/paths", operation.path));
    let of_operation = (operation.value.get("parameters"), operation.located().pointer);
    let mut all = BTreeMap::new();
    for (list, pointer) in [of_path, of_operation] {
        let Some(list) = list else { continue };
        for parameter in Located::new(list, child(&pointer, "parameters")).items() {
            let parameter = cx.resolved(document, parameter);
            let text = |key: &str| parameter.value.get(key).and_then(Value::as_str).unwrap_or_default();
            all.insert((text("in"), text("name")), parameter);
        }
    }
    all
}

fn parameters<'a>(cx: &mut Differ<'a>, scope: &DiffScope, old: &OperationRef<'a>, new: &OperationRef<'a>) {
    let mut before = effective(cx, cx.base, old);
    let after = effective(cx, cx.revision, new);
    // A renamed path parameter is the same parameter.
    if old.template() == new.template() {
        for (old, new) in old.path_parameters().into_iter().zip(new.path_parameters()) {
            if old != new
                && let Some(parameter) = before.remove(&("path", old))
            {
                before.insert(("path", new), parameter);
            }
        }
    }
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
    for key @ (location, name) in keys {
        let scope = DiffScope {
            side: Some(DiffSide::Request),
            subject: "parameter",
            label: format!("{}, {location} parameter `{name}`", scope.label),
            member: Some(name.to_owned()),
            ..scope.clone()
        };
        match (before.get(&key), after.get(&key)) {
            (Some(before), Some(after)) => parameter(cx, &scope, before, after),
            (None, Some(after)) => {
                let required = is_required(after);
                let rule = if required { &rules::PARAMETER_ADDED_REQUIRED } else { &rules::PARAMETER_ADDED };
                cx.findings.added(&scope, rule, after, &described(after));
            }
            (Some(before), None) => {
                cx.findings.removed(&scope, &rules::PARAMETER_REMOVED, before, &described(before));
            }
            (None, None) => {}
        }
    }
}

/// Whether a parameter or body is required.
pub(super) fn is_required(part: &Located<'_>) -> bool {
    part.value.get("required") == Some(&Value::Bool(true))
}

/// `required` or `optional`.
pub(super) fn requirement(part: &Located<'_>) -> &'static str {
    if is_required(part) { "required" } else { "optional" }
}

/// A parameter or header in a few words.
pub(super) fn described(part: &Located<'_>) -> String {
    let article = if is_required(part) { "a" } else { "an" };
    format!("{article} {} {}", requirement(part), NormalisedSchema::of(&part.part("schema")).in_words())
}

fn parameter<'a>(cx: &mut Differ<'a>, scope: &DiffScope, before: &Located<'a>, after: &Located<'a>) {
    for pair in Pair::located(before, after).entries() {
        match pair.key {
            "name" | "in" | "schema" => {}
            "required" => cx.findings.required(scope, &pair),
            "deprecated" => cx.findings.deprecated(scope, &pair),
            key @ ("style" | "explode" | "allowReserved" | "allowEmptyValue") => {
                cx.findings.changed(scope, &rules::SERIALIZATION_CHANGED, &format!("`{key}`"), &pair);
            }
            _ => cx.findings.other(scope, &pair),
        }
    }
    schema::compare(cx, scope, &before.part("schema"), &after.part("schema"));
}
