//! The document itself: its servers, its paths, and which operations are the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::differ::Differ;
use super::findings::{DiffScope, NodeOwner, Pair};
use super::normalised::Located;
use super::operation::{self, OperationRef};
use super::rules;
use super::security;
use crate::lower::METHODS;

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
            _ => cx.findings.unhandled(&scope, &pair),
        }
    }
    // Equal paths too: they may refer to components that differ.
    paths(cx, &scope);
    scope
}

fn servers<'a>(cx: &mut Differ<'_>, scope: &DiffScope, pair: &Pair<'a>) {
    let by_url = |list: Option<&'a Value>| -> BTreeMap<&'a str, Located<'a>> {
        let servers = list.map(|list| Located::new(list, &*pair.pointer).items()).into_iter().flatten();
        servers.filter_map(|server| Some((server.value.get("url")?.as_str()?, server))).collect()
    };
    let (old, new) = (by_url(pair.before), by_url(pair.after));
    let urls: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let mut reported = false;
    for url in urls {
        let what = format!("the server {url}");
        let (rule, text, pair) = match (old.get(url), new.get(url)) {
            (None, Some(new)) => {
                (&rules::SERVER_ADDED, format!("did not list {what} and now does"), Pair::added(new))
            }
            (Some(old), None) => {
                (&rules::SERVER_REMOVED, format!("listed {what} and no longer does"), Pair::removed(old))
            }
            (Some(old), Some(new)) if old.value != new.value => {
                reported = true;
                cx.findings.changed(scope, &rules::SERVER_CHANGED, &what, &Pair::located(old, new));
                continue;
            }
            _ => continue,
        };
        reported = true;
        cx.findings.report(scope, rule, &pair, &text);
    }
    let sorted = |list: Option<&Value>| {
        let servers = list.and_then(Value::as_array).into_iter().flatten();
        let mut texts: Vec<String> = servers.map(Value::to_string).collect();
        texts.sort();
        texts
    };
    if !reported && sorted(pair.before) != sorted(pair.after) {
        cx.findings.unhandled(scope, pair);
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
        return cx.findings.unhandled(&scope, &Pair::new(&*pair.pointer, pair.before, pair.after));
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
    let all = paths.flat_map(|(path, item)| {
        let entries = item.as_object().into_iter().flatten();
        let operations =
            entries.filter(|(method, value)| METHODS.contains(&method.as_str()) && value.is_object());
        operations.map(move |(method, value)| OperationRef { path, method, item, value })
    });
    all.collect()
}
