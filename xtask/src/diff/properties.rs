//! The properties of objects, which of them are required, and whether others are allowed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::differ::Differ;
use super::findings::{DiffScope, Pair};
use super::rules;
use super::schema::{self, Schemas, pair};
use crate::pointer::child;

/// Compares the properties of two object schemas.
pub(super) fn compare<'a>(cx: &mut Differ<'a>, scope: &DiffScope, [before, after]: Schemas<'_, 'a>) {
    let (old, new) = (before.properties(), after.properties());
    let (old_required, new_required) = (before.required(), after.required());
    let names: BTreeSet<&str> =
        old.keys().chain(new.keys()).chain(&old_required).chain(&new_required).copied().collect();
    for name in names {
        let scope = DiffScope {
            subject: "property",
            member: Some(scope.member.clone().unwrap_or_else(|| name.to_owned())),
            ..scope.inside(&format!(".{name}"))
        };
        let (was_required, is_required) = (old_required.contains(name), new_required.contains(name));
        match (old.get(name), new.get(name)) {
            (None, Some(new)) if !was_required => {
                if is_required {
                    cx.findings.added_required(&scope, &rules::PROPERTY_ADDED_REQUIRED, new);
                } else {
                    cx.findings.added(&scope, &rules::PROPERTY_ADDED, new);
                }
                continue;
            }
            (Some(property), None) if !is_required => {
                let twin =
                    new.iter().find(|(other, new)| !old.contains_key(*other) && new.value == property.value);
                let text = match twin {
                    Some((other, _)) => format!("is removed; `{other}` is added with the same schema"),
                    None => "is removed".to_owned(),
                };
                cx.findings.report(&scope, &rules::PROPERTY_REMOVED, &Pair::removed(property), &text);
                continue;
            }
            (old, new) => {
                let old = old.cloned().unwrap_or_else(|| before.undescribed_property(name));
                let new = new.cloned().unwrap_or_else(|| after.undescribed_property(name));
                schema::compare(cx, &scope, &old, &new);
            }
        }
        if was_required != is_required {
            let pointer = new.get(name).map(|property| property.pointer.clone());
            let pointer = pointer.unwrap_or_else(|| child(&after.pointer, "required"));
            let (old, new) = (Value::Bool(was_required), Value::Bool(is_required));
            cx.findings.required(&scope, &Pair::new(pointer, Some(&old), Some(&new)));
        }
    }
}

/// Compares the rule for properties that are not described.
pub(super) fn additional<'a>(cx: &mut Differ<'a>, scope: &DiffScope, [before, after]: Schemas<'_, 'a>) {
    const KEY: &str = "additionalProperties";
    let pair = pair(KEY, [before, after]);
    let forbidden = Some(&Value::Bool(false));
    match (pair.before == forbidden, pair.after == forbidden) {
        (true, true) => {}
        (false, true) => {
            let text = "no longer allows additional properties";
            cx.findings.report(scope, &rules::ADDITIONAL_FORBIDDEN, &pair, text);
        }
        (true, false) => {
            let text = "now allows additional properties";
            cx.findings.report(scope, &rules::ADDITIONAL_ALLOWED, &pair, text);
        }
        (false, false) => {
            schema::compare(cx, &scope.inside("{}"), &before.inner(KEY), &after.inner(KEY));
        }
    }
}
