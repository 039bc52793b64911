//! Steps that replace generated types with the crate's hand-written types, by rule.

use serde_json::{Map, Value, json};

use super::document::{Document, SCHEMA_REF, references, target};
use super::schemas::{properties, replace_by, required};
use super::{ORIGIN, StepReport, rust_type};

/// Replaces every schema that `matches` accepts with the hand-written type `name`.
fn replace(
    document: &mut Document,
    report: &mut StepReport,
    name: &str,
    matches: impl Fn(&str, &Map<String, Value>) -> bool,
) {
    document.each_schema(|place, schema| {
        if matches(place, schema) {
            replace_by(schema, rust_type(name, &[]));
            report.place(place);
        }
    });
}

pub(super) fn timestamps(document: &mut Document, report: &mut StepReport) {
    // Dates stay texts, because the crate lacks a type for them.
    document.each_schema(|place, schema| {
        if schema.get("format").is_some_and(|format| format == "date") {
            schema.remove("format");
            report.place(place);
        }
    });
    replace(document, report, "Timestamp", |_, schema| {
        schema.get("format").is_some_and(|format| format == "date-time")
    });
}

pub(super) fn secrets(document: &mut Document, report: &mut StepReport) {
    replace(document, report, "Secret", |_, schema| {
        schema.get("format").is_some_and(|format| format == "password")
    });
}

pub(super) fn credits(document: &mut Document, report: &mut StepReport) {
    replace(document, report, "Credits", |place, schema| {
        let amount = schema.get("type").is_some_and(|kind| kind == "number" || kind == "string");
        amount && place.rsplit('.').next().is_some_and(|property| property.starts_with("credits_"))
    });
}

pub(super) fn patch_nulls(document: &mut Document, report: &mut StepReport) {
    let mut bodies = std::collections::BTreeSet::new();
    document.each_operation(|_, method, operation| {
        if method == "patch" {
            bodies.extend(operation.get("requestBody").into_iter().flat_map(references));
        }
    });
    let mut hoisted = Vec::new();
    for (name, schema) in document.schemas_mut().iter_mut().filter(|(name, _)| bodies.contains(*name)) {
        let Some(schema) = schema.as_object_mut() else { continue };
        let required = required(schema);
        for (property, schema) in properties(schema) {
            if required.contains(property) || schema.get("nullable").is_none() {
                continue;
            }
            let mut inner = schema.clone();
            inner.retain(|key, _| !matches!(key.as_str(), "nullable" | "description"));
            let inner = parameter(Value::Object(inner), format!("{name}_{property}"), &mut hoisted);
            schema.retain(|key, _| key == "description");
            schema.insert("x-rust-type".into(), rust_type("Nullable", &[inner]));
            report.place(format!("{name}.{property}"));
        }
    }
    document.schemas_mut().extend(hoisted);
}

pub(super) fn pages(document: &mut Document, report: &mut StepReport) {
    generic(document, report, "Page", &["count", "next", "previous", "results"], "results", |results| {
        results.get("items").cloned()
    });
}

pub(super) fn envelopes(document: &mut Document, report: &mut StepReport) {
    generic(document, report, "Envelope", &["code", "data", "message"], "data", |data| Some(data.clone()));
}

/// Replaces components with exactly these properties with the generic type `name` of what `data` makes of a field.
fn generic(
    document: &mut Document,
    report: &mut StepReport,
    name: &str,
    fields: &[&str],
    field: &str,
    data: impl Fn(&Value) -> Option<Value>,
) {
    let mut hoisted = Vec::new();
    for (component, schema) in document.schemas_mut() {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { continue };
        let matches =
            properties.len() == fields.len() && fields.iter().all(|field| properties.contains_key(*field));
        if matches && let Some(mut inner) = properties.get(field).and_then(&data) {
            if let Some(inner) = inner.as_object_mut() {
                inner.remove("nullable");
            }
            let inner = parameter(inner, format!("{component}_{field}"), &mut hoisted);
            let origin = schema.get(ORIGIN).cloned();
            *schema = json!({ "type": "object", "x-rust-type": rust_type(name, &[inner]) });
            schema.as_object_mut().into_iter().for_each(|schema| {
                schema.extend(origin.clone().map(|origin| (ORIGIN.to_owned(), origin)));
            });
            report.place(component.clone());
        }
    }
    document.schemas_mut().extend(hoisted);
}

/// The schema as the parameter of a hand-written type. A parameter cannot be named, so a schema that needs
/// a name becomes a component that is named after its place.
fn parameter(mut schema: Value, place: String, hoisted: &mut Vec<(String, Value)>) -> Value {
    #[rustfmt::skip]
    const NAMED: [&str; 7] = ["allOf", "anyOf", "enum", "maxLength", "minLength", "oneOf", "properties"];
    let Some(map) = schema.as_object_mut() else { return schema };
    if map.contains_key("x-rust-type") || target(map).is_some() {
        return schema;
    }
    if NAMED.iter().any(|keyword| map.contains_key(*keyword)) {
        let reference = json!({ "$ref": format!("{SCHEMA_REF}{place}") });
        hoisted.push((place, schema));
        return reference;
    }
    for (key, part) in [("items", "item"), ("additionalProperties", "value")] {
        if let Some(inner) = map.remove(key) {
            map.insert(key.into(), parameter(inner, format!("{place}_{part}"), hoisted));
        }
    }
    schema
}
