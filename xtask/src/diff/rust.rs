//! What a change does to the generated code, taken from the code itself.
//!
//! The public items of both generated clients are compared, and each that came, went or changed is given to the change of
//! the document that causes it: by the component or operation that the item was generated from, and by the field or
//! parameter in it. What finds no cause becomes a change of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::rules::{self, Level, Rule};
use super::walk::{Found, Owner};
use super::{Change, Draft};
use crate::lower::{Document, Lowered, closure, references};

/// Where in the document an item comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    /// A component's name, or an operation's.
    owner: String,
    /// A property or parameter.
    member: Option<String>,
}

/// The public items that were generated from one document.
#[derive(Debug)]
pub(crate) struct Surface {
    items: BTreeMap<Item, String>,
    /// Where the types come from, by the plain form of their names.
    origins: BTreeMap<String, Origin>,
    /// The method that each builder belongs to.
    methods: BTreeMap<String, String>,
}

/// A public item, apart from its type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Type(String),
    Field(String, String),
    Variant(String, String),
    Method(String),
    /// A parameter of a method, set on its builder.
    Setter(String, String),
    /// What a method answers.
    Answer(String),
    Other(String),
}

/// A name without what the generator changes about names.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

impl Surface {
    pub(crate) fn new(lines: &[String], lowered: &Lowered) -> Self {
        let methods = lines.iter().filter_map(|line| {
            let (method, rest) = line.strip_prefix("fn raw::Client::")?.split_once('(')?;
            let builder = rest.split_once("-> builder::")?.1.split('<').next()?;
            Some((builder.to_owned(), method.to_owned()))
        });
        let methods: BTreeMap<_, _> = methods.collect();
        let items = lines.iter().filter_map(|line| Item::read(line, &methods)).collect();
        Self { items, origins: origins(lowered), methods }
    }

    /// Where a type comes from: what has its name, or the longest beginning of it.
    fn origin(&self, kind: &str) -> Option<Origin> {
        let name = plain(kind);
        let longest = self.origins.iter().filter(|(key, _)| name.starts_with(key.as_str()));
        longest.max_by_key(|(key, _)| key.len()).map(|(_, origin)| origin.clone())
    }
}

/// Where the types of a lowered document come from, by the plain form of their names.
fn origins(lowered: &Lowered) -> BTreeMap<String, Origin> {
    let mut origins = BTreeMap::new();
    let mut operation = |name: &str, parts: &Map<String, Value>| {
        origins.insert(plain(name), Origin { owner: name.to_owned(), member: None });
        for parameter in parts.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            let Some(parameter) = parameter.get("name").and_then(Value::as_str) else { continue };
            let origin = Origin { owner: name.to_owned(), member: Some(parameter.to_owned()) };
            origins.insert(plain(name) + &plain(parameter), origin);
        }
    };
    Document(lowered.document.clone()).each_operation(|_, _, parts| {
        if let Some(name) = parts.get("operationId").and_then(Value::as_str).map(str::to_owned) {
            operation(&name, parts);
        }
    });
    let schemas = lowered.document.pointer("/components/schemas").and_then(Value::as_object);
    for (name, schema) in schemas.into_iter().flatten() {
        let Some(owner) = lowered.origins.get(name) else { continue };
        for property in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let origin = Origin { owner: owner.clone(), member: Some(property.0.clone()) };
            origins.insert(plain(name) + &plain(property.0), origin);
        }
    }
    // Last: a component's own name means the component.
    for (name, owner) in &lowered.origins {
        origins.insert(plain(name), Origin { owner: owner.clone(), member: None });
    }
    origins
}

impl Item {
    /// Reads a line of the surface; `None` for what only repeats another line.
    fn read(line: &str, methods: &BTreeMap<String, String>) -> Option<(Self, String)> {
        const TYPES: &str = "raw::types::";
        if line.contains("raw::types::builder::")
            || line.ends_with(">::new(client: &'a super::Client) -> Self")
        {
            return None;
        }
        for kind in ["struct", "enum", "type"] {
            if let Some(rest) = line.strip_prefix(kind).and_then(|rest| rest.trim_start().strip_prefix(TYPES))
            {
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let after = &rest[name.len()..];
                return Some((Self::Type(name), format!("{kind}{after}")));
            }
        }
        if let Some(rest) = line.strip_prefix(TYPES) {
            let dot = rest.find('.').filter(|dot| !rest[..*dot].contains(' '));
            return Some(match (rest.split_once("::"), dot) {
                // A variant, or what one holds.
                (Some((owner, variant)), at) if at.is_none_or(|at| owner.len() < at) => {
                    let (name, kind) = variant.split_once('.').unwrap_or((variant, ""));
                    let item = Self::Variant(owner.to_owned(), name.to_owned());
                    (item, kind.split_once(": ").map(|(_, kind)| kind.to_owned()).unwrap_or_default())
                }
                (_, Some(dot)) => {
                    let (field, kind) = rest[dot + 1..].split_once(": ").unwrap_or((&rest[dot + 1..], ""));
                    (Self::Field(rest[..dot].to_owned(), field.to_owned()), kind.to_owned())
                }
                _ => (Self::Other(line.to_owned()), String::new()),
            });
        }
        if let Some(rest) = line.strip_prefix("fn raw::Client::") {
            let (method, _) = rest.split_once('(')?;
            if rest.contains("-> builder::") {
                return Some((Self::Method(method.to_owned()), String::new()));
            }
        }
        if line.starts_with("fn raw::types::") && line.contains("::builder() -> builder::") {
            return None;
        }
        let call = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn raw::builder::");
        if let Some((builder, rest)) = call.and_then(|rest| rest.split_once("<'a>::")) {
            let method = methods.get(builder)?.clone();
            let setter = rest.split(['<', '(']).next()?.to_owned();
            if let Some((_, answer)) = rest.split_once("ResponseValue<").filter(|_| setter == "send") {
                let answer = answer.split_once(">, Error").map_or(answer, |(answer, _)| answer);
                return Some((Self::Answer(method), answer.to_owned()));
            }
            let kind = rest.split_once("TryInto<").map_or(rest, |(_, kind)| kind);
            let kind = kind
                .split_once(">, <")
                .map_or_else(|| kind.strip_suffix('>').unwrap_or(kind), |(kind, _)| kind);
            return Some((Self::Setter(method, setter), kind.to_owned()));
        }
        if line.starts_with("struct raw::builder::") {
            return None;
        }
        Some((Self::Other(line.to_owned()), String::new()))
    }
}

/// One item that differs.
#[derive(Debug)]
struct Difference {
    item: Item,
    text: String,
    /// Whether code that compiled may no longer.
    loss: bool,
    /// The item's type before and after.
    kinds: [Option<String>; 2],
    /// Where it comes from, in the older and the newer document.
    origins: Vec<Origin>,
}

/// The difference of two surfaces.
#[derive(Debug)]
pub(crate) struct Delta(Vec<Difference>);

impl Delta {
    pub(crate) fn between(old: &Surface, new: &Surface) -> Self {
        let items: BTreeSet<&Item> = old.items.keys().chain(new.items.keys()).collect();
        let mut differences = Vec::new();
        for item in items {
            let (was, is) = (old.items.get(item), new.items.get(item));
            // The parts of a type or call that came or went do so with it.
            let whole = match item {
                Item::Field(owner, _) | Item::Variant(owner, _) => Some(Item::Type(owner.clone())),
                Item::Setter(method, _) | Item::Answer(method) => Some(Item::Method(method.clone())),
                _ => None,
            };
            let moves_along =
                whole.is_some_and(|whole| old.items.contains_key(&whole) != new.items.contains_key(&whole));
            if was == is || moves_along {
                continue;
            }
            let origins = [old, new].into_iter().filter_map(|surface| item.origin(surface)).collect();
            let (text, loss) = item.difference(was.map(String::as_str), is.map(String::as_str));
            differences.push(Difference {
                item: item.clone(),
                text,
                loss,
                kinds: [was.cloned(), is.cloned()],
                origins,
            });
        }
        Self(differences)
    }
}

impl Item {
    fn origin(&self, surface: &Surface) -> Option<Origin> {
        match self {
            Self::Type(name) => surface.origin(name),
            Self::Field(name, member) | Self::Variant(name, member) => {
                let origin = surface.origin(name)?;
                Some(Origin { member: origin.member.or_else(|| Some(member.clone())), ..origin })
            }
            Self::Method(method) | Self::Answer(method)
                if surface.methods.values().any(|known| known == method) =>
            {
                Some(Origin { owner: method.clone(), member: None })
            }
            Self::Setter(method, parameter) if surface.methods.values().any(|known| known == method) => {
                Some(Origin { owner: method.clone(), member: Some(parameter.clone()) })
            }
            _ => None,
        }
    }

    /// What became of it, as a sentence, and whether code that compiled may no longer.
    fn difference(&self, was: Option<&str>, is: Option<&str>) -> (String, bool) {
        let verb = if was.is_some() { "loses" } else { "gains" };
        let loss = was.is_some();
        let kinds = match (was, is) {
            (Some(was), Some(is)) => format!("`{was}` → `{is}`"),
            _ => String::new(),
        };
        let both = was.is_some() && is.is_some();
        let text = match self {
            Self::Type(name) if both => format!("`types::{name}` changes: {kinds}"),
            Self::Type(name) if loss => format!("`types::{name}` is gone"),
            Self::Type(name) => format!("`types::{name}` is new"),
            Self::Field(owner, name) | Self::Variant(owner, name) if both => {
                let dot = if matches!(self, Self::Field(..)) { "." } else { "::" };
                format!("`types::{owner}{dot}{name}` changes: {kinds}")
            }
            Self::Field(owner, name) => match is {
                Some(kind) => format!("`types::{owner}` gains `{name}: {kind}`"),
                None => format!("`types::{owner}` loses `{name}`"),
            },
            Self::Variant(owner, name) => format!("`types::{owner}` {verb} `{name}`"),
            Self::Method(name) if loss => format!("method `{name}` is gone"),
            Self::Method(name) => format!("method `{name}` is new"),
            Self::Setter(method, name) if both => format!("method `{method}`: `.{name}(…)` changes: {kinds}"),
            Self::Setter(method, name) => format!("method `{method}` {verb} `.{name}(…)`"),
            Self::Answer(method) => format!("method `{method}` answers otherwise: {kinds}"),
            Self::Other(line) => format!("`{line}` {}", if loss { "is gone" } else { "is new" }),
        };
        (text, loss)
    }
}

/// What of the document a change is about, for finding the items that it causes.
#[derive(Debug)]
pub(super) struct Cause {
    owners: Vec<String>,
    member: Option<String>,
    /// The components that what changed leads to.
    reach: BTreeSet<String>,
    rule: &'static Rule,
}

impl Cause {
    pub(super) fn new(owner: &Owner, found: &Found, base: &Value, revision: &Value) -> Self {
        let owners = match owner {
            Owner::Document => Vec::new(),
            Owner::Operation { base, revision, .. } => base.iter().chain(revision).cloned().collect(),
            Owner::Schema { base, revision } => vec![base.clone(), revision.clone()],
        };
        let mut reach = BTreeSet::new();
        for (value, document) in [(&found.before, base), (&found.after, revision)] {
            let Some(value) = value else { continue };
            let mut roots = BTreeSet::new();
            references(value, &mut roots);
            if std::ptr::eq(found.rule, rules::SCHEMA_RENAMED) {
                roots.extend(value.as_str().map(str::to_owned));
            }
            let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
            reach.extend(schemas.map_or_else(BTreeSet::new, |schemas| closure(schemas, roots)));
        }
        Self { owners, member: found.member.as_deref().map(plain), reach, rule: found.rule }
    }

    fn owns(&self, origin: &Origin) -> bool {
        self.owners.contains(&origin.owner)
    }

    fn is_at(&self, origin: &Origin) -> bool {
        let member = origin.member.as_deref().map(plain);
        self.owns(origin) && self.member.is_some() && self.member == member
    }
}

/// Rules for changes that leave no trace in generated code.
const INERT: &[&Rule] = &[
    rules::DOCUMENTATION_CHANGED,
    rules::DEFAULT_CHANGED,
    rules::DEPRECATED,
    rules::REACTIVATED,
    rules::OPERATION_DEPRECATED,
    rules::OPERATION_REACTIVATED,
    rules::OPERATION_TAG_ADDED,
    rules::OPERATION_TAG_REMOVED,
    rules::SECURITY_ADDED,
    rules::SECURITY_REMOVED,
    rules::READ_ONLY,
    rules::NOT_READ_ONLY,
    rules::WRITE_ONLY,
    rules::NOT_WRITE_ONLY,
    rules::DISCRIMINATOR,
];

/// Gives each difference to the changes that cause it; one without a cause becomes a change.
pub(super) fn attribute(delta: Delta, drafts: &mut Vec<Draft>) {
    let mut given: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let (types, rest): (Vec<_>, Vec<_>) =
        delta.0.into_iter().partition(|difference| matches!(difference.item, Item::Type(_)));
    let mut left = Vec::new();
    for difference in types.into_iter().chain(rest) {
        let causes = causes(&difference, drafts, &given);
        if causes.is_empty() {
            left.push(difference);
            continue;
        }
        if let Item::Type(name) = &difference.item {
            given.insert(name.clone(), causes.clone());
        }
        for index in causes {
            let change = &mut drafts[index].change;
            change.rust.push(difference.text.clone());
            if difference.loss && change.level < Level::Breaking {
                change.level = Level::Breaking;
                change.why = "code that uses the Rust item no longer compiles";
            }
        }
    }
    for difference in left {
        let rule = rules::SURFACE_CHANGED;
        drafts.push(Draft {
            change: Change {
                id: rule.name.to_owned(),
                level: if difference.loss { Level::Breaking } else { Level::Info },
                side: None,
                operations: Vec::new(),
                fingerprint: super::digest(&[rule.name, &difference.text]),
                pointer: String::new(),
                text: format!("the generated code changes: {}", difference.text),
                rust: vec![difference.text],
                why: rule.why,
            },
            causes: Vec::new(),
        });
    }
}

/// The drafts that cause a difference: the most telling kind of evidence that anything has.
fn causes(difference: &Difference, drafts: &[Draft], given: &BTreeMap<String, Vec<usize>>) -> Vec<usize> {
    let all = |evidence: &dyn Fn(&Cause) -> bool| -> Vec<usize> {
        let candidates = drafts.iter().enumerate();
        let with = candidates.filter(|(_, draft)| {
            let mut causes = draft.causes.iter();
            causes.any(|cause| !INERT.iter().any(|inert| std::ptr::eq(*inert, cause.rule)) && evidence(cause))
        });
        with.map(|(index, _)| index).collect()
    };
    let any_origin = |test: &dyn Fn(&Origin) -> bool| difference.origins.iter().any(test);
    let is_type = matches!(difference.item, Item::Type(_));
    let reached = || all(&|cause| any_origin(&|origin| cause.reach.contains(&origin.owner)));

    let at_member = all(&|cause| any_origin(&|origin| cause.is_at(origin)));
    if !at_member.is_empty() {
        return fitting(difference, drafts, at_member);
    }
    if is_type {
        let by_reach = reached();
        if !by_reach.is_empty() {
            return by_reach;
        }
    }
    let mentioned: BTreeSet<usize> = difference
        .kinds
        .iter()
        .flatten()
        .flat_map(|kind| kind.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter_map(|word| given.get(word))
        .flatten()
        .copied()
        .collect();
    if !mentioned.is_empty() {
        return mentioned.into_iter().collect();
    }
    let at_owner = all(&|cause| any_origin(&|origin| cause.owns(origin)) && cause.member.is_none());
    if !at_owner.is_empty() {
        return fitting(difference, drafts, at_owner);
    }
    let by_reach = reached();
    if !by_reach.is_empty() {
        return by_reach;
    }
    // An answer's envelope or page is no type of its own: what changes in it changes the call's answer.
    if let Item::Answer(_) | Item::Method(_) = &difference.item {
        let at_operation = all(&|cause| any_origin(&|origin| cause.owns(origin)));
        return fitting(difference, drafts, at_operation);
    }
    Vec::new()
}

/// Of several changes in one place, those of the kind that makes such a difference.
fn fitting(difference: &Difference, drafts: &[Draft], candidates: Vec<usize>) -> Vec<usize> {
    let optional = |kind: &Option<String>| {
        kind.as_deref().map(|kind| kind.trim_start_matches("Option<").trim_end_matches('>').to_owned())
    };
    let only_optional = match &difference.kinds {
        [Some(was), Some(is)] if was != is => {
            optional(&difference.kinds[0]) == optional(&difference.kinds[1])
        }
        _ => false,
    };
    let words: &[&str] = match &difference.item {
        Item::Variant(..) => &["enum-value", "union-member"],
        _ if only_optional => &["required", "optional", "null"],
        Item::Field(..) | Item::Setter(..) if difference.kinds[0].is_none() => &["-added"],
        Item::Field(..) | Item::Setter(..) if difference.kinds[1].is_none() => &["-removed"],
        _ => return candidates,
    };
    let fits = |index: &&usize| words.iter().any(|word| drafts[**index].change.id.contains(word));
    let some: Vec<usize> = candidates.iter().filter(fits).copied().collect();
    if some.is_empty() { candidates } else { some }
}
