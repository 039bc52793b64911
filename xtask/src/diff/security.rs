//! Credentials: which ones an operation accepts, and how they are sent.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::differ::Differ;
use super::findings::{DiffScope, Pair, is_annotation};
use super::rules;

/// One alternative: the schemes that a call needs together, each with its scopes.
type Requirement<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Compares the alternatives of an operation, or of the document.
pub(super) fn requirements(cx: &mut Differ<'_>, scope: &DiffScope, pair: &Pair<'_>) {
    let (before, after) = (alternatives(pair.before), alternatives(pair.after));
    for removed in before.difference(&after) {
        let looser = after.iter().find(|one| is_looser(one, removed));
        let (rule, text) = match looser {
            Some(one) => {
                (&rules::SECURITY_UNNEEDED, format!("was needed and no longer is: {} suffices", named(one)))
            }
            None => (&rules::SECURITY_REMOVED, "was accepted and no longer is".to_owned()),
        };
        cx.findings.report(scope, rule, pair, &format!("{} {text}", named(removed)));
    }
    for added in after.difference(&before) {
        let text = format!("{} was not accepted and now is", named(added));
        cx.findings.report(scope, &rules::SECURITY_ADDED, pair, &text);
    }
}

/// A missing list, an empty list and an empty requirement all mean that no credential is needed.
fn alternatives(list: Option<&Value>) -> BTreeSet<Requirement<'_>> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    let requirements = list.filter_map(Value::as_object);
    let mut all: BTreeSet<Requirement<'_>> = requirements
        .map(|schemes| schemes.iter().map(|(name, scopes)| (name.as_str(), texts(scopes))).collect())
        .collect();
    if all.is_empty() {
        all.insert(Requirement::new());
    }
    all
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Whether every call that meets `strict` meets `loose`.
fn is_looser(loose: &Requirement<'_>, strict: &Requirement<'_>) -> bool {
    loose.iter().all(|(scheme, scopes)| strict.get(scheme).is_some_and(|all| scopes.is_subset(all)))
}

fn named(requirement: &Requirement<'_>) -> String {
    if requirement.is_empty() {
        return "a call without a credential".to_owned();
    }
    format!("the credential {}", json!(requirement))
}

/// Compares a security scheme.
pub(super) fn scheme(cx: &mut Differ<'_>, scope: &DiffScope, pair: &Pair<'_>) {
    let scope = scope.named(format!("security scheme `{}`", pair.key));
    match (pair.before, pair.after) {
        (None, _) => cx.findings.report(&scope, &rules::SCHEME_ADDED, pair, "did not exist and now does"),
        (Some(_), None) if !is_used(cx.base, pair.key) => {
            let text = "existed and no longer does; no operation used it";
            cx.findings.report(&scope, &rules::SCHEME_UNUSED_REMOVED, pair, text);
        }
        (Some(_), None) => {
            cx.findings.report(&scope, &rules::SCHEME_REMOVED, pair, "existed and no longer does");
        }
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
