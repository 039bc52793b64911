//! The way through two documents: operations, parameters, bodies and answers, side by side.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::rules::{self, Rule, Side};
use super::view::{ANNOTATIONS, ANYTHING, Word, child};
use crate::lower::short_operation_name;

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// The two documents, and what was found on the way through them.
pub(super) struct Walk<'a> {
    pub(super) base: &'a Value,
    pub(super) revision: &'a Value,
    pub(super) nodes: Vec<Node>,
    /// The nodes of compared components, by their names in both documents and the side.
    pub(super) pairs: BTreeMap<(&'a str, &'a str, Side), usize>,
    /// Parts that differ and that no rule understands: the pointer, and what it is.
    pub(super) unhandled: BTreeMap<String, String>,
    /// Pointers of what references lead to.
    pub(super) visited: BTreeSet<String>,
    /// Pairs of schemas that are being compared in place of a reference.
    pub(super) open: Vec<(String, String)>,
}

/// A part of the documents that changes are found in.
pub(super) struct Node {
    pub(super) owner: Owner,
    pub(super) found: Vec<Found>,
    /// The components that it refers to.
    pub(super) uses: BTreeSet<usize>,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Document,
    /// An operation, with the names of its method in both documents.
    Operation {
        key: String,
        base: Option<String>,
        revision: Option<String>,
    },
    /// A component, with its names in both documents.
    Schema {
        base: String,
        revision: String,
    },
}

/// A change before it is known who feels it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) rule: &'static Rule,
    pub(super) id: String,
    pub(super) side: Option<Side>,
    pub(super) pointer: String,
    pub(super) text: String,
    /// The parameter, or the property of the component, that it is about.
    pub(super) member: Option<String>,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

/// Where the walk is.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) node: usize,
    pub(super) side: Option<Side>,
    /// What the changed thing is, as identifiers say it: `parameter`, `body`, `property`, `schema`, `header`, or nothing.
    pub(super) subject: &'static str,
    /// The changed thing as sentences name it.
    pub(super) label: String,
    pub(super) member: Option<String>,
}

/// What there is to say of a change beyond its rule.
pub(super) struct Say<'v> {
    pub(super) pointer: String,
    pub(super) text: String,
    pub(super) before: Option<&'v Value>,
    pub(super) after: Option<&'v Value>,
}

/// An operation and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Operation<'a> {
    pub(super) path: &'a str,
    pub(super) method: &'a str,
    pub(super) item: &'a Map<String, Value>,
    pub(super) parts: &'a Map<String, Value>,
}

impl<'a> Operation<'a> {
    pub(super) fn pointer(&self) -> String {
        child(&child("/paths", self.path), self.method)
    }

    pub(super) fn key(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    pub(super) fn name(&self) -> Option<&'a str> {
        let id = self.parts.get("operationId")?.as_str()?;
        Some(short_operation_name(id, self.path, self.method))
    }

    /// The path without the names of its parameters.
    pub(super) fn template(&self) -> String {
        let parts = self.path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
        parts.collect::<Vec<_>>().join("/")
    }

    /// The path's parameters, in order.
    pub(super) fn path_parameters(&self) -> Vec<&'a str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
    }
}

impl<'a> Walk<'a> {
    /// Compares the two documents.
    pub(super) fn run(base: &'a Value, revision: &'a Value) -> Self {
        let mut walk = Self {
            base,
            revision,
            nodes: Vec::new(),
            pairs: BTreeMap::new(),
            unhandled: BTreeMap::new(),
            visited: BTreeSet::new(),
            open: Vec::new(),
        };
        let root = walk.node(Owner::Document);
        let place =
            Place { node: root, side: None, subject: "", label: "the document".to_owned(), member: None };
        walk.document(&place);
        walk.components(&place);
        walk
    }

    pub(super) fn node(&mut self, owner: Owner) -> usize {
        self.nodes.push(Node { owner, found: Vec::new(), uses: BTreeSet::new() });
        self.nodes.len() - 1
    }

    /// Notes a change under the rule's own name.
    pub(super) fn emit(&mut self, place: &Place, rule: &'static Rule, say: Say<'_>) {
        self.emit_as(place, rule, rule.name, say);
    }

    /// Notes a change; `what` is the last part of its identifier.
    pub(super) fn emit_as(&mut self, place: &Place, rule: &'static Rule, what: &str, say: Say<'_>) {
        let side = place.side.map(Side::name).unwrap_or_default();
        let id: Vec<&str> = [side, place.subject, what].into_iter().filter(|part| !part.is_empty()).collect();
        self.nodes[place.node].found.push(Found {
            rule,
            id: id.join("-"),
            side: place.side,
            pointer: say.pointer,
            text: format!("{}: {}", place.label, say.text),
            member: place.member.clone(),
            before: say.before.cloned(),
            after: say.after.cloned(),
        });
    }

    /// Notes what is new.
    pub(super) fn came(&mut self, place: &Place, rule: &'static Rule, after: &Word<'_>, required: bool) {
        let text = if required { "is new and required" } else { "is new" }.to_owned();
        let pointer = after.pointer.clone();
        self.emit(place, rule, Say { pointer, text, before: None, after: Some(after.value) });
    }

    /// Notes what is gone.
    pub(super) fn went(&mut self, place: &Place, rule: &'static Rule, before: &Word<'_>) {
        let (pointer, text) = (before.pointer.clone(), "is gone".to_owned());
        self.emit(place, rule, Say { pointer, text, before: Some(before.value), after: None });
    }

    /// Notes a part that differs and that no rule understands.
    pub(super) fn unknown(&mut self, place: &Place, pointer: &str, key: &str) {
        let what = if key.is_empty() { "this part".to_owned() } else { format!("`{key}`") };
        self.unhandled.insert(
            pointer.to_owned(),
            format!("{}: {what} differs and no rule understands it", place.label),
        );
    }

    fn document(&mut self, place: &Place) {
        let (base, revision) = (self.base, self.revision);
        for (key, before, after) in entries(object(base), object(revision)) {
            let pointer = child("", key);
            match key {
                "paths" => self.paths(before, after),
                "components" => {}
                "info" => {
                    for (key, before, after) in
                        entries(before.and_then(Value::as_object), after.and_then(Value::as_object))
                    {
                        let text = changed(&format!("`{key}`"), before, after);
                        self.emit(
                            place,
                            &rules::INFO_CHANGED,
                            Say { pointer: child(&pointer, key), text, before, after },
                        );
                    }
                }
                "servers" => self.servers(place, &pointer, before, after),
                "tags" | "externalDocs" => {
                    let text = changed(&format!("`{key}`"), before, after);
                    self.emit(place, &rules::TAG_CHANGED, Say { pointer, text, before, after });
                }
                "security" => self.security(place, before, after, &pointer),
                "openapi" => {
                    let text = changed("the version of OpenAPI", before, after);
                    self.emit(place, &rules::OPENAPI_CHANGED, Say { pointer, text, before, after });
                }
                _ => self.unknown(place, &pointer, key),
            }
        }
        // Equal parts are skipped above, and equal operations may refer to components that differ.
        if base.get("paths") == revision.get("paths") {
            self.paths(base.get("paths"), revision.get("paths"));
        }
    }

    fn servers(&mut self, place: &Place, pointer: &str, before: Option<&'a Value>, after: Option<&'a Value>) {
        let by_url = |list: Option<&'a Value>| -> BTreeMap<&'a str, (usize, &'a Value)> {
            let list = list.and_then(Value::as_array).into_iter().flatten().enumerate();
            list.filter_map(|(index, server)| Some((server.get("url")?.as_str()?, (index, server)))).collect()
        };
        let (old, new) = (by_url(before), by_url(after));
        let urls: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
        let mut told = false;
        for url in urls {
            let at = |index: usize| child(pointer, &index.to_string());
            let (rule, text, pointer) = match (old.get(url), new.get(url)) {
                (None, Some((index, _))) => (&rules::SERVER_ADDED, format!("new server {url}"), at(*index)),
                (Some((index, _)), None) => {
                    (&rules::SERVER_REMOVED, format!("server {url} is gone"), at(*index))
                }
                (Some((_, old)), Some((index, new))) if old != new => {
                    (&rules::SERVER_CHANGED, format!("server {url} is described otherwise"), at(*index))
                }
                _ => continue,
            };
            told = true;
            let (before, after) = (old.get(url).map(|old| old.1), new.get(url).map(|new| new.1));
            self.emit(place, rule, Say { pointer, text, before, after });
        }
        let sorted = |list: Option<&Value>| {
            let mut texts: Vec<String> =
                list.and_then(Value::as_array).into_iter().flatten().map(Value::to_string).collect();
            texts.sort();
            texts
        };
        if !told && sorted(before) != sorted(after) {
            self.unknown(place, pointer, "servers");
        }
    }

    fn paths(&mut self, before: Option<&'a Value>, after: Option<&'a Value>) {
        let (old, new) = (operations(before), operations(after));
        let root = Place { node: 0, side: None, subject: "", label: "the paths".to_owned(), member: None };
        for (path, before, after) in
            entries(before.and_then(Value::as_object), after.and_then(Value::as_object))
        {
            self.path_item(&root, path, before, after);
        }

        let mut gone: Vec<Operation<'a>> = old.clone();
        let mut come: Vec<Operation<'a>> = new.clone();
        let mut matched = Vec::new();
        // An operation is the same one by its address; else by its address with other parameter names; else by its name.
        let same: [fn(&Operation<'_>, &Operation<'_>) -> bool; 3] = [
            |old, new| old.path == new.path && old.method == new.method,
            |old, new| old.template() == new.template() && old.method == new.method,
            |old, new| old.name().is_some() && old.name() == new.name(),
        ];
        for same in same {
            gone.retain(|old| {
                let Some(index) = come.iter().position(|new| same(old, new)) else { return true };
                matched.push((*old, come.remove(index)));
                false
            });
        }
        matched.sort_by_key(|(old, _)| (old.path, old.method));
        for (old, new) in matched {
            self.operation(&old, &new);
        }
        for (operation, rule, what) in gone
            .iter()
            .map(|old| (old, &rules::OPERATION_REMOVED, "is gone"))
            .chain(come.iter().map(|new| (new, &rules::OPERATION_ADDED, "is new")))
        {
            let removed = rule.is(&rules::OPERATION_REMOVED);
            let name = operation.name().map(str::to_owned);
            let (base, revision) = if removed { (name, None) } else { (None, name) };
            let node = self.node(Owner::Operation { key: operation.key(), base, revision });
            let place = Place { node, side: None, subject: "", label: operation.key(), member: None };
            let value = Value::Object(operation.parts.clone());
            let (before, after) = if removed { (Some(&value), None) } else { (None, Some(&value)) };
            let text = match operation.parts.get("summary").and_then(Value::as_str) {
                Some(summary) => format!("{what} (\"{summary}\")"),
                None => what.to_owned(),
            };
            self.emit(&place, rule, Say { pointer: operation.pointer(), text, before, after });
        }
    }

    /// What a path says of all its operations together.
    fn path_item(
        &mut self,
        root: &Place,
        path: &'a str,
        before: Option<&'a Value>,
        after: Option<&'a Value>,
    ) {
        let pointer = child("/paths", path);
        let place = Place { label: format!("path {path}"), ..root.clone() };
        let (old, new) = (before.and_then(Value::as_object), after.and_then(Value::as_object));
        let has_operations = |item: Option<&Map<String, Value>>| {
            item.is_some_and(|item| item.keys().any(|key| METHODS.contains(&key.as_str())))
        };
        if !has_operations(old) && !has_operations(new) {
            self.unknown(&place, &pointer, "");
            return;
        }
        if old.is_none() || new.is_none() {
            // Its operations tell that it came, went or moved.
            return;
        }
        for (key, before, after) in entries(old, new) {
            let pointer = child(&pointer, key);
            match key {
                _ if METHODS.contains(&key)
                    && [before, after].into_iter().flatten().all(Value::is_object) => {}
                // Part of every operation.
                "parameters" => {}
                "servers" => self.servers(&place, &pointer, before, after),
                _ if ANNOTATIONS.contains(&key) => self.documentation(&place, pointer, key, before, after),
                _ => self.unknown(&place, &pointer, key),
            }
        }
    }

    pub(super) fn documentation(
        &mut self,
        place: &Place,
        pointer: String,
        key: &str,
        before: Option<&Value>,
        after: Option<&Value>,
    ) {
        let text = match (before, after) {
            (None, _) => format!("`{key}` is new"),
            (_, None) => format!("`{key}` is gone"),
            _ => format!("`{key}` is worded otherwise"),
        };
        self.emit(place, &rules::DOCUMENTATION_CHANGED, Say { pointer, text, before, after });
    }

    /// What a reference to a parameter, body, answer or header leads to.
    pub(super) fn resolved(&mut self, document: &'a Value, word: Word<'a>) -> Word<'a> {
        let reference = word.value.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#'));
        match reference.and_then(|pointer| Some((document.pointer(pointer)?, pointer))) {
            Some((value, pointer)) => {
                self.visited.insert(pointer.to_owned());
                Word { value, pointer: pointer.to_owned() }
            }
            None => word,
        }
    }

    pub(super) fn requiredness(
        &mut self,
        place: &Place,
        pointer: String,
        was: Option<&Value>,
        is: Option<&Value>,
    ) {
        let on = (&rules::BECAME_REQUIRED, "is required now");
        self.flag(place, pointer, "required", [on, (&rules::BECAME_OPTIONAL, "is optional now")], was, is);
    }

    pub(super) fn deprecation(
        &mut self,
        place: &Place,
        pointer: String,
        was: Option<&Value>,
        is: Option<&Value>,
    ) {
        let on = (&rules::DEPRECATED, "is deprecated now");
        self.flag(
            place,
            pointer,
            "deprecated",
            [on, (&rules::REACTIVATED, "is no longer deprecated")],
            was,
            is,
        );
    }

    /// A keyword that is true, or is false or absent, which is the same.
    pub(super) fn flag(
        &mut self,
        place: &Place,
        pointer: String,
        key: &str,
        [on, off]: [(&'static Rule, &str); 2],
        was: Option<&Value>,
        is: Option<&Value>,
    ) {
        let flag = |value: Option<&Value>| value.map_or(Some(false), Value::as_bool);
        match (flag(was), flag(is)) {
            (Some(old), Some(new)) if old == new => {}
            (Some(_), Some(new)) => {
                let (rule, text) = if new { on } else { off };
                self.emit(place, rule, Say { pointer, text: text.to_owned(), before: was, after: is });
            }
            _ => self.unknown(place, &pointer, key),
        }
    }
}

/// The keys under which two objects differ, with both values.
pub(super) fn entries<'v>(
    before: Option<&'v Map<String, Value>>,
    after: Option<&'v Map<String, Value>>,
) -> Vec<(&'v str, Option<&'v Value>, Option<&'v Value>)> {
    let keys: BTreeSet<&str> =
        before.into_iter().chain(after).flat_map(Map::keys).map(String::as_str).collect();
    let values = keys
        .into_iter()
        .map(|key| (key, before.and_then(|map| map.get(key)), after.and_then(|map| map.get(key))));
    values.filter(|(_, before, after)| before != after).collect()
}

pub(super) fn object(value: &Value) -> Option<&Map<String, Value>> {
    value.as_object()
}

/// An entry of an object; an absent schema is the schema of anything.
pub(super) fn under<'a>(word: &Word<'a>, key: &str) -> Word<'a> {
    Word { value: word.value.get(key).unwrap_or(&ANYTHING), pointer: child(&word.pointer, key) }
}

fn operations(paths: Option<&Value>) -> Vec<Operation<'_>> {
    let paths = paths.and_then(Value::as_object).into_iter().flatten();
    let items = paths.filter_map(|(path, item)| Some((path, item.as_object()?)));
    let all = items.flat_map(|(path, item)| {
        let methods = item.iter().filter(|(method, _)| METHODS.contains(&method.as_str()));
        methods.filter_map(move |(method, operation)| {
            Some(Operation { path, method, item, parts: operation.as_object()? })
        })
    });
    all.collect()
}

pub(super) fn success(status: &str) -> bool {
    status.starts_with('2')
}

/// A value as sentences quote it.
pub(super) fn short(value: &Value) -> String {
    const CHARACTERS: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

/// What became of a value, as a sentence says it.
pub(super) fn changed(what: &str, before: Option<&Value>, after: Option<&Value>) -> String {
    match (before, after) {
        (None, Some(after)) => format!("{what} is {} now; there was none", short(after)),
        (Some(before), None) => format!("{what} is gone; it was {}", short(before)),
        (Some(before), Some(after)) => format!("{what} is {} now; it was {}", short(after), short(before)),
        (None, None) => format!("{what} is the same"),
    }
}
