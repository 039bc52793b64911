//! Schemas: references, null, types, enums, and the keywords without a separate module.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::differ::Differ;
use super::findings::{DiffScope, Findings, NodeOwner, Pair, is_annotation, short};
use super::limits;
use super::normalised::{Located, NormalisedSchema};
use super::rules::{self, DiffRule};
use super::{properties, unions};
use crate::lower::{SCHEMA_REF, is_keyword};
use crate::pointer::child;
use crate::shell::count;

/// Two schemas, the older one first.
pub(super) type Schemas<'s, 'a> = [&'s NormalisedSchema<'a>; 2];

/// Compares two schemas.
pub(super) fn compare<'a>(cx: &mut Differ<'a>, scope: &DiffScope, before: &Located<'a>, after: &Located<'a>) {
    compare_normalised(cx, scope, [&NormalisedSchema::of(before), &NormalisedSchema::of(after)]);
}

pub(super) fn compare_normalised<'a>(
    cx: &mut Differ<'a>,
    scope: &DiffScope,
    [before, after]: Schemas<'_, 'a>,
) {
    let inlined = |one: &NormalisedSchema<'a>, other: &NormalisedSchema<'a>| {
        one.keyword("$ref").is_some() && other.keyword("$ref").is_none() && other.union.is_none()
    };
    if inlined(before, after) || inlined(after, before) {
        return follow(cx, scope, [before, after]);
    }
    nullability(&mut cx.findings, scope, [before, after]);
    annotations(&mut cx.findings, scope, [before, after]);
    if unions::compare(cx, scope, [before, after]) {
        reference(cx, scope, [before, after]);
        structure(cx, scope, [before, after]);
    }
}

/// The keyword in both schemas, at its place in the revision, or in the base if it is removed.
pub(super) fn pair<'a>(key: &'a str, [before, after]: Schemas<'_, 'a>) -> Pair<'a> {
    let keyword = after.keywords.get(key).or_else(|| before.keywords.get(key));
    let pointer = keyword.map_or_else(|| child(&after.pointer, key), |keyword| keyword.pointer.clone());
    Pair { key, pointer, before: before.keyword(key), after: after.keyword(key) }
}

/// Every keyword of the two schemas, whether it differs or not.
fn pairs<'a>([before, after]: Schemas<'_, 'a>) -> Vec<Pair<'a>> {
    let keys: BTreeSet<&'a str> = before.keywords.keys().chain(after.keywords.keys()).copied().collect();
    keys.into_iter().map(|key| pair(key, [before, after])).collect()
}

/// Compares a component with a schema that is written out: by what the component holds.
fn follow<'a>(cx: &mut Differ<'a>, scope: &DiffScope, [before, after]: Schemas<'_, 'a>) {
    let name = |schema: &NormalisedSchema<'a>| {
        schema.reference().map_or("an inline schema".to_owned(), |name| format!("`{name}`"))
    };
    let whole = Pair::new(&*after.pointer, Some(before.raw), Some(after.raw));
    let text = format!("was {} and is now {}", name(before), name(after));
    cx.findings.report(scope, &rules::REFERENCE_CHANGED, &whole, &text);
    let from_base = before.keyword("$ref").is_some();
    let (old, new) = if from_base {
        (before.resolved(cx.base), after.clone())
    } else {
        (before.clone(), after.resolved(cx.revision))
    };
    let key = (old.pointer.clone(), new.pointer.clone());
    if key == (before.pointer.clone(), after.pointer.clone()) {
        let unresolved = if from_base { before } else { after };
        let pair = pair("$ref", [before, after]);
        cx.findings.unhandled(scope, &Pair { pointer: unresolved.pointer.clone(), ..pair });
    } else if !cx.seen.following.contains(&key) {
        cx.seen.following.push(key);
        compare_normalised(cx, scope, [&old, &new]);
        cx.seen.following.pop();
    }
}

fn nullability(findings: &mut Findings, scope: &DiffScope, [before, after]: Schemas<'_, '_>) {
    if before.nullable == after.nullable {
        return;
    }
    let (rule, text) = if after.nullable {
        (&rules::BECAME_NULLABLE, "was never null and may now be null")
    } else {
        (&rules::BECAME_NOT_NULLABLE, "could be null and may no longer be")
    };
    let (old, new) = (Value::Bool(before.nullable), Value::Bool(after.nullable));
    findings.report(scope, rule, &Pair::new(&*after.pointer, Some(&old), Some(&new)), text);
}

/// Compares the keywords that describe the place of a value, not the value.
fn annotations(findings: &mut Findings, scope: &DiffScope, [before, after]: Schemas<'_, '_>) {
    for pair in pairs([before, after]).iter().filter(|pair| pair.before != pair.after) {
        match pair.key {
            key if is_annotation(key) => findings.documentation(scope, pair),
            "default" => findings.changed(scope, &rules::DEFAULT_CHANGED, "the default", pair),
            "deprecated" => findings.deprecated(scope, pair),
            "readOnly" => {
                let on = (&rules::READ_ONLY, "could be sent and is now read-only");
                findings.flag(scope, pair, [on, (&rules::NOT_READ_ONLY, "was read-only and no longer is")]);
            }
            "writeOnly" => {
                let on = (&rules::WRITE_ONLY, "could be received and is now write-only");
                findings.flag(scope, pair, [on, (&rules::NOT_WRITE_ONLY, "was write-only and no longer is")]);
            }
            _ => {}
        }
    }
}

fn reference<'a>(cx: &mut Differ<'a>, scope: &DiffScope, [before, after]: Schemas<'_, 'a>) {
    match (before.reference(), after.reference()) {
        (Some(old), Some(new)) => components(cx, scope, old, new),
        _ if before.keyword("$ref") == after.keyword("$ref") => {}
        _ => cx.findings.unhandled(scope, &pair("$ref", [before, after])),
    }
}

/// Compares two components, once for each side, and notes that the scope uses them.
fn components<'a>(cx: &mut Differ<'a>, scope: &DiffScope, old: &'a str, new: &'a str) {
    let Some(side) = scope.side else { return };
    let (from, to) = (child("/components/schemas", old), child("/components/schemas", new));
    if old != new {
        let [before, after] = [old, new].map(|name| json!({ "$ref": format!("{SCHEMA_REF}{name}") }));
        let pair = Pair::new(&*to, Some(&before), Some(&after));
        let text = format!("was `{old}` and is now `{new}`");
        cx.findings.report(scope, &rules::REFERENCE_CHANGED, &pair, &text);
    }
    if let Some(&known) = cx.seen.schemas.get(&(old, new, side)) {
        cx.findings.nodes[scope.node].uses.insert(known);
        return;
    }
    let node = cx.findings.node(NodeOwner::Schema { base: old.to_owned(), revision: new.to_owned() });
    cx.seen.schemas.insert((old, new, side), node);
    cx.findings.nodes[scope.node].uses.insert(node);
    let scope = DiffScope { side: Some(side), subject: "schema", ..DiffScope::new(node, format!("`{new}`")) };
    match (cx.base.pointer(&from), cx.revision.pointer(&to)) {
        (Some(before), Some(after)) => {
            compare(cx, &scope, &Located::new(before, from), &Located::new(after, to));
        }
        (None, None) => {}
        (before, after) => {
            let missing = if before.is_none() { from } else { to };
            cx.findings.unhandled(&scope, &Pair::new(missing, before, after));
        }
    }
}

/// Compares the keywords that describe the value.
fn structure<'a>(cx: &mut Differ<'a>, scope: &DiffScope, [before, after]: Schemas<'_, 'a>) {
    if !types(&mut cx.findings, scope, [before, after]) {
        return;
    }
    values(&mut cx.findings, scope, [before, after]);
    limits::compare(&mut cx.findings, scope, [before, after]);
    for pair in pairs([before, after]) {
        let equal = pair.before == pair.after;
        if !equal && pair.values().any(|value| is_malformed(pair.key, value)) {
            cx.findings.unhandled(scope, &pair);
            continue;
        }
        match pair.key {
            // Equal keywords too: they may refer to components that differ.
            "properties" => properties::compare(cx, scope, [before, after]),
            "additionalProperties" => properties::additional(cx, scope, [before, after]),
            "items" => compare(cx, &scope.inside("[]"), &before.inner("items"), &after.inner("items")),
            key @ "propertyNames" => {
                compare(cx, &scope.inside("{key}"), &before.inner(key), &after.inner(key));
            }
            "prefixItems" => tuple(cx, scope, [before, after]),
            "patternProperties" => patterns_of_keys(cx, scope, [before, after]),
            "allOf" => unions::all_of(cx, scope, [before, after]),
            _ if equal => {}
            // Compared with the properties, if there are any.
            "required" if [before, after].iter().any(|schema| schema.keyword("properties").is_some()) => {}
            "required" => properties::compare(cx, scope, [before, after]),
            "format" => {
                let rules = [&rules::FORMAT_ADDED, &rules::FORMAT_REMOVED, &rules::FORMAT_CHANGED];
                cx.findings.changed(scope, by_change(&pair, rules), "the format", &pair);
            }
            "pattern" => {
                let rules = [&rules::PATTERN_ADDED, &rules::PATTERN_REMOVED, &rules::PATTERN_CHANGED];
                cx.findings.changed(scope, by_change(&pair, rules), "the pattern", &pair);
            }
            key @ ("contentEncoding" | "contentMediaType") => {
                cx.findings.changed(scope, &rules::CONTENT_ENCODING, &format!("`{key}`"), &pair);
            }
            "uniqueItems" => {
                let on = (&rules::UNIQUE_ADDED, "allowed duplicate items and no longer does");
                let off = (&rules::UNIQUE_REMOVED, "did not allow duplicate items and now does");
                cx.findings.flag(scope, &pair, [on, off]);
            }
            "discriminator" => unions::discriminator(cx, scope, &pair),
            "default" | "deprecated" | "readOnly" | "writeOnly" | "$ref" => {}
            key if is_annotation(key) || limits::is_limit(key) => {}
            key if !key.is_empty() && !is_keyword(key) => cx.findings.documentation(scope, &pair),
            _ => cx.findings.unhandled(scope, &pair),
        }
    }
}

/// Compares the values under keys of each pattern.
fn patterns_of_keys<'a>(cx: &mut Differ<'a>, scope: &DiffScope, [before, after]: Schemas<'_, 'a>) {
    let [old, new] = [before, after].map(|schema| schema.inner("patternProperties").entries());
    for pattern in old.keys().chain(new.keys()).copied().collect::<BTreeSet<&str>>() {
        match (old.get(pattern), new.get(pattern)) {
            (Some(old), Some(new)) => compare(cx, &scope.inside(&format!("{{{pattern}}}")), old, new),
            (old, new) => {
                let place = new.or(old).map_or_else(String::new, |place| place.pointer.clone());
                let value = |schema: Option<&Located<'a>>| schema.map(|schema| schema.value);
                let pair = Pair { key: pattern, pointer: place, before: value(old), after: value(new) };
                let rules = [&rules::PATTERN_ADDED, &rules::PATTERN_REMOVED, &rules::PATTERN_CHANGED];
                let what = format!("the value of keys that match `{pattern}`");
                cx.findings.changed(scope, by_change(&pair, rules), &what, &pair);
            }
        }
    }
}

fn by_change(pair: &Pair<'_>, [added, removed, changed]: [&'static DiffRule; 3]) -> &'static DiffRule {
    match (pair.before, pair.after) {
        (None, _) => added,
        (_, None) => removed,
        _ => changed,
    }
}

/// Compares the types; false if nothing else can be compared.
fn types(findings: &mut Findings, scope: &DiffScope, [before, after]: Schemas<'_, '_>) -> bool {
    type Types<'t> = Option<&'t BTreeSet<&'t str>>;
    fn covers(wide: Types<'_>, narrow: Types<'_>) -> bool {
        match (wide, narrow) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wide), Some(narrow)) => narrow
                .iter()
                .all(|kind| wide.contains(kind) || (*kind == "integer" && wide.contains("number"))),
        }
    }
    fn names(types: Types<'_>) -> String {
        match types {
            None => "anything".to_owned(),
            Some(types) if types.is_empty() => "null only".to_owned(),
            Some(types) => types.iter().copied().collect::<Vec<_>>().join(" or "),
        }
    }
    let (old, new) = (before.types.as_ref(), after.types.as_ref());
    if old == new {
        return true;
    }
    let (rule, comparable) = match (covers(new, old), covers(old, new)) {
        (true, _) => (&rules::TYPE_GENERALIZED, true),
        (_, true) => (&rules::TYPE_SPECIALIZED, true),
        _ => (&rules::TYPE_CHANGED, false),
    };
    let pair = Pair::new(child(&after.pointer, "type"), Some(before.raw), Some(after.raw));
    let text = format!("the type was {} and is now {}", names(old), names(new));
    findings.report(scope, rule, &pair, &text);
    comparable
}

/// Compares the values of an enum.
fn values(findings: &mut Findings, scope: &DiffScope, [before, after]: Schemas<'_, '_>) {
    let pointer = child(&after.pointer, "enum");
    let pair = |before, after| Pair::new(&*pointer, before, after);
    let list = |values: &[&Value]| values.iter().map(|value| short(value)).collect::<Vec<_>>().join(", ");
    match (&before.values, &after.values) {
        (None, None) => {}
        (None, Some(values)) => {
            let text = format!("could be any value and is now one of {}", list(values));
            findings.report(scope, &rules::BECAME_ENUM, &pair(None, Some(after.raw)), &text);
        }
        (Some(values), None) => {
            let text = format!("was one of {} and can now be any value", list(values));
            findings.report(scope, &rules::BECAME_FREE, &pair(Some(before.raw), None), &text);
        }
        (Some(old), Some(new)) => {
            for value in old.iter().filter(|value| !new.contains(value)) {
                let text = format!("could be {} and no longer can be", short(value));
                findings.report(scope, &rules::ENUM_VALUE_REMOVED, &pair(Some(value), None), &text);
            }
            for value in new.iter().filter(|value| !old.contains(value)) {
                let text = format!("could not be {} and now can be", short(value));
                findings.report(scope, &rules::ENUM_VALUE_ADDED, &pair(None, Some(value)), &text);
            }
        }
    }
}

fn tuple<'a>(cx: &mut Differ<'a>, scope: &DiffScope, [before, after]: Schemas<'_, 'a>) {
    const KEY: &str = "prefixItems";
    let (old, new) = (before.members(KEY), after.members(KEY));
    if old.len() != new.len() {
        let items = |number| count(number, "fixed item");
        let text = format!("had {} and now has {}", items(old.len()), items(new.len()));
        cx.findings.report(scope, &rules::TYPE_CHANGED, &pair(KEY, [before, after]), &text);
    }
    for (at, (old, new)) in old.iter().zip(&new).enumerate() {
        compare(cx, &scope.inside(&format!("[{at}]")), old, new);
    }
}

/// Whether a keyword has a value that it cannot have.
fn is_malformed(key: &str, value: &Value) -> bool {
    match key {
        "required" => !value.as_array().is_some_and(|names| names.iter().all(Value::is_string)),
        "properties" => !value.is_object(),
        "allOf" | "prefixItems" => !value.is_array(),
        _ => false,
    }
}
