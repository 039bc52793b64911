//! Unions (`anyOf`, `oneOf`) and `allOf`: their members, paired by likeness, and discriminators.

use std::collections::BTreeSet;

use serde_json::Value;

use super::differ::Differ;
use super::findings::{DiffScope, Pair, short};
use super::normalised::{Located, NormalisedSchema};
use super::rules::{self, DiffRule};
use super::schema::{self, Schemas};
use crate::lower::SCHEMA_REF;
use crate::pointer::child;

/// How members are reported: the rules and the sentences of an addition and a removal.
type MemberRules = [(&'static DiffRule, &'static str); 2];

const UNION: MemberRules =
    [(&rules::MEMBER_ADDED, "may now be"), (&rules::MEMBER_REMOVED, "may no longer be")];
const ALL_OF: MemberRules = [
    (&rules::PART_ADDED, "now has the `allOf` member"),
    (&rules::PART_REMOVED, "no longer has the `allOf` member"),
];

/// Compares the unions of two schemas; false if only one of them is a union, and nothing else can be compared.
pub(super) fn compare<'a>(cx: &mut Differ<'a>, scope: &DiffScope, [before, after]: Schemas<'_, 'a>) -> bool {
    match (&before.union, &after.union) {
        (None, None) => return true,
        (Some((old, was)), Some((new, is))) => {
            if old != new {
                let pair = Pair::new(child(&after.pointer, new), None, None);
                let text = format!("is now `{new}` its members instead of `{old}`");
                cx.findings.report(scope, &rules::UNION_KIND, &pair, &text);
            }
            members(cx, scope, normalised(was), normalised(is), UNION);
            return true;
        }
        // A schema that becomes a union with itself as a member, or the reverse.
        (Some((_, was)), None) => {
            let alone = NormalisedSchema { nullable: false, ..after.clone().bare() };
            members(cx, scope, normalised(was), vec![alone], UNION);
            siblings_unhandled(cx, scope, before);
        }
        (None, Some((_, is))) => {
            let alone = NormalisedSchema { nullable: false, ..before.clone().bare() };
            members(cx, scope, vec![alone], normalised(is), UNION);
            siblings_unhandled(cx, scope, after);
        }
    }
    false
}

/// Compares the members of `allOf`.
pub(super) fn all_of<'a>(cx: &mut Differ<'a>, scope: &DiffScope, [before, after]: Schemas<'_, 'a>) {
    let parts = |schema: &NormalisedSchema<'a>| normalised(&schema.members("allOf"));
    members(cx, scope, parts(before), parts(after), ALL_OF);
}

fn normalised<'a>(members: &[Located<'a>]) -> Vec<NormalisedSchema<'a>> {
    members.iter().map(NormalisedSchema::of).collect()
}

/// Notes what a union has next to its members: no rule compares it with a schema that is not a union.
fn siblings_unhandled<'a>(cx: &mut Differ<'a>, scope: &DiffScope, schema: &NormalisedSchema<'a>) {
    for (key, keyword) in &schema.clone().bare().keywords {
        cx.findings.unhandled(scope, &keyword.pointer, key);
    }
    for (key, present) in [("type", schema.types.is_some()), ("enum", schema.values.is_some())] {
        if present {
            cx.findings.unhandled(scope, &child(&schema.pointer, key), key);
        }
    }
}

/// Pairs members that are the same thing, compares them, and reports the rest.
fn members<'a>(
    cx: &mut Differ<'a>,
    scope: &DiffScope,
    mut before: Vec<NormalisedSchema<'a>>,
    mut after: Vec<NormalisedSchema<'a>>,
    [added, removed]: MemberRules,
) {
    loop {
        let pairs = before.iter().enumerate().flat_map(|(old, was)| {
            let documents = (cx.base, cx.revision);
            after.iter().enumerate().map(move |(new, is)| (likeness(documents, [was, is]), old, new))
        });
        // The first of equals, so that equal members stay in order.
        let best = pairs.fold((0, 0, 0), |best, one| if one.0 > best.0 { one } else { best });
        let (1.., old, new) = best else { break };
        let (was, is) = (before.remove(old), after.remove(new));
        let label = match is.reference() {
            Some(_) => scope.label.clone(),
            None => format!("{} as {}", scope.label, member_name(&is)),
        };
        schema::compare_normalised(cx, &scope.named(label), [&was, &is]);
    }
    for member in before {
        let pair = Pair::new(&*member.pointer, Some(member.raw), None);
        cx.findings.report(scope, removed.0, &pair, &format!("{} {}", removed.1, member_name(&member)));
    }
    for member in after {
        let pair = Pair::new(&*member.pointer, None, Some(member.raw));
        cx.findings.report(scope, added.0, &pair, &format!("{} {}", added.1, member_name(&member)));
    }
}

/// How likely two members of a union are the same thing; 0 means that they are not.
fn likeness<'a>((base, revision): (&'a Value, &'a Value), [before, after]: Schemas<'_, 'a>) -> u32 {
    const SAME: u32 = 100;
    const TAG: u32 = 80;
    const TITLE: u32 = 70;
    const FIELDS: u32 = 60;
    const TYPE: u32 = 20;
    if before.raw == after.raw {
        return SAME;
    }
    if let (Some(old), Some(new)) = (before.reference(), after.reference()) {
        let exists =
            |document: &Value, name: &str| document.pointer(&child("/components/schemas", name)).is_some();
        // Components that exist in both documents under their own names are different things.
        if old != new && (exists(revision, old) || exists(base, new)) {
            return 0;
        }
        if old == new {
            return SAME;
        }
    }
    let (old, new) = (before.resolved(base), after.resolved(revision));
    let tags = |schema: &NormalisedSchema<'a>| -> BTreeSet<(String, String)> {
        let properties = schema.properties().into_iter();
        let tags = properties.filter_map(|(name, property)| {
            let values = NormalisedSchema::of(&property).values.filter(|values| values.len() == 1)?;
            Some((name.to_owned(), values.first()?.to_string()))
        });
        tags.collect()
    };
    if !tags(&old).is_disjoint(&tags(&new)) {
        return TAG;
    }
    if before.keyword("title").is_some() && before.keyword("title") == after.keyword("title") {
        return TITLE;
    }
    let fields = |schema: &NormalisedSchema<'a>| schema.properties().into_keys().collect::<BTreeSet<_>>();
    let (was, is) = (fields(&old), fields(&new));
    let (shared, all) = (was.intersection(&is).count(), was.union(&is).count());
    if shared > 0 && shared * 2 >= all {
        return FIELDS;
    }
    let plain = was.is_empty() && is.is_empty();
    if plain && old.types.is_some() && old.types == new.types { TYPE } else { 0 }
}

fn member_name(member: &NormalisedSchema<'_>) -> String {
    if let Some(name) = member.reference() {
        return format!("`{name}`");
    }
    if let Some(title) = member.keyword("title").and_then(Value::as_str) {
        return format!("\"{title}\"");
    }
    match &member.types {
        Some(types) if !types.is_empty() => types.iter().copied().collect::<Vec<_>>().join(" or "),
        _ => short(member.raw),
    }
}

/// Compares discriminators. A mapping that only follows renamed components is not a change.
pub(super) fn discriminator(cx: &mut Differ<'_>, scope: &DiffScope, pair: &Pair<'_>) {
    const RULE: &DiffRule = &rules::DISCRIMINATOR;
    let objects = |pair: &Pair<'_>| pair.values().filter(|value| value.is_object()).count();
    if objects(pair) < 2 {
        return cx.findings.changed(scope, RULE, "the discriminator", pair);
    }
    for pair in pair.entries() {
        if objects(&pair) < 2 {
            cx.findings.changed(scope, RULE, &format!("the discriminator's `{}`", pair.key), &pair);
            continue;
        }
        for pair in pair.entries() {
            let name = |target: Option<&Value>| -> Option<String> {
                Some(target?.as_str()?.strip_prefix(SCHEMA_REF)?.to_owned())
            };
            let renamed = match (name(pair.before), name(pair.after)) {
                (Some(old), Some(new)) => {
                    cx.seen.schemas.keys().any(|(was, is, _)| *was == old && *is == new)
                }
                _ => false,
            };
            if !renamed {
                let what = format!("the discriminator's member for `{}`", pair.key);
                cx.findings.changed(scope, RULE, &what, &pair);
            }
        }
    }
}
