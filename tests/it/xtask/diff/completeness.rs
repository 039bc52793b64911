//! Random edits of the document: every difference in meaning is reported.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::{Map, Value, json};
use xtask::pointer::child;
use xtask::{diff, normalise};

use super::{base, both_ways};

const EDITS: u64 = 500;

/// The most edits in one document: one edit may hide another.
const EDITS_AT_ONCE: usize = 3;

#[test]
fn every_difference_in_meaning_is_reported() {
    let base = normalise::normalise(base(), "base").unwrap();
    let mut reported = 0;
    for seed in 0..EDITS {
        let mut random = Rng::with_seed(seed);
        let mut edited = base.clone();
        let edits: Vec<String> =
            (0..=random.usize(..EDITS_AT_ONCE)).map(|_| edit(&mut edited, &mut random)).collect();
        let Ok(edited) = normalise::normalise(edited, "edited") else { continue };
        let [forward, back] = [diff::documents(&base, &edited), diff::documents(&edited, &base)];
        assert_eq!(
            forward.level().is_some(),
            back.level().is_some(),
            "one direction only, seed {seed}: {edits:#?}"
        );
        if forward.level().is_some() {
            reported += 1;
            continue;
        }
        // A renamed schema shows in the generated code only.
        if both_ways(&base, &edited).iter().all(|diff| diff.level().is_none()) {
            assert!(meaning(&base) == meaning(&edited), "not reported, seed {seed}: {edits:#?}");
        }
    }
    assert!(reported > EDITS * 9 / 10, "{reported} of {EDITS} edits were reported");
}

/// Changes one random thing, and returns a description.
fn edit(document: &mut Value, random: &mut Rng) -> String {
    let mut pointers = Vec::new();
    collect(document, String::new(), &mut pointers);
    let pointer = random.choice(pointers).unwrap();
    // An earlier edit may have removed them.
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    let names = schemas.into_iter().flat_map(Map::keys);
    let refs: Vec<String> = names.map(|name| format!("#/components/schemas/{name}")).collect();
    let at = document.pointer_mut(&pointer).unwrap();
    let what = match at {
        Value::Object(map) => edit_object(map, random),
        Value::Array(items) if items.is_empty() || random.u8(..4) == 0 => {
            items.push(json!("added"));
            "an item is added".to_owned()
        }
        Value::Array(items) => {
            let removed = items.remove(random.usize(..items.len()));
            format!("{removed} is removed")
        }
        Value::String(text) if text.starts_with("#/components/") => {
            *text = random.choice(refs).unwrap_or_default();
            format!("is now {text}")
        }
        Value::String(text) => {
            text.push('x');
            format!("is now {text}")
        }
        Value::Number(number) => {
            let more = number.as_f64().unwrap() + 1.0;
            *at = json!(more);
            format!("is now {more}")
        }
        Value::Bool(flag) => {
            *flag = !*flag;
            format!("is now {flag}")
        }
        Value::Null => {
            *at = json!(0);
            "is no longer null".to_owned()
        }
    };
    format!("{pointer}: {what}")
}

fn edit_object(map: &mut Map<String, Value>, random: &mut Rng) -> String {
    let keywords = [
        ("minLength", json!(3)),
        ("maxItems", json!(7)),
        ("nullable", json!(true)),
        ("format", json!("uuid")),
        ("enum", json!(["a", "b"])),
        ("const", json!("a")),
        ("deprecated", json!(true)),
        ("readOnly", json!(true)),
        ("default", json!("a")),
        ("additionalProperties", json!(false)),
        ("patternProperties", json!({ "^x": {} })),
        ("allOf", json!([{ "minProperties": 1 }])),
        ("x-something", json!({ "a": 1 })),
        ("summary", json!("a")),
        ("required", json!(true)),
        ("properties", json!({ "added": { "type": "string" } })),
        ("items", json!({ "type": "string" })),
        ("type", json!(["string", "null"])),
    ];
    let key = random.choice(map.keys().cloned().collect::<Vec<_>>());
    match (random.u8(..3), key) {
        (0, Some(key)) => {
            map.remove(&key);
            format!("`{key}` is removed")
        }
        (1, Some(key)) => {
            let value = map.remove(&key).unwrap();
            map.insert(format!("{key}2"), value);
            format!("`{key}` is renamed")
        }
        _ => {
            let (key, value) = random.choice(keywords).unwrap();
            map.insert(key.to_owned(), value.clone());
            format!("`{key}` is {value}")
        }
    }
}

fn collect(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| collect(value, child(&pointer, key), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| collect(value, format!("{pointer}/{at}"), found));
        }
        _ => {}
    }
    found.push(pointer);
}

/// The document without its meaningless parts, computed independently of the differ.
fn meaning(value: &Value) -> Value {
    const LISTS_WITHOUT_ORDER: [&str; 5] = ["enum", "required", "security", "tags", "type"];
    match value {
        Value::Object(map) => {
            let mut meant = Map::new();
            let mut null = false;
            for (key, value) in map {
                let mut value = meaning(value);
                // Null may be a flag, a type or a union member.
                match (key.as_str(), &mut value) {
                    ("nullable", Value::Bool(true)) => {
                        null = true;
                        continue;
                    }
                    ("type", Value::Array(kinds)) => {
                        null |= kinds.iter().any(|kind| kind == "null");
                        kinds.retain(|kind| kind != "null");
                        if let [kind] = kinds.as_slice() {
                            value = kind.clone();
                        }
                    }
                    ("anyOf" | "oneOf", Value::Array(members)) => {
                        let all = members.len();
                        members.retain(|member| *member != json!({ "type": "null" }));
                        null |= members.len() < all;
                    }
                    _ => {}
                }
                let says_nothing = match key.as_str() {
                    "additionalProperties" | "items" => value == json!(true) || value == json!({}),
                    "deprecated" | "nullable" | "readOnly" | "required" | "uniqueItems" | "writeOnly" => {
                        value == json!(false) || value == json!([])
                    }
                    "tags" | "properties" => value == json!([]) || value == json!({}),
                    _ => false,
                };
                if says_nothing {
                    continue;
                }
                let value = match value {
                    Value::Array(items) if LISTS_WITHOUT_ORDER.contains(&key.as_str()) => {
                        let items: BTreeSet<String> = items.iter().map(Value::to_string).collect();
                        json!(items)
                    }
                    other => other,
                };
                meant.insert(key.clone(), value);
            }
            if null {
                meant.insert("or null".to_owned(), json!(true));
            }
            Value::Object(meant)
        }
        Value::Array(items) => items.iter().map(meaning).collect(),
        Value::Number(number) => json!(number.as_f64()),
        other => other.clone(),
    }
}
