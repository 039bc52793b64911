//! What every step takes for granted of a document's parts.

use serde_json::Value;

use super::document::METHODS;
use crate::failure::Failure;

/// The parts that must be objects or lists where they are there; `*` is any entry, `METHOD` the ones that are operations.
const PARTS: &[(&str, Kind)] = &[
    ("", Kind::Object),
    ("paths", Kind::Object),
    ("paths/*", Kind::Object),
    ("paths/*/METHOD", Kind::Object),
    ("paths/*/METHOD/parameters", Kind::List),
    ("paths/*/METHOD/parameters/*", Kind::Object),
    ("paths/*/METHOD/parameters/*/schema", Kind::Object),
    ("paths/*/METHOD/parameters/*/x-bounds", Kind::Object),
    ("paths/*/METHOD/requestBody", Kind::Object),
    ("paths/*/METHOD/responses", Kind::Object),
    ("paths/*/METHOD/responses/*", Kind::Object),
    ("components", Kind::Object),
    ("components/schemas", Kind::Object),
    ("x-handwritten", Kind::Object),
];

#[derive(Clone, Copy)]
enum Kind {
    Object,
    List,
}

/// Refuses a document whose parts are of another kind than OpenAPI says.
pub(super) fn check(document: &Value) -> Result<(), Failure> {
    for (part, kind) in PARTS {
        let keys: Vec<&str> = part.split('/').filter(|key| !key.is_empty()).collect();
        if let Some(place) = wrong(document, &keys, *kind) {
            let place = if place.is_empty() { "as a whole".to_owned() } else { format!("at {place}") };
            let kind = match kind {
                Kind::Object => "an object",
                Kind::List => "a list",
            };
            return Err(Failure::new(
                format!("the document is no OpenAPI {place}, where {kind} belongs"),
                "fetch the document again, or mend it by an action in openapi/overlay.json",
            ));
        }
    }
    Ok(())
}

/// The pointer of the first part that is of another kind.
fn wrong(value: &Value, keys: &[&str], kind: Kind) -> Option<String> {
    let Some((key, rest)) = keys.split_first() else {
        let fits = match kind {
            Kind::Object => value.is_object(),
            Kind::List => value.is_array(),
        };
        return (!fits).then(String::new);
    };
    let within = |name: &str, inner: &Value| {
        let place = wrong(inner, rest, kind)?;
        Some(format!("/{}{place}", name.replace('~', "~0").replace('/', "~1")))
    };
    let matches = |name: &str| match *key {
        "*" => true,
        "METHOD" => METHODS.contains(&name),
        key => key == name,
    };
    match value {
        Value::Object(map) => {
            map.iter().filter(|(name, _)| matches(name)).find_map(|(name, inner)| within(name, inner))
        }
        Value::Array(items) if *key == "*" => {
            items.iter().enumerate().find_map(|(at, inner)| within(&at.to_string(), inner))
        }
        _ => None,
    }
}
