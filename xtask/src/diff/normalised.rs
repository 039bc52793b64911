//! One schema in the normalised form that the rules compare, however the document spells it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::findings::is_annotation;
use crate::lower::SCHEMA_REF;
use crate::pointer::child;

/// The schema that allows any value.
static ANYTHING: Value = Value::Bool(true);

/// A value and its place in the document.
#[derive(Clone, Debug)]
pub(super) struct Located<'a> {
    pub(super) value: &'a Value,
    pub(super) pointer: String,
}

impl<'a> Located<'a> {
    pub(super) fn new(value: &'a Value, pointer: impl Into<String>) -> Self {
        Self { value, pointer: pointer.into() }
    }

    /// The part under a key; without one, the schema that allows any value.
    pub(super) fn part(&self, key: &str) -> Self {
        Self::new(self.value.get(key).unwrap_or(&ANYTHING), child(&self.pointer, key))
    }

    pub(super) fn entries(&self) -> BTreeMap<&'a str, Self> {
        let entries = self.value.as_object().into_iter().flatten();
        entries.map(|(name, value)| (name.as_str(), Self::new(value, child(&self.pointer, name)))).collect()
    }

    pub(super) fn items(&self) -> Vec<Self> {
        let items = self.value.as_array().into_iter().flatten().enumerate();
        items.map(|(at, item)| Self::new(item, child(&self.pointer, &at.to_string()))).collect()
    }
}

/// A schema with null, single-member unions and constants in one form.
///
/// A document spells null as a type, a union member, an enum value, or OpenAPI 3.0's `nullable`; all of them are
/// [`nullable`](Self::nullable) here.
#[derive(Clone, Debug)]
pub(super) struct NormalisedSchema<'a> {
    /// The schema as the document has it.
    pub(super) raw: &'a Value,
    pub(super) pointer: String,
    pub(super) nullable: bool,
    /// `None` means any type.
    pub(super) types: Option<BTreeSet<&'a str>>,
    /// The values of `enum` or `const`, without null.
    pub(super) values: Option<Vec<&'a Value>>,
    /// The keyword `anyOf` or `oneOf`, with the members except null.
    pub(super) union: Option<(&'static str, Vec<Located<'a>>)>,
    /// Every other keyword.
    pub(super) keywords: BTreeMap<&'a str, Located<'a>>,
}

impl<'a> NormalisedSchema<'a> {
    pub(super) fn of(schema: &Located<'a>) -> Self {
        let mut normalised = Self {
            raw: schema.value,
            pointer: schema.pointer.clone(),
            nullable: false,
            types: None,
            values: None,
            union: None,
            keywords: BTreeMap::new(),
        };
        match schema.value {
            Value::Object(map) => normalised.read(map, &schema.pointer),
            Value::Bool(true) => {}
            // `false` allows nothing; no rule covers it.
            _ => {
                normalised.keywords.insert("", schema.clone());
            }
        }
        normalised
    }

    fn read(&mut self, map: &'a Map<String, Value>, pointer: &str) {
        for (key, value) in map {
            let keyword = Located::new(value, child(pointer, key));
            match (key.as_str(), value) {
                ("type", Value::String(name)) => self.set_types([name.as_str()]),
                ("type", Value::Array(names)) if names.iter().all(Value::is_string) => {
                    self.set_types(names.iter().filter_map(Value::as_str));
                }
                ("nullable", Value::Bool(nullable)) => self.nullable |= nullable,
                ("const", value) => self.set_values(std::slice::from_ref(value)),
                ("enum", Value::Array(values)) => self.set_values(values),
                // Two unions in one schema stay keywords that no rule covers.
                ("anyOf", Value::Array(_)) if !map.contains_key("oneOf") => {
                    self.set_union("anyOf", &keyword, map);
                }
                ("oneOf", Value::Array(_)) if !map.contains_key("anyOf") => {
                    self.set_union("oneOf", &keyword, map);
                }
                ("allOf", Value::Array(members)) => match members.as_slice() {
                    [Value::Object(only)] if self.is_disjoint(only, map) => {
                        self.read(only, &child(&keyword.pointer, "0"));
                    }
                    _ => {
                        self.keywords.insert(key, keyword);
                    }
                },
                _ => {
                    self.keywords.insert(key, keyword);
                }
            }
        }
    }

    fn set_types(&mut self, names: impl IntoIterator<Item = &'a str>) {
        let mut types: BTreeSet<&str> = names.into_iter().collect();
        self.nullable |= types.remove("null");
        self.types = Some(types);
    }

    fn set_values(&mut self, values: &'a [Value]) {
        self.nullable |= values.iter().any(Value::is_null);
        self.values = Some(values.iter().filter(|value| !value.is_null()).collect());
    }

    fn set_union(&mut self, key: &'static str, keyword: &Located<'a>, siblings: &Map<String, Value>) {
        let mut members = keyword.items();
        self.nullable |= members.iter().any(|member| is_null(member.value));
        members.retain(|member| !is_null(member.value));
        // Members that name a type and nothing else are a list of types.
        let types: Option<BTreeSet<&str>> = members
            .iter()
            .map(|member| {
                let map = member.value.as_object().filter(|map| map.len() == 1)?;
                map.get("type")?.as_str()
            })
            .collect();
        let untyped = self.types.is_none() && !siblings.contains_key("type");
        if let Some(types) = types.filter(|_| untyped && !members.is_empty()) {
            self.set_types(types);
        } else if let [only] = members.as_slice()
            && let Value::Object(map) = only.value
            && self.is_disjoint(map, siblings)
        {
            self.read(map, &only.pointer);
        } else {
            self.union = Some((key, members));
        }
    }

    /// Whether the only member of a union says nothing else about its keywords than its siblings do.
    fn is_disjoint(&self, member: &Map<String, Value>, siblings: &Map<String, Value>) -> bool {
        member.iter().all(|(key, value)| {
            siblings.get(key).is_none_or(|sibling| sibling == value)
                && self.keyword(key).is_none_or(|known| known == value)
        })
    }

    /// The schema that the reference leads to, with the keywords next to the reference.
    pub(super) fn resolved(&self, document: &'a Value) -> Self {
        let reference = self.keyword("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#'));
        let target = reference.and_then(|pointer| Some(Located::new(document.pointer(pointer)?, pointer)));
        let Some(target) = target else { return self.clone() };
        let mut schema = Self::of(&target);
        schema.raw = self.raw;
        schema.nullable |= self.nullable;
        // The component's annotations describe the component, not this use of it.
        schema.keywords.retain(|key, _| !is_annotation(key));
        let siblings = self.keywords.iter().filter(|(key, _)| **key != "$ref");
        schema.keywords.extend(siblings.map(|(key, keyword)| (*key, keyword.clone())));
        schema
    }

    /// The schema in a few words, for sentences: `string or null`, `` `Avatar` ``.
    pub(super) fn in_words(&self) -> String {
        let words = match (self.reference(), &self.union, &self.values, &self.types) {
            (Some(name), ..) => format!("`{name}`"),
            (_, Some(_), ..) => "union".to_owned(),
            (.., Some(_), _) => "enum".to_owned(),
            (.., Some(types)) if !types.is_empty() => types.iter().copied().collect::<Vec<_>>().join(" or "),
            _ => "value of any type".to_owned(),
        };
        if self.nullable { format!("{words} or null") } else { words }
    }

    /// The name of the component that this schema refers to.
    pub(super) fn reference(&self) -> Option<&'a str> {
        self.keyword("$ref")?.as_str()?.strip_prefix(SCHEMA_REF)
    }

    pub(super) fn keyword(&self, key: &str) -> Option<&'a Value> {
        self.keywords.get(key).map(|keyword| keyword.value)
    }

    /// The schema under a keyword; without one, the schema that allows any value.
    pub(super) fn inner(&self, key: &str) -> Located<'a> {
        let inner = self.keywords.get(key).cloned();
        inner.unwrap_or_else(|| Located::new(&ANYTHING, child(&self.pointer, key)))
    }

    /// The schemas in the array under a keyword.
    pub(super) fn members(&self, key: &str) -> Vec<Located<'a>> {
        self.keywords.get(key).map(Located::items).unwrap_or_default()
    }

    pub(super) fn properties(&self) -> BTreeMap<&'a str, Located<'a>> {
        self.inner("properties").entries()
    }

    /// A property that is required without being described, which allows any value.
    pub(super) fn undescribed_property(&self, name: &str) -> Located<'a> {
        Located::new(&ANYTHING, child(&child(&self.pointer, "properties"), name))
    }

    /// The names under `required`.
    pub(super) fn required(&self) -> BTreeSet<&'a str> {
        let names = self.keyword("required").and_then(Value::as_array).into_iter().flatten();
        names.filter_map(Value::as_str).collect()
    }

    /// Without the keywords that describe the place of a value, not the value.
    pub(super) fn bare(mut self) -> Self {
        const OF_THE_PLACE: [&str; 5] = ["default", "deprecated", "discriminator", "readOnly", "writeOnly"];
        self.keywords.retain(|key, _| !is_annotation(key) && !OF_THE_PLACE.contains(key));
        self
    }
}

/// Whether a union member allows null and nothing else.
fn is_null(schema: &Value) -> bool {
    let Some(map) = schema.as_object().filter(|map| map.len() == 1) else { return false };
    map.get("type").is_some_and(|kind| kind == "null")
        || map.get("const").is_some_and(Value::is_null)
        || map.get("enum").and_then(Value::as_array).is_some_and(|values| values.iter().all(Value::is_null))
}
