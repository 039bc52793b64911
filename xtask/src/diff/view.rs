//! One schema as the rules see it, whichever way the document spells it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Where components live, as a reference spells it.
const SCHEMA_REF: &str = "#/components/schemas/";

/// The schema of anything.
pub(super) static ANYTHING: Value = Value::Bool(true);

/// A keyword's value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Word<'a> {
    pub(super) value: &'a Value,
    pub(super) pointer: String,
}

/// One schema, with null, single-member unions and constants brought into one form.
///
/// Null is spelt as a type, as a member of a union, as a value of an enum, or as OpenAPI 3.0's `nullable`; all of them are
/// [`nullable`](Self::nullable) here.
#[derive(Clone, Debug)]
pub(super) struct View<'a> {
    /// The schema as it is spelt.
    pub(super) raw: &'a Value,
    pub(super) pointer: String,
    pub(super) nullable: bool,
    /// `None`: any type.
    pub(super) types: Option<BTreeSet<&'a str>>,
    /// The values of `enum` or `const`, null aside.
    pub(super) values: Option<Vec<&'a Value>>,
    /// The members of `anyOf` or `oneOf`, null aside, with the keyword.
    pub(super) union: Option<(&'static str, Vec<Word<'a>>)>,
    /// Every other keyword.
    pub(super) words: BTreeMap<&'a str, Word<'a>>,
}

/// Keywords that only people read.
pub(super) const ANNOTATIONS: &[&str] = &[
    "title",
    "description",
    "example",
    "examples",
    "externalDocs",
    "summary",
    "$comment",
    "x-evidence",
    "x-evidence-note",
];

impl<'a> View<'a> {
    pub(super) fn of(schema: &'a Value, pointer: &str) -> Self {
        let mut view = Self {
            raw: schema,
            pointer: pointer.to_owned(),
            nullable: false,
            types: None,
            values: None,
            union: None,
            words: BTreeMap::new(),
        };
        // `true` is the schema of anything; `false`, of nothing, stays a word of its own that no rule knows.
        match schema {
            Value::Object(map) => view.take(map, pointer),
            Value::Bool(true) => {}
            other => {
                view.words.insert("", Word { value: other, pointer: pointer.to_owned() });
            }
        }
        view
    }

    fn take(&mut self, map: &'a Map<String, Value>, pointer: &str) {
        for (key, value) in map {
            let at = child(pointer, key);
            match (key.as_str(), value) {
                ("type", Value::String(kind)) => self.kinds([kind.as_str()]),
                ("type", Value::Array(kinds)) => self.kinds(kinds.iter().filter_map(Value::as_str)),
                ("nullable", Value::Bool(nullable)) => self.nullable |= nullable,
                ("const", value) => self.allowed(std::slice::from_ref(value)),
                ("enum", Value::Array(values)) => self.allowed(values),
                // Two unions beside each other stay words that no rule knows.
                ("anyOf", Value::Array(members)) if !map.contains_key("oneOf") => {
                    self.members("anyOf", members, &at, map);
                }
                ("oneOf", Value::Array(members)) if !map.contains_key("anyOf") => {
                    self.members("oneOf", members, &at, map);
                }
                ("allOf", Value::Array(members)) => match members.as_slice() {
                    [Value::Object(only)] if self.fits(only, map) => self.take(only, &child(&at, "0")),
                    _ => {
                        self.words.insert(key, Word { value, pointer: at });
                    }
                },
                _ => {
                    self.words.insert(key, Word { value, pointer: at });
                }
            }
        }
    }

    fn kinds(&mut self, kinds: impl IntoIterator<Item = &'a str>) {
        let mut kinds: BTreeSet<&str> = kinds.into_iter().collect();
        self.nullable |= kinds.remove("null");
        self.types = Some(kinds);
    }

    fn allowed(&mut self, values: &'a [Value]) {
        self.nullable |= values.iter().any(Value::is_null);
        self.values = Some(values.iter().filter(|value| !value.is_null()).collect());
    }

    fn members(&mut self, key: &'static str, members: &'a [Value], at: &str, beside: &Map<String, Value>) {
        let mut left: Vec<Word<'a>> = Vec::new();
        for (index, value) in members.iter().enumerate() {
            if is_null(value) {
                self.nullable = true;
            } else {
                left.push(Word { value, pointer: child(at, &index.to_string()) });
            }
        }
        // Members that name a type and nothing else are a list of types.
        let bare: Option<BTreeSet<&str>> = left
            .iter()
            .map(|member| {
                let map = member.value.as_object().filter(|map| map.len() == 1)?;
                map.get("type")?.as_str()
            })
            .collect();
        let untyped = self.types.is_none() && !beside.contains_key("type");
        if let Some(kinds) = bare.filter(|_| untyped && !left.is_empty()) {
            self.kinds(kinds);
            return;
        }
        if let [only] = left.as_slice()
            && let Value::Object(map) = only.value
            && self.fits(map, beside)
        {
            let pointer = only.pointer.clone();
            self.take(map, &pointer);
            return;
        }
        self.union = Some((key, left));
    }

    /// Whether the one member of a union says nothing that stands beside it as well.
    fn fits(&self, member: &Map<String, Value>, beside: &Map<String, Value>) -> bool {
        member.keys().all(|key| !beside.contains_key(key) && !self.words.contains_key(key.as_str()))
    }

    /// What the reference stands for, with what stands beside it.
    pub(super) fn followed(&self, document: &'a Value) -> Self {
        let Some((target, pointer)) = self
            .word("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| reference.strip_prefix('#'))
            .and_then(|pointer| Some((document.pointer(pointer)?, pointer)))
        else {
            return self.clone();
        };
        let mut view = Self::of(target, pointer);
        view.nullable |= self.nullable;
        let beside = self.words.iter().filter(|(key, _)| **key != "$ref");
        view.words.extend(beside.map(|(key, word)| (*key, word.clone())));
        view
    }

    /// The component that this schema is.
    pub(super) fn reference(&self) -> Option<&'a str> {
        self.words.get("$ref")?.value.as_str()?.strip_prefix(SCHEMA_REF)
    }

    pub(super) fn word(&self, key: &str) -> Option<&'a Value> {
        self.words.get(key).map(|word| word.value)
    }

    /// A schema under a keyword; nothing there is the schema of anything.
    pub(super) fn inner(&self, key: &str) -> Word<'a> {
        match self.words.get(key) {
            Some(word) => word.clone(),
            None => Word { value: &ANYTHING, pointer: child(&self.pointer, key) },
        }
    }

    /// The properties, by name.
    pub(super) fn properties(&self) -> BTreeMap<&'a str, Word<'a>> {
        let Some(word) = self.words.get("properties") else { return BTreeMap::new() };
        let entries = word.value.as_object().into_iter().flatten();
        entries
            .map(|(name, value)| (name.as_str(), Word { value, pointer: child(&word.pointer, name) }))
            .collect()
    }

    /// The names under `required`.
    pub(super) fn required(&self) -> BTreeSet<&'a str> {
        self.word("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// Without what is said of the place rather than of the values in it.
    pub(super) fn bare(mut self) -> Self {
        const OF_THE_PLACE: [&str; 5] = ["default", "deprecated", "discriminator", "readOnly", "writeOnly"];
        self.words.retain(|key, _| !ANNOTATIONS.contains(key) && !OF_THE_PLACE.contains(key));
        self
    }
}

/// Whether a member of a union is null and nothing else.
fn is_null(schema: &Value) -> bool {
    let Some(map) = schema.as_object().filter(|map| map.len() == 1) else { return false };
    map.get("type").is_some_and(|kind| kind == "null")
        || map.get("const").is_some_and(Value::is_null)
        || map.get("enum").and_then(Value::as_array).is_some_and(|values| values.iter().all(Value::is_null))
}

/// The JSON pointer of an entry.
pub(super) fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}
