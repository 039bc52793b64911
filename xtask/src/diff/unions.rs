//! Unions (`anyOf`, `oneOf`) and `allOf`: their members, paired by what identifies them, and discriminators.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, VecDeque};

use serde_json::Value;

use super::differ::Differ;
use super::findings::{DiffScope, Pair, short};
use super::normalised::{Located, NormalisedSchema};
use super::rules::{self, DiffRule};
use super::schema::{self, Schemas};
use crate::lower::SCHEMA_REF;
use crate::pointer::child;

/// How members are reported: the rules and the sentences of an addition and a removal.
type MemberRules = [(&'static DiffRule, [&'static str; 2]); 2];

const UNION: MemberRules = [
    (&rules::MEMBER_ADDED, ["could not be", "now can be"]),
    (&rules::MEMBER_REMOVED, ["could be", "no longer can be"]),
];
const ALL_OF: MemberRules = [
    (&rules::PART_ADDED, ["did not have the `allOf` member", "now does"]),
    (&rules::PART_REMOVED, ["had the `allOf` member", "no longer does"]),
];

/// Compares the unions of two schemas; false if only one of them is a union, and nothing else can be compared.
pub(super) fn compare<'a>(cx: &mut Differ<'a>, scope: &DiffScope, [before, after]: Schemas<'_, 'a>) -> bool {
    match (&before.union, &after.union) {
        (None, None) => return true,
        (Some((old, was)), Some((new, is))) => {
            if old != new {
                let (before, now) = (Value::from(*old), Value::from(*new));
                let pair = Pair::new(child(&after.pointer, new), Some(&before), Some(&now));
                let text = format!("listed its members under `{old}` and now does under `{new}`");
                cx.findings.report(scope, &rules::UNION_KIND, &pair, &text);
            }
            members(cx, scope, normalised(was), normalised(is), UNION);
            return true;
        }
        // A schema that becomes a union with itself as a member, or the reverse.
        (Some((_, was)), None) => {
            let alone = NormalisedSchema { nullable: false, ..after.clone().bare() };
            members(cx, scope, normalised(was), vec![alone], UNION);
            siblings_unhandled(cx, scope, before, [before, after]);
        }
        (None, Some((_, is))) => {
            let alone = NormalisedSchema { nullable: false, ..before.clone().bare() };
            members(cx, scope, vec![alone], normalised(is), UNION);
            siblings_unhandled(cx, scope, after, [before, after]);
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
fn siblings_unhandled<'a>(
    cx: &mut Differ<'a>,
    scope: &DiffScope,
    union: &NormalisedSchema<'a>,
    [before, after]: Schemas<'_, 'a>,
) {
    for key in union.clone().bare().keywords.keys() {
        cx.findings.unhandled(scope, &schema::pair(key, [before, after]));
    }
    for (key, present) in [("type", union.types.is_some()), ("enum", union.values.is_some())] {
        if present {
            let [was, is] = [before, after].map(|schema| schema.raw.get(key));
            cx.findings.unhandled(scope, &Pair { key, ..Pair::new(child(&union.pointer, key), was, is) });
        }
    }
}

/// Pairs members that are the same thing, compares them, and reports the rest.
fn members<'a>(
    cx: &mut Differ<'a>,
    scope: &DiffScope,
    before: Vec<NormalisedSchema<'a>>,
    after: Vec<NormalisedSchema<'a>>,
    [added, removed]: MemberRules,
) {
    for pair in matched((cx.base, cx.revision), before, after) {
        let sides = pair.each_ref().map(Option::as_ref);
        let (member, (rule, [was, is])) = match (sides[0], sides[1]) {
            (Some(was), Some(is)) => {
                let label = match is.reference() {
                    Some(_) => scope.label.clone(),
                    None => format!("{} as {}", scope.label, member_name(is)),
                };
                schema::compare_normalised(cx, &scope.named(label), [was, is]);
                continue;
            }
            (Some(was), None) => (was, removed),
            (None, Some(is)) => (is, added),
            (None, None) => continue,
        };
        let raw = |side: Option<&NormalisedSchema<'a>>| side.map(|member| member.raw);
        let pair = Pair::new(&*member.pointer, raw(sides[0]), raw(sides[1]));
        let text = format!("{was} {} and {is}", member_name(member));
        cx.findings.report(scope, rule, &pair, &text);
    }
}

/// What tells whether two members are the same thing, the strongest evidence first.
#[derive(PartialEq, Eq, Hash)]
enum MemberKey<'a> {
    /// The whole schema.
    Equal(&'a Value),
    /// The name of a component.
    Reference(&'a str),
    /// A property with a single value.
    Tag(&'a str, &'a Value),
    Title(&'a str),
    /// All properties.
    Fields(BTreeSet<&'a str>),
}

impl MemberKey<'_> {
    const RANKS: std::ops::Range<u8> = 0..5;
}

/// A union member with what its reference leads to.
struct Member<'a> {
    schema: NormalisedSchema<'a>,
    /// The component, if one of this name exists in both documents: no other component is the same thing.
    unique: Option<&'a str>,
    tags: Vec<(&'a str, &'a Value)>,
    fields: BTreeSet<&'a str>,
    types: Option<BTreeSet<&'a str>>,
}

impl<'a> Member<'a> {
    fn new(schema: NormalisedSchema<'a>, document: &'a Value, other: &'a Value) -> Self {
        let exists = |name: &&str| other.pointer(&child("/components/schemas", name)).is_some();
        let resolved = schema.resolved(document);
        let properties = resolved.properties();
        let tag = |(name, property): (&&'a str, &Located<'a>)| match *NormalisedSchema::of(property).values? {
            [value] => Some((*name, value)),
            _ => None,
        };
        Self {
            unique: schema.reference().filter(exists),
            tags: properties.iter().filter_map(tag).collect(),
            fields: properties.into_keys().collect(),
            types: resolved.types,
            schema,
        }
    }

    fn keys(&self, rank: u8) -> Vec<MemberKey<'a>> {
        match rank {
            0 => vec![MemberKey::Equal(self.schema.raw)],
            1 => self.schema.reference().map(MemberKey::Reference).into_iter().collect(),
            2 => self.tags.iter().map(|(name, value)| MemberKey::Tag(name, value)).collect(),
            3 => {
                let title = self.schema.keyword("title").and_then(Value::as_str);
                title.map(MemberKey::Title).into_iter().collect()
            }
            _ if self.fields.is_empty() => Vec::new(),
            _ => vec![MemberKey::Fields(self.fields.clone())],
        }
    }

    fn excludes(&self, other: &Self) -> bool {
        let references = [self.schema.reference(), other.schema.reference()];
        matches!(references, [Some(old), Some(new)] if old != new)
            && (self.unique.is_some() || other.unique.is_some())
    }

    /// How many fields two members share, if that is at least half of them; 0 for the same type with nothing to compare.
    fn likeness(&self, other: &Self) -> Option<usize> {
        let shared = self.fields.intersection(&other.fields).count();
        let all = self.fields.len() + other.fields.len() - shared;
        let is_open = self.fields.is_empty() || other.fields.is_empty();
        let same_type = is_open && self.types.is_some() && self.types == other.types;
        (!self.excludes(other) && (same_type || shared > 0 && shared * 2 >= all)).then_some(shared)
    }
}

/// Pairs the members that are the same thing. A member that only one side has is paired with `None`.
fn matched<'a>(
    (base, revision): (&'a Value, &'a Value),
    before: Vec<NormalisedSchema<'a>>,
    after: Vec<NormalisedSchema<'a>>,
) -> Vec<[Option<NormalisedSchema<'a>>; 2]> {
    /// The most members without a common key that are compared with each other.
    const ALIKE_MAX: usize = 64;
    let mut old: Vec<_> = before.into_iter().map(|one| Some(Member::new(one, base, revision))).collect();
    let mut new: Vec<_> = after.into_iter().map(|one| Some(Member::new(one, revision, base))).collect();
    let mut pairs = Vec::new();
    let mut pair = |was: &mut Option<Member<'a>>, is: &mut Option<Member<'a>>| {
        pairs.push([was, is].map(|member| member.take().map(|member| member.schema)));
    };
    for rank in MemberKey::RANKS {
        let mut places = HashMap::<MemberKey<'a>, VecDeque<usize>>::new();
        for (at, member) in new.iter().enumerate() {
            for key in member.iter().flat_map(|member| member.keys(rank)) {
                places.entry(key).or_default().push_back(at);
            }
        }
        for was in &mut old {
            let Some(member) = was else { continue };
            // The first of equals, so that equal members stay in order.
            let found = member.keys(rank).iter().find_map(|key| {
                let open = places.get_mut(key)?;
                while open.front().is_some_and(|at| new[*at].is_none()) {
                    open.pop_front();
                }
                open.iter().copied().find(|at| new[*at].as_ref().is_some_and(|is| !member.excludes(is)))
            });
            if let Some(at) = found {
                pair(was, &mut new[at]);
            }
        }
    }
    let open = |members: &[Option<Member<'a>>]| members.iter().flatten().count();
    if open(&old).max(open(&new)) <= ALIKE_MAX {
        let likeness =
            |old: &Option<Member<'a>>, new: &Option<Member<'a>>| old.as_ref()?.likeness(new.as_ref()?);
        let each = |at: usize, was| {
            new.iter().enumerate().filter_map(move |(to, is)| Some((likeness(was, is)?, at, to)))
        };
        let mut alike: Vec<_> = old.iter().enumerate().flat_map(|(at, was)| each(at, was)).collect();
        alike.sort_by_key(|(likeness, ..)| Reverse(*likeness));
        for (_, was, is) in alike {
            if old[was].is_some() && new[is].is_some() {
                pair(&mut old[was], &mut new[is]);
            }
        }
    }
    old.iter_mut().filter(|was| was.is_some()).for_each(|was| pair(was, &mut None));
    new.iter_mut().filter(|is| is.is_some()).for_each(|is| pair(&mut None, is));
    pairs
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
