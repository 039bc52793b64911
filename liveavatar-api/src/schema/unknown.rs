//! Suggestions for a field that an object does not have: where it belongs, or which field was meant.
//!
//! All suggestions follow from the names in the schemas.

use std::collections::BTreeSet;

use serde_json::Value;

use super::diagnostic::Diagnostic;
use super::path::{Cursor, Path};
use super::rule::{MISPLACED_FIELD, RuleInfo, UNKNOWN_FIELD};
use super::shape::Location;
use super::words::{MOST_SUGGESTIONS, list, words};

/// Least similarity, from 0 to 1, of a misspelt field name and the suggested name.
///
/// Three edits in ten characters pass; `avatar_name` for `avatar_id` does not.
const LEAST_SIMILARITY: f64 = 0.7;

/// The fields of an object are listed if there are at most this many.
const MOST_LISTED: usize = 16;

/// Which fields are candidates.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those of the same object, and those of objects that the value has.
    Near,
    Anywhere,
}

impl Reach {
    /// The nearest candidates are the most likely ones.
    pub(crate) const ALL: [Self; 2] = [Self::Near, Self::Anywhere];
}

/// A field that the object at `scope` does not have.
pub(crate) struct Unknown<'a> {
    /// What the field is not, such as `a field of FULL`.
    what: &'a str,
    /// Where the whole value has fields.
    fields: &'static [Location],
    root: &'a Value,
    scope: Vec<&'a str>,
    pub(crate) name: &'a str,
    path: Path,
}

impl<'a> Unknown<'a> {
    pub(crate) fn new(
        what: &'a str,
        fields: &'static [Location],
        root: &'a Value,
        scope: &'a Cursor<'_>,
        name: &'a str,
    ) -> Self {
        Self { what, fields, root, scope: scope.keys(), name, path: Path::from(&scope.key(name)) }
    }

    /// The diagnostic with the most likely suggestion.
    pub(crate) fn diagnostic(&self) -> Diagnostic {
        let in_reach = |reach| {
            let misplaced = self.in_other_object(reach, |_, _| None);
            misplaced.or_else(|| self.with_same_words(reach))
        };
        self.in_other_variant()
            .or_else(|| Reach::ALL.into_iter().find_map(in_reach))
            .or_else(|| self.with_similar_name())
            .unwrap_or_else(|| self.unknown(self.all_fields_here()))
    }

    pub(crate) fn is_here(&self, field: &Location) -> bool {
        field.scope == self.scope
    }

    /// The few nearest fields; of equally near ones, those with the smallest cost.
    pub(crate) fn nearest(
        &self,
        fields: impl Iterator<Item = &'static Location>,
        cost: impl Fn(&Location) -> usize,
    ) -> Vec<&'static Location> {
        let mut costs: Vec<_> = fields
            .map(|field| (distance(&field.scope, &self.scope), cost(field), field.dotted(), field))
            .collect();
        costs.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
        costs.dedup_by(|a, b| a.2 == b.2);
        let cheapest = costs.iter().take_while(|one| (one.0, one.1) == (costs[0].0, costs[0].1)).count();
        costs.into_iter().take(cheapest.min(MOST_SUGGESTIONS)).map(|(.., field)| field).collect()
    }

    /// The value at these keys, unless it is null.
    pub(crate) fn value(&self, keys: &[&str]) -> Option<&'a Value> {
        keys.iter().try_fold(self.root, |value, key| value.get(key)).filter(|value| !value.is_null())
    }

    /// A diagnostic of this field.
    pub(crate) fn report(
        &self,
        rule: impl Into<RuleInfo>,
        message: String,
        hint: impl Into<Option<String>>,
    ) -> Diagnostic {
        Diagnostic::new(rule, self.path.clone(), message).with_hint(hint)
    }

    pub(crate) fn unknown(&self, hint: Option<String>) -> Diagnostic {
        let message = format!("is not {}, and the service silently ignores it", self.what);
        self.report(UNKNOWN_FIELD, message, hint)
    }

    pub(crate) fn in_other_variant(&self) -> Option<Diagnostic> {
        let field = self.fields.iter().find(|field| self.is_here(field) && field.name == self.name)?;
        let (tag, value) = field.variant?;
        let message =
            format!("applies only if `{tag}` is `{value}`; otherwise the service silently ignores it");
        Some(self.report(MISPLACED_FIELD, message, format!("remove it, or set `{tag}` to `{value}`")))
    }

    /// `advice` returns the hint for the candidates and the text `to the top level`, unless moving the field is enough.
    pub(crate) fn in_other_object(
        &self,
        reach: Reach,
        advice: impl FnOnce(&[&Location], &str) -> Option<String>,
    ) -> Option<Diagnostic> {
        let is_candidate = |field: &&Location| {
            field.name == self.name
                && !self.is_here(field)
                && (reach == Reach::Anywhere || self.value(&field.scope).is_some_and(Value::is_object))
        };
        let candidates = self.nearest(self.fields.iter().filter(is_candidate), |_| 0);
        let first = candidates.first()?;
        let places: Vec<String> = candidates.iter().map(|field| place(&field.scope)).collect();
        let places = places.join(" or ");
        let message = format!("belongs {places}; the service silently ignores it here");
        let hint = if candidates.len() == 1 && self.value(&first.keys()).is_some() {
            format!("`{}` is already set; remove this one", first.dotted())
        } else {
            let into = places.replace("inside", "into").replace("at the", "to the");
            advice(&candidates, &into).unwrap_or_else(|| format!("move it {into}"))
        };
        Some(self.report(MISPLACED_FIELD, message, hint))
    }

    pub(crate) fn with_same_words(&self, reach: Reach) -> Option<Diagnostic> {
        let candidates = self.fields.iter().filter(|field| reach == Reach::Anywhere || self.is_here(field));
        self.did_you_mean(self.containing_words(candidates))
    }

    pub(crate) fn with_similar_name(&self) -> Option<Diagnostic> {
        let name = words(self.name).join("_");
        let edits = |field: &Location| strsim::damerau_levenshtein(&name, field.name);
        let similar = self
            .fields
            .iter()
            .filter(|field| strsim::normalized_damerau_levenshtein(&name, field.name) >= LEAST_SIMILARITY);
        self.did_you_mean(self.nearest(similar, edits))
    }

    fn did_you_mean(&self, candidates: Vec<&Location>) -> Option<Diagnostic> {
        let name = |field: &Location| {
            if self.is_here(field) { field.name.to_owned() } else { field.dotted() }
        };
        let shown: Vec<String> = candidates.into_iter().map(name).collect();
        (!shown.is_empty()).then(|| self.unknown(Some(format!("did you mean {}?", list(&shown, "or")))))
    }

    pub(crate) fn all_fields_here(&self) -> Option<String> {
        let here = self.fields.iter().filter(|field| self.is_here(field));
        let names = Vec::from_iter(here.map(|field| field.name).collect::<BTreeSet<&str>>());
        (1..=MOST_LISTED)
            .contains(&names.len())
            .then(|| format!("remove it; the fields here are {}", list(&names, "and")))
    }

    /// Fields whose path has all words of the name, and whose own name has at least one of them.
    pub(crate) fn containing_words(
        &self,
        candidates: impl Iterator<Item = &'static Location>,
    ) -> Vec<&'static Location> {
        let wanted: BTreeSet<String> = words(self.name).into_iter().collect();
        let of_path =
            |field: &Location| -> BTreeSet<String> { field.keys().into_iter().flat_map(words).collect() };
        let fitting = candidates.filter(|field| {
            !wanted.is_empty()
                && wanted.is_subset(&of_path(field))
                && words(field.name).iter().any(|word| wanted.contains(word))
        });
        self.nearest(fitting, |field| of_path(field).len())
    }
}

/// Steps up and down from one object to another.
fn distance(from: &[&str], to: &[&str]) -> usize {
    let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
    from.len() + to.len() - 2 * shared
}

/// Where a field with this scope is.
pub(crate) fn place(scope: &[&str]) -> String {
    if scope.is_empty() { "at the top level".to_owned() } else { format!("inside `{}`", scope.join(".")) }
}
