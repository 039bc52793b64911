//! The schemas that requests are checked against: of each operation's parameters, and of each type that a body contains.

use std::collections::BTreeMap;

use heck::ToPascalCase;
use serde_json::{Map, Value, json};

use super::tables::references;

type Result<T> = std::result::Result<T, String>;

const PREFIX: &str = "#/components/schemas/";

/// Keywords that do not restrict values.
const IGNORED: &str = "default deprecated discriminator title";

/// Keywords that are kept as they are.
const KEPT: &str = "$ref description format maxItems maxLength maxProperties maximum minItems minLength minProperties minimum \
    required type";

/// Returns one object: `parameters` by operation, the name of the body's type in `bodies` by operation, `types` by their Rust names,
/// and the `components` that they lead to.
///
/// The schemas are those of the lowered document, OpenAPI 3.0.3, in the form of JSON Schema: null is a type, a single value
/// is a constant.
pub(crate) fn requests(document: &Value) -> Result<Value> {
    let mut parameters = Map::new();
    let mut bodies = Map::new();
    let mut types = Map::new();
    let mut open = Vec::new();
    for (id, operation) in operations(document) {
        let schema = parameters_of(operation).map_err(|error| format!("{id}: {error}"))?;
        references(&schema, PREFIX, &mut open);
        parameters.insert(id.to_owned(), schema);
        for media in operation["requestBody"]["content"].as_object().into_iter().flat_map(Map::values) {
            let body = normalised(&media["schema"]).map_err(|error| format!("body of {id}: {error}"))?;
            references(&body, PREFIX, &mut open);
            let component = body["$ref"].as_str().and_then(|name| name.strip_prefix(PREFIX));
            // The generator names an unnamed body like this.
            let name = component.map_or_else(|| rust_name(&format!("{id}-body")), rust_name);
            bodies.insert(id.to_owned(), name.clone().into());
            if component.is_none() {
                types.insert(name, body);
            }
        }
    }
    let mut schemas = Map::new();
    while let Some(name) = open.pop() {
        if !schemas.contains_key(&name) {
            let schema = normalised(&document["components"]["schemas"][&name])
                .map_err(|error| format!("{name}: {error}"))?;
            references(&schema, PREFIX, &mut open);
            types.insert(rust_name(&name), json!({ "$ref": format!("{PREFIX}{name}") }));
            schemas.insert(name, schema);
        }
    }
    let patches = patch_bodies(document);
    for (_, schema) in schemas.iter_mut().filter(|(name, _)| !patches.contains(&name.as_str())) {
        may_omit_nulls(schema);
    }
    Ok(
        json!({ "parameters": parameters, "bodies": bodies, "types": types, "components": { "schemas": schemas } }),
    )
}

/// Returns the arms of a `match` over type names, each of which reads a value into its type, as Rust code.
pub(crate) fn readers(requests: &Value) -> String {
    let names = requests["types"].as_object().into_iter().flat_map(Map::keys);
    let arm = |name: &String| {
        format!("    {name:?} => serde_json::from_value::<crate::types::{name}>(value).map(drop),\n")
    };
    let unknown = "    _ => unreachable!(\"{name} is not a request type\"),\n";
    format!("match name {{\n{}{unknown}}}\n", names.map(arm).collect::<String>())
}

/// All operations by their ids.
fn operations(document: &Value) -> BTreeMap<&str, &Value> {
    let items = document["paths"].as_object().into_iter().flat_map(Map::values);
    let generated = items.flat_map(|item| item.as_object().into_iter().flat_map(Map::values));
    let generated = generated.filter_map(|operation| Some((operation["operationId"].as_str()?, operation)));
    let handwritten = document["x-handwritten"].as_object().into_iter().flatten();
    generated.chain(handwritten.map(|(id, operation)| (id.as_str(), operation))).collect()
}

/// The names of the bodies of PATCH operations.
fn patch_bodies(document: &Value) -> Vec<&str> {
    let items = document["paths"].as_object().into_iter().flat_map(Map::values);
    let bodies = items.filter_map(|item| {
        item["patch"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str()
    });
    bodies.filter_map(|body| body.strip_prefix(PREFIX)).collect()
}

/// Makes fields that are required and nullable optional: the request's type writes null for them.
///
/// In a PATCH, the null would clear a field that the caller may only have forgotten.
fn may_omit_nulls(schema: &mut Value) {
    let is_nullable = |property: &Value| {
        property["anyOf"].as_array().is_some_and(|members| members.iter().any(|one| one["type"] == "null"))
    };
    let properties = schema["properties"].clone();
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name.as_str().is_none_or(|name| !is_nullable(&properties[name])));
    }
}

/// The parameters of an operation as one object.
fn parameters_of(operation: &Value) -> Result<Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().ok_or("a parameter lacks its name")?;
        let mut schema = parameter["schema"].clone();
        let fields = schema.as_object_mut().ok_or("a parameter lacks its schema")?;
        for (keyword, bound) in parameter["x-bounds"].as_object().into_iter().flatten() {
            fields.insert(keyword.clone(), bound.clone());
        }
        if let Some(description) = parameter.get("description") {
            fields.entry("description").or_insert_with(|| description.clone());
        }
        properties.insert(name.to_owned(), normalised(&schema)?);
        if parameter["required"] == true {
            required.push(name);
        }
    }
    Ok(
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false }),
    )
}

/// The schema in the form of JSON Schema.
///
/// # Errors
/// If it has a keyword that is not known here.
fn normalised(schema: &Value) -> Result<Value> {
    let Some(schema) = schema.as_object() else { return Err("a schema is not an object".to_owned()) };
    let mut result = Map::new();
    let mut is_nullable = schema.get("nullable").is_some_and(|nullable| *nullable == true);
    for (keyword, value) in schema {
        let kept = match keyword.as_str() {
            "x-rust-type" => {
                let Some(inner) = value["parameters"].get(0) else { continue };
                is_nullable |= value["path"] == "liveavatar_api::Nullable";
                merge(&mut result, normalised(inner)?);
                continue;
            }
            "allOf" => {
                let [only] = list(value)? else { return Err("`allOf` has several members".to_owned()) };
                merge(&mut result, normalised(only)?);
                continue;
            }
            "oneOf" | "anyOf" => list(value)?.iter().map(normalised).collect::<Result<_>>()?,
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                let inner = properties.map(|(name, inner)| Ok((name.clone(), normalised(inner)?)));
                Value::Object(inner.collect::<Result<_>>()?)
            }
            "items" | "additionalProperties" if value.is_object() => normalised(value)?,
            "additionalProperties" => value.clone(),
            "enum" => match list(value)? {
                [only] => {
                    result.insert("const".to_owned(), only.clone());
                    continue;
                }
                _ => value.clone(),
            },
            "nullable" | "exclusiveMinimum" | "exclusiveMaximum" => continue,
            "minimum" if schema.get("exclusiveMinimum").is_some_and(|is| *is == true) => {
                result.insert("exclusiveMinimum".to_owned(), value.clone());
                continue;
            }
            "maximum" if schema.get("exclusiveMaximum").is_some_and(|is| *is == true) => {
                result.insert("exclusiveMaximum".to_owned(), value.clone());
                continue;
            }
            known if KEPT.split(' ').any(|kept| kept == known) => value.clone(),
            ignored if ignored.starts_with("x-") || IGNORED.split(' ').any(|one| one == ignored) => continue,
            unknown => return Err(format!("the check of requests does not know the keyword `{unknown}`")),
        };
        result.insert(keyword.clone(), kept);
    }
    // A wrapper such as `OpenEnum` repeats the type of what it wraps.
    if result.contains_key("$ref") {
        result.retain(|keyword, _| matches!(keyword.as_str(), "$ref" | "description"));
    }
    if is_nullable {
        let description = result.remove("description");
        let mut outer = Map::new();
        outer.insert("anyOf".to_owned(), json!([result, { "type": "null" }]));
        outer.extend(description.map(|description| ("description".to_owned(), description)));
        result = outer;
    }
    Ok(Value::Object(result))
}

/// Adds the keywords of an inner schema, except for those that the outer one has.
fn merge(outer: &mut Map<String, Value>, inner: Value) {
    if let Value::Object(inner) = inner {
        for (keyword, value) in inner {
            outer.entry(keyword).or_insert(value);
        }
    }
}

fn list(value: &Value) -> Result<&[Value]> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| "a list of schemas or values is not a list".to_owned())
}

/// The name of the generated type for a component.
fn rust_name(component: &str) -> String {
    component.to_pascal_case()
}
