//! JSON Schemas of configurations, for editors that complete and check configuration files.

use std::borrow::Cow;
use std::collections::BTreeSet;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::configuration::{AnyConfiguration, Configuration};
use super::fields::DOCUMENT;
use super::mode::{Custom, Full, Lite, Mode, ModeName};
use super::rules::RULES;
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
        let mut schema = closed(resolved(&DOCUMENT, &DOCUMENT[M::WIRE_NAME]));
        schema["properties"]["mode"] = json!({ "const": M::NAME.as_str() });
        for rule in RULES.iter().filter(|rule| rule.requires.0.contains(&M::NAME)) {
            match (rule.requires.1, schema["required"].as_array_mut()) {
                ([field], Some(required)) => required.push(json!(field)),
                (fields, _) => {
                    schema["oneOf"] = fields.iter().map(|field| json!({ "required": [field] })).collect();
                }
            }
        }
        schema.try_into().unwrap_or_default()
    }
}

impl JsonSchema for AnyConfiguration {
    fn schema_name() -> Cow<'static, str> {
        "Configuration".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "oneOf": [
                generator.subschema_for::<Configuration<Full>>(),
                generator.subschema_for::<Configuration<Lite>>(),
                generator.subschema_for::<Configuration<Custom>>(),
            ]
        })
    }
}

/// Forbids unknown fields, points references to the generator's definitions, and drops notes about evidence.
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
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| close(inner, definitions)),
        _ => {}
    }
}
