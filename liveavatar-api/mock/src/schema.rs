//! Schemas of the document: resolving references and compiled validators.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::{LazyLock, OnceLock};

use jsonschema::{Draft, Registry, Resource, ValidationError, Validator};
use serde_json::{Value, json};

/// Where the document sits in the registry; it is never fetched.
const DOCUMENT_URI: &str = "document:/service.json";

/// More references than this in a row can only be a loop.
const REFERENCE_HOPS: usize = 16;

static ROOT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(liveavatar_api::raw::SERVICE_DOCUMENT)
        .expect("the document is part of the source and is checked there")
});

static REGISTRY: LazyLock<Registry<'static>> = LazyLock::new(|| {
    Registry::new()
        .draft(Draft::Draft202012)
        .add(DOCUMENT_URI, Resource::from_contents(ROOT.clone()))
        .and_then(jsonschema::RegistryBuilder::prepare)
        .expect("the document refers to nothing outside itself")
});

/// The whole document.
pub(super) fn root() -> &'static Value {
    &ROOT
}

/// A schema inside the document, with its validator compiled on first use.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) value: &'static Value,
    pointer: String,
    validator: OnceLock<Validator>,
}

impl Schema {
    /// The schema that `pointer` (RFC 6901) leads to, if the document has one there.
    pub(super) fn at(pointer: String) -> Option<Schema> {
        let value = root().pointer(&pointer)?;
        Some(Schema { value, pointer, validator: OnceLock::new() })
    }

    /// Every way in which `instance` breaks the schema.
    pub(super) fn errors<'a>(&'a self, instance: &'a Value) -> impl Iterator<Item = ValidationError<'a>> {
        let validator = self.validator.get_or_init(|| compile(&self.pointer));
        validator.iter_errors(instance)
    }

    /// The members of a `oneOf` or `anyOf` at the top of the schema; empty when it is no union.
    pub(super) fn members(&self) -> Vec<Schema> {
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
    let reference = json!({ "$ref": format!("{DOCUMENT_URI}#{}", fragment(pointer)) });
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_registry(&REGISTRY)
        .should_validate_formats(true)
        .build(&reference)
        .expect("the pointer leads to a schema of the document, see Schema::at")
}

/// Whether `text` matches the regular expression `pattern`, as the validators understand it.
pub(super) fn matches_pattern(pattern: &str, text: &str) -> bool {
    jsonschema::is_valid(&json!({ "pattern": pattern }), &Value::from(text))
}

/// Follows `$ref` until a schema without one is reached.
pub(super) fn resolve(schema: &'static Value) -> &'static Value {
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

/// The schema that holds the keyword an error is about, and the pointer of that schema.
pub(super) fn origin(error: &ValidationError<'_>) -> Option<(&'static Value, String)> {
    let location = error.absolute_keyword_location()?;
    let pointer = decode(location.fragment()?.as_str());
    let schema = pointer.rsplit_once('/')?.0.to_owned();
    Some((root().pointer(&schema)?, schema))
}

/// Escapes one segment of a JSON pointer.
pub(super) fn escape(segment: &str) -> String {
    segment.replace('~', "~0").replace('/', "~1")
}

/// Replaces `%XX` by the byte it stands for; anything malformed stays as it is.
pub(super) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let hex = text.get(index + 1..index + 3).filter(|_| bytes[index] == b'%');
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            decoded.push(byte);
            index += 3;
        } else {
            decoded.push(bytes[index]);
            index += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Percent-encodes what a URI fragment cannot hold, the braces of path templates above all.
fn fragment(pointer: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/~-._".contains(&byte);
    if pointer.bytes().all(plain) {
        return Cow::Borrowed(pointer);
    }
    let mut encoded = String::with_capacity(pointer.len());
    for byte in pointer.bytes() {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    Cow::Owned(encoded)
}

#[cfg(test)]
mod tests {
    use super::{decode, fragment};

    #[test]
    fn a_fragment_survives_encoding() {
        let pointer = "/paths/~1v1~1voices~1{voice_id}/get";
        assert_eq!(decode(&fragment(pointer)), pointer);
    }

    #[test]
    fn a_malformed_escape_stays() {
        assert_eq!(decode("a%2Fb%zz%4"), "a/b%zz%4");
    }
}
