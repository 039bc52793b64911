//! Steps that replace generated types with the crate's hand-written types, by rule.

use serde_json::{Map, Value, json};

use super::document::{Document, SCHEMA_REF, references};
use super::schemas::{properties, replace_by, required};
use super::{StepReport, rust_type};

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
        let required = required(schema);
        for (property, schema) in properties(schema) {
            if required.contains(property) || schema.get("nullable").is_none() {
                continue;
            }
            let mut inner = schema.clone();
            inner.retain(|key, _| !matches!(key.as_str(), "nullable" | "description"));
            // A constrained string needs a name, which a type parameter does not have.
            if ["minLength", "maxLength", "pattern"].iter().any(|bound| inner.contains_key(*bound)) {
                let component = format!("{name}_{property}");
                hoisted.push((component.clone(), Value::Object(std::mem::take(&mut inner))));
                inner.insert("$ref".into(), json!(format!("{SCHEMA_REF}{component}")));
            }
            schema.retain(|key, _| key == "description");
            schema.insert("x-rust-type".into(), rust_type("Nullable", &[Value::Object(inner)]));
            report.place(format!("{name}.{property}"));
        }
    }
    document.schemas_mut().extend(hoisted);
}

pub(super) fn pages(document: &mut Document, report: &mut StepReport) {
    generic(document, report, "Page", &["count", "next", "previous", "results"], |properties| {
        properties.get("results")?.get("items").cloned()
    });
}

pub(super) fn envelopes(document: &mut Document, report: &mut StepReport) {
    generic(document, report, "Envelope", &["code", "data", "message"], |properties| {
        properties.get("data").cloned()
    });
}

/// Replaces components with exactly these properties with the generic type `name` of what `parameter` returns.
fn generic(
    document: &mut Document,
    report: &mut StepReport,
    name: &str,
    fields: &[&str],
    parameter: impl Fn(&Map<String, Value>) -> Option<Value>,
) {
    for (component, schema) in document.schemas_mut() {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { continue };
        let matches =
            properties.len() == fields.len() && fields.iter().all(|field| properties.contains_key(*field));
        if matches && let Some(mut inner) = parameter(properties) {
            if let Some(inner) = inner.as_object_mut() {
                inner.remove("nullable");
            }
            *schema = json!({ "type": "object", "x-rust-type": rust_type(name, &[inner]) });
            report.place(component.clone());
        }
    }
}
