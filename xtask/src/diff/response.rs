//! Responses and their headers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::differ::Differ;
use super::findings::{DiffScope, Pair};
use super::normalised::Located;
use super::operation::described;
use super::rules::{self, DiffSide};
use super::{body, schema};
use crate::pointer::child;

/// Compares the responses of an operation.
pub(super) fn compare<'a>(cx: &mut Differ<'a>, scope: &DiffScope, before: &Located<'a>, after: &Located<'a>) {
    let (base, revision) = (cx.base, cx.revision);
    let mut by_status = |document, operation: &Located<'a>| -> BTreeMap<&'a str, Located<'a>> {
        let entries = operation.part("responses").entries().into_iter();
        entries.map(|(status, response)| (status, cx.resolved(document, response))).collect()
    };
    let mut old = by_status(base, before);
    let new = by_status(revision, after);
    // Callers read the same response where one success status replaces another.
    let only = |these: &BTreeMap<&'a str, Located<'a>>, those: &BTreeMap<&'a str, Located<'a>>| {
        let mut rest = these.keys().filter(|status| is_success(status) && !those.contains_key(*status));
        rest.next().copied().filter(|_| rest.next().is_none())
    };
    if let (Some(was), Some(is)) = (only(&old, &new), only(&new, &old))
        && let Some(response) = old.remove(was)
    {
        let scope = DiffScope { side: Some(DiffSide::Response), ..scope.clone() };
        let (before, status) = (Value::from(was), Value::from(is));
        let pointer = child(&child(&after.pointer, "responses"), is);
        let pair = Pair::new(pointer, Some(&before), Some(&status));
        let text = format!("the success status was {was} and is now {is}");
        cx.findings.report(&scope, &rules::SUCCESS_CHANGED, &pair, &text);
        old.insert(is, response);
    }
    let statuses: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    for status in statuses {
        let (side, added, removed) = if is_success(status) {
            (DiffSide::Response, &rules::SUCCESS_ADDED, &rules::SUCCESS_REMOVED)
        } else {
            (DiffSide::Failure, &rules::FAILURE_ADDED, &rules::FAILURE_REMOVED)
        };
        let label = format!("{}, response {status}", scope.label);
        let scope = DiffScope { side: Some(side), label, ..scope.clone() };
        match (old.get(status), new.get(status)) {
            (Some(before), Some(after)) => response(cx, &scope, before, after),
            (None, Some(after)) => {
                cx.findings.report(&scope, added, &Pair::added(after), "did not exist and now does");
            }
            (Some(before), None) => {
                cx.findings.report(&scope, removed, &Pair::removed(before), "existed and no longer does");
            }
            (None, None) => {}
        }
    }
}

fn is_success(status: &str) -> bool {
    status.starts_with('2')
}

fn response<'a>(cx: &mut Differ<'a>, scope: &DiffScope, before: &Located<'a>, after: &Located<'a>) {
    for pair in Pair::located(before, after).entries() {
        if !matches!(pair.key, "content" | "headers") {
            cx.findings.other(scope, &pair);
        }
    }
    headers(cx, scope, before, after);
    body::content(cx, &DiffScope { subject: "body", ..scope.clone() }, before, after);
}

fn headers<'a>(cx: &mut Differ<'a>, scope: &DiffScope, before: &Located<'a>, after: &Located<'a>) {
    let (base, revision) = (cx.base, cx.revision);
    let mut by_name = |document, response: &Located<'a>| -> BTreeMap<String, Located<'a>> {
        let entries = response.part("headers").entries().into_iter();
        entries.map(|(name, header)| (name.to_lowercase(), cx.resolved(document, header))).collect()
    };
    let (before, after) = (by_name(base, before), by_name(revision, after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let label = format!("{}, header `{name}`", scope.label);
        let scope = DiffScope { subject: "header", label, ..scope.clone() };
        match (before.get(name), after.get(name)) {
            (Some(before), Some(after)) => header(cx, &scope, before, after),
            (None, Some(after)) => {
                cx.findings.added(&scope, &rules::HEADER_ADDED, after, &described(after));
            }
            (Some(before), None) => {
                cx.findings.removed(&scope, &rules::HEADER_REMOVED, before, &described(before));
            }
            (None, None) => {}
        }
    }
}

fn header<'a>(cx: &mut Differ<'a>, scope: &DiffScope, before: &Located<'a>, after: &Located<'a>) {
    for pair in Pair::located(before, after).entries() {
        match pair.key {
            "schema" => {}
            "required" => cx.findings.required(scope, &pair),
            "deprecated" => cx.findings.deprecated(scope, &pair),
            _ => cx.findings.other(scope, &pair),
        }
    }
    schema::compare(cx, scope, &before.part("schema"), &after.part("schema"));
}
