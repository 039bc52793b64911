//! Random values that a schema of the document allows.
//!
//! Supports the keywords that the schemas of request bodies use, and panics at any other.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::DOCUMENT;
use super::json::{any_json, character};

/// Longest text if the schema sets no limit.
const FREE_LENGTH: usize = 12;

/// Keywords that do not restrict values.
const NOTES: [&str; 8] = [
    "default",
    "deprecated",
    "description",
    "discriminator",
    "title",
    "x-evidence",
    "x-evidence-note",
    "x-source",
];

const KNOWN: [&str; 16] = [
    "$ref",
    "additionalProperties",
    "anyOf",
    "const",
    "enum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxLength",
    "maximum",
    "minLength",
    "minimum",
    "oneOf",
    "properties",
    "required",
    "type",
];

pub(crate) fn allowed(schema: &'static Value) -> BoxedStrategy<Value> {
    of(schema, Tags::Free)
}

/// Values of an object schema in which every constant is set.
pub(crate) fn tagged(schema: &'static Value) -> BoxedStrategy<Value> {
    of(schema, Tags::Written)
}

/// Whether an object names the member of a union that it is.
///
/// The document's tags have defaults and are not required. An object without them fits several members of its `oneOf`, which
/// JSON Schema rejects.
#[derive(Clone, Copy, PartialEq)]
enum Tags {
    Free,
    Written,
}

fn of(schema: &'static Value, tags: Tags) -> BoxedStrategy<Value> {
    let unknown = schema.as_object().unwrap().keys().find(|key| {
        let key = key.as_str();
        !KNOWN.contains(&key) && !NOTES.contains(&key)
    });
    assert_eq!(unknown, None, "this keyword is not supported yet");
    if let Some(reference) = schema["$ref"].as_str() {
        return of(DOCUMENT.pointer(&reference[1..]).unwrap(), tags);
    }
    if let Some(value) = schema.get("const") {
        return Just(value.clone()).boxed();
    }
    if let Some(values) = schema["enum"].as_array() {
        return select(values.as_slice()).boxed();
    }
    if let Some(members) = schema["anyOf"].as_array() {
        return Union::new(members.iter().map(|member| of(member, tags))).boxed();
    }
    if let Some(members) = schema["oneOf"].as_array() {
        return Union::new(members.iter().map(|member| of(member, Tags::Written))).boxed();
    }
    match schema["type"].as_str() {
        Some("null") => Just(Value::Null).boxed(),
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        Some("integer") => integer(schema),
        Some("number") => number(schema),
        Some("string") => string(schema),
        Some("array") => vec(of(&schema["items"], Tags::Free), 0..4).prop_map(Value::from).boxed(),
        Some("object") => object(schema, tags),
        other => panic!("the type {other:?} is not supported yet"),
    }
}

/// Whole numbers of 64 bits: a limit of the crate, not of the document.
fn integer(schema: &Value) -> BoxedStrategy<Value> {
    let least = schema["exclusiveMinimum"].as_i64().map_or(i64::MIN, |limit| limit + 1);
    let small = least.max(-2);
    prop_oneof![small..=100, least..=i64::MAX].prop_map(Value::from).boxed()
}

fn number(schema: &Value) -> BoxedStrategy<Value> {
    match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
        (Some(least), Some(most)) => {
            prop_oneof![least..=most, select(vec![least, most])].prop_map(Value::from).boxed()
        }
        (None, None) => {
            prop_oneof![proptest::num::f64::NORMAL.prop_map(Value::from), any::<i32>().prop_map(Value::from),]
                .boxed()
        }
        _ => panic!("a single bound is not supported yet"),
    }
}

fn string(schema: &Value) -> BoxedStrategy<Value> {
    match schema["format"].as_str() {
        None | Some("password") => {}
        Some("uuid") => {
            let spellings = |bits| {
                let id = Uuid::from_u128(bits).to_string();
                prop_oneof![3 => Just(id.clone()), 1 => Just(id.to_uppercase())]
            };
            return any::<u128>().prop_flat_map(spellings).prop_map(Value::from).boxed();
        }
        Some(other) => panic!("the format {other} is not supported yet"),
    }
    let limit = |keyword: &str| schema[keyword].as_u64().map(|limit| usize::try_from(limit).unwrap());
    let least = limit("minLength").unwrap_or(0);
    let most = limit("maxLength").unwrap_or(least + FREE_LENGTH);
    let length = prop_oneof![3 => least..=most.min(least + FREE_LENGTH), 1 => Just(most)];
    length
        .prop_flat_map(|length| vec(character(), length))
        .prop_map(|characters| String::from_iter(characters).into())
        .boxed()
}

fn object(schema: &'static Value, tags: Tags) -> BoxedStrategy<Value> {
    let required = |name: &str| {
        let listed = schema["required"].as_array().into_iter().flatten().any(|listed| listed == name);
        listed || tags == Tags::Written && schema["properties"][name].get("const").is_some()
    };
    let properties = schema["properties"].as_object().into_iter().flatten().map(|(name, property)| {
        let value = of(property, Tags::Free);
        if required(name) {
            value.prop_map(move |value| Some((name.clone(), value))).boxed()
        } else {
            let some = value.prop_map(move |value| (name.clone(), value));
            proptest::option::of(some).boxed()
        }
    });
    let properties: Vec<_> = properties.collect();
    let others = match &schema["additionalProperties"] {
        Value::Bool(true) => any_json(),
        Value::Object(_) => of(&schema["additionalProperties"], Tags::Free),
        // The service ignores other fields, so a request with them is not what its author meant.
        _ => {
            return properties
                .prop_map(|properties| properties.into_iter().flatten().collect::<Map<_, _>>().into())
                .boxed();
        }
    };
    let key = vec(character(), 0..8).prop_map(String::from_iter);
    (properties, btree_map(key, others, 0..4))
        .prop_map(|(properties, others)| {
            others.into_iter().chain(properties.into_iter().flatten()).collect::<Map<_, _>>().into()
        })
        .boxed()
}

#[test]
fn generated_unions_have_their_tags() {
    let schema = &DOCUMENT["components"]["schemas"]["AvatarPersonaSchema"]["properties"]["voice_settings"];
    let validator = super::validator(schema);
    super::runner(100)
        .run(&allowed(schema), |value| {
            prop_assert!(validator.is_valid(&value), "{}", value);
            prop_assert!(value == json!(null) || value["provider"].is_string());
            Ok(())
        })
        .unwrap();
}
