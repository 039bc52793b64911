//! Steps on paths, parameters, bodies and responses.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::document::{Document, items, redirect, short_operation_name};
use super::{Places, TaskError};

const JSON: &str = "application/json";

pub(super) fn version(document: &mut Document) -> Result<Places, TaskError> {
    let old = document.0["openapi"].take();
    document.0["openapi"] = json!("3.0.3");
    Ok(vec![format!("{old} -> 3.0.3")])
}

pub(super) fn cookie_parameters(document: &mut Document) -> Result<Places, TaskError> {
    let mut places = Places::new();
    document.each_operation(|path, method, operation| {
        if let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) {
            parameters.retain(|parameter| {
                let cookie = parameter["in"] == "cookie";
                if cookie {
                    places.push(format!("{method} {path}: {}", parameter["name"]));
                }
                !cookie
            });
        }
    });
    Ok(places)
}

pub(super) fn short_names(document: &mut Document) -> Result<Places, TaskError> {
    let mut taken = BTreeMap::<String, String>::new();
    let mut clash = None;
    let mut forms = Vec::new();
    let mut places = Places::new();
    document.each_operation(|path, method, operation| {
        let place = format!("{method} {path}");
        let Some(id) = operation.get("operationId").and_then(Value::as_str).map(str::to_owned) else {
            clash = Some(format!("{place} has no operationId to name its method after"));
            return;
        };
        let short = short_operation_name(&id, path, method).to_owned();
        if let Some(other) = taken.insert(short.clone(), place.clone()) {
            clash = Some(format!("{place} and {other} would both get the method name `{short}`"));
        }
        if short != id {
            places.push(format!("{id} -> {short}"));
        }
        // FastAPI names the schema of a form after the operation.
        forms.push((format!("Body_{id}"), format!("{short}_body")));
        operation.insert("operationId".into(), json!(short));
    });
    for (old, new) in forms {
        if let Some(schema) = document.schemas_mut().remove(&old) {
            document.schemas_mut().insert(new.clone(), schema);
            redirect(&mut document.0, &|name| (name == old).then(|| new.clone()));
        }
    }
    match clash {
        None => Ok(places),
        Some(problem) => {
            Err(TaskError::new(problem, "give the operation a unique operationId in openapi/overlay.json"))
        }
    }
}

pub(super) fn handwritten_multipart(document: &mut Document) -> Result<Places, TaskError> {
    let mut found = Vec::new();
    document.each_operation(|path, method, operation| {
        let json = operation
            .get("requestBody")
            .and_then(|body| body.get("content"))
            .is_none_or(|c| c.get(JSON).is_some());
        if !json {
            found.push((path.to_owned(), method.to_owned()));
        }
    });
    let mut places = Places::new();
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
        if document.0["paths"][&path].as_object().is_some_and(serde_json::Map::is_empty)
            && let Some(paths) = document.0["paths"].as_object_mut()
        {
            paths.remove(&path);
        }
        places.push(format!("{method} {path}: {name}"));
    }
    Ok(places)
}

pub(super) fn optional_bodies(document: &mut Document) -> Result<Places, TaskError> {
    let mut places = Places::new();
    document.each_operation(|path, method, operation| {
        if let Some(body) = operation.get_mut("requestBody")
            && body.get("required") != Some(&Value::Bool(true))
        {
            body["required"] = json!(true);
            operation.insert("x-optional-body".into(), json!(true));
            places.push(format!("{method} {path}"));
        }
    });
    Ok(places)
}

pub(super) fn body_defaults(document: &mut Document) -> Result<Places, TaskError> {
    let mut places = Places::new();
    document.each_operation(|path, method, operation| {
        let schema = operation
            .get_mut("requestBody")
            .and_then(|body| body.get_mut("content")?.get_mut(JSON)?.get_mut("schema")?.as_object_mut());
        if let Some(default) = schema.and_then(|schema| schema.remove("default")) {
            places.push(format!("{method} {path}: {default}"));
        }
    });
    Ok(places)
}

pub(super) fn error_responses(document: &mut Document) -> Result<Places, TaskError> {
    let mut places = Places::new();
    document.each_operation(|path, method, operation| {
        if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
            responses.retain(|status, _| {
                let success = status.starts_with('2');
                if !success {
                    places.push(format!("{method} {path}: {status}"));
                }
                success
            });
        }
    });
    Ok(places)
}

pub(super) fn any_success_status(document: &mut Document) -> Result<Places, TaskError> {
    let mut places = Places::new();
    let mut problem = None;
    document.each_operation(|path, method, operation| {
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
        let statuses: Vec<String> = responses.keys().cloned().collect();
        match statuses.as_slice() {
            [status] => {
                if let Some(response) = responses.remove(status) {
                    responses.insert("2XX".into(), response);
                    places.push(format!("{method} {path}: {status}"));
                }
            }
            other => {
                problem = Some(format!("{method} {path} has {} success statuses: {other:?}", other.len()));
            }
        }
    });
    match problem {
        None => Ok(places),
        Some(problem) => {
            Err(TaskError::new(problem, "remove all but the one that callers read in openapi/overlay.json"))
        }
    }
}

pub(super) fn parameter_defaults(document: &mut Document) -> Result<Places, TaskError> {
    let mut places = Places::new();
    document.each_operation(|path, method, operation| {
        for parameter in items(operation, "parameters") {
            let name = parameter["name"].to_string();
            if let Some(default) =
                parameter["schema"].as_object_mut().and_then(|schema| schema.remove("default"))
            {
                places.push(format!("{method} {path} {name}: {default}"));
            }
        }
    });
    Ok(places)
}

pub(super) fn parameter_bounds(document: &mut Document) -> Result<Places, TaskError> {
    let mut places = Places::new();
    document.each_operation(|path, method, operation| {
        for parameter in items(operation, "parameters") {
            let place = format!("{method} {path} {}", parameter["name"]);
            for bound in ["minimum", "maximum"] {
                if let Some(limit) =
                    parameter["schema"].as_object_mut().and_then(|schema| schema.remove(bound))
                {
                    places.push(format!("{place}: {bound} {limit}"));
                    parameter["x-bounds"][bound] = limit;
                }
            }
        }
    });
    Ok(places)
}

pub(super) fn path_nulls(document: &mut Document) -> Result<Places, TaskError> {
    let mut places = Places::new();
    document.each_operation(|path, method, operation| {
        for parameter in items(operation, "parameters").filter(|parameter| parameter["in"] == "path") {
            let name = parameter["name"].to_string();
            if parameter["schema"].as_object_mut().is_some_and(|schema| schema.remove("nullable").is_some()) {
                places.push(format!("{method} {path}: {name}"));
            }
        }
    });
    Ok(places)
}

pub(super) fn descriptions(document: &mut Document) -> Result<Places, TaskError> {
    let mut places = Places::new();
    let mut rewrite = |place: &str, map: &mut serde_json::Map<String, Value>| {
        if let Some(Value::String(text)) = map.get_mut("description") {
            let new = rustdoc(text);
            if *text != new {
                places.push(place.to_owned());
                *text = new;
            }
        }
    };
    document.each_schema(&mut rewrite);
    document.each_operation(|path, method, operation| rewrite(&format!("{method} {path}"), operation));
    Ok(places)
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
