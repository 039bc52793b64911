//! Every field of each mode, read once from the embedded schemas.

use std::sync::LazyLock;

use serde_json::Value;

use super::mode::ModeName;
use crate::schema::{Location, Shape};

/// One object: a reference per mode, and the components that they lead to.
const SCHEMAS: &str = include_str!(concat!(env!("OUT_DIR"), "/session.json"));

pub(super) static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(SCHEMAS).expect("the embedded schemas are JSON"));

pub(super) struct ModeFields {
    pub(super) root: Shape,
    /// All fields in one list, for suggestions.
    pub(super) list: Vec<Location>,
}

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
        let root = Shape::new(&DOCUMENT, &DOCUMENT[wire_name]);
        let list = root.locations();
        Self { root, list }
    }

    /// The shape of a field at the top level.
    pub(super) fn field(&self, name: &str) -> Option<&Shape> {
        Some(self.root.variants.first()?.field(name)?.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Map;

    use super::{DOCUMENT, ModeName, Shape, Value, of};

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
