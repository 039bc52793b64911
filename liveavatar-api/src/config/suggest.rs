//! Suggestions: where an unread field belongs, and which listed word a misspelt value resembles.
//!
//! All suggestions follow from the names in the schemas.

use std::collections::BTreeSet;

use serde_json::Value;

use super::diagnostic::Diagnostic;
use super::fields::{self, Location};
use super::mode::ModeName;
use super::path::{Cursor, Path};
use super::rules::{MISPLACED_FIELD, PERSONA_OR_AGENT, Rule, UNKNOWN_FIELD, WRONG_MODE_FIELD};

/// Least similarity, from 0 to 1, of a misspelt field name and the suggested name.
///
/// Three edits in ten characters pass; `avatar_name` for `avatar_id` does not.
const LEAST_NAME_SIMILARITY: f64 = 0.7;

/// Least similarity, from 0 to 1, of a misspelt value and the suggested value.
const LEAST_VALUE_SIMILARITY: f64 = 0.6;

/// More suggestions than this do not help.
const MOST_SUGGESTIONS: usize = 3;

/// The fields of an object are listed if there are at most this many.
const MOST_LISTED_FIELDS: usize = 16;

/// Allowed values are listed if there are at most this many.
const MOST_LISTED_VALUES: usize = 8;

/// Longer misspelt values are not shown, in bytes.
const LONGEST_SHOWN: usize = 48;

/// The diagnostic of a field that the object at `scope` does not have.
///
/// Candidates come in the order of likelihood: first places near the field, then anywhere, then names that look alike.
pub(super) fn unknown_field(mode: ModeName, root: &Value, scope: &Cursor<'_>, name: &str) -> Diagnostic {
    let path = Path::from(&scope.key(name));
    let field = UnknownField { mode, root, scope: &scope.keys(), name, path };
    field
        .in_other_variant()
        .or_else(|| {
            [Reach::Near, Reach::Anywhere].into_iter().find_map(|reach| {
                let misplaced = field.in_other_object(reach).or_else(|| field.in_other_mode(reach));
                misplaced.or_else(|| field.with_same_words(reach))
            })
        })
        .or_else(|| field.with_similar_name())
        .or_else(|| field.with_same_words_in_other_mode())
        .unwrap_or_else(|| field.unknown(field.all_fields_here()))
}

/// Which fields are candidates.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Those of the same object, and those of objects that the configuration has.
    Near,
    Anywhere,
}

struct UnknownField<'a> {
    mode: ModeName,
    root: &'a Value,
    scope: &'a [&'a str],
    name: &'a str,
    path: Path,
}

impl UnknownField<'_> {
    fn own(&self) -> impl Iterator<Item = &'static Location> {
        fields::of(self.mode).list.iter()
    }

    fn other(&self) -> impl Iterator<Item = &'static Location> {
        fields::of(self.mode.other()).list.iter()
    }

    fn is_here(&self, field: &Location) -> bool {
        field.scope == self.scope
    }

    /// The few nearest fields; of equally near ones, those with the smallest cost.
    fn nearest(
        &self,
        fields: impl Iterator<Item = &'static Location>,
        cost: impl Fn(&Location) -> usize,
    ) -> Vec<&'static Location> {
        let mut costs: Vec<_> = fields
            .map(|field| (distance(&field.scope, self.scope), cost(field), field.dotted(), field))
            .collect();
        costs.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
        costs.dedup_by(|a, b| a.2 == b.2);
        let cheapest = costs.iter().take_while(|one| (one.0, one.1) == (costs[0].0, costs[0].1)).count();
        costs.into_iter().take(cheapest.min(MOST_SUGGESTIONS)).map(|(.., field)| field).collect()
    }

    fn value(&self, keys: &[&str]) -> Option<&Value> {
        keys.iter().try_fold(self.root, |value, key| value.get(key)).filter(|value| !value.is_null())
    }

    fn diagnostic(&self, rule: &Rule, message: String, hint: impl Into<Option<String>>) -> Diagnostic {
        Diagnostic::new(rule, self.path.clone(), message).with_hint(hint)
    }

    fn unknown(&self, hint: Option<String>) -> Diagnostic {
        let message = format!("is not a field of {}, and the service silently ignores it", self.mode);
        self.diagnostic(&UNKNOWN_FIELD, message, hint)
    }

    fn in_other_variant(&self) -> Option<Diagnostic> {
        let field = self.own().find(|field| self.is_here(field) && field.name == self.name)?;
        let (tag, value) = field.variant?;
        let message =
            format!("applies only if `{tag}` is `{value}`; otherwise the service silently ignores it");
        Some(self.diagnostic(&MISPLACED_FIELD, message, format!("remove it, or set `{tag}` to `{value}`")))
    }

    fn in_other_object(&self, reach: Reach) -> Option<Diagnostic> {
        let is_candidate = |field: &&Location| {
            field.name == self.name
                && !self.is_here(field)
                && (reach == Reach::Anywhere || self.value(&field.scope).is_some_and(Value::is_object))
        };
        let candidates = self.nearest(self.own().filter(is_candidate), |_| 0);
        let first = candidates.first()?;
        let places: Vec<String> = candidates.iter().map(|field| place(&field.scope)).collect();
        let message = format!("belongs {}; the service silently ignores it here", places.join(" or "));
        let [persona, agent] = PERSONA_OR_AGENT;
        let excluded = [(persona, agent), (agent, persona)]
            .into_iter()
            .find(|(object, other)| first.scope.first() == Some(object) && self.value(&[other]).is_some());
        let hint = if candidates.len() == 1 && self.value(&first.keys()).is_some() {
            format!("`{}` is already set; remove this one", first.dotted())
        } else if let Some((object, other)) = excluded {
            format!("remove it; `{object}` cannot be combined with `{other}`")
        } else {
            let into = places.join(" or ").replace("inside", "into").replace("at the", "to the");
            let others = self.other().filter(|field| field.name == self.name);
            match self.nearest(others, |_| 0).first() {
                Some(field) if reach == Reach::Anywhere && !candidates.contains(field) => {
                    format!("move it {into}; in {} it belongs {}", self.mode.other(), place(&field.scope))
                }
                _ => format!("move it {into}"),
            }
        };
        Some(self.diagnostic(&MISPLACED_FIELD, message, hint))
    }

    fn in_other_mode(&self, reach: Reach) -> Option<Diagnostic> {
        let is_candidate =
            |field: &&Location| field.name == self.name && (reach == Reach::Anywhere || self.is_here(field));
        let field = *self.nearest(self.other().filter(is_candidate), |_| 0).first()?;
        let other = self.mode.other();
        let message = format!("is a field of {other}; {} silently ignores it", self.mode);
        let place = if self.is_here(field) { String::new() } else { format!(" {}", place(&field.scope)) };
        Some(self.diagnostic(&WRONG_MODE_FIELD, message, format!("remove it, or use it in {other}{place}")))
    }

    fn with_same_words(&self, reach: Reach) -> Option<Diagnostic> {
        let candidates = self.own().filter(|field| reach == Reach::Anywhere || self.is_here(field));
        self.did_you_mean(self.containing_words(candidates))
    }

    fn with_similar_name(&self) -> Option<Diagnostic> {
        let name = words(self.name).join("_");
        let edits = |field: &Location| strsim::damerau_levenshtein(&name, field.name);
        let similar = self.own().filter(|field| {
            strsim::normalized_damerau_levenshtein(&name, field.name) >= LEAST_NAME_SIMILARITY
        });
        self.did_you_mean(self.nearest(similar, edits))
    }

    fn with_same_words_in_other_mode(&self) -> Option<Diagnostic> {
        let shown: Vec<String> =
            self.containing_words(self.other()).into_iter().map(Location::dotted).collect();
        let hint = || format!("only {} has a similar field: {}", self.mode.other(), list(&shown, "or"));
        (!shown.is_empty()).then(|| self.unknown(Some(hint())))
    }

    fn did_you_mean(&self, candidates: Vec<&Location>) -> Option<Diagnostic> {
        let name = |field: &Location| {
            if self.is_here(field) { field.name.to_owned() } else { field.dotted() }
        };
        let shown: Vec<String> = candidates.into_iter().map(name).collect();
        (!shown.is_empty()).then(|| self.unknown(Some(format!("did you mean {}?", list(&shown, "or")))))
    }

    fn all_fields_here(&self) -> Option<String> {
        let names: BTreeSet<&str> =
            self.own().filter(|field| self.is_here(field)).map(|field| field.name).collect();
        let names = Vec::from_iter(names);
        (1..=MOST_LISTED_FIELDS)
            .contains(&names.len())
            .then(|| format!("remove it; the fields here are {}", list(&names, "and")))
    }

    /// Fields whose path has all words of the name, and whose own name has at least one of them.
    fn containing_words(
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

impl Location {
    fn keys(&self) -> Vec<&'static str> {
        self.scope.iter().copied().chain([self.name]).collect()
    }

    fn dotted(&self) -> String {
        self.keys().join(".")
    }
}

/// The diagnostic of a text that is not one of the allowed values.
///
/// The text is shown only if it resembles one of them; otherwise it may be a secret in the wrong place.
pub(super) fn not_allowed(
    rule: &Rule,
    written: &str,
    allowed: &[&str],
    description: Option<&str>,
    at: impl Into<Path>,
) -> Diagnostic {
    let near = nearest(written, allowed);
    let is_shown = !near.is_empty()
        && written.len() <= LONGEST_SHOWN
        && written.bytes().all(|byte| byte.is_ascii_graphic());
    let expected = one_of(allowed);
    let message =
        if is_shown { format!("must be {expected}, not `{written}`") } else { format!("must be {expected}") };
    let hint = match near.as_slice() {
        [] if allowed.len() > MOST_LISTED_VALUES => {
            Some(format!("some allowed values are {}", list(&allowed[..MOST_LISTED_VALUES], "and")))
        }
        [] => description.map(str::to_owned),
        near => Some(format!("did you mean {}?", list(near, "or"))),
    };
    Diagnostic::new(rule, at, message).with_hint(hint)
}

/// The allowed values, or their number if there are many.
pub(super) fn one_of(allowed: &[&str]) -> String {
    if allowed.len() <= MOST_LISTED_VALUES {
        list(allowed, "or")
    } else {
        format!("one of {} allowed values", allowed.len())
    }
}

/// The allowed words that a misspelt one resembles, best first.
pub(super) fn nearest<'w>(written: &str, allowed: &[&'w str]) -> Vec<&'w str> {
    let plain = |text: &str| words(text).join("");
    let written = plain(written);
    if let Some(word) = allowed.iter().find(|word| plain(word) == written) {
        return vec![word];
    }
    let mut near: Vec<(&str, f64)> = allowed
        .iter()
        .map(|&word| (word, strsim::normalized_damerau_levenshtein(&written, &plain(word))))
        .filter(|(_, similarity)| *similarity >= LEAST_VALUE_SIMILARITY)
        .collect();
    near.sort_by(|a, b| b.1.total_cmp(&a.1));
    near.into_iter().map(|(word, _)| word).take(MOST_SUGGESTIONS).collect()
}

/// Lists words in backquotes: `a`, `b` or `c`.
pub(super) fn list(items: &[impl AsRef<str>], last: &str) -> String {
    let quoted: Vec<String> = items.iter().map(|item| format!("`{}`", item.as_ref())).collect();
    enumeration(&quoted, last)
}

/// Joins words by commas, except for the last two.
pub(super) fn enumeration(words: &[impl AsRef<str>], last: &str) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        Some((end, rest)) if !rest.is_empty() => format!("{} {last} {end}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// Steps up and down from one object to another.
fn distance(from: &[&str], to: &[&str]) -> usize {
    let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
    from.len() + to.len() - 2 * shared
}

/// The words of a name in `snake_case`, `kebab-case` or `camelCase`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for character in name.chars() {
        if !character.is_alphanumeric() || after_lower && character.is_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| character.is_alphanumeric()) {
            word.extend(character.to_lowercase());
        }
        after_lower = character.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

fn place(scope: &[&str]) -> String {
    if scope.is_empty() { "at the top level".to_owned() } else { format!("inside `{}`", scope.join(".")) }
}
