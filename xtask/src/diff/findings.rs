//! What the comparison has found: changes under their rules, and parts that no rule covers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::normalised::Located;
use super::rules::{self, DiffRule, DiffSide};
use crate::pointer::child;

/// Keywords that only people read.
#[rustfmt::skip]
const ANNOTATIONS: &[&str] = &[
    "title", "description", "example", "examples", "externalDocs", "summary", "$comment", "x-evidence", "x-evidence-note",
];

/// Whether only people read this keyword.
pub(super) fn is_annotation(key: &str) -> bool {
    ANNOTATIONS.contains(&key)
}

/// The findings so far.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) nodes: Vec<FindingNode>,
    /// Parts that differ and that no rule covers, by their pointers.
    pub(super) unhandled: BTreeMap<String, UnhandledPart>,
}

/// A part that no rule covers.
pub(super) struct UnhandledPart {
    pub(super) text: String,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

/// The findings of one operation or component, or of the rest of the document.
pub(super) struct FindingNode {
    pub(super) owner: NodeOwner,
    pub(super) findings: Vec<DiffFinding>,
    /// The nodes of the components that it refers to.
    pub(super) uses: BTreeSet<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NodeOwner {
    Document,
    /// An operation, with its short name in both documents.
    Operation {
        key: String,
        base: Option<String>,
        revision: Option<String>,
    },
    /// A component, with its name in both documents.
    Schema {
        base: String,
        revision: String,
    },
}

/// A change, before it is known which operations it reaches.
#[derive(Debug)]
pub(super) struct DiffFinding {
    pub(super) rule: &'static DiffRule,
    pub(super) id: String,
    pub(super) side: Option<DiffSide>,
    pub(super) pointer: String,
    /// The name of the part that changes.
    pub(super) label: String,
    /// What happens to it.
    pub(super) text: String,
    /// The parameter, or the property of the component, that it is about.
    pub(super) member: Option<String>,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

/// The part that is being compared.
#[derive(Clone)]
pub(super) struct DiffScope {
    pub(super) node: usize,
    pub(super) side: Option<DiffSide>,
    /// The word for it in identifiers: `parameter`, `body`, `property`, `schema`, `header`, or empty.
    pub(super) subject: &'static str,
    /// Its name in sentences.
    pub(super) label: String,
    pub(super) member: Option<String>,
}

impl DiffScope {
    pub(super) fn new(node: usize, label: impl Into<String>) -> Self {
        Self { node, side: None, subject: "", label: label.into(), member: None }
    }

    pub(super) fn named(&self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self.clone() }
    }

    /// Something inside a named thing: `` `Avatar` `` and `.id` become `` `Avatar.id` ``.
    pub(super) fn inside(&self, part: &str) -> Self {
        self.named(match self.label.strip_suffix('`') {
            Some(name) => format!("{name}{part}`"),
            None => format!("{}, `{}`", self.label, part.trim_start_matches('.')),
        })
    }
}

/// One part in both documents.
#[derive(Clone, Debug)]
pub(super) struct Pair<'v> {
    /// The name in its parent.
    pub(super) key: &'v str,
    pub(super) pointer: String,
    pub(super) before: Option<&'v Value>,
    pub(super) after: Option<&'v Value>,
}

impl<'v> Pair<'v> {
    pub(super) fn new(
        pointer: impl Into<String>,
        before: Option<&'v Value>,
        after: Option<&'v Value>,
    ) -> Self {
        Self { key: "", pointer: pointer.into(), before, after }
    }

    /// A part that only the newer document has.
    pub(super) fn added(after: &Located<'v>) -> Self {
        Self::new(&*after.pointer, None, Some(after.value))
    }

    /// A part that only the older document has.
    pub(super) fn removed(before: &Located<'v>) -> Self {
        Self::new(&*before.pointer, Some(before.value), None)
    }

    /// Both values at the pointer of the newer one.
    pub(super) fn located(before: &Located<'v>, after: &Located<'v>) -> Self {
        Self::new(after.pointer.clone(), Some(before.value), Some(after.value))
    }

    /// The entries that differ.
    pub(super) fn entries(&self) -> Vec<Self> {
        let object = |value: Option<&'v Value>| value.and_then(Value::as_object);
        let (before, after) = (object(self.before), object(self.after));
        let keys: BTreeSet<&str> =
            before.into_iter().chain(after).flat_map(Map::keys).map(String::as_str).collect();
        let pairs = keys.into_iter().map(|key| Self {
            key,
            pointer: child(&self.pointer, key),
            before: before.and_then(|map| map.get(key)),
            after: after.and_then(|map| map.get(key)),
        });
        pairs.filter(|pair| pair.before != pair.after).collect()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &'v Value> {
        [self.before, self.after].into_iter().flatten()
    }
}

impl Findings {
    /// Adds a node and returns its index.
    pub(super) fn node(&mut self, owner: NodeOwner) -> usize {
        self.nodes.push(FindingNode { owner, findings: Vec::new(), uses: BTreeSet::new() });
        self.nodes.len() - 1
    }

    pub(super) fn report(&mut self, scope: &DiffScope, rule: &'static DiffRule, pair: &Pair<'_>, text: &str) {
        self.report_as(scope, rule, rule.name, pair, text);
    }

    fn report_as(
        &mut self,
        scope: &DiffScope,
        rule: &'static DiffRule,
        name: &str,
        pair: &Pair<'_>,
        text: &str,
    ) {
        let side = scope.side.map(DiffSide::name).unwrap_or_default();
        let parts = [side, scope.subject, name];
        let id: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        self.nodes[scope.node].findings.push(DiffFinding {
            rule,
            id: id.join("-"),
            side: scope.side,
            pointer: pair.pointer.clone(),
            label: scope.label.clone(),
            text: text.to_owned(),
            member: scope.member.clone(),
            before: pair.before.cloned(),
            after: pair.after.cloned(),
        });
    }

    /// Reports a change with both values in the sentence.
    pub(super) fn changed(
        &mut self,
        scope: &DiffScope,
        rule: &'static DiffRule,
        what: &str,
        pair: &Pair<'_>,
    ) {
        self.changed_as(scope, rule, rule.name, what, pair);
    }

    /// The same with another last part of the identifier than the rule's name.
    pub(super) fn changed_as(
        &mut self,
        scope: &DiffScope,
        rule: &'static DiffRule,
        name: &str,
        what: &str,
        pair: &Pair<'_>,
    ) {
        self.report_as(scope, rule, name, pair, &was_and_is(what, pair));
    }

    /// Reports an addition, with a short description of it.
    pub(super) fn added(
        &mut self,
        scope: &DiffScope,
        rule: &'static DiffRule,
        after: &Located<'_>,
        what: &str,
    ) {
        self.report(scope, rule, &Pair::added(after), &format!("did not exist and is now {what}"));
    }

    /// Reports a removal, with a short description of the removed part.
    pub(super) fn removed(
        &mut self,
        scope: &DiffScope,
        rule: &'static DiffRule,
        before: &Located<'_>,
        what: &str,
    ) {
        self.report(scope, rule, &Pair::removed(before), &format!("was {what} and no longer exists"));
    }

    /// Notes a part that differs and that no rule covers.
    pub(super) fn unhandled(&mut self, scope: &DiffScope, pair: &Pair<'_>) {
        let what = if pair.key.is_empty() { "this part".to_owned() } else { format!("`{}`", pair.key) };
        let part = UnhandledPart {
            text: format!("{}: {}", scope.label, was_and_is(&what, pair)),
            before: pair.before.cloned(),
            after: pair.after.cloned(),
        };
        self.unhandled.insert(pair.pointer.clone(), part);
    }

    /// Reports a part that no specific rule covers: documentation, or something unhandled.
    pub(super) fn other(&mut self, scope: &DiffScope, pair: &Pair<'_>) {
        if is_annotation(pair.key) {
            self.documentation(scope, pair);
        } else {
            self.unhandled(scope, pair);
        }
    }

    pub(super) fn documentation(&mut self, scope: &DiffScope, pair: &Pair<'_>) {
        self.changed(scope, &rules::DOCUMENTATION_CHANGED, &format!("`{}`", pair.key), pair);
    }

    /// Reports a keyword that is true in one document, and false or absent in the other.
    pub(super) fn flag(
        &mut self,
        scope: &DiffScope,
        pair: &Pair<'_>,
        [on, off]: [(&'static DiffRule, &str); 2],
    ) {
        let flag = |value: Option<&Value>| value.map_or(Some(false), Value::as_bool);
        match (flag(pair.before), flag(pair.after)) {
            (Some(old), Some(new)) if old == new => {}
            (Some(_), Some(new)) => {
                let (rule, text) = if new { on } else { off };
                self.report(scope, rule, pair, text);
            }
            _ => self.unhandled(scope, pair),
        }
    }

    pub(super) fn required(&mut self, scope: &DiffScope, pair: &Pair<'_>) {
        let on = (&rules::BECAME_REQUIRED, "was optional and is now required");
        self.flag(scope, pair, [on, (&rules::BECAME_OPTIONAL, "was required and is now optional")]);
    }

    pub(super) fn deprecated(&mut self, scope: &DiffScope, pair: &Pair<'_>) {
        let on = (&rules::DEPRECATED, "was current and is now deprecated");
        self.flag(scope, pair, [on, (&rules::REACTIVATED, "was deprecated and no longer is")]);
    }
}

/// The most characters of a value in a sentence.
const QUOTE_MAX: usize = 60;

/// A value as sentences quote it.
pub(super) fn short(value: &Value) -> String {
    quote(&value.to_string(), 0)
}

/// What a part was and what it is now.
fn was_and_is(what: &str, pair: &Pair<'_>) -> String {
    match (pair.before, pair.after) {
        (None, Some(after)) => format!("{what} was not set and is now {}", short(after)),
        (Some(before), None) => format!("{what} was {} and is no longer set", short(before)),
        (Some(before), Some(after)) if before != after => {
            let [before, after] = [before, after].map(Value::to_string);
            let start = difference(&before, &after);
            format!("{what} was {} and is now {}", quote(&before, start), quote(&after, start))
        }
        _ => format!("{what} was comparable and is no longer"),
    }
}

/// The number of characters to leave out so that the quotes of two long texts show where they differ.
fn difference(before: &str, after: &str) -> usize {
    /// The equal characters that a quote starts with.
    const LEAD: usize = 20;
    let same = before.chars().zip(after.chars()).take_while(|(before, after)| before == after).count();
    if same < QUOTE_MAX - LEAD { 0 } else { same - LEAD }
}

fn quote(text: &str, start: usize) -> String {
    let mut rest = text.chars().skip(start);
    let shown: String = rest.by_ref().take(QUOTE_MAX).collect();
    let [before, after] = [start > 0, rest.next().is_some()].map(|cut| if cut { "…" } else { "" });
    format!("`{before}{shown}{after}`")
}
