//! Steps that make responses tolerant, while requests stay strict.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::document::{Document, SCHEMA_REF, each_within, is_enum, make_nullable, redirect, target};
use super::schemas::{properties, required};
use super::{StepReport, rust_type};

/// The suffix of a response's type if requests use the same object.
const OUTPUT: &str = "Output";

pub(super) fn split_directions(document: &mut Document, report: &mut StepReport) {
    let (requests, responses) = document.directions();
    let both: BTreeSet<String> = requests
        .intersection(&responses)
        .filter(|name| {
            document.schemas().get(*name).and_then(Value::as_object).is_some_and(|schema| !is_enum(schema))
        })
        .cloned()
        .collect();
    let output = |name: &str| both.contains(name).then(|| format!("{name}{OUTPUT}"));
    let copies: Vec<_> =
        both.iter().filter_map(|name| Some((output(name)?, document.schemas().get(name)?.clone()))).collect();
    document.schemas_mut().extend(copies);
    for (name, schema) in document.schemas_mut() {
        let only_received = responses.contains(name) && !requests.contains(name);
        if only_received || name.strip_suffix(OUTPUT).is_some_and(|base| both.contains(base)) {
            redirect(schema, &output);
        }
    }
    document.each_operation(|_, _, operation| {
        operation.get_mut("responses").into_iter().for_each(|part| redirect(part, &output));
    });
    report.places.extend(both);
}

/// Names of the components that only responses reach.
fn received(document: &mut Document) -> BTreeSet<String> {
    let (requests, responses) = document.directions();
    responses.difference(&requests).cloned().collect()
}

pub(super) fn lenient(document: &mut Document, report: &mut StepReport) {
    #[rustfmt::skip]
    const BOUNDS: [&str; 9] = [
        "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
        "minItems", "maxItems", "uniqueItems",
    ];
    let received = received(document);
    for (name, schema) in document.schemas_mut().iter_mut().filter(|(name, _)| received.contains(*name)) {
        let required = required(schema);
        if schema.get("additionalProperties") == Some(&Value::Bool(false))
            && let Some(schema) = schema.as_object_mut()
        {
            schema.remove("additionalProperties");
            report.place(format!("{name}: unknown fields"));
        }
        let mut optional = BTreeSet::new();
        for (property, schema) in properties(schema) {
            if !required.contains(property) || schema.get("nullable").is_some() {
                make_nullable(schema);
                optional.insert(property.clone());
                report.place(format!("{name}.{property}: null or missing"));
            }
            for bound in BOUNDS {
                schema.remove(bound);
            }
        }
        // `required` and nullable together would allow null but not a missing key.
        let still: Vec<_> = required.difference(&optional).cloned().collect();
        if let Some(schema) = schema.as_object_mut() {
            if still.is_empty() {
                schema.remove("required");
            } else {
                schema.insert("required".into(), json!(still));
            }
        }
    }
}

pub(super) fn union_catch_alls(document: &mut Document, report: &mut StepReport) {
    let received = received(document);
    for (name, schema) in document.schemas_mut().iter_mut().filter(|(name, _)| received.contains(*name)) {
        each_within(schema, name, &mut |place: &str, schema: &mut Map<String, Value>| {
            let Some(Value::Array(members)) = schema.get_mut("oneOf") else { return };
            let named = |member: &Value| member.as_object().and_then(target).is_some();
            if members.iter().any(named) {
                // The catch-all replaces a free-form member.
                members.retain(named);
                members.push(json!({ "title": "Other" }));
                report.place(place);
            }
        });
    }
}

pub(super) fn open_enums(document: &mut Document, report: &mut StepReport) {
    let received = received(document);
    let enums: BTreeSet<String> = document
        .schemas()
        .iter()
        .filter(|(_, schema)| schema.as_object().is_some_and(is_enum))
        .map(|(name, _)| name.clone())
        .collect();
    for (name, schema) in document.schemas_mut() {
        if !received.contains(name) || enums.contains(name) {
            continue;
        }
        each_within(schema, name, &mut |place: &str, schema: &mut Map<String, Value>| {
            let Some(name) = target(schema).filter(|name| enums.contains(*name)).map(str::to_owned) else {
                return;
            };
            schema.remove("$ref");
            schema.remove("allOf");
            schema.insert("type".into(), json!("string"));
            schema.insert(
                "x-rust-type".into(),
                rust_type("OpenEnum", &[json!({ "$ref": format!("{SCHEMA_REF}{name}") })]),
            );
            report.place(format!("{place}: {name}"));
        });
    }
}
