//! JSON Schemas of configurations, for editors that complete and check configuration files.

use std::borrow::Cow;
use std::collections::BTreeSet;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::check::SCHEMA;
use super::configuration::{AnyConfiguration, Configuration};
use super::fields::DOCUMENT;
use super::mode::{Custom, Full, Lite, Mode, ModeName};
use super::rules::{PERSONA_OR_AGENT, RULES};
use crate::schema::resolved;

impl<M: Mode> JsonSchema for Configuration<M> {
    fn schema_name() -> Cow<'static, str> {
        match M::NAME {
            ModeName::Full => "FullConfiguration".into(),
            ModeName::Lite => "LiteConfiguration".into(),
            ModeName::Custom => "CustomConfiguration".into(),
        }
    }

    /// The document's schema of the mode, closed, with the requirements of the rules and its components as definitions.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
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
        let mut schema = resolved(&DOCUMENT, &DOCUMENT[M::WIRE_NAME]).clone();
        schema["properties"][SCHEMA] = json!({
            "description": "Address of this schema, for editors; it is not sent.",
            "type": "string",
        });
        schema["properties"]["mode"] = json!({ "const": M::NAME.as_str() });
        let mut conditions = Vec::new();
        for rule in RULES.iter().filter(|rule| rule.requires.0.contains(&M::NAME)) {
            match *rule.requires.1 {
                [field] => require(&mut schema, field),
                [first, second] => conditions.extend(exactly_one(first, second)),
                _ => {}
            }
        }
        // Closing the schema would close the conditions, too.
        let mut schema = closed(&schema);
        if !conditions.is_empty() {
            schema["allOf"] = conditions.into();
        }
        schema.try_into().unwrap_or_default()
    }
}

impl JsonSchema for AnyConfiguration {
    fn schema_name() -> Cow<'static, str> {
        "Configuration".into()
    }

    /// Selects the schema by the mode, so that editors report the wrong field. With `oneOf`, many validators report only that no
    /// alternative fits.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = generator.subschema_for::<Configuration<Full>>();
        let lite = generator.subschema_for::<Configuration<Lite>>();
        let custom = generator.subschema_for::<Configuration<Custom>>();
        let modes = ModeName::ALL.map(ModeName::as_str);
        let agent = PERSONA_OR_AGENT[1];
        let is = |mode: ModeName| json!({ "required": ["mode"], "properties": { "mode": { "const": mode.as_str() } } });
        json_schema!({
            "type": "object",
            "properties": { "mode": { "enum": modes } },
            "allOf": [
                { "if": is(ModeName::Full), "then": full },
                { "if": is(ModeName::Lite), "then": lite },
                { "if": is(ModeName::Custom), "then": custom },
                // The agent determines the mode.
                { "if": { "not": { "required": ["mode"] } }, "then": {
                    "if": has(agent), "then": full, "else": { "required": ["mode"] },
                } },
            ],
        })
    }
}

/// Makes a field required, so that it also cannot be null.
fn require(schema: &mut Value, field: &str) {
    if let Some(required) = schema["required"].as_array_mut() {
        required.push(json!(field));
    }
    let alternatives = schema.pointer_mut(&format!("/properties/{field}/anyOf"));
    if let Some(alternatives) = alternatives.and_then(Value::as_array_mut) {
        alternatives.retain(|alternative| !is_null(alternative));
    }
}

/// The condition that a field is set: null sets nothing.
fn has(field: &str) -> Value {
    json!({ "required": [field], "properties": { field: { "not": { "type": "null" } } } })
}

/// The conditions that exactly one of two fields is set.
fn exactly_one(first: &str, second: &str) -> [Value; 2] {
    [
        json!({ "if": { "allOf": [has(first), has(second)] }, "then": { "properties": { second: false } } }),
        json!({ "if": { "not": has(second) }, "then": has(first) }),
    ]
}

/// Forbids unknown fields, points references to the generator's definitions, drops notes about evidence, and replaces alternatives, of
/// which validators would not report the wrong field.
fn close(schema: &mut Value, definitions: &str) {
    match schema {
        Value::Object(map) => {
            map.retain(|key, _| !key.starts_with("x-"));
            if map.get("properties").is_some_and(Value::is_object)
                && !map.contains_key("additionalProperties")
            {
                map.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            for inner in map.values_mut() {
                if let Value::String(reference) = inner
                    && let Some(name) = reference.strip_prefix("#/components/schemas/")
                {
                    *reference = format!("#{definitions}/{name}");
                }
                close(inner, definitions);
            }
            merge_alternatives(map);
            select_by_tag(map);
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| close(inner, definitions)),
        _ => {}
    }
}

/// Replaces `anyOf` by a list of types, or by a condition if one alternative refers to another schema and the other is null.
fn merge_alternatives(map: &mut Map<String, Value>) {
    let Some(alternatives) = map.get("anyOf").and_then(Value::as_array) else { return };
    let is_only_type = |schema: &&Value| {
        schema.as_object().is_some_and(|schema| schema.len() == 1 && schema.contains_key("type"))
    };
    let (simple, others): (Vec<&Value>, Vec<&Value>) = alternatives.iter().partition(is_only_type);
    if others.len() > 1 {
        return;
    }
    let mut merged = others.first().and_then(|other| other.as_object()).cloned().unwrap_or_default();
    let restricts_null = ["$ref", "allOf", "const", "enum"].iter().any(|key| merged.contains_key(*key));
    if !restricts_null {
        let types: Vec<&Value> = alternatives.iter().map(|schema| &schema["type"]).collect();
        let types = if let [only] = types[..] { only.clone() } else { json!(types) };
        merged.insert("type".to_owned(), types);
    } else if simple.len() == 1 && is_null(simple[0]) {
        let other = Value::Object(merged);
        merged = Map::from_iter([("if".to_owned(), json!({ "type": "null" })), ("else".to_owned(), other)]);
    } else if !simple.is_empty() {
        return;
    }
    map.remove("anyOf");
    for (key, value) in merged {
        map.entry(key).or_insert(value);
    }
}

/// Replaces `oneOf` with a discriminator by a condition for each variant.
fn select_by_tag(map: &mut Map<String, Value>) {
    let Some(discriminator) = map.get("discriminator").cloned() else { return };
    let (Some(tag), Some(mapping)) =
        (discriminator["propertyName"].as_str(), discriminator["mapping"].as_object())
    else {
        return;
    };
    let names: Vec<&String> = mapping.keys().collect();
    let variants = mapping.iter().map(|(name, reference)| {
        json!({ "if": { "required": [tag], "properties": { tag: { "const": name } } }, "then": { "$ref": reference } })
    });
    map.retain(|key, _| key != "discriminator" && key != "oneOf");
    map.insert("type".to_owned(), "object".into());
    map.insert("required".to_owned(), json!([tag]));
    map.insert("properties".to_owned(), json!({ tag: { "enum": names } }));
    map.insert("allOf".to_owned(), variants.collect());
}

fn is_null(schema: &Value) -> bool {
    schema["type"] == "null"
}
