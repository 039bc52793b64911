//! The members of unions, paired by what they are.

use std::collections::BTreeSet;

use serde_json::Value;

use super::rules::{self, Rule};
use super::view::{View, child};
use super::walk::{Place, Say, Walk, short};

impl<'a> Walk<'a> {
    /// Pairs members that are the same thing, compares them, and tells which came and went.
    pub(super) fn members(
        &mut self,
        place: &Place,
        mut before: Vec<View<'a>>,
        mut after: Vec<View<'a>>,
        [added, removed]: [&'static Rule; 2],
    ) {
        loop {
            let pairs = before.iter().enumerate().flat_map(|(old, was)| {
                let walk = &*self;
                after.iter().enumerate().map(move |(new, is)| (walk.likeness(was, is), old, new))
            });
            // The first of equals, so that equal members stay in order.
            let best = pairs.fold((0, 0, 0), |best, one| if one.0 > best.0 { one } else { best });
            let (1.., old, new) = best else { break };
            let (was, is) = (before.remove(old), after.remove(new));
            let label = match is.reference() {
                Some(_) => place.label.clone(),
                None => format!("{} as {}", place.label, member_name(&is)),
            };
            self.views(&Place { label, ..place.clone() }, was, is);
        }
        let all = added.is(&rules::PART_ADDED);
        for member in before {
            let text = format!(
                "{} {}",
                if all { "is no longer all of" } else { "may no longer be" },
                member_name(&member)
            );
            self.emit(
                place,
                removed,
                Say { pointer: member.pointer, text, before: Some(member.raw), after: None },
            );
        }
        for member in after {
            let text = format!("{} {} now", if all { "is all of" } else { "may be" }, member_name(&member));
            self.emit(
                place,
                added,
                Say { pointer: member.pointer, text, before: None, after: Some(member.raw) },
            );
        }
    }

    /// How much two members of a union are the same thing; 0 means that they are not.
    fn likeness(&self, before: &View<'a>, after: &View<'a>) -> u32 {
        const SAME: u32 = 100;
        const TAG: u32 = 80;
        const TITLE: u32 = 70;
        const FIELDS: u32 = 60;
        const TYPE: u32 = 20;
        if before.raw == after.raw {
            return SAME;
        }
        if let (Some(old), Some(new)) = (before.reference(), after.reference()) {
            let exists = |document: &Value, name: &str| {
                document.pointer(&child("/components/schemas", name)).is_some()
            };
            // Two components that both documents know are two things.
            if old != new && (exists(self.revision, old) || exists(self.base, new)) {
                return 0;
            }
            if old == new {
                return SAME;
            }
        }
        let (old, new) = (before.followed(self.base), after.followed(self.revision));
        let tags = |view: &View<'a>| -> BTreeSet<(String, String)> {
            let properties = view.properties().into_iter();
            let tags = properties.filter_map(|(name, word)| {
                let values = View::of(word.value, "").values.filter(|values| values.len() == 1)?;
                Some((name.to_owned(), values.first()?.to_string()))
            });
            tags.collect()
        };
        if !tags(&old).is_disjoint(&tags(&new)) {
            return TAG;
        }
        if before.word("title").is_some() && before.word("title") == after.word("title") {
            return TITLE;
        }
        let fields = |view: &View<'a>| view.properties().into_keys().collect::<BTreeSet<_>>();
        let (was, is) = (fields(&old), fields(&new));
        let (shared, all) = (was.intersection(&is).count(), was.union(&is).count());
        if shared > 0 && shared * 2 >= all {
            return FIELDS;
        }
        let plain = was.is_empty() && is.is_empty();
        if plain && old.types.is_some() && old.types == new.types { TYPE } else { 0 }
    }
}

/// A member of a union as sentences name it.
fn member_name(member: &View<'_>) -> String {
    if let Some(name) = member.reference() {
        return format!("`{name}`");
    }
    if let Some(title) = member.word("title").and_then(Value::as_str) {
        return format!("\"{title}\"");
    }
    match &member.types {
        Some(types) if !types.is_empty() => types.iter().copied().collect::<Vec<_>>().join(" or "),
        _ => short(member.raw),
    }
}
