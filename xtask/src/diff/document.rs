//! The document itself: its servers, its paths, and which operations are the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::differ::Differ;
use super::findings::{DiffScope, NodeOwner, Pair};
use super::operation::{self, OperationRef};
use super::rules;
use super::security;
use crate::lower::METHODS;
use crate::pointer::child;

/// Compares everything but the components, and returns the scope of the document.
pub(super) fn compare(cx: &mut Differ<'_>) -> DiffScope {
    let scope = DiffScope::new(cx.findings.node(NodeOwner::Document), "the document");
    for pair in Pair::new("", Some(cx.base), Some(cx.revision)).entries() {
        let name = format!("`{}`", pair.key);
        match pair.key {
            "components" | "paths" => {}
            "info" => {
                for pair in pair.entries() {
                    cx.findings.changed(&scope, &rules::INFO_CHANGED, &format!("`{}`", pair.key), &pair);
                }
            }
            "servers" => servers(cx, &scope, &pair),
            "tags" | "externalDocs" => cx.findings.changed(&scope, &rules::TAG_CHANGED, &name, &pair),
            "security" => security::requirements(cx, &scope, &pair),
            "openapi" => {
                cx.findings.changed(&scope, &rules::OPENAPI_CHANGED, "the OpenAPI version", &pair);
            }
            _ => cx.findings.unhandled(&scope, &pair.pointer, pair.key),
        }
    }
    // Equal paths too: they may refer to components that differ.
    paths(cx, &scope);
    scope
}

fn servers(cx: &mut Differ<'_>, scope: &DiffScope, pair: &Pair<'_>) {
    let list = |value: Option<&'_ Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let (old, new) = (list(pair.before), list(pair.after));
    let by_url = |list: &[Value]| -> BTreeMap<String, usize> {
        let urls = list.iter().enumerate();
        urls.filter_map(|(at, server)| Some((server.get("url")?.as_str()?.to_owned(), at))).collect()
    };
    let (before, after) = (by_url(&old), by_url(&new));
    let urls: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut reported = false;
    for url in urls {
        let (old, new) =
            (before.get(url).map(|at| (at, &old[*at])), after.get(url).map(|at| (at, &new[*at])));
        let (rule, text, at) = match (old, new) {
            (None, Some((at, _))) => (&rules::SERVER_ADDED, format!("server {url} is added"), at),
            (Some((at, _)), None) => (&rules::SERVER_REMOVED, format!("server {url} is removed"), at),
            (Some((_, old)), Some((at, new))) if old != new => {
                (&rules::SERVER_CHANGED, format!("the description of server {url} changes"), at)
            }
            _ => continue,
        };
        reported = true;
        let pointer = child(&pair.pointer, &at.to_string());
        let pair = Pair::new(pointer, old.map(|old| old.1), new.map(|new| new.1));
        cx.findings.report(scope, rule, &pair, &text);
    }
    let sorted = |list: &[Value]| {
        let mut texts: Vec<String> = list.iter().map(Value::to_string).collect();
        texts.sort();
        texts
    };
    if !reported && sorted(&old) != sorted(&new) {
        cx.findings.unhandled(scope, &pair.pointer, "servers");
    }
}

fn paths(cx: &mut Differ<'_>, scope: &DiffScope) {
    let pair = Pair::new("/paths", cx.base.get("paths"), cx.revision.get("paths"));
    pair.entries().iter().for_each(|pair| path_item(cx, scope, pair));

    let (mut removed, mut added) = (operations(pair.before), operations(pair.after));
    let mut matched = Vec::new();
    // The same operation has the same address, else the same address with renamed parameters, else the same name.
    let same: [fn(&OperationRef<'_>, &OperationRef<'_>) -> bool; 3] = [
        |old, new| old.path == new.path && old.method == new.method,
        |old, new| old.template() == new.template() && old.method == new.method,
        |old, new| old.name().is_some() && old.name() == new.name(),
    ];
    for same in same {
        removed.retain(|old| {
            let Some(index) = added.iter().position(|new| same(old, new)) else { return true };
            matched.push((*old, added.remove(index)));
            false
        });
    }
    matched.sort_by_key(|(old, _)| (old.path, old.method));
    for (old, new) in matched {
        operation::compare(cx, &old, &new);
    }
    for old in removed {
        operation::removed(cx, &old);
    }
    for new in added {
        operation::added(cx, &new);
    }
}

/// Compares what a path defines for all its operations.
fn path_item(cx: &mut Differ<'_>, scope: &DiffScope, pair: &Pair<'_>) {
    let scope = scope.named(format!("path {}", pair.key));
    let has_operations = |item: Option<&Value>| {
        let keys = item.and_then(Value::as_object).into_iter().flat_map(Map::keys);
        keys.into_iter().any(|key| METHODS.contains(&key.as_str()))
    };
    if !has_operations(pair.before) && !has_operations(pair.after) {
        return cx.findings.unhandled(&scope, &pair.pointer, "");
    }
    if pair.values().filter(|item| item.is_object()).count() < 2 {
        // Its operations report that they are added, removed or moved.
        return;
    }
    for pair in pair.entries() {
        match pair.key {
            // Part of every operation.
            "parameters" => {}
            key if METHODS.contains(&key) && pair.values().all(Value::is_object) => {}
            "servers" => servers(cx, &scope, &pair),
            _ => cx.findings.other(&scope, &pair),
        }
    }
}

fn operations(paths: Option<&Value>) -> Vec<OperationRef<'_>> {
    let paths = paths.and_then(Value::as_object).into_iter().flatten();
    let items = paths.filter_map(|(path, item)| Some((path, item.as_object()?)));
    let all = items.flat_map(|(path, item)| {
        let methods = item.iter().filter(|(method, _)| METHODS.contains(&method.as_str()));
        methods.filter_map(move |(method, value)| {
            Some(OperationRef { path, method, item, value, parts: value.as_object()? })
        })
    });
    all.collect()
}
