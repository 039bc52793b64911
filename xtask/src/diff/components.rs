//! The components: credentials, and what no operation leads to.

use std::collections::BTreeSet;

use serde_json::Value;

use super::rules;
use super::view::{ANNOTATIONS, child};
use super::walk::{Place, Say, Walk, changed, entries};
use crate::lower::reached;

impl<'a> Walk<'a> {
    /// Compares what the operations did not lead to.
    pub(super) fn components(&mut self, place: &Place) {
        let (base, revision) = (self.base, self.revision);
        let (old, new) = (base.get("components"), revision.get("components"));
        let sections = entries(old.and_then(Value::as_object), new.and_then(Value::as_object));
        for (section, before, after) in sections {
            let pointer = child("/components", section);
            let (was, is) = (before.and_then(Value::as_object), after.and_then(Value::as_object));
            if [before, after].into_iter().flatten().any(|section| !section.is_object()) {
                self.unknown(place, &pointer, section);
                continue;
            }
            for (name, before, after) in entries(was, is) {
                let pointer = child(&pointer, name);
                match section {
                    "schemas" => {}
                    "securitySchemes" => self.security_scheme(place, name, &pointer, before, after),
                    // The operations that refer to it have told.
                    _ if self.visited.contains(&pointer) => {}
                    _ => self.unknown(place, &pointer, name),
                }
            }
        }
        self.unreached(place);
    }

    fn security_scheme(
        &mut self,
        place: &Place,
        name: &str,
        pointer: &str,
        before: Option<&Value>,
        after: Option<&Value>,
    ) {
        let place = Place { label: format!("security scheme `{name}`"), ..place.clone() };
        let pointer = pointer.to_owned();
        match (before, after) {
            (Some(old), Some(new)) => {
                for (key, before, after) in entries(old.as_object(), new.as_object()) {
                    let pointer = child(&pointer, key);
                    if ANNOTATIONS.contains(&key) || key == "bearerFormat" {
                        self.documentation(&place, pointer, key, before, after);
                    } else {
                        let text = changed(&format!("`{key}`"), before, after);
                        self.emit(&place, rules::SCHEME_CHANGED, Say { pointer, text, before, after });
                    }
                }
            }
            (None, _) => self.emit(
                &place,
                rules::SCHEME_ADDED,
                Say { pointer, text: "is new".to_owned(), before, after },
            ),
            (_, None) => self.emit(
                &place,
                rules::SCHEME_REMOVED,
                Say { pointer, text: "is gone".to_owned(), before, after },
            ),
        }
    }

    /// Schemas that differ and that the operations of both documents do not lead to side by side.
    fn unreached(&mut self, place: &Place) {
        let (base, revision) = (self.base, self.revision);
        let compared: BTreeSet<(&str, &str)> = self.pairs.keys().map(|(old, new, _)| (*old, *new)).collect();
        let (from_old, from_new) = (reached(base), reached(revision));
        let of = |document: &'a Value| document.pointer("/components/schemas").and_then(Value::as_object);
        for (name, before, after) in entries(of(base), of(revision)) {
            let place = Place { label: format!("schema `{name}`"), ..place.clone() };
            let pointer = child("/components/schemas", name);
            let (rule, text) = match (before, after) {
                (Some(_), Some(_)) if compared.contains(&(name, name)) => continue,
                (Some(_), Some(_)) => {
                    (rules::UNUSED_CHANGED, "differs, and no operation of both documents reaches it")
                }
                // What led to it has told.
                (None, _) if from_new.contains(name) => continue,
                (_, None) if from_old.contains(name) => continue,
                (None, _) => (rules::UNUSED_ADDED, "is new, and no operation reaches it"),
                (_, None) => (rules::UNUSED_REMOVED, "is gone; no operation reached it"),
            };
            self.emit(&place, rule, Say { pointer, text: text.to_owned(), before, after });
        }
    }
}
