//! What travels: bodies, media types, answers and their headers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::rules::{self, Side};
use super::view::{ANNOTATIONS, Word, child};
use super::walk::{Operation, Place, Say, Walk, changed, entries, object, success, under};

impl<'a> Walk<'a> {
    pub(super) fn body(&mut self, place: &Place, old: &Operation<'a>, new: &Operation<'a>) {
        let (base, revision) = (self.base, self.revision);
        let mut of = |document: &'a Value, operation: &Operation<'a>| {
            let value = operation.parts.get("requestBody")?;
            Some(self.resolved(document, Word { value, pointer: child(&operation.pointer(), "requestBody") }))
        };
        let (before, after) = (of(base, old), of(revision, new));
        let place = Place {
            side: Some(Side::Request),
            subject: "body",
            label: format!("{}, body", place.label),
            ..place.clone()
        };
        match (before, after) {
            (None, None) => {}
            (None, Some(after)) => {
                let required = after.value.get("required") == Some(&Value::Bool(true));
                let rule = if required { &rules::BODY_ADDED_REQUIRED } else { &rules::BODY_ADDED };
                self.came(&place, rule, &after, required);
            }
            (Some(before), None) => {
                self.went(&place, &rules::BODY_REMOVED, &before);
            }
            (Some(before), Some(after)) => {
                for (key, was, is) in entries(object(before.value), object(after.value)) {
                    let pointer = child(&after.pointer, key);
                    match key {
                        "content" => {}
                        "required" => self.requiredness(&place, pointer, was, is),
                        _ if ANNOTATIONS.contains(&key) => self.documentation(&place, pointer, key, was, is),
                        _ => self.unknown(&place, &pointer, key),
                    }
                }
                self.content(&place, &before, &after);
            }
        }
    }

    fn content(&mut self, place: &Place, before: &Word<'a>, after: &Word<'a>) {
        let media = |word: &Word<'a>| -> BTreeMap<&'a str, Word<'a>> {
            let pointer = child(&word.pointer, "content");
            let entries = word.value.get("content").and_then(Value::as_object).into_iter().flatten();
            entries
                .map(|(name, value)| (name.as_str(), Word { value, pointer: child(&pointer, name) }))
                .collect()
        };
        let (was, is) = (media(before), media(after));
        let names: BTreeSet<&str> = was.keys().chain(is.keys()).copied().collect();
        for name in names {
            match (was.get(name), is.get(name)) {
                (Some(before), Some(after)) => {
                    for (key, was, is) in entries(object(before.value), object(after.value)) {
                        let pointer = child(&after.pointer, key);
                        match key {
                            "schema" => {}
                            "encoding" => {
                                let text = changed("`encoding`", was, is);
                                self.emit(
                                    place,
                                    &rules::SERIALIZATION_CHANGED,
                                    Say { pointer, text, before: was, after: is },
                                );
                            }
                            _ if ANNOTATIONS.contains(&key) => {
                                self.documentation(place, pointer, key, was, is);
                            }
                            _ => self.unknown(place, &pointer, key),
                        }
                    }
                    self.schema(place, &under(before, "schema"), &under(after, "schema"));
                }
                (None, Some(after)) => {
                    let text = format!("may be {name} now");
                    let say =
                        Say { pointer: after.pointer.clone(), text, before: None, after: Some(after.value) };
                    self.emit(place, &rules::MEDIA_ADDED, say);
                }
                (Some(before), None) => {
                    let text = format!("is no longer {name}");
                    let say = Say {
                        pointer: before.pointer.clone(),
                        text,
                        before: Some(before.value),
                        after: None,
                    };
                    self.emit(place, &rules::MEDIA_REMOVED, say);
                }
                (None, None) => {}
            }
        }
    }

    pub(super) fn responses(
        &mut self,
        place: &Place,
        before: Option<&'a Value>,
        after: Option<&'a Value>,
        pointer: &str,
    ) {
        let (base, revision) = (self.base, self.revision);
        let mut by_status = |document: &'a Value,
                             responses: Option<&'a Value>|
         -> BTreeMap<&'a str, Word<'a>> {
            let entries = responses.and_then(Value::as_object).into_iter().flatten();
            let words = entries
                .map(|(status, value)| (status.as_str(), Word { value, pointer: child(pointer, status) }));
            words.map(|(status, word)| (status, self.resolved(document, word))).collect()
        };
        let (mut was, is) = (by_status(base, before), by_status(revision, after));
        // Where one success took another's place, callers still read the same answer.
        let only = |these: &BTreeMap<&'a str, Word<'a>>, those: &BTreeMap<&'a str, Word<'a>>| {
            let mut left = these.keys().filter(|status| success(status) && !those.contains_key(*status));
            left.next().copied().filter(|_| left.next().is_none())
        };
        if let (Some(old), Some(new)) = (only(&was, &is), only(&is, &was))
            && let Some(word) = was.remove(old)
        {
            let place = Place { side: Some(Side::Response), ..place.clone() };
            let text = format!("answers {new} where it answered {old}");
            let (before, after) = (Value::from(old), Value::from(new));
            let say = Say { pointer: child(pointer, new), text, before: Some(&before), after: Some(&after) };
            self.emit(&place, &rules::SUCCESS_CHANGED, say);
            was.insert(new, word);
        }
        let statuses: BTreeSet<&str> = was.keys().chain(is.keys()).copied().collect();
        for status in statuses {
            let success = success(status);
            let side = if success { Side::Response } else { Side::Failure };
            let place = Place {
                side: Some(side),
                label: format!("{}, answer {status}", place.label),
                ..place.clone()
            };
            match (was.get(status), is.get(status)) {
                (Some(before), Some(after)) => self.response(&place, before, after),
                (None, Some(after)) => {
                    let rule = if success { &rules::SUCCESS_ADDED } else { &rules::FAILURE_ADDED };
                    self.came(&place, rule, after, false);
                }
                (Some(before), None) => {
                    let rule = if success { &rules::SUCCESS_REMOVED } else { &rules::FAILURE_REMOVED };
                    self.went(&place, rule, before);
                }
                (None, None) => {}
            }
        }
    }

    fn response(&mut self, place: &Place, before: &Word<'a>, after: &Word<'a>) {
        for (key, was, is) in entries(object(before.value), object(after.value)) {
            let pointer = child(&after.pointer, key);
            match key {
                "content" | "headers" => {}
                _ if ANNOTATIONS.contains(&key) => self.documentation(place, pointer, key, was, is),
                _ => self.unknown(place, &pointer, key),
            }
        }
        self.headers(place, before, after);
        self.content(&Place { subject: "body", ..place.clone() }, before, after);
    }

    fn headers(&mut self, place: &Place, before: &Word<'a>, after: &Word<'a>) {
        let (base, revision) = (self.base, self.revision);
        let mut by_name = |document: &'a Value, word: &Word<'a>| -> BTreeMap<String, Word<'a>> {
            let pointer = child(&word.pointer, "headers");
            let entries = word.value.get("headers").and_then(Value::as_object).into_iter().flatten();
            let words = entries.map(|(name, value)| (name, Word { value, pointer: child(&pointer, name) }));
            words.map(|(name, word)| (name.to_lowercase(), self.resolved(document, word))).collect()
        };
        let (was, is) = (by_name(base, before), by_name(revision, after));
        let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        for name in names {
            let place = Place {
                subject: "header",
                label: format!("{}, header `{name}`", place.label),
                ..place.clone()
            };
            match (was.get(name), is.get(name)) {
                (Some(before), Some(after)) => self.header(&place, before, after),
                (None, Some(after)) => {
                    self.came(&place, &rules::HEADER_ADDED, after, false);
                }
                (Some(before), None) => {
                    self.went(&place, &rules::HEADER_REMOVED, before);
                }
                (None, None) => {}
            }
        }
    }

    fn header(&mut self, place: &Place, before: &Word<'a>, after: &Word<'a>) {
        for (key, was, is) in entries(object(before.value), object(after.value)) {
            let pointer = child(&after.pointer, key);
            match key {
                "schema" => {}
                "required" => self.requiredness(place, pointer, was, is),
                "deprecated" => self.deprecation(place, pointer, was, is),
                _ if ANNOTATIONS.contains(&key) => self.documentation(place, pointer, key, was, is),
                _ => self.unknown(place, &pointer, key),
            }
        }
        self.schema(place, &under(before, "schema"), &under(after, "schema"));
    }
}
