//! What a change does to the generated code, taken from the code itself.
//!
//! The public items of both generated clients are compared, and each item that was added, removed or changed is assigned
//! to the change of the document that causes it: by the component or operation that the item was generated from, and by
//! the field or parameter in it. An item without a cause becomes a change by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::findings::{DiffFinding, NodeOwner};
use super::rules::{self, DiffRule, Level};
use super::{ApiChange, Draft};
use crate::lower::{Document, Lowered, closure, references};
use crate::surface::{ItemKind, PublicItem};

/// Where in the document an item comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    /// The name of a component or an operation.
    owner: String,
    /// A property or parameter.
    member: Option<String>,
}

/// The public items generated from one document, each with the text of its type.
#[derive(Debug)]
pub(crate) struct GeneratedCode {
    items: BTreeMap<RustItem, String>,
    /// The origins of the types, by the plain form of their names.
    origins: BTreeMap<String, Vec<Origin>>,
    methods: BTreeSet<String>,
}

/// A generated item as callers see it, without its type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum RustItem {
    Type(String),
    Field(String, String),
    Variant(String, String),
    Method(String),
    /// A parameter of a method, set on its builder.
    Setter(String, String),
    /// What a method returns.
    Response(String),
    Other(String),
}

/// A name without everything that the generator changes in names.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

impl GeneratedCode {
    pub(crate) fn new(items: &[PublicItem], lowered: &Lowered) -> Self {
        let methods = items.iter().filter_map(|item| Some((builder(item)?, item.name.as_str())));
        let methods: BTreeMap<&str, &str> = methods.collect();
        Self {
            items: items.iter().filter_map(|item| RustItem::of(item, &methods)).collect(),
            origins: origins(lowered),
            methods: methods.values().map(|method| (*method).to_owned()).collect(),
        }
    }

    /// The origins of a type: those of the longest known name that its name starts with.
    fn origins(&self, kind: &str) -> Vec<Origin> {
        let name = plain(kind);
        let beginnings = self.origins.iter().filter(|(key, _)| name.starts_with(key.as_str()));
        beginnings.max_by_key(|(key, _)| key.len()).map(|(_, origins)| origins.clone()).unwrap_or_default()
    }
}

/// The builder that a method of the client returns. All other functions of the client return `Self` or references.
fn builder(item: &PublicItem) -> Option<&str> {
    match &item.kind {
        ItemKind::Function(types) if item.module == "raw" && item.owner.as_deref() == Some("Client") => {
            Some(types.output.as_str()).filter(|output| !["", "Self"].contains(output))
        }
        _ => None,
    }
}

/// The origins of the types of a lowered document, by the plain form of their names.
fn origins(lowered: &Lowered) -> BTreeMap<String, Vec<Origin>> {
    let mut origins = BTreeMap::<String, Vec<Origin>>::new();
    let mut add = |name: String, owner: &str, member: Option<&str>| {
        let origin = Origin { owner: owner.to_owned(), member: member.map(str::to_owned) };
        origins.entry(name).or_default().push(origin);
    };
    Document(lowered.document.clone()).each_operation(|_, _, parts| {
        let Some(name) = parts.get("operationId").and_then(Value::as_str) else { return };
        add(plain(name), name, None);
        for parameter in parts.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            if let Some(parameter) = parameter.get("name").and_then(Value::as_str) {
                add(plain(name) + &plain(parameter), name, Some(parameter));
            }
        }
    });
    let schemas = lowered.document.pointer("/components/schemas").and_then(Value::as_object);
    for (name, schema) in schemas.into_iter().flatten() {
        let Some(owner) = lowered.origins.get(name) else { continue };
        add(plain(name), owner, None);
        for (property, _) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            add(plain(name) + &plain(property), owner, Some(property));
        }
    }
    origins
}

impl RustItem {
    /// The item with the text of its type; `None` for items that only repeat another one.
    fn of(item: &PublicItem, methods: &BTreeMap<&str, &str>) -> Option<(Self, String)> {
        let name = item.name.clone();
        Some(match (item.module.as_str(), item.owner.clone(), &item.kind) {
            (_, _, ItemKind::Module) | ("raw::types::builder", ..) | ("raw::builder", None, _) => {
                return None;
            }
            ("raw::types", None, ItemKind::Type(definition)) => (Self::Type(name), definition.clone()),
            ("raw::types", Some(owner), ItemKind::Field(kind)) => (Self::Field(owner, name), kind.clone()),
            ("raw::types", Some(owner), ItemKind::Variant) => (Self::Variant(owner, name), String::new()),
            ("raw::types", Some(owner), ItemKind::Payload(kind)) => {
                (Self::Variant(owner, name), kind.clone())
            }
            ("raw::types", _, ItemKind::Function(_)) if name == "builder" => return None,
            ("raw", ..) if builder(item).is_some() => (Self::Method(name), String::new()),
            // A setter that takes a closure repeats the one that takes the value.
            ("raw::builder", _, ItemKind::Function(types)) if name == "new" || types.takes_closure => {
                return None;
            }
            ("raw::builder", Some(builder), ItemKind::Function(types)) => {
                let method = (*methods.get(builder.as_str())?).to_owned();
                match (types.response.clone(), name.as_str()) {
                    (Some(response), "send") => (Self::Response(method), response),
                    _ => (Self::Setter(method, name), types.converted.clone().unwrap_or_default()),
                }
            }
            _ => (Self::Other(item.to_string()), String::new()),
        })
    }
}

/// One generated item that differs.
#[derive(Debug)]
struct CodeDifference {
    item: RustItem,
    text: String,
    /// The item's type before and after.
    kinds: [Option<String>; 2],
    /// Where it comes from in the older and the newer document.
    origins: Vec<Origin>,
}

/// The differences between two generated clients.
#[derive(Debug)]
pub(crate) struct CodeChanges(Vec<CodeDifference>);

impl CodeChanges {
    pub(crate) fn between(old: &GeneratedCode, new: &GeneratedCode) -> Self {
        let items: BTreeSet<&RustItem> = old.items.keys().chain(new.items.keys()).collect();
        let mut differences = Vec::new();
        for item in items {
            let (was, is) = (old.items.get(item), new.items.get(item));
            // A type or method that is added or removed takes its parts with it.
            let whole = match item {
                RustItem::Field(owner, _) | RustItem::Variant(owner, _) => {
                    Some(RustItem::Type(owner.clone()))
                }
                RustItem::Setter(method, _) | RustItem::Response(method) => {
                    Some(RustItem::Method(method.clone()))
                }
                _ => None,
            };
            let part_of_whole = whole.is_some_and(|whole| old.items.get(&whole) != new.items.get(&whole));
            if was == is || part_of_whole {
                continue;
            }
            let origins = [old, new].into_iter().flat_map(|code| item.origins(code)).collect();
            let text = item.difference(was.map(String::as_str), is.map(String::as_str));
            differences.push(CodeDifference {
                item: item.clone(),
                text,
                kinds: [was.cloned(), is.cloned()],
                origins,
            });
        }
        Self(differences)
    }
}

impl RustItem {
    fn origins(&self, code: &GeneratedCode) -> Vec<Origin> {
        let of_method = |method: &String, member: Option<&String>| {
            let known = code.methods.contains(method);
            known.then(|| Origin { owner: method.clone(), member: member.cloned() }).into_iter().collect()
        };
        match self {
            Self::Type(name) => code.origins(name),
            Self::Field(name, member) | Self::Variant(name, member) => {
                let of_type = code.origins(name).into_iter();
                of_type
                    .map(|origin| Origin { member: origin.member.or_else(|| Some(member.clone())), ..origin })
                    .collect()
            }
            Self::Method(method) | Self::Response(method) => of_method(method, None),
            Self::Setter(method, parameter) => of_method(method, Some(parameter)),
            Self::Other(_) => Vec::new(),
        }
    }

    /// The difference as a sentence.
    fn difference(&self, was: Option<&str>, is: Option<&str>) -> String {
        let loss = was.is_some();
        let verb = if loss { "loses" } else { "gains" };
        let kinds = match (was, is) {
            (Some(was), Some(is)) => format!("`{was}` → `{is}`"),
            _ => String::new(),
        };
        let both = was.is_some() && is.is_some();
        match self {
            Self::Type(name) if both => format!("`types::{name}` changes: {kinds}"),
            Self::Type(name) if loss => format!("`types::{name}` is removed"),
            Self::Type(name) => format!("`types::{name}` is added"),
            Self::Field(owner, name) | Self::Variant(owner, name) if both => {
                let dot = if matches!(self, Self::Field(..)) { "." } else { "::" };
                format!("`types::{owner}{dot}{name}` changes: {kinds}")
            }
            Self::Field(owner, name) => match is {
                Some(kind) => format!("`types::{owner}` gains `{name}: {kind}`"),
                None => format!("`types::{owner}` loses `{name}`"),
            },
            Self::Variant(owner, name) => format!("`types::{owner}` {verb} `{name}`"),
            Self::Method(name) if loss => format!("method `{name}` is removed"),
            Self::Method(name) => format!("method `{name}` is added"),
            Self::Setter(method, name) if both => format!("method `{method}`: `.{name}(…)` changes: {kinds}"),
            Self::Setter(method, name) => format!("method `{method}` {verb} `.{name}(…)`"),
            Self::Response(method) => format!("the response of method `{method}` changes: {kinds}"),
            Self::Other(line) => format!("`{line}` {}", if loss { "is removed" } else { "is added" }),
        }
    }
}

impl CodeDifference {
    /// Whether code that compiled may no longer compile.
    fn is_loss(&self) -> bool {
        self.kinds[0].is_some()
    }
}

/// The part of the document that a change is about, to find the items that it affects.
#[derive(Debug)]
pub(super) struct Cause {
    owners: Vec<String>,
    member: Option<String>,
    /// The components that the changed value reaches.
    reach: BTreeSet<String>,
    rule: &'static DiffRule,
}

impl Cause {
    pub(super) fn new(owner: &NodeOwner, found: &DiffFinding, base: &Value, revision: &Value) -> Self {
        let owners = match owner {
            NodeOwner::Document => Vec::new(),
            NodeOwner::Operation { base, revision, .. } => base.iter().chain(revision).cloned().collect(),
            NodeOwner::Schema { base, revision } => vec![base.clone(), revision.clone()],
        };
        let mut reach = BTreeSet::new();
        for (value, document) in [(&found.before, base), (&found.after, revision)] {
            let Some(value) = value else { continue };
            let roots = references(value);
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

/// The reason of a change that is breaking although its rule is milder.
const BROKEN: &str = "code that uses the Rust item no longer compiles";

/// Rules for changes that do not affect the generated code.
#[rustfmt::skip]
const INERT: &[&DiffRule] = &[
    &rules::DOCUMENTATION_CHANGED, &rules::DEFAULT_CHANGED, &rules::DEPRECATED, &rules::REACTIVATED,
    &rules::OPERATION_DEPRECATED, &rules::OPERATION_REACTIVATED, &rules::OPERATION_TAG_ADDED, &rules::OPERATION_TAG_REMOVED,
    &rules::SECURITY_ADDED, &rules::SECURITY_REMOVED, &rules::SECURITY_UNNEEDED, &rules::DISCRIMINATOR,
    &rules::READ_ONLY, &rules::NOT_READ_ONLY, &rules::WRITE_ONLY, &rules::NOT_WRITE_ONLY,
];

/// Assigns each difference to the changes that cause it; the rest becomes one more change.
pub(super) fn attribute(code: CodeChanges, drafts: &mut Vec<Draft>) {
    let mut assigned: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let (types, rest): (Vec<_>, Vec<_>) =
        code.0.into_iter().partition(|difference| matches!(difference.item, RustItem::Type(_)));
    let mut unexplained = Vec::new();
    for difference in types.into_iter().chain(rest) {
        let causes = causes(&difference, drafts, &assigned);
        if causes.is_empty() {
            unexplained.push(difference);
            continue;
        }
        if let RustItem::Type(name) = &difference.item {
            assigned.insert(name.clone(), causes.clone());
        }
        for index in causes {
            let change = &mut drafts[index].change;
            change.rust.push(difference.text.clone());
            if difference.is_loss() && change.level < Level::Breaking {
                change.level = Level::Breaking;
                change.why = BROKEN;
            }
        }
    }
    if unexplained.is_empty() {
        return;
    }
    let rule = &rules::SURFACE_CHANGED;
    let loss = unexplained.iter().any(CodeDifference::is_loss);
    let items: Vec<String> = unexplained.into_iter().map(|difference| difference.text).collect();
    let change = ApiChange {
        id: rule.name.to_owned(),
        level: if loss { Level::Breaking } else { Level::Info },
        side: None,
        operations: Vec::new(),
        pointer: String::new(),
        text: "the document: the generated code changes without a known cause".to_owned(),
        fingerprint: super::digest(&[rule.name, &items.join("\n")]),
        rust: items,
        why: if loss { BROKEN } else { rule.reason(None) },
    };
    drafts.push(Draft { change, causes: Vec::new() });
}

/// The drafts that cause a difference, by the strongest evidence that any of them has.
fn causes(
    difference: &CodeDifference,
    drafts: &[Draft],
    assigned: &BTreeMap<String, Vec<usize>>,
) -> Vec<usize> {
    let all = |evidence: &dyn Fn(&Cause) -> bool| -> Vec<usize> {
        let candidates = drafts.iter().enumerate();
        let with = candidates.filter(|(_, draft)| {
            let mut causes = draft.causes.iter();
            causes.any(|cause| !INERT.iter().any(|inert| cause.rule.is(inert)) && evidence(cause))
        });
        with.map(|(index, _)| index).collect()
    };
    let any_origin = |test: &dyn Fn(&Origin) -> bool| difference.origins.iter().any(test);
    let is_type = matches!(difference.item, RustItem::Type(_));
    let reached = || all(&|cause| any_origin(&|origin| cause.reach.contains(&origin.owner)));

    let at_member = all(&|cause| any_origin(&|origin| cause.is_at(origin)));
    if !at_member.is_empty() {
        return fitting(difference, drafts, at_member);
    }
    if is_type {
        let by_reach = reached();
        if !by_reach.is_empty() {
            return fitting(difference, drafts, by_reach);
        }
    }
    let mentioned: BTreeSet<usize> = difference
        .kinds
        .iter()
        .flatten()
        .flat_map(|kind| kind.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter_map(|word| assigned.get(word))
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
    // Envelopes and pages are generic, so a change in one shows only in the method's response.
    if let RustItem::Response(_) | RustItem::Method(_) = &difference.item {
        let at_operation = all(&|cause| any_origin(&|origin| cause.owns(origin)));
        return fitting(difference, drafts, at_operation);
    }
    Vec::new()
}

/// Narrows several changes of one place to those of the kind that makes such a difference.
fn fitting(difference: &CodeDifference, drafts: &[Draft], candidates: Vec<usize>) -> Vec<usize> {
    let prefer = |candidates: Vec<usize>, fits: &dyn Fn(&str) -> bool| {
        let some: Vec<usize> =
            candidates.iter().copied().filter(|index| fits(&drafts[*index].change.id)).collect();
        if some.is_empty() { candidates } else { some }
    };
    // A change of the data explains more than a new name for it.
    let candidates = prefer(candidates, &|id| !id.ends_with(rules::REFERENCE_CHANGED.name));
    // An addition to the document does not remove code, and a removal does not add any.
    let candidates = match &difference.kinds {
        [None, _] => prefer(candidates, &|id| !id.ends_with("removed")),
        [_, None] => prefer(candidates, &|id| !id.contains("-added")),
        _ => candidates,
    };
    let bare = |kind: &str| kind.trim_start_matches("Option<").trim_end_matches('>').to_owned();
    let only_optional =
        matches!(&difference.kinds, [Some(was), Some(is)] if was != is && bare(was) == bare(is));
    let words: &[&str] = match &difference.item {
        RustItem::Variant(..) => &["enum-value", "union-member"],
        _ if only_optional => &["required", "optional", "null"],
        RustItem::Field(..) | RustItem::Setter(..) if difference.kinds.contains(&None) => {
            &["-added", "-removed", "-renamed"]
        }
        _ => return candidates,
    };
    prefer(candidates, &|id| words.iter().any(|word| id.contains(word)))
}
