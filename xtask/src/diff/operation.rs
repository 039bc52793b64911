//! One operation in both documents: its names, its credentials, its parameters.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::rules::{self, Side};
use super::view::{ANNOTATIONS, Word, child};
use super::walk::{Operation, Owner, Place, Say, Walk, changed, entries, object, under};

impl<'a> Walk<'a> {
    pub(super) fn operation(&mut self, old: &Operation<'a>, new: &Operation<'a>) {
        let node = self.node(Owner::Operation {
            key: new.key(),
            base: old.name().map(str::to_owned),
            revision: new.name().map(str::to_owned),
        });
        let place = Place { node, side: None, subject: "", label: new.key(), member: None };
        let pointer = new.pointer();
        if old.template() != new.template() || old.method != new.method {
            let text = format!("moved here from {}", old.key());
            self.emit(
                &place,
                &rules::OPERATION_MOVED,
                Say { pointer: pointer.clone(), text, before: None, after: None },
            );
        } else {
            for (before, after) in old.path_parameters().iter().zip(new.path_parameters()) {
                if *before != after {
                    let text = format!("the path's `{before}` is now called `{after}`");
                    let (before, after) = (Value::from(*before), Value::from(after));
                    let say =
                        Say { pointer: pointer.clone(), text, before: Some(&before), after: Some(&after) };
                    self.emit(&place, &rules::PATH_PARAMETER_RENAMED, say);
                }
            }
        }
        for (key, before, after) in entries(Some(old.parts), Some(new.parts)) {
            let pointer = child(&pointer, key);
            match key {
                "operationId" => {
                    let text = changed("the operationId", before, after);
                    self.emit(&place, &rules::OPERATION_ID, Say { pointer, text, before, after });
                }
                "deprecated" => {
                    let on = (&rules::OPERATION_DEPRECATED, "is deprecated now");
                    let off = (&rules::OPERATION_REACTIVATED, "is no longer deprecated");
                    self.flag(&place, pointer, key, [on, off], before, after);
                }
                "tags" => {
                    let (was, is) = (texts(before), texts(after));
                    for tag in was.difference(&is) {
                        let text = format!("no longer has the tag \"{tag}\"");
                        self.emit(
                            &place,
                            &rules::OPERATION_TAG_REMOVED,
                            Say { pointer: pointer.clone(), text, before, after },
                        );
                    }
                    for tag in is.difference(&was) {
                        let text = format!("has the tag \"{tag}\" now");
                        self.emit(
                            &place,
                            &rules::OPERATION_TAG_ADDED,
                            Say { pointer: pointer.clone(), text, before, after },
                        );
                    }
                }
                // Compared below, also where only what they refer to has changed.
                "parameters" | "requestBody" | "responses" | "security" => {}
                _ if ANNOTATIONS.contains(&key) => self.documentation(&place, pointer, key, before, after),
                _ => self.unknown(&place, &pointer, key),
            }
        }
        let (base, revision) = (self.base, self.revision);
        let security = |document: &'a Value, operation: &Operation<'a>| {
            operation.parts.get("security").or_else(|| document.get("security"))
        };
        self.security(&place, security(base, old), security(revision, new), &child(&pointer, "security"));
        self.parameters(&place, old, new);
        self.body(&place, old, new);
        let responses = |operation: &Operation<'a>| operation.parts.get("responses");
        self.responses(&place, responses(old), responses(new), &child(&pointer, "responses"));
    }

    pub(super) fn security(
        &mut self,
        place: &Place,
        before: Option<&Value>,
        after: Option<&Value>,
        pointer: &str,
    ) {
        // No list, an empty list and an empty requirement all say: no credential needed.
        let alternatives = |list: Option<&Value>| -> BTreeSet<String> {
            let list = list.and_then(Value::as_array).filter(|list| !list.is_empty());
            list.map_or_else(
                || BTreeSet::from(["{}".to_owned()]),
                |list| list.iter().map(Value::to_string).collect(),
            )
        };
        let spelt = |alternative: &str| match alternative {
            "{}" => "a call without a credential".to_owned(),
            other => format!("the credential {other}"),
        };
        let (was, is) = (alternatives(before), alternatives(after));
        for gone in was.difference(&is) {
            let text = if is.contains("{}") { "is no longer needed" } else { "no longer suffices" };
            let text = format!("{} {text}", spelt(gone));
            let say = Say { pointer: pointer.to_owned(), text, before, after };
            let unneeded = is.contains("{}");
            self.emit(
                place,
                if unneeded { &rules::SECURITY_UNNEEDED } else { &rules::SECURITY_REMOVED },
                say,
            );
        }
        for new in is.difference(&was) {
            let say = Say {
                pointer: pointer.to_owned(),
                text: format!("{} suffices now", spelt(new)),
                before,
                after,
            };
            self.emit(place, &rules::SECURITY_ADDED, say);
        }
    }

    /// The parameters of an operation and of its path, by place and name.
    fn effective(
        &mut self,
        document: &'a Value,
        operation: &Operation<'a>,
    ) -> BTreeMap<(&'a str, &'a str), Word<'a>> {
        let of_path = child(&child("/paths", operation.path), "parameters");
        let of_operation = child(&operation.pointer(), "parameters");
        let mut all = BTreeMap::new();
        for (list, pointer) in
            [(operation.item.get("parameters"), of_path), (operation.parts.get("parameters"), of_operation)]
        {
            for (index, value) in list.and_then(Value::as_array).into_iter().flatten().enumerate() {
                let word =
                    self.resolved(document, Word { value, pointer: child(&pointer, &index.to_string()) });
                let text = |key: &str| word.value.get(key).and_then(Value::as_str).unwrap_or_default();
                all.insert((text("in"), text("name")), word);
            }
        }
        all
    }

    fn parameters(&mut self, place: &Place, old: &Operation<'a>, new: &Operation<'a>) {
        let (base, revision) = (self.base, self.revision);
        let mut was = self.effective(base, old);
        let is = self.effective(revision, new);
        // A renamed part of the path is the same parameter.
        if old.template() == new.template() {
            for (before, after) in old.path_parameters().into_iter().zip(new.path_parameters()) {
                if before != after
                    && let Some(word) = was.remove(&("path", before))
                {
                    was.insert(("path", after), word);
                }
            }
        }
        let keys: BTreeSet<_> = was.keys().chain(is.keys()).copied().collect();
        for key @ (location, name) in keys {
            let place = Place {
                side: Some(Side::Request),
                subject: "parameter",
                label: format!("{}, {location} parameter `{name}`", place.label),
                member: Some(name.to_owned()),
                ..place.clone()
            };
            match (was.get(&key), is.get(&key)) {
                (Some(before), Some(after)) => self.parameter(&place, before, after),
                (None, Some(after)) => {
                    let required = after.value.get("required") == Some(&Value::Bool(true));
                    let rule =
                        if required { &rules::PARAMETER_ADDED_REQUIRED } else { &rules::PARAMETER_ADDED };
                    self.came(&place, rule, after, required);
                }
                (Some(before), None) => {
                    self.went(&place, &rules::PARAMETER_REMOVED, before);
                }
                (None, None) => {}
            }
        }
    }

    fn parameter(&mut self, place: &Place, before: &Word<'a>, after: &Word<'a>) {
        let (old, new) = (object(before.value), object(after.value));
        for (key, was, is) in entries(old, new) {
            let pointer = child(&after.pointer, key);
            match key {
                "name" | "in" | "schema" => {}
                "required" => self.requiredness(place, pointer, was, is),
                "deprecated" => self.deprecation(place, pointer, was, is),
                "style" | "explode" | "allowReserved" | "allowEmptyValue" => {
                    let text = changed(&format!("`{key}`"), was, is);
                    self.emit(
                        place,
                        &rules::SERIALIZATION_CHANGED,
                        Say { pointer, text, before: was, after: is },
                    );
                }
                _ if ANNOTATIONS.contains(&key) => self.documentation(place, pointer, key, was, is),
                _ => self.unknown(place, &pointer, key),
            }
        }
        self.schema(place, &under(before, "schema"), &under(after, "schema"));
    }
}

fn texts(list: Option<&Value>) -> BTreeSet<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}
