//! Every field of each mode, with its type, range and allowed values, read once from the embedded schemas.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::mode::ModeName;

/// One object: a reference per mode, and the components that they lead to.
const SCHEMAS: &str = include_str!(concat!(env!("OUT_DIR"), "/session.json"));

pub(super) static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(SCHEMAS).expect("the embedded schemas are JSON"));

/// Below this depth everything is allowed, so that a schema that refers to itself ends.
const DEEPEST: usize = 12;

pub(super) struct ModeFields {
    pub(super) root: Shape,
    /// All fields in one list, for suggestions.
    pub(super) list: Vec<Location>,
}

/// Where an object of the request has a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// The keys that lead to the object.
    pub(super) scope: Vec<&'static str>,
    pub(super) name: &'static str,
    /// The tag and its value, for a field that only one variant of the object has.
    pub(super) variant: Option<(&'static str, &'static str)>,
}

/// The values that a field takes: one of the variants, or null if it is nullable.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) nullable: bool,
    /// The description of the field, or of the one type that it refers to.
    pub(super) description: Option<&'static str>,
    pub(super) variants: Vec<Variant>,
    /// The property whose constant identifies the variant.
    pub(super) tag: Option<&'static str>,
}

/// One type of a field, with what restricts its values.
#[derive(Debug)]
pub(super) struct Variant {
    /// The type in JSON Schema; empty for any, which the document does not have.
    pub(super) kind: &'static str,
    pub(super) description: Option<&'static str>,
    /// The constant of the shape's tag.
    pub(super) tag_value: Option<&'static str>,
    /// The listed values of a text; empty if any text is allowed.
    pub(super) allowed: Vec<&'static str>,
    pub(super) is_uuid: bool,
    /// Bounds of a number, or of the number of characters of a text.
    pub(super) bounds: Vec<Bound>,
    /// The fields of an object, sorted by name.
    pub(super) fields: Vec<Field>,
    /// The items of a list, or an object's fields that are not listed by name.
    pub(super) items: Option<Box<Shape>>,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) is_required: bool,
    pub(super) shape: Shape,
}

/// One end of a range.
#[derive(Debug)]
pub(super) struct Bound {
    /// Precedes the limit in messages.
    phrase: &'static str,
    limit: f64,
    fits: Fits,
}

type Fits = fn(&f64, &f64) -> bool;

/// The keywords that bound numbers and lengths, with the phrase for messages.
const BOUNDS: [(&str, &str, Fits); 6] = [
    ("minimum", "at least", f64::ge),
    ("exclusiveMinimum", "more than", f64::gt),
    ("maximum", "at most", f64::le),
    ("exclusiveMaximum", "less than", f64::lt),
    ("minLength", "at least", f64::ge),
    ("maxLength", "at most", f64::le),
];

/// The fields of a mode. CUSTOM has those of LITE, which its request says on the wire.
pub(super) fn of(mode: ModeName) -> &'static ModeFields {
    static FULL: LazyLock<ModeFields> = LazyLock::new(|| ModeFields::new("FULL"));
    static LITE: LazyLock<ModeFields> = LazyLock::new(|| ModeFields::new("LITE"));
    match mode {
        ModeName::Full => &FULL,
        ModeName::Lite | ModeName::Custom => &LITE,
    }
}

impl ModeFields {
    fn new(wire_name: &str) -> Self {
        let root = Shape::new(&DOCUMENT[wire_name], 0);
        let mut list = Vec::new();
        root.collect(&[], &mut list);
        Self { root, list }
    }

    /// The shape of a field at the top level.
    pub(super) fn field(&self, name: &str) -> Option<&Shape> {
        Some(self.root.variants.first()?.field(name)?.0)
    }
}

impl Shape {
    pub(super) fn new(node: &'static Value, depth: usize) -> Self {
        let mut shape = Self::default();
        if depth > DEEPEST {
            return shape;
        }
        let mut nodes = Vec::new();
        alternatives(node, depth, &mut nodes);
        nodes.retain(|node| {
            let is_null = node["type"] == "null";
            shape.nullable |= is_null;
            !is_null
        });
        shape.tag = tag(&nodes);
        let variant = |node| Variant::new(node, shape.tag, depth);
        shape.variants = nodes.into_iter().map(variant).collect();
        shape.description = node["description"].as_str();
        if let (None, [only]) = (shape.description, shape.variants.as_slice()) {
            shape.description = only.description;
        }
        shape
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

    #[cfg(feature = "axum")]
    pub(super) fn leads_to(&self, keys: &[&str]) -> bool {
        let Some((name, rest)) = keys.split_first() else { return true };
        self.variants.iter().any(|variant| variant.field(name).is_some_and(|(field, _)| field.leads_to(rest)))
    }
}

impl Variant {
    fn new(node: &'static Value, tag: Option<&'static str>, depth: usize) -> Self {
        let strings = |keyword| node[keyword].as_array().into_iter().flatten().filter_map(Value::as_str);
        let inner = |node| Shape::new(node, depth + 1);
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
            tag_value: tag.and_then(|tag| constant(node, tag)),
            allowed: strings("enum").chain(node["const"].as_str()).collect(),
            is_uuid: node["format"] == "uuid",
            bounds: BOUNDS.into_iter().filter_map(bound).collect(),
            fields,
            items: items.map(|node| Box::new(inner(node))),
        }
    }

    /// The shape of a field of the object, and whether it is required.
    pub(super) fn field(&self, name: &str) -> Option<(&Shape, bool)> {
        match self.fields.binary_search_by_key(&name, |field| field.name) {
            Ok(at) => self.fields.get(at).map(|field| (&field.shape, field.is_required)),
            Err(_) => self.items.as_deref().filter(|_| self.kind == "object").map(|shape| (shape, false)),
        }
    }

    /// The bounds as text, if they exclude the number.
    pub(super) fn range_without(&self, number: f64) -> Option<String> {
        if self.bounds.iter().all(|bound| (bound.fits)(&number, &bound.limit)) {
            return None;
        }
        let bounds: Vec<_> =
            self.bounds.iter().map(|bound| format!("{} {}", bound.phrase, bound.limit)).collect();
        Some(bounds.join(" and "))
    }

    /// Whether an object without listed fields, which takes any field.
    pub(super) fn is_open(&self) -> bool {
        self.fields.is_empty() && self.items.is_none()
    }
}

/// Follows references to the schema itself.
pub(super) fn resolved(mut node: &'static Value) -> &'static Value {
    for _ in 0..DEEPEST {
        let reference = node["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        match reference.and_then(|pointer| DOCUMENT.pointer(pointer)) {
            Some(target) => node = target,
            None => break,
        }
    }
    node
}

/// Takes unions apart, also nested ones.
fn alternatives(node: &'static Value, depth: usize, found: &mut Vec<&'static Value>) {
    let node = resolved(node);
    let members = node.get("anyOf").or_else(|| node.get("oneOf")).and_then(Value::as_array);
    match members.filter(|_| depth < DEEPEST) {
        Some(members) => {
            for member in members {
                alternatives(member, depth + 1, found);
            }
        }
        None => found.push(node),
    }
}

/// The property whose constant identifies the member of a union, if there is one.
///
/// The document's discriminators name the same property; the constants also work without them.
fn tag(members: &[&'static Value]) -> Option<&'static str> {
    let (first, rest) = members.split_first()?;
    let mut properties = first["properties"].as_object().into_iter().flat_map(Map::keys);
    let is_tag = |tag: &&String| {
        let values: BTreeSet<_> = members.iter().filter_map(|member| constant(member, tag)).collect();
        !rest.is_empty() && values.len() == members.len()
    };
    properties.find(is_tag).map(String::as_str)
}

fn constant(node: &'static Value, property: &str) -> Option<&'static str> {
    resolved(node["properties"].get(property)?)["const"].as_str()
}

#[cfg(test)]
mod tests {
    use super::{BTreeSet, DOCUMENT, Map, ModeName, Shape, Value, of};

    /// Keywords that this module reads, or may skip because they do not restrict values.
    const KNOWN_KEYWORDS: &str = "$ref additionalProperties anyOf const default deprecated description discriminator enum \
        exclusiveMaximum exclusiveMinimum format items maxLength maximum minLength minimum oneOf properties required title \
        type x-evidence x-evidence-note";

    fn collect_keywords<'v>(schema: &'v Value, keywords: &mut BTreeSet<&'v str>) {
        for (keyword, value) in schema.as_object().into_iter().flatten() {
            keywords.insert(keyword);
            match keyword.as_str() {
                "properties" => {
                    let properties = value.as_object().into_iter().flat_map(Map::values);
                    properties.for_each(|node| collect_keywords(node, keywords));
                }
                "anyOf" | "oneOf" => {
                    value.as_array().into_iter().flatten().for_each(|node| collect_keywords(node, keywords));
                }
                "items" | "additionalProperties" => collect_keywords(value, keywords),
                _ => {}
            }
        }
    }

    fn assert_typed(shape: &Shape, at: &str) {
        assert!(!shape.variants.is_empty(), "{at}");
        for variant in &shape.variants {
            assert_ne!(variant.kind, "", "{at} has no type");
            variant.fields.iter().for_each(|field| assert_typed(&field.shape, field.name));
            variant.items.iter().for_each(|shape| assert_typed(shape, at));
        }
    }

    #[test]
    fn every_keyword_of_the_schemas_is_interpreted() {
        let mut found = BTreeSet::new();
        let schemas = DOCUMENT["components"]["schemas"].as_object().expect("schemas");
        for schema in schemas.values() {
            collect_keywords(schema, &mut found);
        }
        let known: BTreeSet<&str> = KNOWN_KEYWORDS.split_whitespace().collect();
        let unknown: Vec<_> = found.difference(&known).collect();
        assert!(unknown.is_empty(), "teach `Shape` these keywords: {unknown:?}");
    }

    #[test]
    fn every_format_of_the_schemas_is_interpreted() {
        let text = DOCUMENT.to_string();
        let formats: BTreeSet<&str> =
            text.split("\"format\":\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        // `password` says how to show a text, not which texts are allowed.
        assert_eq!(formats, BTreeSet::from(["password", "uuid"]));
    }

    #[test]
    fn every_mode_has_its_fields_and_every_field_a_type() {
        for mode in ModeName::ALL {
            assert!(of(mode).field("avatar_id").is_some(), "{mode}");
            assert_typed(&of(mode).root, mode.as_str());
        }
    }

    #[test]
    fn variants_are_told_apart_by_their_constant() {
        let fields = &of(ModeName::Full).list;
        let variant = |name| fields.iter().find(|field| field.name == name).expect("field").variant;
        assert_eq!(variant("stability"), Some(("provider", "elevenLabs")));
        assert_eq!(variant("speed"), None);
    }
}
