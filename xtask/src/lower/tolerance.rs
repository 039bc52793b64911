//! Steps that make responses tolerant, while requests stay strict.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::document::{
    Document, SCHEMA_REF, each_content, each_within, enum_values, is_enum, make_nullable, redirect, target,
};
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

/// Calls `visit(place, schema)` for every schema that only responses reach.
fn each_received(document: &mut Document, mut visit: impl FnMut(&str, &mut Map<String, Value>)) {
    let received = received(document);
    for (name, schema) in document.schemas_mut().iter_mut().filter(|(name, _)| received.contains(*name)) {
        each_within(schema, name, &mut visit);
    }
    document.each_operation(|path, method, operation| {
        let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
        for (_, response) in responses.into_iter().flatten() {
            each_content(response, |schema| each_within(schema, &format!("{method} {path}"), &mut visit));
        }
    });
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
    each_received(document, |place, schema| {
        let required = required(schema);
        if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
            schema.remove("additionalProperties");
            report.place(format!("{place}: unknown fields"));
        }
        for bound in BOUNDS {
            schema.remove(bound);
        }
        let mut optional = BTreeSet::new();
        for (property, schema) in properties(schema) {
            if !required.contains(property) || schema.get("nullable").is_some() {
                make_nullable(schema);
                optional.insert(property.clone());
                report.place(format!("{place}.{property}: null or missing"));
            }
        }
        // `required` and nullable together would allow null but not a missing key.
        let still: Vec<_> = required.difference(&optional).cloned().collect();
        if still.is_empty() {
            schema.remove("required");
        } else {
            schema.insert("required".into(), json!(still));
        }
    });
}

pub(super) fn union_catch_alls(document: &mut Document, report: &mut StepReport) {
    each_received(document, |place, schema| {
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

pub(super) fn open_enums(document: &mut Document, report: &mut StepReport) {
    let enums: BTreeSet<String> = document
        .schemas()
        .iter()
        .filter(|(_, schema)| schema.as_object().is_some_and(is_enum))
        .map(|(name, _)| name.clone())
        .collect();
    each_received(document, |place, schema| {
        // Numbers need no wrapper to keep an unknown one; a single one distinguishes the members of a union.
        if schema.get("type").is_some_and(|kind| kind == "integer" || kind == "number")
            && enum_values(schema).len() > 1
        {
            schema.remove("enum");
            report.place(place);
        }
        let Some(name) = target(schema).filter(|name| enums.contains(*name)).map(str::to_owned) else {
            return;
        };
        schema.remove("$ref");
        schema.remove("allOf");
        schema.insert("type".into(), json!("string"));
        let parameter = json!({ "$ref": format!("{SCHEMA_REF}{name}") });
        schema.insert("x-rust-type".into(), rust_type("OpenEnum", &[parameter]));
        report.place(format!("{place}: {name}"));
    });
}
