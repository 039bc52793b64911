//! Steps on paths, parameters, bodies and responses.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::StepReport;
use super::document::{Document, items, operation_name, redirect};

const JSON: &str = "application/json";

pub(super) fn version(document: &mut Document, report: &mut StepReport) {
    let old = document.0["openapi"].take();
    document.0["openapi"] = json!("3.0.3");
    report.place(format!("{old} -> 3.0.3"));
}

pub(super) fn cookie_parameters(document: &mut Document, report: &mut StepReport) {
    document.each_operation(|path, method, operation| {
        if let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) {
            parameters.retain(|parameter| {
                let cookie = parameter["in"] == "cookie";
                if cookie {
                    report.place(format!("{method} {path}: {}", parameter["name"]));
                }
                !cookie
            });
        }
    });
}

pub(super) fn short_names(document: &mut Document, report: &mut StepReport) {
    const FIX: &str = "give the operation a unique operationId in openapi/overlay.json";
    let mut taken = BTreeMap::<String, String>::new();
    let mut forms = BTreeMap::new();
    document.each_operation(|path, method, operation| {
        let place = format!("{method} {path}");
        let short = operation_name(operation, path, method);
        let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(other) = taken.get(&short) {
            let problem = format!("{place} and {other} would both get the method name `{short}`");
            return report.refuse(path, method, problem, FIX);
        }
        taken.insert(short.clone(), place);
        if short != id {
            report.place(format!("{id} -> {short}"));
        }
        // FastAPI names the schema of a form after the operation.
        forms.insert(format!("Body_{id}"), format!("{short}_body"));
        operation.insert("operationId".into(), json!(short));
    });
    let schemas = document.schemas_mut();
    forms.retain(|old, new| {
        let form = schemas.remove(old);
        form.is_some_and(|form| schemas.insert(new.clone(), form).is_none())
    });
    redirect(&mut document.0, &|name| forms.get(name).cloned());
}

pub(super) fn handwritten_multipart(document: &mut Document, report: &mut StepReport) {
    let mut found = Vec::new();
    document.each_operation(|path, method, operation| {
        let content =
            operation.get_mut("requestBody").and_then(|body| body.get_mut("content")?.as_object_mut());
        match content {
            Some(content) if content.contains_key(JSON) => {
                let all = content.len();
                content.retain(|media_type, _| media_type == JSON);
                if content.len() < all {
                    report.place(format!("{method} {path}: only {JSON}"));
                }
            }
            Some(_) => found.push((path.to_owned(), method.to_owned())),
            None => {}
        }
    });
    for (path, method) in found {
        let Some(mut operation) =
            document.0["paths"][&path].as_object_mut().and_then(|item| item.remove(&method))
        else {
            continue;
        };
        let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
        operation["x-method"] = json!(method);
        operation["x-path"] = json!(path);
        document.0["x-handwritten"][&name] = operation;
        if document.0["paths"][&path].as_object().is_some_and(Map::is_empty)
            && let Some(paths) = document.0["paths"].as_object_mut()
        {
            paths.remove(&path);
        }
        report.place(format!("{method} {path}: {name}"));
    }
}

pub(super) fn optional_bodies(document: &mut Document, report: &mut StepReport) {
    document.each_operation(|path, method, operation| {
        if let Some(body) = operation.get_mut("requestBody")
            && body.get("required") != Some(&Value::Bool(true))
        {
            body["required"] = json!(true);
            operation.insert("x-optional-body".into(), json!(true));
            report.place(format!("{method} {path}"));
        }
    });
}

pub(super) fn body_defaults(document: &mut Document, report: &mut StepReport) {
    document.each_operation(|path, method, operation| {
        let schema = operation
            .get_mut("requestBody")
            .and_then(|body| body.get_mut("content")?.get_mut(JSON)?.get_mut("schema")?.as_object_mut());
        if let Some(default) = schema.and_then(|schema| schema.remove("default")) {
            report.place(format!("{method} {path}: {default}"));
        }
    });
}

pub(super) fn error_responses(document: &mut Document, report: &mut StepReport) {
    document.each_operation(|path, method, operation| {
        if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
            responses.retain(|status, _| {
                let success = status.starts_with('2');
                if !success {
                    report.place(format!("{method} {path}: {status}"));
                }
                success
            });
        }
    });
}

pub(super) fn any_success_status(document: &mut Document, report: &mut StepReport) {
    document.each_operation(|path, method, operation| {
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
        let statuses: Vec<String> = responses.keys().cloned().collect();
        for response in responses.values_mut() {
            let content = response.get_mut("content").and_then(Value::as_object_mut);
            let Some(content) = content.filter(|content| !content.is_empty()) else { continue };
            if !content.contains_key(JSON) {
                let types = content.keys().cloned().collect::<Vec<_>>().join(", ");
                let problem = format!("{method} {path} responds with {types}, not with {JSON}");
                let fix = "remove the operation in openapi/overlay.json, and write its method by hand";
                return report.refuse(path, method, problem, fix);
            }
            content.retain(|media_type, _| media_type == JSON);
        }
        // Responses without a body say nothing that another one could contradict.
        let mut bodies = responses.values().filter(|response| response.get("content").is_some());
        let response = bodies.next().or_else(|| responses.values().next()).cloned();
        if bodies.any(|other| response.as_ref().is_none_or(|one| one["content"] != other["content"])) {
            let count = statuses.len();
            let problem =
                format!("{method} {path} has {count} success statuses with different bodies: {statuses:?}");
            let fix = "remove all but the one that callers read in openapi/overlay.json";
            return report.refuse(path, method, problem, fix);
        }
        *responses = Map::new();
        responses.insert("2XX".into(), response.unwrap_or_else(|| json!({ "description": "" })));
        report.place(format!("{method} {path}: {}", statuses.join(", ")));
    });
}

pub(super) fn parameter_defaults(document: &mut Document, report: &mut StepReport) {
    document.each_parameter(|place, parameter| {
        let schema = parameter["schema"].as_object_mut();
        if let Some(default) = schema.and_then(|schema| schema.remove("default")) {
            report.place(format!("{place}: {default}"));
        }
    });
}

pub(super) fn parameter_bounds(document: &mut Document, report: &mut StepReport) {
    document.each_parameter(|place, parameter| {
        for (bound, exclusive, inside) in
            [("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1)]
        {
            let Some(schema) = parameter["schema"].as_object_mut() else { continue };
            // The limits of FastAPI are floats, also for integers.
            #[expect(clippy::cast_possible_truncation, reason = "an integer parameter has an integer limit")]
            let integer = |limit: Value| limit.as_f64().map(|limit| json!(limit as i64 + inside));
            let is_integer = schema.get("type").is_some_and(|kind| kind == "integer");
            let excluded = if is_integer { schema.remove(exclusive).and_then(integer) } else { None };
            if let Some(limit) = schema.remove(bound).or(excluded) {
                report.place(format!("{place}: {bound} {limit}"));
                parameter["x-bounds"][bound] = limit;
            }
        }
    });
}

pub(super) fn path_parameters(document: &mut Document, report: &mut StepReport) {
    document.each_operation(|path, method, operation| {
        for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            if !items(operation, "parameters").any(|other| other["in"] == "path" && other["name"] == name) {
                let missing =
                    json!({ "in": "path", "name": name, "required": true, "schema": { "type": "string" } });
                let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
                parameters.as_array_mut().into_iter().for_each(|list| list.push(missing.clone()));
                report.place(format!("{method} {path}: {name} is missing"));
            }
        }
    });
    document.each_parameter(|place, parameter| {
        // FastAPI reads a list from repeated headers, so that one text is a list, too.
        if parameter["in"] == "header" && parameter["schema"]["type"] == "array" {
            parameter["schema"] = json!({ "type": "string" });
            report.place(place);
        }
        let is_text = parameter["in"] == "path" || parameter["in"] == "header";
        let schema = if is_text { parameter["schema"].as_object_mut() } else { None };
        if schema.is_some_and(|schema| schema.remove("nullable").is_some()) {
            report.place(place);
        }
    });
}

pub(super) fn descriptions(document: &mut Document, report: &mut StepReport) {
    let mut rewrite = |place: &str, map: &mut Map<String, Value>| {
        if let Some(Value::String(text)) = map.get_mut("description") {
            let new = rustdoc(text);
            if *text != new {
                report.place(place);
                *text = new;
            }
        }
    };
    document.each_schema(&mut rewrite);
    document.each_operation(|path, method, operation| rewrite(&format!("{method} {path}"), operation));
}

/// Makes a docstring valid rustdoc: without the sections about the server's code, links, HTML and indented "code".
fn rustdoc(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines().map(str::trim) {
        if matches!(line, "Args:" | "Returns:" | "Raises:") {
            break;
        }
        let escaped = line.replace('\\', r"\\").replace('[', r"\[").replace(']', r"\]").replace('<', r"\<");
        let words: Vec<String> = escaped
            .split(' ')
            .map(|word| {
                let address = word.starts_with("http://") || word.starts_with("https://");
                if address { format!("<{word}>") } else { code_like(word) }
            })
            .collect();
        lines.push(words.join(" "));
    }
    lines.join("\n").trim().to_owned()
}

/// Marks field names and placeholders as code.
fn code_like(word: &str) -> String {
    let core = word.trim_matches(|c: char| matches!(c, '.' | ',' | ';' | ':' | '(' | ')'));
    let is_code = core.contains('_') || core.starts_with("${");
    if is_code && !core.contains('`') {
        word.replacen(core, &format!("`{core}`"), 1)
    } else {
        word.to_owned()
    }
}
