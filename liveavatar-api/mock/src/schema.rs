//! Schemas of the document: references, nullability and compiled validators.

use std::borrow::Cow;
use std::sync::{LazyLock, OnceLock};

use jsonschema::{Draft, Registry, Resource, ValidationError, Validator};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

/// The document's URI in the registry; it is never fetched.
const DOCUMENT_URI: &str = "document:/service.json";

/// A longer chain of references is a loop.
const REFERENCE_HOPS: usize = 16;

/// Encoded in a URI fragment; above all the braces of path templates.
const FRAGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'~').remove(b'-').remove(b'.').remove(b'_');

static ROOT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(liveavatar_api::raw::SERVICE_DOCUMENT).expect("a test checks the embedded document")
});

static REGISTRY: LazyLock<Registry<'static>> = LazyLock::new(|| {
    Registry::new()
        .draft(Draft::Draft202012)
        .add(DOCUMENT_URI, Resource::from_contents(ROOT.clone()))
        .and_then(jsonschema::RegistryBuilder::prepare)
        .expect("the document refers to nothing outside itself")
});

/// Returns the whole document.
pub(crate) fn root() -> &'static Value {
    &ROOT
}

/// A schema inside the document, with its validator compiled on first use.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) value: &'static Value,
    pointer: String,
    validator: OnceLock<Validator>,
}

impl Schema {
    /// Returns the schema at a JSON pointer, if the document has one there.
    pub(crate) fn at(pointer: String) -> Option<Schema> {
        let value = root().pointer(&pointer)?;
        Some(Schema { value, pointer, validator: OnceLock::new() })
    }

    /// Returns every violation of the schema by `instance`.
    pub(crate) fn errors<'a>(&'a self, instance: &'a Value) -> impl Iterator<Item = ValidationError<'a>> {
        let validator = self.validator.get_or_init(|| compile(&self.pointer));
        validator.iter_errors(instance)
    }

    /// Returns the members of a top-level `oneOf` or `anyOf`; empty if the schema is not a union.
    pub(crate) fn members(&self) -> Vec<Schema> {
        ["oneOf", "anyOf"]
            .iter()
            .filter_map(|keyword| Some((keyword, self.value.get(keyword)?.as_array()?)))
            .flat_map(|(keyword, members)| {
                (0..members.len())
                    .filter_map(move |index| Schema::at(format!("{}/{keyword}/{index}", self.pointer)))
            })
            .collect()
    }
}

fn compile(pointer: &str) -> Validator {
    let reference = json!({ "$ref": format!("{DOCUMENT_URI}#{}", utf8_percent_encode(pointer, FRAGMENT)) });
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_registry(&REGISTRY)
        .should_validate_formats(true)
        .build(&reference)
        .expect("the pointer leads to a schema of the document, see Schema::at")
}

/// Returns whether `text` matches the regular expression `pattern` according to the validators.
pub(crate) fn matches_pattern(pattern: &str, text: &str) -> bool {
    jsonschema::is_valid(&json!({ "pattern": pattern }), &Value::from(text))
}

/// Follows `$ref` to a schema without one.
pub(crate) fn resolve(schema: &'static Value) -> &'static Value {
    let mut current = schema;
    for _ in 0..REFERENCE_HOPS {
        let target = current
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| root().pointer(reference.strip_prefix('#')?));
        match target {
            Some(target) => current = target,
            None => break,
        }
    }
    current
}

/// Returns the default next to a reference, or that of the referenced schema.
pub(crate) fn default_of(schema: &'static Value) -> Option<&'static Value> {
    schema.get("default").or_else(|| resolve(schema).get("default"))
}

pub(crate) fn is_required(schema: &Value, property: &str) -> bool {
    schema["required"].as_array().is_some_and(|names| names.iter().any(|name| name == property))
}

/// Returns the schema that contains the violated keyword, and its JSON pointer.
pub(crate) fn origin(error: &ValidationError<'_>) -> Option<(&'static Value, String)> {
    let location = error.absolute_keyword_location()?;
    let pointer = percent_decode(location.fragment()?.as_str());
    let schema = pointer.rsplit_once('/')?.0.to_owned();
    Some((root().pointer(&schema)?, schema))
}

/// Escapes one segment of a JSON pointer (RFC 6901).
pub(crate) fn escape_segment(segment: &str) -> String {
    segment.replace('~', "~0").replace('/', "~1")
}

/// Decodes `%XX`; malformed sequences stay unchanged.
pub(crate) fn percent_decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// Returns the members of a union; empty if the schema is not one.
fn union(schema: &'static Value) -> impl Iterator<Item = &'static Value> {
    let members = ["anyOf", "oneOf"].iter().filter_map(|keyword| schema.get(keyword)?.as_array());
    members.flatten().map(resolve)
}

/// Returns the schema of a non-null value: follows references, and takes the first member of a union that is not null.
pub(crate) fn non_null(schema: &'static Value) -> &'static Value {
    let schema = resolve(schema);
    union(schema).find(|member| member["type"] != "null").unwrap_or(schema)
}

pub(crate) fn enum_values(schema: &'static Value) -> &'static [Value] {
    non_null(schema)["enum"].as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn allows_null(schema: &'static Value) -> bool {
    let schema = resolve(schema);
    let types = schema["type"].as_array().into_iter().flatten();
    types.chain(union(schema).map(|member| &member["type"])).any(|kind| kind == "null")
}

/// Returns the types that a schema allows, following references and unions.
pub(crate) fn types(schema: &'static Value) -> Vec<&'static str> {
    let schema = resolve(schema);
    let mut members = union(schema).peekable();
    match &schema["type"] {
        _ if members.peek().is_some() => members.flat_map(types).collect(),
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        single => single.as_str().into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::utf8_percent_encode;

    use super::{FRAGMENT, percent_decode};

    #[test]
    fn an_encoded_fragment_decodes_to_the_pointer() {
        let pointer = "/paths/~1v1~1voices~1{voice_id}/get";
        let encoded = utf8_percent_encode(pointer, FRAGMENT).to_string();
        assert_eq!(encoded, "/paths/~1v1~1voices~1%7Bvoice_id%7D/get");
        assert_eq!(percent_decode(&encoded), pointer);
    }

    #[test]
    fn a_malformed_escape_stays_unchanged() {
        assert_eq!(percent_decode("a%2Fb%zz%4"), "a/b%zz%4");
    }
}
