//! Request bodies, and the media types of bodies and responses.

use std::collections::BTreeSet;

use super::differ::Differ;
use super::findings::{DiffScope, Pair};
use super::normalised::Located;
use super::operation::{is_required, requirement};
use super::rules::{self, DiffSide};
use super::schema;
use crate::pointer::child;

/// Compares the request bodies of an operation.
pub(super) fn compare<'a>(cx: &mut Differ<'a>, scope: &DiffScope, before: &Located<'a>, after: &Located<'a>) {
    const KEY: &str = "requestBody";
    let body = |operation: &Located<'a>| {
        Some(Located::new(operation.value.get(KEY)?, child(&operation.pointer, KEY)))
    };
    let before = body(before).map(|body| cx.resolved(cx.base, body));
    let after = body(after).map(|body| cx.resolved(cx.revision, body));
    let label = format!("{}, body", scope.label);
    let scope = DiffScope { side: Some(DiffSide::Request), subject: "body", label, ..scope.clone() };
    match (before, after) {
        (None, None) => {}
        (None, Some(after)) if is_required(&after) => {
            cx.findings.added(&scope, &rules::BODY_ADDED_REQUIRED, &after, "required");
        }
        (None, Some(after)) => cx.findings.added(&scope, &rules::BODY_ADDED, &after, "optional"),
        (Some(before), None) => {
            cx.findings.removed(&scope, &rules::BODY_REMOVED, &before, requirement(&before));
        }
        (Some(before), Some(after)) => {
            for pair in Pair::located(&before, &after).entries() {
                match pair.key {
                    "content" => {}
                    "required" => cx.findings.required(&scope, &pair),
                    _ => cx.findings.other(&scope, &pair),
                }
            }
            content(cx, &scope, &before, &after);
        }
    }
}

/// Compares the media types of a body or response.
pub(super) fn content<'a>(cx: &mut Differ<'a>, scope: &DiffScope, before: &Located<'a>, after: &Located<'a>) {
    let (before, after) = (before.part("content").entries(), after.part("content").entries());
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    for name in names {
        match (before.get(name), after.get(name)) {
            (Some(before), Some(after)) => media_type(cx, scope, before, after),
            (None, Some(after)) => {
                let text = format!("did not have the media type {name} and now does");
                cx.findings.report(scope, &rules::MEDIA_ADDED, &Pair::added(after), &text);
            }
            (Some(before), None) => {
                let text = format!("had the media type {name} and no longer does");
                cx.findings.report(scope, &rules::MEDIA_REMOVED, &Pair::removed(before), &text);
            }
            (None, None) => {}
        }
    }
}

fn media_type<'a>(cx: &mut Differ<'a>, scope: &DiffScope, before: &Located<'a>, after: &Located<'a>) {
    for pair in Pair::located(before, after).entries() {
        match pair.key {
            "schema" => {}
            "encoding" => {
                cx.findings.changed(scope, &rules::SERIALIZATION_CHANGED, "`encoding`", &pair);
            }
            _ => cx.findings.other(scope, &pair),
        }
    }
    schema::compare(cx, scope, &before.part("schema"), &after.part("schema"));
}
