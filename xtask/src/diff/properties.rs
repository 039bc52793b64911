//! The properties of objects, which of them are required, and whether others are allowed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::differ::Differ;
use super::findings::{DiffScope, Pair};
use super::normalised::{Located, NormalisedSchema};
use super::rules;
use super::schema::{self, Schemas, pair};
use crate::lower::references;
use crate::pointer::child;

/// Compares the properties of two object schemas.
pub(super) fn compare<'a>(cx: &mut Differ<'a>, scope: &DiffScope, [before, after]: Schemas<'_, 'a>) {
    let (old, new) = (before.properties(), after.properties());
    let (old_required, new_required) = (before.required(), after.required());
    if old.is_empty() != new.is_empty() {
        let text = if old.is_empty() {
            "had no described properties and now has some"
        } else {
            "had described properties and now has none"
        };
        cx.findings.report(scope, &rules::PROPERTIES_DESCRIBED, &pair("properties", [before, after]), text);
    }
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
                let rule = if is_required { &rules::PROPERTY_ADDED_REQUIRED } else { &rules::PROPERTY_ADDED };
                cx.findings.added(&scope, rule, new, &described(new, is_required));
                continue;
            }
            (Some(property), None) if !is_required => {
                let what = described(property, was_required);
                let text = match renamed(name, property, &old, &new) {
                    Some(other) => {
                        format!("was {what} and no longer exists; `{other}` is new and has the same schema")
                    }
                    None => format!("was {what} and no longer exists"),
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

/// A property in a few words.
fn described(property: &Located<'_>, is_required: bool) -> String {
    let requirement = if is_required { "a required" } else { "an optional" };
    format!("{requirement} {}", NormalisedSchema::of(property).in_words())
}

/// The new name of a removed property: the only added one with its schema, if no other removed property has
/// this schema, and the schema is specific or the names share a word.
fn renamed<'a>(
    name: &str,
    property: &Located<'a>,
    old: &BTreeMap<&'a str, Located<'a>>,
    new: &BTreeMap<&'a str, Located<'a>>,
) -> Option<&'a str> {
    let only = |these: &BTreeMap<&'a str, Located<'a>>, those: &BTreeMap<&'a str, Located<'a>>| {
        let alike = |(name, schema): &(&&'a str, &Located<'a>)| {
            !those.contains_key(*name) && schema.value == property.value
        };
        let mut found = these.iter().filter(alike).map(|(name, _)| *name);
        found.next().filter(|_| found.next().is_none())
    };
    only(old, new)?;
    let is_specific = property.value.get("description").is_some() || !references(property.value).is_empty();
    let shares_word = |other: &str| other.split('_').any(|word| name.split('_').any(|own| own == word));
    only(new, old).filter(|other| is_specific || shares_word(other))
}

/// Compares the rule for properties that are not described.
pub(super) fn additional<'a>(cx: &mut Differ<'a>, scope: &DiffScope, [before, after]: Schemas<'_, 'a>) {
    const KEY: &str = "additionalProperties";
    let pair = pair(KEY, [before, after]);
    let forbidden = Some(&Value::Bool(false));
    match (pair.before == forbidden, pair.after == forbidden) {
        (true, true) => {}
        (false, true) => {
            let text = "allowed additional properties and no longer does";
            cx.findings.report(scope, &rules::ADDITIONAL_FORBIDDEN, &pair, text);
        }
        (true, false) => {
            let text = "did not allow additional properties and now does";
            cx.findings.report(scope, &rules::ADDITIONAL_ALLOWED, &pair, text);
        }
        (false, false) => {
            schema::compare(cx, &scope.inside("{}"), &before.inner(KEY), &after.inner(KEY));
        }
    }
}
