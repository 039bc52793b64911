//! Reading the embedded request schemas.
//!
//! Knows the subset of JSON Schema that the service's document uses. Configurations, problems and
//! hints do not live here.

use super::problem::ModeName;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// One object: a reference per mode, and the components they lead to.
const SCHEMAS: &str = include_str!(concat!(env!("OUT_DIR"), "/session.json"));

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(SCHEMAS).expect("the embedded schemas are JSON"));

/// Schemas nest less deeply than this; a reference that leads back to itself would not end.
const DEEPEST: usize = 12;

/// One schema inside a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schema<'s> {
    document: &'s Value,
    node: &'s Value,
}

/// What a value may be: null, or one of the options.
#[derive(Debug, Default)]
pub(super) struct Options<'s> {
    pub(super) nullable: bool,
    pub(super) list: Vec<Schema<'s>>,
}

/// A field that some object of a request has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field<'s> {
    /// The keys that lead to the object.
    pub(super) scope: Vec<&'s str>,
    pub(super) name: &'s str,
    /// The tag and its value, for a field that only one variant of the object has.
    pub(super) variant: Option<(&'s str, &'s str)>,
}

impl Schema<'static> {
    /// The request schema of a mode.
    pub(super) fn of(mode: ModeName) -> Self {
        // The early CUSTOM request is a small part of LITE's, which is what CUSTOM says on the wire.
        let wire = if mode == ModeName::Custom { ModeName::Lite } else { mode };
        let node = &DOCUMENT[wire.as_str()];
        Self { document: &DOCUMENT, node }.resolved()
    }
}

impl<'s> Schema<'s> {
    #[cfg(test)]
    pub(super) fn root(document: &'s Value) -> Self {
        Self { document, node: document }
    }

    fn at(self, node: &'s Value) -> Self {
        Self { node, ..self }
    }

    fn keyword(self, keyword: &str) -> Option<&'s Value> {
        self.node.get(keyword)
    }

    fn text(self, keyword: &str) -> Option<&'s str> {
        self.keyword(keyword)?.as_str()
    }

    /// Follows references until the schema stands there itself.
    fn resolved(self) -> Self {
        let mut schema = self;
        for _ in 0..DEEPEST {
            let target = schema
                .text("$ref")
                .and_then(|reference| reference.strip_prefix('#'))
                .and_then(|pointer| self.document.pointer(pointer));
            match target {
                Some(node) => schema = self.at(node),
                None => break,
            }
        }
        schema
    }

    /// Takes the schema apart into null and the rest.
    pub(super) fn options(self) -> Options<'s> {
        let mut options = Options::default();
        self.collect_options(&mut options, 0);
        options
    }

    fn collect_options(self, options: &mut Options<'s>, depth: usize) {
        let schema = self.resolved();
        let alternatives = schema.keyword("anyOf").or_else(|| schema.keyword("oneOf"));
        match alternatives.and_then(Value::as_array) {
            Some(alternatives) if depth < DEEPEST => {
                for node in alternatives {
                    self.at(node).collect_options(options, depth + 1);
                }
            }
            _ if schema.type_name() == Some("null") => options.nullable = true,
            _ => options.list.push(schema),
        }
    }

    pub(super) fn type_name(self) -> Option<&'s str> {
        self.text("type")
    }

    pub(super) fn format(self) -> Option<&'s str> {
        self.text("format")
    }

    /// The words for people, of the place or else of what it refers to.
    pub(super) fn description(self) -> Option<&'s str> {
        let of_options = || {
            let options = self.options().list;
            options.first().filter(|_| options.len() == 1)?.text("description")
        };
        self.text("description").or_else(of_options)
    }

    /// The values that are allowed, for `const` and `enum`.
    pub(super) fn allowed(self) -> Option<Vec<&'s Value>> {
        match (self.keyword("const"), self.keyword("enum")) {
            (Some(value), _) => Some(vec![value]),
            (None, Some(values)) => Some(values.as_array()?.iter().collect()),
            (None, None) => None,
        }
    }

    pub(super) fn number(self, keyword: &str) -> Option<f64> {
        self.keyword(keyword)?.as_f64()
    }

    pub(super) fn length(self, keyword: &str) -> Option<usize> {
        usize::try_from(self.keyword(keyword)?.as_u64()?).ok()
    }

    pub(super) fn properties(self) -> Option<&'s Map<String, Value>> {
        self.keyword("properties")?.as_object()
    }

    pub(super) fn property(self, name: &str) -> Option<Self> {
        Some(self.at(self.properties()?.get(name)?))
    }

    /// Whether the keys lead to a field.
    #[cfg(feature = "axum")]
    pub(super) fn leads_to(self, keys: &[&str]) -> bool {
        let Some((name, rest)) = keys.split_first() else { return true };
        self.options().list.into_iter().any(|option| {
            let field = option.property(name).or_else(|| option.additional());
            field.is_some_and(|field| field.leads_to(rest))
        })
    }

    /// The schema of the fields that are not properties.
    pub(super) fn additional(self) -> Option<Self> {
        self.keyword("additionalProperties").filter(|node| node.is_object()).map(|node| self.at(node))
    }

    pub(super) fn items(self) -> Option<Self> {
        self.keyword("items").map(|node| self.at(node))
    }

    pub(super) fn required(self) -> impl Iterator<Item = &'s str> {
        let names = self.keyword("required").and_then(Value::as_array);
        names.into_iter().flatten().filter_map(Value::as_str)
    }

    /// The constant of a property that tells variants apart.
    pub(super) fn tag_value(self, tag: &str) -> Option<&'s str> {
        self.property(tag)?.resolved().text("const")
    }

    /// Every field below this schema, each once, in the order of the document.
    pub(super) fn fields(self) -> Vec<Field<'s>> {
        let mut fields = Vec::new();
        self.collect_fields(&[], &mut fields);
        fields
    }

    fn collect_fields(self, scope: &[&'s str], fields: &mut Vec<Field<'s>>) {
        if scope.len() > DEEPEST {
            return;
        }
        let options = self.options();
        let tag = options.tag();
        for &option in &options.list {
            for (name, node) in option.properties().into_iter().flatten() {
                let shared = options.list.iter().all(|other| other.property(name).is_some());
                let variant = match tag {
                    Some(tag) if !shared => option.tag_value(tag).map(|value| (tag, value)),
                    _ => None,
                };
                let field = Field { scope: scope.to_vec(), name, variant };
                if !fields.contains(&field) {
                    fields.push(field);
                }
                let mut inner = scope.to_vec();
                inner.push(name);
                self.at(node).collect_fields(&inner, fields);
            }
        }
    }
}

impl<'s> Options<'s> {
    /// The property that tells the options apart by a constant, if there is one.
    ///
    /// The discriminator of the document says the same; the constants are there even without it.
    pub(super) fn tag(&self) -> Option<&'s str> {
        let (first, rest) = self.list.split_first()?;
        let tags = first.properties()?.keys().filter(|tag| {
            let mut seen: BTreeSet<_> = first.tag_value(tag).into_iter().collect();
            let distinct =
                |option: &Schema<'s>| option.tag_value(tag).is_some_and(|value| seen.insert(value));
            first.tag_value(tag).is_some() && !rest.is_empty() && rest.iter().all(distinct)
        });
        tags.map(String::as_str).next()
    }
}

/// The request schema of a mode, closed and with its components among the generator's definitions.
#[cfg(feature = "schemars")]
pub(super) fn json_schema(mode: ModeName, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    use serde_json::json;

    let definitions = generator.settings().definitions_path.trim_end_matches('/').to_owned();
    let closed = |schema: &Value| {
        let mut schema = schema.clone();
        close(&mut schema, &definitions);
        schema
    };
    let requests: BTreeSet<&str> = ModeName::ALL
        .iter()
        .filter_map(|mode| DOCUMENT[mode.as_str()]["$ref"].as_str()?.rsplit('/').next())
        .collect();
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().into_iter().flatten() {
        if !requests.contains(name.as_str()) {
            generator.definitions_mut().insert(name.clone(), closed(schema));
        }
    }
    let mut schema = closed(Schema::of(mode).node);
    schema["properties"]["mode"] = json!({ "const": mode.as_str() });
    match mode {
        ModeName::Full => {
            schema["oneOf"] = json!([{ "required": ["avatar_persona"] }, { "required": ["voice_agent"] }]);
        }
        ModeName::Lite => schema["required"] = json!(["mode", "avatar_id"]),
        ModeName::Custom => schema["required"] = json!(["mode", "avatar_id", "livekit_config"]),
    }
    schema.try_into().unwrap_or_default()
}

/// Forbids unknown fields, points references to the generator's definitions, and drops notes about evidence.
#[cfg(feature = "schemars")]
fn close(schema: &mut Value, definitions: &str) {
    match schema {
        Value::Object(map) => {
            map.retain(|key, _| !key.starts_with("x-"));
            if map.get("properties").is_some_and(Value::is_object)
                && !map.contains_key("additionalProperties")
            {
                map.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            for text in map.values_mut() {
                if let Value::String(reference) = text
                    && let Some(name) = reference.strip_prefix("#/components/schemas/")
                {
                    *reference = format!("#{definitions}/{name}");
                }
            }
            map.values_mut().for_each(|inner| close(inner, definitions));
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| close(inner, definitions)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{DOCUMENT, ModeName, Schema};
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// What the walk interprets, or may pass over because it binds no value.
    const KNOWN_KEYWORDS: &[&str] = &[
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "default",
        "deprecated",
        "description",
        "discriminator",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "items",
        "maxLength",
        "maximum",
        "minLength",
        "minimum",
        "oneOf",
        "properties",
        "required",
        "title",
        "type",
        "x-evidence",
        "x-evidence-note",
    ];

    fn collect_keywords<'v>(schema: &'v Value, keywords: &mut BTreeSet<&'v str>) {
        for (keyword, value) in schema.as_object().into_iter().flatten() {
            keywords.insert(keyword);
            match keyword.as_str() {
                "properties" => {
                    for node in value.as_object().into_iter().flatten() {
                        collect_keywords(node.1, keywords);
                    }
                }
                "anyOf" | "oneOf" => {
                    for node in value.as_array().into_iter().flatten() {
                        collect_keywords(node, keywords);
                    }
                }
                "items" | "additionalProperties" => collect_keywords(value, keywords),
                _ => {}
            }
        }
    }

    #[test]
    fn every_keyword_of_the_schemas_is_interpreted() {
        let mut found = BTreeSet::new();
        let schemas = DOCUMENT["components"]["schemas"].as_object().expect("schemas");
        for schema in schemas.values() {
            collect_keywords(schema, &mut found);
        }
        let known: BTreeSet<&str> = KNOWN_KEYWORDS.iter().copied().collect();
        let unknown: Vec<_> = found.difference(&known).collect();
        assert!(unknown.is_empty(), "teach the walk these keywords: {unknown:?}");
    }

    #[test]
    fn every_format_of_the_schemas_is_interpreted() {
        let text = DOCUMENT.to_string();
        let formats: BTreeSet<&str> =
            text.split("\"format\":\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        // `password` says how to show a text, not what it may be.
        assert_eq!(formats, BTreeSet::from(["password", "uuid"]));
    }

    #[test]
    fn every_mode_has_its_schema() {
        for mode in ModeName::ALL {
            let fields = Schema::of(mode).fields();
            assert!(fields.iter().any(|field| field.name == "avatar_id"), "{mode}");
        }
    }

    #[test]
    fn variants_are_told_apart_by_their_constant() {
        let fields = Schema::of(ModeName::Full).fields();
        let variant = |name| fields.iter().find(|field| field.name == name).expect("field").variant;
        assert_eq!(variant("stability"), Some(("provider", "elevenLabs")));
        assert_eq!(variant("speed"), None);
    }
}
