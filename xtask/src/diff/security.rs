//! Credentials: which ones an operation accepts, and how they are sent.

use std::collections::BTreeSet;

use serde_json::Value;

use super::differ::Differ;
use super::findings::{DiffScope, Pair, is_annotation};
use super::rules;

/// The requirement that every call meets.
const NOTHING: &str = "{}";

/// Compares the alternatives of an operation, or of the document.
pub(super) fn requirements(cx: &mut Differ<'_>, scope: &DiffScope, pair: &Pair<'_>) {
    // A missing list, an empty list and an empty requirement all mean that no credential is needed.
    let alternatives = |list: Option<&Value>| -> BTreeSet<String> {
        let list = list.and_then(Value::as_array).filter(|list| !list.is_empty());
        list.map_or_else(
            || BTreeSet::from([NOTHING.to_owned()]),
            |list| list.iter().map(Value::to_string).collect(),
        )
    };
    let named = |alternative: &str| match alternative {
        NOTHING => "a call without a credential".to_owned(),
        other => format!("the credential {other}"),
    };
    let (before, after) = (alternatives(pair.before), alternatives(pair.after));
    for removed in before.difference(&after) {
        let (rule, text) = if after.contains(NOTHING) {
            (&rules::SECURITY_UNNEEDED, "is no longer needed")
        } else {
            (&rules::SECURITY_REMOVED, "is no longer accepted")
        };
        cx.findings.report(scope, rule, pair, &format!("{} {text}", named(removed)));
    }
    for added in after.difference(&before) {
        let text = format!("{} is now accepted", named(added));
        cx.findings.report(scope, &rules::SECURITY_ADDED, pair, &text);
    }
}

/// Compares a security scheme.
pub(super) fn scheme(cx: &mut Differ<'_>, scope: &DiffScope, pair: &Pair<'_>) {
    let scope = scope.named(format!("security scheme `{}`", pair.key));
    match (pair.before, pair.after) {
        (None, _) => cx.findings.report(&scope, &rules::SCHEME_ADDED, pair, "is added"),
        (Some(_), None) if !is_used(cx.base, pair.key) => {
            let text = "is removed; no operation used it";
            cx.findings.report(&scope, &rules::SCHEME_UNUSED_REMOVED, pair, text);
        }
        (Some(_), None) => cx.findings.report(&scope, &rules::SCHEME_REMOVED, pair, "is removed"),
        (Some(_), Some(_)) => {
            for pair in pair.entries() {
                if is_annotation(pair.key) || pair.key == "bearerFormat" {
                    cx.findings.documentation(&scope, &pair);
                } else {
                    cx.findings.changed(&scope, &rules::SCHEME_CHANGED, &format!("`{}`", pair.key), &pair);
                }
            }
        }
    }
}

/// Whether the document or one of its operations names this scheme.
fn is_used(value: &Value, name: &str) -> bool {
    let Value::Object(map) = value else { return false };
    map.iter().any(|(key, inner)| match (key.as_str(), inner) {
        ("security", Value::Array(list)) => list.iter().any(|one| one.get(name).is_some()),
        _ => is_used(inner, name),
    })
}
