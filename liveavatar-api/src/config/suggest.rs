//! Suggestions for unknown fields of a configuration, which may belong to another mode.

use serde_json::Value;

use super::fields;
use super::mode::ModeName;
use super::rules::{PERSONA_OR_AGENT, WRONG_MODE_FIELD};
use crate::schema::{Cursor, Diagnostic, Location, Reach, Unknown, list, place};

/// The diagnostic of a field that the object at `scope` does not have.
///
/// Candidates come in the order of likelihood: first places near the field, then anywhere, then names that look alike.
pub(super) fn unknown_field(mode: ModeName, root: &Value, scope: &Cursor<'_>, name: &str) -> Diagnostic {
    let what = format!("a field of {mode}");
    let field = Unknown::new(&what, &fields::of(mode).list, root, scope, name);
    let field = UnknownField { mode, field };
    let in_reach = |reach| {
        let misplaced = field.in_other_object(reach).or_else(|| field.in_other_mode(reach));
        misplaced.or_else(|| field.field.with_same_words(reach))
    };
    field
        .field
        .in_other_variant()
        .or_else(|| Reach::ALL.into_iter().find_map(in_reach))
        .or_else(|| field.field.with_similar_name())
        .or_else(|| field.with_same_words_in_other_mode())
        .unwrap_or_else(|| field.field.unknown(field.field.all_fields_here()))
}

struct UnknownField<'a> {
    mode: ModeName,
    field: Unknown<'a>,
}

impl UnknownField<'_> {
    fn other(&self) -> impl Iterator<Item = &'static Location> {
        fields::of(self.mode.other()).list.iter()
    }

    fn in_other_object(&self, reach: Reach) -> Option<Diagnostic> {
        self.field.in_other_object(reach, |candidates, into| {
            let [persona, agent] = PERSONA_OR_AGENT;
            let excluded = [(persona, agent), (agent, persona)].into_iter().find(|(object, other)| {
                candidates.first().is_some_and(|first| first.scope.first() == Some(object))
                    && self.field.value(&[other]).is_some()
            });
            if let Some((object, other)) = excluded {
                return Some(format!("remove it; `{object}` cannot be combined with `{other}`"));
            }
            let others = self.other().filter(|field| field.name == self.field.name);
            let nearest = self.field.nearest(others, |_| 0);
            let field =
                nearest.first().filter(|field| reach == Reach::Anywhere && !candidates.contains(field))?;
            Some(format!("move it {into}; in {} it belongs {}", self.mode.other(), place(&field.scope)))
        })
    }

    fn in_other_mode(&self, reach: Reach) -> Option<Diagnostic> {
        let is_candidate = |field: &&Location| {
            field.name == self.field.name && (reach == Reach::Anywhere || self.field.is_here(field))
        };
        let field = *self.field.nearest(self.other().filter(is_candidate), |_| 0).first()?;
        let other = self.mode.other();
        let message = format!("is a field of {other}; {} silently ignores it", self.mode);
        let place =
            if self.field.is_here(field) { String::new() } else { format!(" {}", place(&field.scope)) };
        let hint = format!("remove it, or use it in {other}{place}");
        Some(self.field.report(&WRONG_MODE_FIELD, message, hint))
    }

    fn with_same_words_in_other_mode(&self) -> Option<Diagnostic> {
        let fields = self.field.containing_words(self.other());
        let shown: Vec<String> = fields.into_iter().map(Location::dotted).collect();
        let hint = || format!("only {} has a similar field: {}", self.mode.other(), list(&shown, "or"));
        (!shown.is_empty()).then(|| self.field.unknown(Some(hint())))
    }
}
