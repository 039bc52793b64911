//! Two schemas, side by side.

use std::collections::BTreeSet;

use serde_json::Value;

use super::rules::{self, Rule};
use super::view::{ANNOTATIONS, ANYTHING, View, Word, child};
use super::walk::{Owner, Place, Say, Walk, changed, entries, short};

/// A keyword that bounds values, what identifiers call it, and whether more of it allows less.
struct Limit {
    key: &'static str,
    name: &'static str,
    lower: bool,
}

const LIMITS: &[Limit] = &[
    Limit { key: "minimum", name: "min", lower: true },
    Limit { key: "maximum", name: "max", lower: false },
    Limit { key: "exclusiveMinimum", name: "exclusive-min", lower: true },
    Limit { key: "exclusiveMaximum", name: "exclusive-max", lower: false },
    Limit { key: "multipleOf", name: "multiple-of", lower: true },
    Limit { key: "minLength", name: "min-length", lower: true },
    Limit { key: "maxLength", name: "max-length", lower: false },
    Limit { key: "minItems", name: "min-items", lower: true },
    Limit { key: "maxItems", name: "max-items", lower: false },
    Limit { key: "minProperties", name: "min-properties", lower: true },
    Limit { key: "maxProperties", name: "max-properties", lower: false },
];

impl<'a> Walk<'a> {
    /// Compares two schemas.
    pub(super) fn schema(&mut self, place: &Place, before: &Word<'a>, after: &Word<'a>) {
        self.views(place, View::of(before.value, &before.pointer), View::of(after.value, &after.pointer));
    }

    pub(super) fn views(&mut self, place: &Place, before: View<'a>, after: View<'a>) {
        // A component against a schema that is written out: compared by what it holds.
        let follow = |one: &View<'a>, other: &View<'a>| {
            one.word("$ref").is_some() && other.word("$ref").is_none() && other.union.is_none()
        };
        let (follow_before, follow_after) = (follow(&before, &after), follow(&after, &before));
        if follow_before || follow_after {
            let was = if follow_before { before.followed(self.base) } else { before.clone() };
            let is = if follow_after { after.followed(self.revision) } else { after.clone() };
            let leads_on = (was.pointer != before.pointer) || (is.pointer != after.pointer);
            let key = (was.pointer.clone(), is.pointer.clone());
            if !leads_on {
                let lost = if follow_before { &before } else { &after };
                self.unknown(place, &lost.pointer, "$ref");
            } else if !self.open.contains(&key) {
                // What refers to itself would never end.
                self.open.push(key);
                self.views(place, was, is);
                self.open.pop();
            }
            return;
        }

        self.nullability(place, &before, &after);
        self.annotations(place, &before, &after);
        match (&before.union, &after.union) {
            (None, None) => {}
            (Some((old, was)), Some((new, is))) => {
                if old != new {
                    let pointer = child(&after.pointer, new);
                    let text = format!("is `{new}` of its members now; it was `{old}`");
                    self.emit(place, rules::UNION_KIND, Say { pointer, text, before: None, after: None });
                }
                let views = |words: &[Word<'a>]| {
                    words.iter().map(|word| View::of(word.value, &word.pointer)).collect()
                };
                self.members(place, views(was), views(is), [rules::MEMBER_ADDED, rules::MEMBER_REMOVED]);
            }
            // A schema that becomes a union with itself as a member, or the other way round.
            (Some((_, was)), None) => {
                let was = was.iter().map(|word| View::of(word.value, &word.pointer)).collect();
                let rest = Self::beside_union(&before);
                let alone = View { nullable: false, ..after.bare() };
                self.members(place, was, vec![alone], [rules::MEMBER_ADDED, rules::MEMBER_REMOVED]);
                return self.leftover(place, rest);
            }
            (None, Some((_, is))) => {
                let is = is.iter().map(|word| View::of(word.value, &word.pointer)).collect();
                let rest = Self::beside_union(&after);
                let alone = View { nullable: false, ..before.bare() };
                self.members(place, vec![alone], is, [rules::MEMBER_ADDED, rules::MEMBER_REMOVED]);
                return self.leftover(place, rest);
            }
        }
        self.reference(place, &before, &after);
        self.structure(place, &before, &after);
    }

    /// What a union says beside its members, apart from what only people read.
    fn beside_union(view: &View<'a>) -> Vec<(String, String)> {
        let rest = view.clone().bare();
        let mut words: Vec<_> =
            rest.words.into_iter().map(|(key, word)| (key.to_owned(), word.pointer)).collect();
        if view.types.is_some() {
            words.push(("type".to_owned(), child(&view.pointer, "type")));
        }
        if view.values.is_some() {
            words.push(("enum".to_owned(), child(&view.pointer, "enum")));
        }
        words
    }

    fn leftover(&mut self, place: &Place, words: Vec<(String, String)>) {
        for (key, pointer) in words {
            self.unknown(place, &pointer, &key);
        }
    }

    fn nullability(&mut self, place: &Place, before: &View<'a>, after: &View<'a>) {
        if before.nullable != after.nullable {
            let (rule, text) = if after.nullable {
                (rules::BECAME_NULLABLE, "may be null now")
            } else {
                (rules::BECAME_NOT_NULLABLE, "may no longer be null")
            };
            let (old, new) = (Value::Bool(before.nullable), Value::Bool(after.nullable));
            let say = Say {
                pointer: after.pointer.clone(),
                text: text.to_owned(),
                before: Some(&old),
                after: Some(&new),
            };
            self.emit(place, rule, say);
        }
    }

    fn annotations(&mut self, place: &Place, before: &View<'a>, after: &View<'a>) {
        let keys: BTreeSet<&str> = before.words.keys().chain(after.words.keys()).copied().collect();
        for key in keys {
            let (was, is) = (before.word(key), after.word(key));
            if was == is {
                continue;
            }
            let pointer = Self::pointer_of(key, before, after);
            match key {
                _ if ANNOTATIONS.contains(&key) => self.documentation(place, pointer, key, was, is),
                "default" => {
                    let text = changed("the default", was, is);
                    self.emit(place, rules::DEFAULT_CHANGED, Say { pointer, text, before: was, after: is });
                }
                "deprecated" => self.deprecation(place, pointer, was, is),
                "readOnly" => {
                    let on = (rules::READ_ONLY, "is for reading only now");
                    let off = (rules::NOT_READ_ONLY, "is no longer for reading only");
                    self.flag(place, pointer, key, [on, off], was, is);
                }
                "writeOnly" => {
                    let on = (rules::WRITE_ONLY, "is for sending only now");
                    let off = (rules::NOT_WRITE_ONLY, "is no longer for sending only");
                    self.flag(place, pointer, key, [on, off], was, is);
                }
                _ => {}
            }
        }
    }

    /// Where a keyword stands: in the revision, or in the base if it is gone.
    fn pointer_of(key: &str, before: &View<'a>, after: &View<'a>) -> String {
        let word = after.words.get(key).or_else(|| before.words.get(key));
        word.map_or_else(|| child(&after.pointer, key), |word| word.pointer.clone())
    }

    fn reference(&mut self, place: &Place, before: &View<'a>, after: &View<'a>) {
        match (before.reference(), after.reference()) {
            (Some(old), Some(new)) => self.pair(place, old, new),
            _ if before.word("$ref") == after.word("$ref") => {}
            _ => self.unknown(place, &Self::pointer_of("$ref", before, after), "$ref"),
        }
    }

    /// Compares two components, once for each side, and notes that this place uses them.
    fn pair(&mut self, place: &Place, old: &'a str, new: &'a str) {
        let Some(side) = place.side else { return };
        if old != new {
            let pointer = child("/components/schemas", new);
            let text = format!("refers to `{new}` in place of `{old}`");
            let (before, after) = (Value::from(old), Value::from(new));
            let say = Say { pointer, text, before: Some(&before), after: Some(&after) };
            self.emit(place, rules::SCHEMA_RENAMED, say);
        }
        if let Some(known) = self.pairs.get(&(old, new, side)) {
            let known = *known;
            self.nodes[place.node].uses.insert(known);
            return;
        }
        let node = self.node(Owner::Schema { base: old.to_owned(), revision: new.to_owned() });
        self.pairs.insert((old, new, side), node);
        self.nodes[place.node].uses.insert(node);
        let (from, to) = (child("/components/schemas", old), child("/components/schemas", new));
        let place =
            Place { node, side: Some(side), subject: "schema", label: format!("`{new}`"), member: None };
        match (self.base.pointer(&from), self.revision.pointer(&to)) {
            (Some(before), Some(after)) => {
                self.schema(
                    &place,
                    &Word { value: before, pointer: from },
                    &Word { value: after, pointer: to },
                );
            }
            (None, None) => {}
            (before, _) => {
                let pointer = if before.is_none() { from } else { to };
                self.unknown(&place, &pointer, "$ref");
            }
        }
    }

    /// Pairs members that are the same thing, compares them, and tells which came and went.
    fn members(
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
        for member in before {
            let text = format!("may no longer be {}", member_name(&member));
            self.emit(
                place,
                removed,
                Say { pointer: member.pointer, text, before: Some(member.raw), after: None },
            );
        }
        for member in after {
            let text = format!("may be {} now", member_name(&member));
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

    fn structure(&mut self, place: &Place, before: &View<'a>, after: &View<'a>) {
        if !self.types(place, before, after) {
            return;
        }
        self.values(place, before, after);
        for limit in LIMITS {
            self.limit(place, limit, before, after);
        }
        let keys: BTreeSet<&str> = before.words.keys().chain(after.words.keys()).copied().collect();
        for key in keys {
            let (was, is) = (before.word(key), after.word(key));
            let pointer = Self::pointer_of(key, before, after);
            let say = |text: String| Say { pointer: pointer.clone(), text, before: was, after: is };
            match key {
                "properties" => self.properties(place, before, after),
                "additionalProperties" => self.additional(place, before, after),
                "items" | "propertyNames" => {
                    let suffix = if key == "items" { "[]" } else { " keys" };
                    let place = Place { label: format!("{}{suffix}", place.label), ..place.clone() };
                    self.schema(&place, &before.inner(key), &after.inner(key));
                }
                "prefixItems" => self.tuple(place, before, after),
                "allOf" => {
                    let views = |view: &View<'a>| -> Vec<View<'a>> {
                        let Some(word) = view.words.get(key) else { return Vec::new() };
                        let parts = word.value.as_array().into_iter().flatten().enumerate();
                        parts
                            .map(|(at, part)| View::of(part, &child(&word.pointer, &at.to_string())))
                            .collect()
                    };
                    let rules = [rules::PART_ADDED, rules::PART_REMOVED];
                    self.members(place, views(before), views(after), rules);
                }
                _ if was == is => {}
                "required"
                    if before.words.contains_key("properties") || after.words.contains_key("properties") => {}
                "required" => self.properties(place, before, after),
                "format" => {
                    let rule = match (was, is) {
                        (None, _) => rules::FORMAT_ADDED,
                        (_, None) => rules::FORMAT_REMOVED,
                        _ => rules::FORMAT_CHANGED,
                    };
                    self.emit(place, rule, say(changed("the format", was, is)));
                }
                "pattern" => {
                    let rule = match (was, is) {
                        (None, _) => rules::PATTERN_ADDED,
                        (_, None) => rules::PATTERN_REMOVED,
                        _ => rules::PATTERN_CHANGED,
                    };
                    self.emit(place, rule, say(changed("the pattern", was, is)));
                }
                "contentEncoding" | "contentMediaType" => {
                    self.emit(place, rules::CONTENT_ENCODING, say(changed(&format!("`{key}`"), was, is)));
                }
                "uniqueItems" => {
                    let on = (rules::LIMIT_TIGHTENED, "takes no item twice now");
                    self.flag(
                        place,
                        pointer,
                        key,
                        [on, (rules::LIMIT_LOOSENED, "may hold an item twice now")],
                        was,
                        is,
                    );
                }
                "discriminator" => self.discriminator(place, before, after),
                "default" | "deprecated" | "readOnly" | "writeOnly" | "$ref" => {}
                _ if ANNOTATIONS.contains(&key) || LIMITS.iter().any(|limit| limit.key == key) => {}
                _ => self.unknown(place, &pointer, key),
            }
        }
    }

    /// Compares the types; false when nothing else of the two can be compared.
    fn types(&mut self, place: &Place, before: &View<'a>, after: &View<'a>) -> bool {
        fn covers(wide: Option<&BTreeSet<&str>>, narrow: Option<&BTreeSet<&str>>) -> bool {
            match (wide, narrow) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(wide), Some(narrow)) => narrow
                    .iter()
                    .all(|kind| wide.contains(kind) || (*kind == "integer" && wide.contains("number"))),
            }
        }
        if before.types == after.types {
            return true;
        }
        let (old, new) = (before.types.as_ref(), after.types.as_ref());
        let (rule, go_on) = match (covers(new, old), covers(old, new)) {
            (true, _) => (rules::TYPE_GENERALIZED, true),
            (_, true) => (rules::TYPE_SPECIALIZED, true),
            _ => (rules::TYPE_CHANGED, false),
        };
        let names = |types: Option<&BTreeSet<&'a str>>| match types {
            None => "anything".to_owned(),
            Some(types) if types.is_empty() => "null only".to_owned(),
            Some(types) => types.iter().copied().collect::<Vec<_>>().join(" or "),
        };
        let text = format!("is {} now; it was {}", names(new), names(old));
        let say = Say {
            pointer: child(&after.pointer, "type"),
            text,
            before: Some(before.raw),
            after: Some(after.raw),
        };
        self.emit(place, rule, say);
        go_on
    }

    fn values(&mut self, place: &Place, before: &View<'a>, after: &View<'a>) {
        let pointer = child(&after.pointer, "enum");
        let list = |values: &[&Value]| values.iter().map(|value| short(value)).collect::<Vec<_>>().join(", ");
        match (&before.values, &after.values) {
            (None, None) => {}
            (None, Some(values)) => {
                let text = format!("is one of {} now; it was anything", list(values));
                self.emit(
                    place,
                    rules::BECAME_ENUM,
                    Say { pointer, text, before: None, after: Some(after.raw) },
                );
            }
            (Some(values), None) => {
                let text = format!("may be anything now; it was one of {}", list(values));
                self.emit(
                    place,
                    rules::BECAME_FREE,
                    Say { pointer, text, before: Some(before.raw), after: None },
                );
            }
            (Some(old), Some(new)) => {
                for gone in old.iter().filter(|value| !new.contains(value)) {
                    let text = format!("the value {} is gone", short(gone));
                    let say = Say { pointer: pointer.clone(), text, before: Some(gone), after: None };
                    self.emit(place, rules::ENUM_VALUE_REMOVED, say);
                }
                for come in new.iter().filter(|value| !old.contains(value)) {
                    let text = format!("the value {} is new", short(come));
                    let say = Say { pointer: pointer.clone(), text, before: None, after: Some(come) };
                    self.emit(place, rules::ENUM_VALUE_ADDED, say);
                }
            }
        }
    }

    fn limit(&mut self, place: &Place, limit: &Limit, before: &View<'a>, after: &View<'a>) {
        let (was, is) = (before.word(limit.key), after.word(limit.key));
        if was == is {
            return;
        }
        let pointer = Self::pointer_of(limit.key, before, after);
        let number = |value: Option<&Value>| value.map(Value::as_f64);
        let (verb, tightened) = match (number(was), number(is)) {
            (None, Some(Some(_))) => ("added", true),
            (Some(Some(_)), None) => ("removed", false),
            (Some(Some(old)), Some(Some(new))) if new > old => ("increased", limit.lower),
            (Some(Some(old)), Some(Some(new))) if new < old => ("decreased", !limit.lower),
            // The same number in other digits.
            (Some(Some(_)), Some(Some(_))) => return,
            _ => return self.unknown(place, &pointer, limit.key),
        };
        let rule = if tightened { rules::LIMIT_TIGHTENED } else { rules::LIMIT_LOOSENED };
        let text = changed(&format!("`{}`", limit.key), was, is);
        let what = format!("{}-{verb}", limit.name);
        self.emit_as(place, rule, &what, Say { pointer, text, before: was, after: is });
    }

    fn properties(&mut self, place: &Place, before: &View<'a>, after: &View<'a>) {
        let (was, is) = (before.properties(), after.properties());
        let (needed, needs) = (before.required(), after.required());
        let names: BTreeSet<&str> =
            was.keys().chain(is.keys()).chain(needed.iter()).chain(needs.iter()).copied().collect();
        for name in names {
            let place = Place {
                subject: "property",
                label: format!("{}.{name}", place.label.trim_end_matches('`'))
                    + if place.label.ends_with('`') { "`" } else { "" },
                member: Some(place.member.clone().unwrap_or_else(|| name.to_owned())),
                ..place.clone()
            };
            let (required, requires) = (needed.contains(name), needs.contains(name));
            match (was.get(name), is.get(name)) {
                (None, Some(new)) if !required => {
                    let (rule, text) = if requires {
                        (rules::PROPERTY_ADDED_REQUIRED, "is new and required")
                    } else {
                        (rules::PROPERTY_ADDED, "is new")
                    };
                    let text = text.to_owned();
                    self.emit(
                        &place,
                        rule,
                        Say { pointer: new.pointer.clone(), text, before: None, after: Some(new.value) },
                    );
                    continue;
                }
                (Some(old), None) if !requires => {
                    let twin =
                        is.iter().find(|(other, new)| !was.contains_key(*other) && new.value == old.value);
                    let text = match twin {
                        Some((other, _)) => format!("is gone; `{other}` is new and just like it"),
                        None => "is gone".to_owned(),
                    };
                    let say =
                        Say { pointer: old.pointer.clone(), text, before: Some(old.value), after: None };
                    self.emit(&place, rules::PROPERTY_REMOVED, say);
                    continue;
                }
                (Some(old), Some(new)) => self.schema(&place, old, new),
                // Required without being described: described by nothing, which is anything.
                (old, new) => {
                    let anything = |view: &View<'a>| Word {
                        value: &ANYTHING,
                        pointer: child(&child(&view.pointer, "properties"), name),
                    };
                    let old = old.cloned().unwrap_or_else(|| anything(before));
                    let new = new.cloned().unwrap_or_else(|| anything(after));
                    self.schema(&place, &old, &new);
                }
            }
            if required != requires {
                let (rule, text) = if requires {
                    (rules::BECAME_REQUIRED, "is required now")
                } else {
                    (rules::BECAME_OPTIONAL, "is optional now")
                };
                let pointer = is
                    .get(name)
                    .map_or_else(|| child(&after.pointer, "required"), |word| word.pointer.clone());
                let (old, new) = (Value::Bool(required), Value::Bool(requires));
                let say = Say { pointer, text: text.to_owned(), before: Some(&old), after: Some(&new) };
                self.emit(&place, rule, say);
            }
        }
    }

    fn additional(&mut self, place: &Place, before: &View<'a>, after: &View<'a>) {
        const KEY: &str = "additionalProperties";
        let (was, is) = (before.word(KEY), after.word(KEY));
        let closed = Some(&Value::Bool(false));
        let pointer = Self::pointer_of(KEY, before, after);
        match (was == closed, is == closed) {
            (true, true) => {}
            (false, true) => {
                let text = "takes no further fields now".to_owned();
                self.emit(place, rules::ADDITIONAL_FORBIDDEN, Say { pointer, text, before: was, after: is });
            }
            (true, false) => {
                let text = "may have further fields now".to_owned();
                self.emit(place, rules::ADDITIONAL_ALLOWED, Say { pointer, text, before: was, after: is });
            }
            (false, false) => {
                let place = Place { label: format!("{}{{}}", place.label), ..place.clone() };
                self.schema(&place, &before.inner(KEY), &after.inner(KEY));
            }
        }
    }

    fn tuple(&mut self, place: &Place, before: &View<'a>, after: &View<'a>) {
        const KEY: &str = "prefixItems";
        let words = |view: &View<'a>| -> Vec<Word<'a>> {
            let Some(word) = view.words.get(KEY) else { return Vec::new() };
            let items = word.value.as_array().into_iter().flatten().enumerate();
            items.map(|(at, value)| Word { value, pointer: child(&word.pointer, &at.to_string()) }).collect()
        };
        let (was, is) = (words(before), words(after));
        if was.len() != is.len() {
            let pointer = Self::pointer_of(KEY, before, after);
            let text = format!("has {} fixed items now; it had {}", is.len(), was.len());
            let say = Say { pointer, text, before: before.word(KEY), after: after.word(KEY) };
            self.emit(place, rules::TYPE_CHANGED, say);
        }
        for (at, (old, new)) in was.iter().zip(&is).enumerate() {
            let place = Place { label: format!("{}[{at}]", place.label), ..place.clone() };
            self.schema(&place, old, new);
        }
    }

    /// What tells the members of a union apart; a mapping that only follows renamed components is no change.
    fn discriminator(&mut self, place: &Place, before: &View<'a>, after: &View<'a>) {
        const KEY: &str = "discriminator";
        let pointer = Self::pointer_of(KEY, before, after);
        let (was, is) = (before.word(KEY), after.word(KEY));
        let (Some(Value::Object(old)), Some(Value::Object(new))) = (was, is) else {
            let text = changed("the discriminator", was, is);
            return self.emit(place, rules::DISCRIMINATOR, Say { pointer, text, before: was, after: is });
        };
        for (key, before, after) in entries(Some(old), Some(new)) {
            let at = child(&pointer, key);
            let (Some(Value::Object(old)), Some(Value::Object(new))) = (before, after) else {
                let text = changed(&format!("the discriminator's `{key}`"), before, after);
                self.emit(place, rules::DISCRIMINATOR, Say { pointer: at, text, before, after });
                continue;
            };
            for (value, before, after) in entries(Some(old), Some(new)) {
                let name = |target: Option<&Value>| -> Option<String> {
                    Some(target?.as_str()?.strip_prefix("#/components/schemas/")?.to_owned())
                };
                let followed = match (name(before), name(after)) {
                    (Some(old), Some(new)) => self.pairs.keys().any(|(was, is, _)| *was == old && *is == new),
                    _ => false,
                };
                if !followed {
                    let text = changed(&format!("the discriminator's member for `{value}`"), before, after);
                    self.emit(
                        place,
                        rules::DISCRIMINATOR,
                        Say { pointer: child(&at, value), text, before, after },
                    );
                }
            }
        }
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
