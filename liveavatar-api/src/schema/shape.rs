//! What a schema allows: types, fields, ranges and listed values, read from an embedded document.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Below this depth everything is allowed, so that a schema that refers to itself ends.
const DEEPEST: usize = 12;

/// Where a value has a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    /// The keys that lead to the object.
    pub(crate) scope: Vec<&'static str>,
    pub(crate) name: &'static str,
    /// The tag and its value, for a field that only one variant of the object has.
    pub(crate) variant: Option<(&'static str, &'static str)>,
}

/// The values that a field takes: one of the variants, or null if it is nullable.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    pub(crate) nullable: bool,
    /// The description of the field, or of the one type that it refers to.
    pub(crate) description: Option<&'static str>,
    pub(crate) variants: Vec<Variant>,
    /// The property whose constant identifies the variant.
    pub(crate) tag: Option<&'static str>,
}

/// One type of a field, with what restricts its values.
#[derive(Debug)]
pub(crate) struct Variant {
    /// The type in JSON Schema; empty for any, which the document does not have.
    pub(crate) kind: &'static str,
    pub(crate) description: Option<&'static str>,
    /// The constant of the shape's tag.
    pub(crate) tag_value: Option<&'static str>,
    /// The listed values of a text; empty if any text is allowed.
    pub(crate) allowed: Vec<&'static str>,
    pub(crate) is_uuid: bool,
    /// Bounds of a number, or of the number of characters, items or fields.
    pub(crate) bounds: Vec<Bound>,
    /// The fields of an object, sorted by name.
    pub(crate) fields: Vec<Field>,
    /// The items of a list, or an object's fields that are not listed by name.
    pub(crate) items: Option<Box<Shape>>,
    /// Whether an object takes the listed fields only, even if none is listed.
    is_closed: bool,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) is_required: bool,
    pub(crate) shape: Shape,
}

/// One end of a range.
#[derive(Debug)]
pub(crate) struct Bound {
    /// Precedes the limit in messages.
    phrase: &'static str,
    pub(super) limit: f64,
    fits: Fits,
}

type Fits = fn(&f64, &f64) -> bool;

/// The keywords that bound numbers, lengths and counts, with the phrase for messages.
const BOUNDS: [(&str, &str, Fits); 10] = [
    ("minimum", "at least", f64::ge),
    ("exclusiveMinimum", "more than", f64::gt),
    ("maximum", "at most", f64::le),
    ("exclusiveMaximum", "less than", f64::lt),
    ("minLength", "at least", f64::ge),
    ("maxLength", "at most", f64::le),
    ("minItems", "at least", f64::ge),
    ("maxItems", "at most", f64::le),
    ("minProperties", "at least", f64::ge),
    ("maxProperties", "at most", f64::le),
];

impl Location {
    pub(crate) fn keys(&self) -> Vec<&'static str> {
        self.scope.iter().copied().chain([self.name]).collect()
    }

    pub(crate) fn dotted(&self) -> String {
        self.keys().join(".")
    }
}

impl Shape {
    /// Reads a schema of the document, which its references point into.
    pub(crate) fn new(document: &'static Value, node: &'static Value) -> Self {
        Self::at_depth(document, node, 0)
    }

    fn at_depth(document: &'static Value, node: &'static Value, depth: usize) -> Self {
        let mut shape = Self::default();
        if depth > DEEPEST {
            return shape;
        }
        let mut nodes = Vec::new();
        alternatives(document, node, depth, &mut nodes);
        nodes.retain(|node| {
            let is_null = node["type"] == "null";
            shape.nullable |= is_null;
            !is_null
        });
        shape.tag = tag(document, &nodes);
        let variant = |node| Variant::new(document, node, shape.tag, depth);
        shape.variants = nodes.into_iter().map(variant).collect();
        shape.description = node["description"].as_str();
        if let (None, [only]) = (shape.description, shape.variants.as_slice()) {
            shape.description = only.description;
        }
        shape
    }

    /// All fields in one list, for suggestions.
    pub(crate) fn locations(&self) -> Vec<Location> {
        let mut list = Vec::new();
        self.collect(&[], &mut list);
        list
    }

    fn collect(&self, scope: &[&'static str], list: &mut Vec<Location>) {
        for variant in &self.variants {
            for Field { name, shape, .. } in &variant.fields {
                let shared = self.variants.iter().all(|variant| variant.field(name).is_some());
                let variant = self.tag.zip(variant.tag_value).filter(|_| !shared);
                let location = Location { scope: scope.to_vec(), name, variant };
                if !list.contains(&location) {
                    list.push(location);
                }
                shape.collect(&[scope, &[name]].concat(), list);
            }
        }
    }

    /// Whether the keys lead to a field.
    #[cfg(feature = "axum")]
    pub(crate) fn leads_to(&self, keys: &[&str]) -> bool {
        let Some((name, rest)) = keys.split_first() else { return true };
        self.variants.iter().any(|variant| variant.field(name).is_some_and(|(field, _)| field.leads_to(rest)))
    }
}

impl Variant {
    fn new(document: &'static Value, node: &'static Value, tag: Option<&'static str>, depth: usize) -> Self {
        let strings = |keyword| node[keyword].as_array().into_iter().flatten().filter_map(Value::as_str);
        let inner = |node| Shape::at_depth(document, node, depth + 1);
        let properties = node["properties"].as_object().into_iter().flatten();
        let mut fields: Vec<Field> = properties
            .map(|(name, node)| Field {
                name,
                is_required: strings("required").any(|required| required == name),
                shape: inner(node),
            })
            .collect();
        fields.sort_by_key(|field| field.name);
        let bound =
            |(keyword, phrase, fits)| Some(Bound { phrase, limit: node.get(keyword)?.as_f64()?, fits });
        let items = node.get("items").or(node.get("additionalProperties")).filter(|node| node.is_object());
        Self {
            kind: node["type"].as_str().unwrap_or_default(),
            description: node["description"].as_str(),
            tag_value: tag.and_then(|tag| constant(document, node, tag)),
            allowed: strings("enum").chain(node["const"].as_str()).collect(),
            is_uuid: node["format"] == "uuid",
            bounds: BOUNDS.into_iter().filter_map(bound).collect(),
            fields,
            items: items.map(|node| Box::new(inner(node))),
            is_closed: node["additionalProperties"] == false,
        }
    }

    /// The shape of a field of the object, and whether it is required.
    pub(crate) fn field(&self, name: &str) -> Option<(&Shape, bool)> {
        match self.fields.binary_search_by_key(&name, |field| field.name) {
            Ok(at) => self.fields.get(at).map(|field| (&field.shape, field.is_required)),
            Err(_) => self.items.as_deref().filter(|_| self.kind == "object").map(|shape| (shape, false)),
        }
    }

    /// The bounds as text, if they exclude the number.
    pub(crate) fn range_without(&self, number: f64) -> Option<String> {
        if self.bounds.iter().all(|bound| (bound.fits)(&number, &bound.limit)) {
            return None;
        }
        let bounds: Vec<_> =
            self.bounds.iter().map(|bound| format!("{} {}", bound.phrase, bound.limit)).collect();
        Some(bounds.join(" and "))
    }

    /// Whether an object without listed fields, which takes any field.
    pub(crate) fn is_open(&self) -> bool {
        self.fields.is_empty() && self.items.is_none() && !self.is_closed
    }
}

/// Follows references to the schema itself.
pub(crate) fn resolved(document: &'static Value, mut node: &'static Value) -> &'static Value {
    for _ in 0..DEEPEST {
        let reference = node["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        match reference.and_then(|pointer| document.pointer(pointer)) {
            Some(target) => node = target,
            None => break,
        }
    }
    node
}

/// Takes unions apart, also nested ones.
fn alternatives(
    document: &'static Value,
    node: &'static Value,
    depth: usize,
    found: &mut Vec<&'static Value>,
) {
    let node = resolved(document, node);
    let members = node.get("anyOf").or_else(|| node.get("oneOf")).and_then(Value::as_array);
    match members.filter(|_| depth < DEEPEST) {
        Some(members) => {
            for member in members {
                alternatives(document, member, depth + 1, found);
            }
        }
        None => found.push(node),
    }
}

/// The property whose constant identifies the member of a union, if there is one.
///
/// The document's discriminators name the same property; the constants also work without them.
fn tag(document: &'static Value, members: &[&'static Value]) -> Option<&'static str> {
    let (first, rest) = members.split_first()?;
    let mut properties = first["properties"].as_object().into_iter().flat_map(Map::keys);
    let is_tag = |tag: &&String| {
        let values: BTreeSet<_> =
            members.iter().filter_map(|member| constant(document, member, tag)).collect();
        !rest.is_empty() && values.len() == members.len()
    };
    properties.find(is_tag).map(String::as_str)
}

fn constant(document: &'static Value, node: &'static Value, property: &str) -> Option<&'static str> {
    resolved(document, node["properties"].get(property)?)["const"].as_str()
}
