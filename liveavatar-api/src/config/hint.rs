//! Where a field that nobody reads was meant to be.
//!
//! Everything here follows from the names in the schemas; there is no list of known misspellings.

use super::path::Path;
use super::problem::{Diagnostic, ModeName};
use super::rules::{MISPLACED_FIELD, UNKNOWN_FIELD, WRONG_MODE_FIELD};
use super::schema::{Field, Schema};
use serde_json::Value;
use std::collections::BTreeSet;

/// Least similarity, from 0 to 1, of a misspelt field name and the name meant.
///
/// Three edits in ten characters pass; `avatar_name` for `avatar_id` does not.
const LEAST_NAME_SIMILARITY: f64 = 0.7;

/// Least similarity, from 0 to 1, of a misspelt word from a list and the word meant.
const LEAST_VALUE_SIMILARITY: f64 = 0.6;

/// More suggestions than this do not help.
const MOST_SUGGESTIONS: usize = 3;

/// Objects with more fields than this are not listed in full.
const MOST_LISTED_FIELDS: usize = 16;

/// Objects that cannot be added where the other one is: the object, the other one.
const EXCLUSIVE: [(&str, &str); 2] = [("avatar_persona", "voice_agent"), ("voice_agent", "avatar_persona")];

/// The fields of the mode in question and of the other one.
pub(super) struct Fields<'a> {
    mode: ModeName,
    other_mode: ModeName,
    own: Vec<Field<'static>>,
    other: Vec<Field<'static>>,
    document: &'a Value,
}

impl<'a> Fields<'a> {
    pub(super) fn new(mode: ModeName, document: &'a Value) -> Self {
        let other_mode = match mode {
            ModeName::Full => ModeName::Lite,
            ModeName::Lite | ModeName::Custom => ModeName::Full,
        };
        let (own, other) = (Schema::of(mode).fields(), Schema::of(other_mode).fields());
        Self { mode, other_mode, own, other, document }
    }

    /// Names the problem of a field that the object at `scope` does not have.
    ///
    /// Places come in the order of likelihood: where the configuration has an object that takes the
    /// very name, the same place in the other mode, a field here with these words in its name, an
    /// object that could be there, and only then names that look alike.
    pub(super) fn unknown(&self, scope: &Path, name: &str) -> Diagnostic {
        let path = scope.key(name);
        let scope = scope.keys();
        self.other_variant(&path, &scope, name)
            .or_else(|| self.elsewhere(&path, &scope, name, Presence::Given))
            .or_else(|| self.other_mode(&path, &scope, name, Depth::Same))
            .or_else(|| self.by_words(&path, &scope, name, Depth::Same))
            .or_else(|| self.elsewhere(&path, &scope, name, Presence::Any))
            .or_else(|| self.other_mode(&path, &scope, name, Depth::Any))
            .or_else(|| self.by_words(&path, &scope, name, Depth::Any))
            .or_else(|| self.by_spelling(&path, &scope, name))
            .or_else(|| self.by_words_in_other_mode(&path, &scope, name))
            .unwrap_or_else(|| {
                let problem = self.ignored(&path);
                problem.with_hint(self.fields_at(&scope))
            })
    }

    fn ignored(&self, path: &Path) -> Diagnostic {
        let message = format!("is not a field of {}; the service ignores it in silence", self.mode);
        Diagnostic::new(&UNKNOWN_FIELD, path, message)
    }

    fn other_variant(&self, path: &Path, scope: &[&str], name: &str) -> Option<Diagnostic> {
        let here = |field: &&Field<'_>| field.scope == scope && field.name == name;
        let (tag, value) = self.own.iter().find(here)?.variant?;
        let message = format!("belongs to `{tag}` `{value}`; the service ignores it elsewhere");
        let hint = format!("leave it out, or set `{tag}` to `{value}`");
        Some(Diagnostic::new(&MISPLACED_FIELD, path, message).with_hint(hint))
    }

    fn elsewhere(&self, path: &Path, scope: &[&str], name: &str, presence: Presence) -> Option<Diagnostic> {
        let candidates = self.own.iter().filter(|field| {
            let given = field.scope.iter().try_fold(self.document, |v, key| v.get(key));
            let there = given.is_some_and(Value::is_object) || presence == Presence::Any;
            field.name == name && field.scope != scope && there
        });
        let places = best(candidates, |field| distance(&field.scope, scope));
        let first = places.first()?;
        let shown: Vec<String> = places.iter().map(|field| place(&field.scope)).collect();
        let shown = shown.join(" or ");
        let message = format!("belongs {shown}; the service ignores it here");
        let set = |keys: &[&str]| {
            let value = keys.iter().try_fold(self.document, |value, key| value.get(key));
            value.is_some_and(|value| !value.is_null())
        };
        let excluded =
            EXCLUSIVE.iter().find(|(object, other)| first.scope.first() == Some(object) && set(&[other]));
        let hint = if places.len() == 1 && set(&keys(first)) {
            format!("`{}` is set already, remove this one", dotted(first))
        } else if let Some((object, other)) = excluded {
            format!("leave it out; `{object}` cannot stand beside `{other}`")
        } else {
            let moved = shown.replace("inside", "into").replace("at the", "to the");
            let other = self.other.iter().filter(|field| field.name == name);
            match best(other, |field| distance(&field.scope, scope)).first() {
                Some(field) if presence == Presence::Any && !places.contains(field) => {
                    format!("move it {moved}; in {} it belongs {}", self.other_mode, place(&field.scope))
                }
                _ => format!("move it {moved}"),
            }
        };
        Some(Diagnostic::new(&MISPLACED_FIELD, path, message).with_hint(hint))
    }

    fn other_mode(&self, path: &Path, scope: &[&str], name: &str, depth: Depth) -> Option<Diagnostic> {
        let candidates = self
            .other
            .iter()
            .filter(|field| field.name == name && (depth == Depth::Any || field.scope == scope));
        let field = *best(candidates, |field| distance(&field.scope, scope)).first()?;
        let (mode, other) = (self.mode, self.other_mode);
        let message = format!("`{name}` belongs to {other}, {mode} ignores it");
        let inside = match field.scope.as_slice() {
            same if same == scope => String::new(),
            scope => format!(", {}", place(scope)),
        };
        let hint = format!("leave it out, or use it in {other}{inside}");
        Some(Diagnostic::new(&WRONG_MODE_FIELD, path, message).with_hint(hint))
    }

    fn by_words(&self, path: &Path, scope: &[&str], name: &str, depth: Depth) -> Option<Diagnostic> {
        let near = self.own.iter().filter(|field| depth == Depth::Any || field.scope == scope);
        self.meant(path, scope, with_words(near, scope, name))
    }

    fn by_spelling(&self, path: &Path, scope: &[&str], name: &str) -> Option<Diagnostic> {
        let name = words(name).join("_");
        let edits = |field: &Field<'_>| strsim::damerau_levenshtein(&name, field.name);
        let alike = self.own.iter().filter(|field| {
            strsim::normalized_damerau_levenshtein(&name, field.name) >= LEAST_NAME_SIMILARITY
        });
        self.meant(path, scope, best(alike, |field| (distance(&field.scope, scope), edits(field))))
    }

    fn by_words_in_other_mode(&self, path: &Path, scope: &[&str], name: &str) -> Option<Diagnostic> {
        let fields = with_words(self.other.iter(), scope, name);
        let shown: Vec<String> = fields.iter().map(|field| dotted(field)).collect();
        let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
        let hint = format!("only {} has such a field: {}", self.other_mode, list(&shown, "or"));
        (!shown.is_empty()).then(|| self.ignored(path).with_hint(hint))
    }

    fn meant(&self, path: &Path, scope: &[&str], fields: Vec<&Field<'_>>) -> Option<Diagnostic> {
        let shown: Vec<String> = fields
            .into_iter()
            .map(|field| if field.scope == scope { field.name.to_owned() } else { dotted(field) })
            .collect();
        let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
        let hint = format!("did you mean {}?", list(&shown, "or"));
        (!shown.is_empty()).then(|| self.ignored(path).with_hint(hint))
    }

    fn fields_at(&self, scope: &[&str]) -> Option<String> {
        let mut names: Vec<&str> = self.own.iter().filter(|f| f.scope == scope).map(|f| f.name).collect();
        names.sort_unstable();
        names.dedup();
        let fits = (1..=MOST_LISTED_FIELDS).contains(&names.len());
        fits.then(|| format!("remove it; the fields here are {}", list(&names, "and")))
    }
}

/// Whether the object that takes a field has to be in the configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Given,
    Any,
}

/// Whether a field has to be in the same object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Same,
    Any,
}

/// The words of a list that a misspelt one resembles, best first.
pub(super) fn nearest<'w>(written: &str, allowed: &[&'w str]) -> Vec<&'w str> {
    let plain = |text: &str| words(text).join("");
    let written = plain(written);
    let similarity = |word: &str| strsim::normalized_damerau_levenshtein(&written, &plain(word));
    if let Some(word) = allowed.iter().find(|word| plain(word) == written) {
        return vec![word];
    }
    let mut near: Vec<(&str, f64)> = allowed
        .iter()
        .map(|&word| (word, similarity(word)))
        .filter(|(_, similarity)| *similarity >= LEAST_VALUE_SIMILARITY)
        .collect();
    near.sort_by(|a, b| b.1.total_cmp(&a.1));
    near.into_iter().map(|(word, _)| word).take(MOST_SUGGESTIONS).collect()
}

/// Lists words in backquotes: `a`, `b` or `c`.
pub(super) fn list(items: &[&str], last: &str) -> String {
    let quoted: Vec<String> = items.iter().map(|item| format!("`{item}`")).collect();
    match quoted.split_last() {
        Some((end, rest)) if !rest.is_empty() && !last.is_empty() => {
            format!("{} {last} {end}", rest.join(", "))
        }
        _ => quoted.join(", "),
    }
}

/// Fields whose path has all the words of a name, and one of them in the field's own name.
fn with_words<'f, 's>(
    fields: impl Iterator<Item = &'f Field<'s>>,
    scope: &[&str],
    name: &str,
) -> Vec<&'f Field<'s>>
where
    's: 'f,
{
    let wanted: BTreeSet<String> = words(name).into_iter().collect();
    let of_path = |field: &Field<'_>| {
        let keys = field.scope.iter().chain([&field.name]);
        keys.flat_map(|key| words(key)).collect::<BTreeSet<String>>()
    };
    let fitting = fields.filter(|field| {
        !wanted.is_empty()
            && wanted.is_subset(&of_path(field))
            && words(field.name).iter().any(|word| wanted.contains(word))
    });
    best(fitting, |field| (distance(&field.scope, scope), of_path(field).len()))
}

/// The few fields with the smallest cost.
fn best<'f, 's: 'f, C: Ord>(
    fields: impl Iterator<Item = &'f Field<'s>>,
    cost: impl Fn(&Field<'s>) -> C,
) -> Vec<&'f Field<'s>> {
    let mut costs: Vec<(C, &Field<'s>)> = fields.map(|field| (cost(field), field)).collect();
    costs.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| dotted(a.1).cmp(&dotted(b.1))));
    costs.dedup_by(|a, b| dotted(a.1) == dotted(b.1));
    let cheapest = costs.iter().take_while(|(cost, _)| *cost == costs[0].0).count();
    costs.into_iter().take(cheapest.min(MOST_SUGGESTIONS)).map(|(_, field)| field).collect()
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

fn keys<'s>(field: &Field<'s>) -> Vec<&'s str> {
    field.scope.iter().copied().chain([field.name]).collect()
}

fn dotted(field: &Field<'_>) -> String {
    keys(field).join(".")
}
