//! Steps on paths, parameters, bodies and answers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::document::{Document, items, redirect, short_operation_name};
use super::{Applied, Failure};

const JSON: &str = "application/json";

pub(super) fn version(document: &mut Document) -> Result<Applied, Failure> {
    let old = document.0["openapi"].take();
    document.0["openapi"] = json!("3.0.3");
    Ok(vec![format!("{old} -> 3.0.3")])
}

pub(super) fn cookie_parameters(document: &mut Document) -> Result<Applied, Failure> {
    let mut applied = Applied::new();
    document.each_operation(|path, method, operation| {
        if let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) {
            parameters.retain(|parameter| {
                let cookie = parameter["in"] == "cookie";
                if cookie {
                    applied.push(format!("{method} {path}: {}", parameter["name"]));
                }
                !cookie
            });
        }
    });
    Ok(applied)
}

pub(super) fn short_names(document: &mut Document) -> Result<Applied, Failure> {
    let mut taken = BTreeMap::<String, String>::new();
    let mut clash = None;
    let mut forms = Vec::new();
    let mut applied = Applied::new();
    document.each_operation(|path, method, operation| {
        let place = format!("{method} {path}");
        let Some(id) = operation.get("operationId").and_then(Value::as_str).map(str::to_owned) else {
            clash = Some(format!("{place} has no operationId, so that its method has no name"));
            return;
        };
        let short = short_operation_name(&id, path, method).to_owned();
        if let Some(other) = taken.insert(short.clone(), place.clone()) {
            clash = Some(format!("{place} and {other} would both be named `{short}`"));
        }
        if short != id {
            applied.push(format!("{id} -> {short}"));
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
        None => Ok(applied),
        Some(problem) => {
            Err(Failure::new(problem, "give the operation an operationId of its own in openapi/overlay.json"))
        }
    }
}

pub(super) fn handwritten_multipart(document: &mut Document) -> Result<Applied, Failure> {
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
    let mut applied = Applied::new();
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
        applied.push(format!("{method} {path}: {name}"));
    }
    Ok(applied)
}

pub(super) fn optional_bodies(document: &mut Document) -> Result<Applied, Failure> {
    let mut applied = Applied::new();
    document.each_operation(|path, method, operation| {
        if let Some(body) = operation.get_mut("requestBody")
            && body.get("required") != Some(&Value::Bool(true))
        {
            body["required"] = json!(true);
            operation.insert("x-optional-body".into(), json!(true));
            applied.push(format!("{method} {path}"));
        }
    });
    Ok(applied)
}

pub(super) fn body_defaults(document: &mut Document) -> Result<Applied, Failure> {
    let mut applied = Applied::new();
    document.each_operation(|path, method, operation| {
        let schema = operation
            .get_mut("requestBody")
            .and_then(|body| body.get_mut("content")?.get_mut(JSON)?.get_mut("schema")?.as_object_mut());
        if let Some(default) = schema.and_then(|schema| schema.remove("default")) {
            applied.push(format!("{method} {path}: {default}"));
        }
    });
    Ok(applied)
}

pub(super) fn error_answers(document: &mut Document) -> Result<Applied, Failure> {
    let mut applied = Applied::new();
    document.each_operation(|path, method, operation| {
        if let Some(answers) = operation.get_mut("responses").and_then(Value::as_object_mut) {
            answers.retain(|status, _| {
                let success = status.starts_with('2');
                if !success {
                    applied.push(format!("{method} {path}: {status}"));
                }
                success
            });
        }
    });
    Ok(applied)
}

pub(super) fn any_success_status(document: &mut Document) -> Result<Applied, Failure> {
    let mut applied = Applied::new();
    let mut problem = None;
    document.each_operation(|path, method, operation| {
        let Some(answers) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
        let statuses: Vec<String> = answers.keys().cloned().collect();
        match statuses.as_slice() {
            [status] => {
                if let Some(answer) = answers.remove(status) {
                    answers.insert("2XX".into(), answer);
                    applied.push(format!("{method} {path}: {status}"));
                }
            }
            other => {
                problem = Some(format!("{method} {path} has {} success statuses: {other:?}", other.len()));
            }
        }
    });
    match problem {
        None => Ok(applied),
        Some(problem) => Err(Failure::new(
            problem,
            "keep the one that callers read, with a reason, in openapi/overlay.json",
        )),
    }
}

pub(super) fn parameter_defaults(document: &mut Document) -> Result<Applied, Failure> {
    let mut applied = Applied::new();
    document.each_operation(|path, method, operation| {
        for parameter in items(operation, "parameters") {
            let name = parameter["name"].to_string();
            if let Some(default) =
                parameter["schema"].as_object_mut().and_then(|schema| schema.remove("default"))
            {
                applied.push(format!("{method} {path} {name}: {default}"));
            }
        }
    });
    Ok(applied)
}

pub(super) fn parameter_bounds(document: &mut Document) -> Result<Applied, Failure> {
    let mut applied = Applied::new();
    document.each_operation(|path, method, operation| {
        for parameter in items(operation, "parameters") {
            let place = format!("{method} {path} {}", parameter["name"]);
            for bound in ["minimum", "maximum"] {
                if let Some(limit) =
                    parameter["schema"].as_object_mut().and_then(|schema| schema.remove(bound))
                {
                    applied.push(format!("{place}: {bound} {limit}"));
                    parameter["x-bounds"][bound] = limit;
                }
            }
        }
    });
    Ok(applied)
}

pub(super) fn path_nulls(document: &mut Document) -> Result<Applied, Failure> {
    let mut applied = Applied::new();
    document.each_operation(|path, method, operation| {
        for parameter in items(operation, "parameters").filter(|parameter| parameter["in"] == "path") {
            let name = parameter["name"].to_string();
            if parameter["schema"].as_object_mut().is_some_and(|schema| schema.remove("nullable").is_some()) {
                applied.push(format!("{method} {path}: {name}"));
            }
        }
    });
    Ok(applied)
}

pub(super) fn descriptions(document: &mut Document) -> Result<Applied, Failure> {
    let mut applied = Applied::new();
    let mut rewrite = |place: &str, map: &mut serde_json::Map<String, Value>| {
        if let Some(Value::String(text)) = map.get_mut("description") {
            let new = rustdoc(text);
            if *text != new {
                applied.push(place.to_owned());
                *text = new;
            }
        }
    };
    document.each_schema(&mut rewrite);
    document.each_operation(|path, method, operation| rewrite(&format!("{method} {path}"), operation));
    Ok(applied)
}

/// A docstring as rustdoc takes it: no sections about the server's code, no links, no HTML, no indented "code".
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

/// Field names and placeholders read as code.
fn code_like(word: &str) -> String {
    let core = word.trim_matches(|c: char| matches!(c, '.' | ',' | ';' | ':' | '(' | ')'));
    let is_code = core.contains('_') || core.starts_with("${");
    if is_code && !core.contains('`') {
        word.replacen(core, &format!("`{core}`"), 1)
    } else {
        word.to_owned()
    }
}
