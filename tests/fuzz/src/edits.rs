//! Edits of a JSON value, decoded from bytes, so that a short input makes a large and almost valid document.

use serde_json::{Map, Value, json};

/// Values that replace a value.
const FRAGMENTS: &[&str] = &[
    "null",
    "true",
    "0",
    "-1.5",
    "[]",
    "{}",
    "\"\"",
    "\"string\"",
    "\"#/components/schemas/A\"",
    "\"#/components/schemas/Loop\"",
    "\"#/components/schemas/Missing\"",
    "\"#/paths/~1a\"",
    r##"{"$ref": "#/components/schemas/A"}"##,
    r##"{"$ref": "#/components/schemas/Loop"}"##,
    r##"{"$ref": "#"}"##,
    r#"{"type": ["string", "null"]}"#,
    r#"{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}"#,
    r#"{"anyOf": [{"type": "string"}, {"type": "null"}]}"#,
    r#"{"oneOf": [{"type": "string"}, {"type": "integer"}]}"#,
    r##"{"allOf": [{"$ref": "#/components/schemas/A"}], "default": null}"##,
    r#"{"enum": ["a", "b", 3, null]}"#,
    r#"{"const": "a"}"#,
    r#"{"type": "array", "items": {"type": "string"}}"#,
    r#"{"type": "array", "prefixItems": [{}], "items": false}"#,
    r#"["a", "a"]"#,
    r#"{"openapi": "3.1.0"}"#,
];

/// Keys that an edit adds to an object.
const KEYS: &[&str] = &[
    "type",
    "properties",
    "required",
    "items",
    "$ref",
    "anyOf",
    "oneOf",
    "allOf",
    "enum",
    "const",
    "default",
    "format",
    "title",
    "nullable",
    "parameters",
    "requestBody",
    "responses",
    "content",
    "schema",
    "in",
    "name",
    "200",
    "security",
    "operationId",
    "get",
    "post",
    "a",
    "~",
    "",
    "discriminator",
    "additionalProperties",
    "description",
    "deprecated",
    "tags",
    "summary",
    "x-a",
];

/// Numbers decoded from bytes, then zeros.
struct Numbers<'b>(&'b [u8]);

impl Numbers<'_> {
    fn below(&mut self, end: usize) -> usize {
        let number = self.0.iter().take(2).fold(0, |number, byte| number * 256 + usize::from(*byte));
        self.0 = self.0.get(2..).unwrap_or_default();
        number % end.max(1)
    }
}

/// Applies edits of six bytes each.
pub fn edit(value: &mut Value, bytes: &[u8]) {
    let mut numbers = Numbers(bytes);
    while numbers.0.len() >= 6 {
        let mut pointers = Vec::new();
        collect(value, String::new(), &mut pointers);
        let pointer = pointers[numbers.below(pointers.len())].clone();
        let other = value.pointer(&pointers[numbers.below(pointers.len())]).cloned();
        let choice = numbers.below(FRAGMENTS.len() + KEYS.len() * 2 + 3);
        let Some(target) = value.pointer_mut(&pointer) else { continue };
        match choice {
            0 => *target = other.unwrap_or_default(),
            1 => *target = json!([std::mem::take(target)]),
            2 => remove_first(target),
            _ if choice < 3 + FRAGMENTS.len() => {
                *target = serde_json::from_str(FRAGMENTS[choice - 3]).expect("a fragment is valid JSON");
            }
            _ => {
                let index = choice - 3 - FRAGMENTS.len();
                let key = KEYS[index / 2].to_owned();
                match target {
                    Value::Object(map) if index.is_multiple_of(2) => {
                        map.insert(key, other.unwrap_or_default());
                    }
                    Value::Object(map) => rename_last(map, key),
                    Value::Array(items) => items.push(other.unwrap_or_default()),
                    target => *target = json!({ key: std::mem::take(target) }),
                }
            }
        }
    }
}

fn remove_first(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let key = map.keys().next().cloned();
            key.map(|key| map.remove(&key));
        }
        Value::Array(items) if !items.is_empty() => drop(items.remove(0)),
        other => *other = Value::Null,
    }
}

fn rename_last(map: &mut Map<String, Value>, key: String) {
    let last = map.keys().next_back().cloned();
    if let Some(value) = last.and_then(|last| map.remove(&last)) {
        map.insert(key, value);
    }
}

fn collect(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                collect(value, xtask::pointer::child(&pointer, key), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                collect(value, format!("{pointer}/{index}"), found);
            }
        }
        _ => {}
    }
    found.push(pointer);
}
