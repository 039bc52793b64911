//! What a change does to the generated code, taken from the code itself.
//!
//! The public items of both generated clients are compared, and each item that was added, removed or changed is assigned
//! to the change of the document that causes it: by the component or operation that the item was generated from, and by
//! the field or parameter in it. An item without a cause becomes a change by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::findings::{DiffFinding, NodeOwner};
use super::generated::differing;
use super::rules::{self, DiffRule, Level};
use super::{ApiChange, Draft};
use crate::error::TaskError;
use crate::lower::{Lowered, RefusedOperation, closure, operations, references};
use crate::pipeline::Pipeline;
use crate::surface::SurfaceItem::{self, Builder, Call, Field, Pages, Raw, Setter, Type, Variant};
use crate::surface::{self, Surface};

/// Where in the document an item comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    /// The name of a component or an operation.
    owner: String,
    /// A property or parameter.
    member: Option<String>,
}

/// The public items generated from one document.
#[derive(Debug)]
struct GeneratedCode {
    surface: Surface,
    /// The origins of the types, by the plain form of their names.
    origins: BTreeMap<String, Vec<Origin>>,
    /// The component schemas of the corrected document.
    components: BTreeSet<String>,
}

/// A name without everything that the generator changes in names.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

impl GeneratedCode {
    fn new(pipeline: &Pipeline, surface: Surface) -> Self {
        let components = pipeline.corrected.pointer("/components/schemas").and_then(Value::as_object);
        let components = components.into_iter().flatten().map(|(name, _)| name.clone()).collect();
        Self { surface, origins: origins(&pipeline.lowered), components }
    }

    /// Whether the document has the component of a type that is not generated, because no operation reaches it.
    fn has_unused(&self, origins: &[Origin]) -> bool {
        let is_used = |owner: &str| self.origins.values().flatten().any(|origin| origin.owner == owner);
        origins.iter().any(|Origin { owner, .. }| self.components.contains(owner) && !is_used(owner))
    }

    /// The origins of the type with exactly this name.
    fn of_name(&self, name: &str) -> &[Origin] {
        self.origins.get(&plain(name)).map_or(&[], Vec::as_slice)
    }

    /// The origins of a type: those of the longest known name that its name starts with.
    fn of_type(&self, kind: &str) -> Vec<Origin> {
        let name = plain(kind);
        let beginnings = self.origins.iter().filter(|(key, _)| name.starts_with(key.as_str()));
        beginnings.max_by_key(|(key, _)| key.len()).map(|(_, origins)| origins.clone()).unwrap_or_default()
    }

    fn of_member(&self, kind: &str, member: &str) -> Vec<Origin> {
        let named = |origin: Origin| Origin { member: origin.member.or(Some(member.to_owned())), ..origin };
        self.of_type(kind).into_iter().map(named).collect()
    }

    fn of_item(&self, item: &SurfaceItem) -> Vec<Origin> {
        let of_call = |call: &String, member: Option<&String>| {
            let known = self.surface.get(&Call(call.clone())).is_some();
            known.then(|| Origin { owner: call.clone(), member: member.cloned() })
        };
        match item {
            Type(name) | Builder(name) => self.of_type(name),
            Field(name, member) | Variant(name, member) => self.of_member(name, member),
            Call(call) | Pages(call) | Raw(call) => of_call(call, None).into_iter().collect(),
            Setter(call, name) => {
                // The setter of a parameter, or of a field of the body.
                let body = self.surface.get(&Setter(call.clone(), "body".to_owned()));
                let fields = body.map(|kind| self.of_member(kind, name)).unwrap_or_default();
                of_call(call, Some(name)).into_iter().chain(fields).collect()
            }
        }
    }
}

/// The origins of the types of a lowered document, by the plain form of their names.
fn origins(lowered: &Lowered) -> BTreeMap<String, Vec<Origin>> {
    let mut origins = BTreeMap::<String, Vec<Origin>>::new();
    let mut add = |name: String, owner: &str, member: Option<&str>| {
        let origin = Origin { owner: owner.to_owned(), member: member.map(str::to_owned) };
        origins.entry(name).or_default().push(origin);
    };
    for (_, _, parts) in operations(&lowered.document) {
        let Some(name) = parts.get("operationId").and_then(Value::as_str) else { continue };
        add(plain(name), name, None);
        for parameter in parts.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            if let Some(parameter) = parameter.get("name").and_then(Value::as_str) {
                add(plain(name) + &plain(parameter), name, Some(parameter));
            }
        }
    }
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

/// One generated item that differs.
#[derive(Debug)]
struct CodeDifference {
    item: SurfaceItem,
    /// What changes in Rust code, in sentences.
    texts: Vec<String>,
    /// The item's type before and after.
    kinds: [Option<String>; 2],
    /// Where it comes from in the older and the newer document.
    origins: Vec<Origin>,
    /// Where the types in its type come from.
    types: Vec<Origin>,
}

/// The differences between two generated clients.
#[derive(Debug)]
pub(super) struct CodeChanges(Vec<CodeDifference>);

impl CodeChanges {
    /// Compares the code of the operations for which it can be generated, and returns the other operations too.
    ///
    /// # Errors
    /// When the code cannot be generated for another reason.
    pub(super) fn of(old: &Pipeline, new: &Pipeline) -> Result<(Self, Vec<RefusedOperation>), TaskError> {
        let mut refused = [old, new].map(|pipeline| pipeline.lowered.refused.clone()).concat();
        loop {
            let [was, is] = differing([&old.lowered.document, &new.lowered.document], &refused);
            if was == is {
                return Ok((Self(Vec::new()), refused));
            }
            let results = std::thread::scope(|scope| {
                let old = scope.spawn(|| surface::try_outlined(&was));
                let new = surface::try_outlined(&is);
                [old.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), new]
            });
            match results {
                [Ok(was), Ok(is)] => {
                    let codes = [GeneratedCode::new(old, was), GeneratedCode::new(new, is)];
                    return Ok((Self::between(&codes[0], &codes[1]), refused));
                }
                [was, is] => {
                    for (result, pipeline) in [(was, old), (is, new)] {
                        let origins = pipeline.lowered.origins.clone();
                        if let Err(rejection) = result {
                            refused.extend(rejection.operations(&origins)?);
                        }
                    }
                }
            }
        }
    }

    fn between(old: &GeneratedCode, new: &GeneratedCode) -> Self {
        let kinds = |item: &SurfaceItem| [old, new].map(|code| code.surface.get(item));
        let items: BTreeSet<&SurfaceItem> = old.surface.0.keys().chain(new.surface.0.keys()).collect();
        // A type or call that is added or removed takes its parts with it.
        let in_both = |whole: SurfaceItem| kinds(&whole).iter().all(Option::is_some);
        let is_own = |item: &SurfaceItem| match item {
            Call(_) | Type(_) => true,
            Setter(call, _) | Pages(call) => in_both(Call(call.clone())),
            Builder(owner) => in_both(Type(owner.clone())),
            Field(owner, _) | Variant(owner, _) => {
                let [was, is] = kinds(&Type(owner.clone()));
                was == is
            }
            // The setters of its parameters report a changed function of the raw client.
            Raw(_) => false,
        };
        let differing = items
            .into_iter()
            .map(|item| (item, kinds(item)))
            .filter(|(item, [was, is])| was != is && is_own(item));
        let differences = differing.map(|(item, [was, is])| {
            let origins: Vec<Origin> = [old, new].into_iter().flat_map(|code| code.of_item(item)).collect();
            let mut text = sentence(item, was, is, [old, new]);
            match (item, was, is) {
                (Type(_), None, _) if old.has_unused(&origins) => {
                    text += ": its schema existed, but no operation reached it";
                }
                (Type(_), _, None) if new.has_unused(&origins) => {
                    text += ": its schema remains, but no operation reaches it";
                }
                _ => {}
            }
            let mut texts = vec![text];
            if let Setter(call, name) = item {
                let [was, is] = kinds(&Raw(call.clone()));
                let takes = |signature: &str| signature.contains(&format!("{name}: "));
                if was != is && was.into_iter().chain(is).any(takes) {
                    let exempt = "it is exempt from the version rules";
                    texts.push(format!("`raw::Client::{call}` has other parameters; {exempt}"));
                }
            }
            let named = [was, is].into_iter().flatten().flat_map(words);
            let of_types = |word| [old, new].into_iter().flat_map(move |code| code.of_name(word));
            CodeDifference {
                item: item.clone(),
                types: named.flat_map(of_types).cloned().collect(),
                texts,
                kinds: [was, is].map(|kind| kind.map(str::to_owned)),
                origins,
            }
        });
        Self(differences.collect())
    }
}

/// The difference of one item.
fn sentence(item: &SurfaceItem, was: Option<&str>, is: Option<&str>, codes: [&GeneratedCode; 2]) -> String {
    let has_builder = |owner: &str| codes.iter().all(|code| code.surface.has_builder(owner));
    let (subject, part) = match item {
        Call(call) | Raw(call) | Pages(call) => (format!("client.{call}()"), String::new()),
        Setter(call, name) => (format!("client.{call}()"), format!("the setter `{name}")),
        Builder(owner) => (format!("types::{owner}::builder()"), String::new()),
        Field(owner, name) if was.is_some() && is.is_some() => {
            (format!("types::{owner}.{name}"), String::new())
        }
        Field(owner, name) if has_builder(owner) => {
            (format!("types::{owner}::builder()"), format!("the setter `{name}"))
        }
        Variant(owner, name) if was.is_some() && is.is_some() => {
            (format!("types::{owner}::{name}"), String::new())
        }
        Field(owner, name) | Variant(owner, name) => (format!("types::{owner}"), format!("`{name}")),
        Type(owner) => (format!("types::{owner}"), String::new()),
    };
    let (gains, added) = if was.is_some() { ("loses", "removed") } else { ("gains", "added") };
    match (item, was, is) {
        (Call(_), Some(was), Some(is)) => format!("`{subject}` returns other data: `{was}` → `{is}`"),
        (Setter(..), Some(was), Some(is)) => format!("`{subject}` changes {part}`: `{was}` → `{is}`"),
        (_, Some(was), Some(is)) => format!("`{subject}` changes: `{was}` → `{is}`"),
        (Setter(..) | Field(..), _, Some(kind)) => format!("`{subject}` {gains} {part}: {kind}`"),
        (Setter(..) | Field(..) | Variant(..), ..) => format!("`{subject}` {gains} {part}`"),
        (Pages(_), ..) => format!("`{subject}` {gains} `pages`, `items` and `all`"),
        _ => format!("`{subject}` is {added}"),
    }
}

impl CodeDifference {
    /// Whether code that compiled may no longer compile.
    fn is_loss(&self) -> bool {
        match (&self.item, &self.kinds) {
            (_, [None, _]) => false,
            // A setter that takes `Option<T>` also takes `T`.
            (Setter(..), [Some(was), Some(is)]) => *is != format!("Option<{was}>"),
            _ => true,
        }
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

    fn is_new(&self) -> bool {
        [&rules::OPERATION_ADDED, &rules::PARAMETER_ADDED, &rules::PROPERTY_ADDED]
            .iter()
            .any(|new| self.rule.is(new))
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
        code.0.into_iter().partition(|difference| matches!(difference.item, Type(_)));
    let mut unexplained = Vec::new();
    for difference in types.into_iter().chain(rest) {
        let mut causes = causes(&difference, drafts, &assigned);
        // An addition cannot break anything.
        if difference.is_loss() {
            causes.retain(|index| drafts[*index].causes.iter().any(|cause| !cause.is_new()));
        }
        if causes.is_empty() {
            unexplained.push(difference);
            continue;
        }
        if let Type(name) = &difference.item {
            assigned.insert(name.clone(), causes.clone());
        }
        for index in causes {
            let change = &mut drafts[index].change;
            change.rust.extend(difference.texts.iter().cloned());
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
    let items: Vec<String> = unexplained.into_iter().flat_map(|difference| difference.texts).collect();
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
        before: None,
        after: None,
    };
    drafts.push(Draft { owner: NodeOwner::Document, change, causes: Vec::new() });
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
            causes.any(|cause| {
                let can = !(difference.is_loss() && cause.is_new());
                can && !INERT.iter().any(|inert| cause.rule.is(inert)) && evidence(cause)
            })
        });
        with.map(|(index, _)| index).collect()
    };
    let any_origin = |test: &dyn Fn(&Origin) -> bool| difference.origins.iter().any(test);
    let is_type = matches!(difference.item, Type(_) | Builder(_));
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
    let at_owner = || all(&|cause| any_origin(&|origin| cause.owns(origin)) && cause.member.is_none());
    if matches!((&difference.item, &difference.kinds), (Call(_), [None, _] | [_, None]))
        && !at_owner().is_empty()
    {
        return fitting(difference, drafts, at_owner());
    }
    let mentioned: BTreeSet<usize> = difference
        .kinds
        .iter()
        .flatten()
        .flat_map(|kind| words(kind))
        .filter_map(|word| assigned.get(word))
        .flatten()
        .copied()
        .collect();
    if !mentioned.is_empty() {
        return mentioned.into_iter().collect();
    }
    if !at_owner().is_empty() {
        return fitting(difference, drafts, at_owner());
    }
    let by_reach = reached();
    if !by_reach.is_empty() {
        return by_reach;
    }
    // Envelopes and pages are generic, so a change in one shows only in the call's data.
    if let Call(_) | Pages(_) = &difference.item {
        let at_operation = all(&|cause| any_origin(&|origin| cause.owns(origin)));
        return fitting(difference, drafts, at_operation);
    }
    // A type can change how others refer to it: an enum of one value is never open.
    let of_types = |cause: &Cause| difference.types.iter().any(|origin| cause.owns(origin));
    fitting(difference, drafts, all(&of_types))
}

/// The names in the text of a type.
fn words(kind: &str) -> impl Iterator<Item = &str> {
    kind.split(|c: char| !c.is_alphanumeric() && c != '_')
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
        Variant(..) => &["enum-value", "union-member"],
        _ if only_optional => &["required", "optional", "null"],
        Field(..) | Setter(..) if difference.kinds.contains(&None) => &["-added", "-removed", "-renamed"],
        _ => return candidates,
    };
    prefer(candidates, &|id| words.iter().any(|word| id.contains(word)))
}
