//! Steps on the schema language, the same for requests and responses.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::StepReport;
use super::document::{Document, SCHEMA_REF, each_object, each_within, enum_values, is_enum, target};

/// Removes keywords from every schema, but not properties of these names.
pub(super) fn without(document: &mut Document, report: &mut StepReport, keywords: &[&str]) {
    document.each_schema(|place, schema| {
        for keyword in keywords {
            if schema.remove(*keyword).is_some() {
                report.place(place);
            }
        }
    });
}

/// The keywords of schemas in OpenAPI 3.0 and 3.1. Any other, such as pydantic's `json_schema_extra` adds, only describes.
const KEYWORDS: &str = "$anchor $comment $defs $dynamicAnchor $dynamicRef $id $ref $schema additionalItems additionalProperties allOf \
    anyOf const contains contentEncoding contentMediaType contentSchema default dependencies dependentRequired dependentSchemas \
    deprecated description discriminator else enum example examples exclusiveMaximum exclusiveMinimum externalDocs format if items \
    maxContains maxItems maxLength maxProperties maximum minContains minItems minLength minProperties minimum multipleOf not \
    nullable oneOf pattern patternProperties prefixItems properties propertyNames readOnly required then title type \
    unevaluatedItems unevaluatedProperties uniqueItems writeOnly xml";

/// Whether OpenAPI defines a keyword of schemas.
pub(crate) fn is_keyword(key: &str) -> bool {
    KEYWORDS.split(' ').any(|known| known == key)
}

/// Removes keywords that nothing checks, and widens those that OpenAPI 3.0 lacks.
pub(super) fn unchecked_keywords(document: &mut Document, report: &mut StepReport) {
    #[rustfmt::skip]
    const UNCHECKED: [&str; 12] = [
        "$comment", "contentEncoding", "contentMediaType", "contentSchema", "example", "examples", "externalDocs", "multipleOf",
        "pattern", "propertyNames", "uniqueItems", "xml",
    ];
    document.each_schema(|place, schema| {
        let all = schema.len();
        schema
            .retain(|key, _| key.starts_with("x-") || !UNCHECKED.contains(&key.as_str()) && is_keyword(key));
        if schema.len() < all {
            report.place(place);
        }
        if let Some(Value::Array(members)) = schema.remove("prefixItems") {
            // Without its length, because a list of fixed length would be an array in Rust.
            let only = members.iter().all(|member| member["type"] == members[0]["type"]);
            let items = members.first().filter(|member| only && member["type"].is_string());
            let items = items.map_or_else(|| json!({}), |member| json!({ "type": member["type"] }));
            schema.insert("items".into(), items);
            schema.retain(|key, _| !matches!(key.as_str(), "minItems" | "maxItems"));
            report.place(place);
        }
        if let Some(Value::Object(patterns)) = schema.remove("patternProperties") {
            if patterns.len() == 1 {
                let value = patterns.into_iter().next().map(|(_, value)| value);
                schema.entry("additionalProperties").or_insert(value.unwrap_or_default());
            }
            report.place(place);
        }
    });
}

pub(super) fn null_members(document: &mut Document, report: &mut StepReport) {
    document.each_schema(|place, schema| {
        // A list of types is a union too.
        if let Some(Value::Array(kinds)) = schema.get("type").cloned() {
            schema.remove("type");
            match kinds.as_slice() {
                [only] => schema.insert("type".into(), only.clone()),
                [only, null] | [null, only] if null == "null" => {
                    schema.insert("nullable".into(), json!(true));
                    schema.insert("type".into(), only.clone())
                }
                all => {
                    schema.insert("anyOf".into(), all.iter().map(|kind| json!({ "type": kind })).collect())
                }
            };
            report.place(place);
        }
        for key in ["anyOf", "oneOf"] {
            let Some(Value::Array(mut members)) = schema.get(key).cloned() else { continue };
            let all = members.len();
            members.retain(|member| member.get("type").is_none_or(|kind| kind != "null"));
            if members.len() == all {
                continue;
            }
            report.place(place);
            schema.insert("nullable".into(), json!(true));
            match members.as_slice() {
                [Value::Object(only)] => {
                    schema.remove(key);
                    if only.contains_key("$ref") {
                        schema.insert("allOf".into(), Value::Array(members));
                    } else {
                        for (inner, value) in only {
                            schema.entry(inner.clone()).or_insert_with(|| value.clone());
                        }
                    }
                }
                _ => {
                    schema.insert(key.into(), Value::Array(members));
                }
            }
        }
    });
    nullable_components(document, report);
}

/// Moves null from components to where they are used: typify makes two types of one name of a component that allows it.
fn nullable_components(document: &mut Document, report: &mut StepReport) {
    let mut nullable = BTreeSet::new();
    for (name, schema) in document.schemas_mut() {
        let is_nullable = schema.as_object_mut().is_some_and(|schema| schema.remove("nullable").is_some());
        if is_nullable {
            report.place(name);
            nullable.insert(name.clone());
        }
    }
    document.each_schema(|_, schema| {
        if let Some(name) = target(schema).filter(|name| nullable.contains(*name)) {
            // Next to each other, which another step corrects.
            schema.insert("$ref".into(), json!(format!("{SCHEMA_REF}{name}")));
            schema.insert("nullable".into(), json!(true));
            schema.remove("allOf");
        }
    });
}

pub(super) fn null_type(document: &mut Document, report: &mut StepReport) {
    document.each_schema(|place, schema| {
        if schema.get("type").is_some_and(|kind| kind == "null") {
            schema.remove("type");
            report.place(place);
        }
    });
}

pub(super) fn constants(document: &mut Document, report: &mut StepReport) {
    document.each_schema(|place, schema| {
        if let Some(value) = schema.remove("const") {
            schema.insert("enum".into(), json!([value]));
            report.place(place);
        }
        // typify rejects an enum whose values have several types.
        let mut values = enum_values(schema).iter().filter(|value| !value.is_null());
        let kind = values.next().map(std::mem::discriminant);
        if values.any(|value| Some(std::mem::discriminant(value)) != kind) {
            schema.remove("enum");
            report.place(place);
        }
    });
}

pub(super) fn exclusive_bounds(document: &mut Document, report: &mut StepReport) {
    document.each_schema(|place, schema| {
        for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
            if let Some(limit) = schema.get(exclusive).filter(|limit| limit.is_number()).cloned() {
                schema.insert(bound.into(), limit);
                schema.insert(exclusive.into(), json!(true));
                report.place(place);
            }
        }
    });
}

pub(super) fn reference_siblings(document: &mut Document, report: &mut StepReport) {
    document.each_schema(|place, schema| {
        if schema.len() > 1
            && let Some(reference) = schema.remove("$ref")
        {
            schema.insert("allOf".into(), json!([{ "$ref": reference }]));
            report.place(place);
        }
    });
}

pub(super) fn superset_unions(document: &mut Document, report: &mut StepReport) {
    let schemas = document.schemas().clone();
    let set = |name: &str, part: &str| -> BTreeSet<String> {
        match schemas.get(name).and_then(|schema| schema.get(part)) {
            Some(Value::Object(map)) => map.keys().cloned().collect(),
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => BTreeSet::new(),
        }
    };
    document.each_schema(|place, schema| {
        let Some(members) = schema.get("anyOf").and_then(Value::as_array) else { return };
        let names: Option<Vec<String>> =
            members.iter().map(|member| Some(target(member.as_object()?)?.to_owned())).collect();
        let Some(names) = names else { return };
        // Only objects read each other.
        if !names
            .iter()
            .all(|name| schemas.get(name).is_some_and(|schema| schema.get("properties").is_some()))
        {
            return;
        }
        let largest = names.iter().find(|large| {
            names.iter().all(|small| {
                set(small, "properties").is_subset(&set(large, "properties"))
                    && set(large, "required").is_subset(&set(small, "required"))
            })
        });
        if let Some(largest) = largest {
            report.place(format!("{place}: {names:?} -> {largest}"));
            schema.insert("allOf".into(), json!([{ "$ref": format!("{SCHEMA_REF}{largest}") }]));
            schema.remove("anyOf");
        }
    });
}

pub(super) fn any_of(document: &mut Document, report: &mut StepReport) {
    document.each_schema(|place, schema| {
        if let Some(members) = schema.remove("anyOf") {
            schema.insert("oneOf".into(), members);
            report.place(place);
        }
    });
}

pub(super) fn inline_enums(document: &mut Document, report: &mut StepReport) {
    let members = union_members(document.schemas());
    let (_, responses) = document.directions();
    let mut hoisted = BTreeMap::new();
    let mut hoist = |name: &String, schema: &mut Map<String, Value>, place: &dyn Fn() -> String| {
        // A tag with one value stays closed, because it distinguishes the members of a union.
        let tag = enum_values(schema).len() == 1 && (!responses.contains(name) || members.contains(name));
        if !is_enum(schema) || tag {
            return;
        }
        let place = place();
        let mut component = place.clone();
        for number in 2.. {
            if !hoisted.contains_key(&component) {
                break;
            }
            component = format!("{place}_{number}");
        }
        let mut definition = schema.clone();
        definition.retain(|key, _| matches!(key.as_str(), "type" | "enum"));
        schema.retain(|key, _| !matches!(key.as_str(), "type" | "enum"));
        schema.insert("allOf".into(), json!([{ "$ref": format!("{SCHEMA_REF}{component}") }]));
        hoisted.insert(component, Value::Object(definition));
    };
    for (name, schema) in document.schemas_mut() {
        if schema.as_object().is_some_and(is_enum) {
            continue;
        }
        for (property, schema) in schema.as_object_mut().into_iter().flat_map(properties) {
            hoist(name, schema, &|| format!("{name}_{property}"));
        }
        // The name of the property alone belongs to the type around the enum.
        each_within(schema, name, &mut |place: &str, schema: &mut Map<String, Value>| {
            hoist(name, schema, &|| format!("{}_value", place.replace('.', "_")));
        });
    }
    report.places.extend(hoisted.keys().cloned());
    document.schemas_mut().extend(hoisted);
}

pub(super) fn property_defaults(document: &mut Document, report: &mut StepReport) {
    for (name, schema) in document.schemas_mut() {
        for (property, schema) in schema.as_object_mut().into_iter().flat_map(properties) {
            let only = enum_values(schema).first().filter(|_| enum_values(schema).len() == 1);
            if only != schema.get("default") && schema.remove("default").is_some() {
                report.place(format!("{name}.{property}"));
            }
        }
    }
}

pub(super) fn properties(
    schema: &mut Map<String, Value>,
) -> impl Iterator<Item = (&String, &mut Map<String, Value>)> {
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    properties.into_iter().flatten().filter_map(|(name, schema)| Some((name, schema.as_object_mut()?)))
}

/// The names listed under `required`.
pub(super) fn required(schema: &Map<String, Value>) -> BTreeSet<String> {
    let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

pub(super) fn union_members(schemas: &Map<String, Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for schema in schemas.values() {
        each_object(schema, &mut |map| {
            let members = map.get("oneOf").and_then(Value::as_array).into_iter().flatten();
            found.extend(members.filter_map(|member| Some(target(member.as_object()?)?.to_owned())));
        });
    }
    found
}

/// Replaces a property with a hand-written type, and keeps what callers and other steps need of it.
pub(super) fn replace_by(schema: &mut Map<String, Value>, rust_type: Value) {
    // The length is for the check of requests; the generator ignores it.
    schema.retain(|key, _| {
        let kept = ["type", "description", "deprecated", "nullable", "minLength", "maxLength"];
        kept.contains(&key.as_str())
    });
    schema.insert("x-rust-type".into(), rust_type);
}
