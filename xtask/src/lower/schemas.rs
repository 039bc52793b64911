//! Steps on the schema language, the same for requests and responses.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::StepReport;
use super::document::{Document, SCHEMA_REF, each_object, enum_values, is_enum, target};

/// Removes a keyword from every schema, but not a property of that name.
pub(super) fn without(document: &mut Document, report: &mut StepReport, keyword: &str) {
    document.each_schema(|place, schema| {
        if schema.remove(keyword).is_some() {
            report.place(place);
        }
    });
}

pub(super) fn null_members(document: &mut Document, report: &mut StepReport) {
    document.each_schema(|place, schema| {
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
    let mut hoisted = Vec::new();
    for (name, schema) in document.schemas_mut() {
        for (property, schema) in properties(schema) {
            // A tag with one value stays closed, because it distinguishes the members of a union.
            let tag = enum_values(schema).len() == 1 && (!responses.contains(name) || members.contains(name));
            if is_enum(schema) && !tag {
                let component = format!("{name}_{property}");
                let mut definition = schema.clone();
                definition.retain(|key, _| matches!(key.as_str(), "type" | "enum"));
                schema.retain(|key, _| !matches!(key.as_str(), "type" | "enum"));
                schema.insert("allOf".into(), json!([{ "$ref": format!("{SCHEMA_REF}{component}") }]));
                hoisted.push((component, Value::Object(definition)));
            }
        }
    }
    report.places.extend(hoisted.iter().map(|(name, _)| name.clone()));
    document.schemas_mut().extend(hoisted);
}

pub(super) fn property_defaults(document: &mut Document, report: &mut StepReport) {
    for (name, schema) in document.schemas_mut() {
        for (property, schema) in properties(schema) {
            if enum_values(schema).len() != 1 && schema.remove("default").is_some() {
                report.place(format!("{name}.{property}"));
            }
        }
    }
}

pub(super) fn properties(schema: &mut Value) -> impl Iterator<Item = (&String, &mut Map<String, Value>)> {
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    properties.into_iter().flatten().filter_map(|(name, schema)| Some((name, schema.as_object_mut()?)))
}

/// The names listed under `required`.
pub(super) fn required(schema: &Value) -> BTreeSet<String> {
    let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn union_members(schemas: &Map<String, Value>) -> BTreeSet<String> {
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
