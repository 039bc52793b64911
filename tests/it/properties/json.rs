//! Generators of random JSON, of edits to a JSON value, and of damage to JSON text.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Number, Value, json};

/// Edge cases for parsers of numbers, times and ids.
const EDGE_CASES: [&str; 24] = [
    "",
    " ",
    "null",
    "-0",
    "1e999",
    "1e-999999999999999999999",
    "-.5e+28",
    "79228162514264337593543950336",
    "0.00000000000000000000000000001",
    "+7.",
    "1_000",
    "NaN",
    "2026-02-30T25:61:61Z",
    "2026-06-30T23:59:60Z",
    "+262142-12-31T23:59:59.999999999",
    "-262143-01-01T00:00:00",
    "0000-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-01-01T12:00:00,5Z",
    "FULL",
    "full ",
    "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a",
    "{DD73EA7512184EF392CE606D5F7FBC0A}",
    "\u{feff}\u{202e}\u{0}e\u{301}\u{1f9d1}\u{200d}\u{1f680}\u{10ffff}",
];

/// Valid and invalid parts of JSON text.
const TOKENS: [&str; 16] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "null",
    "-0.0",
    "1e999",
    "\"\\ud800\"",
    "\u{0}",
    "\u{feff}",
    "18446744073709551616",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

/// Marks the second one of two equal keys, see [`text_of`]..
const DUPLICATE: char = '\u{0}';

pub(crate) fn character() -> impl Strategy<Value = char> {
    prop_oneof![
        6 => proptest::char::range(' ', '~'),
        1 => select(vec!['\u{0}', '\n', '"', '\\', 'ß', '\u{301}', '\u{202e}', '\u{feff}', '\u{1f680}', '\u{10ffff}']),
        1 => any::<char>(),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        vec(character(), 0..12).prop_map(String::from_iter),
        select(EDGE_CASES.to_vec()).prop_map(str::to_owned),
    ]
}

fn number() -> impl Strategy<Value = Value> {
    let odd = [0.0, -0.0, 0.5, 60.0, 1e300, -1e300, 5e-324, f64::MAX, f64::MIN, 9_007_199_254_740_993.0];
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        (-2_i64..100).prop_map(Value::from),
        select(vec![json!(i64::MIN), json!(u64::MAX), json!(1_u64 << 63), json!(1_u64 << 53)]),
        select(odd.to_vec()).prop_map(Value::from),
        any::<f64>()
            .prop_filter_map("JSON has no infinity", |float| Number::from_f64(float).map(Value::from)),
    ]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => number(),
        3 => text().prop_map(Value::from),
    ]
}

/// Generates any JSON value, with a few levels of nesting.
pub(crate) fn any_json() -> BoxedStrategy<Value> {
    let nested = |inner: BoxedStrategy<Value>| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..4).prop_map(|map| map.into_iter().collect::<Map<_, _>>().into()),
        ]
    };
    leaf().prop_recursive(4, 24, 4, nested).boxed()
}

/// Generates bytes that are rarely valid JSON.
pub(crate) fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let tokens = vec(select(TOKENS.to_vec()), 0..40).prop_map(|tokens| tokens.concat().into_bytes());
    prop_oneof![vec(any::<u8>(), 0..120), tokens]
}

/// A change at one place of a value.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    at: Index,
    change: Change,
}

#[derive(Clone, Debug)]
enum Change {
    Replace(Value),
    Remove,
    Duplicate,
    InList,
    InObject(String),
    Add(String, Value),
}

pub(crate) fn edit() -> impl Strategy<Value = Edit> {
    let change = prop_oneof![
        3 => leaf().prop_map(Change::Replace),
        2 => any_json().prop_map(Change::Replace),
        2 => Just(Change::Remove),
        1 => Just(Change::Duplicate),
        1 => Just(Change::InList),
        1 => text().prop_map(Change::InObject),
        2 => (text(), leaf()).prop_map(|(name, value)| Change::Add(name, value)),
    ];
    (any::<Index>(), change).prop_map(|(at, change)| Edit { at, change })
}

impl Edit {
    pub(crate) fn apply(&self, root: &mut Value) {
        let mut pointers = Vec::new();
        places(root, "", &mut pointers);
        let pointer = self.at.get(&pointers);
        let here = root.pointer_mut(pointer).unwrap();
        match &self.change {
            Change::Replace(value) => *here = value.clone(),
            Change::InList => *here = json!([here.take()]),
            Change::InObject(key) => *here = json!({ key: here.take() }),
            Change::Add(name, value) => {
                if let Some(object) = here.as_object_mut() {
                    object.insert(name.clone(), value.clone());
                }
            }
            Change::Duplicate => {
                let copy = here.clone();
                change_parent(root, pointer, |parent, name| match parent {
                    Value::Object(object) => drop(object.insert(format!("{DUPLICATE}{name}"), copy)),
                    Value::Array(items) => items.push(copy),
                    _ => {}
                });
            }
            Change::Remove => change_parent(root, pointer, |parent, name| match parent {
                Value::Object(object) => drop(object.remove(name)),
                Value::Array(items) => drop(items.pop()),
                _ => {}
            }),
        }
    }
}

/// Applies `change` to the parent of a place. Does nothing for the root.
fn change_parent(root: &mut Value, pointer: &str, change: impl FnOnce(&mut Value, &str)) {
    if let Some((parent, name)) = pointer.rsplit_once('/') {
        change(root.pointer_mut(parent).unwrap(), &name.replace("~1", "/").replace("~0", "~"));
    }
}

/// Finds the pointer of the value itself and of every value in it.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                places(inner, &xtask::pointer::child(at, name), found);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                places(inner, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Returns the value as text, in which a key that an edit has duplicated occurs twice.
pub(crate) fn text_of(value: &Value) -> String {
    value.to_string().replace("\"\\u0000", "\"")
}

/// Generates a place of a text, and the token to insert there. Without a token, the text is cut off.
pub(crate) fn damage() -> impl Strategy<Value = (Index, Option<&'static str>)> {
    (any::<Index>(), proptest::option::weighted(0.8, select(TOKENS.to_vec())))
}

pub(crate) fn damaged(text: &str, (at, token): &(Index, Option<&'static str>)) -> String {
    let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let (before, after) = text.split_at(*at.get(&cuts));
    token.map_or_else(|| before.to_owned(), |token| format!("{before}{token}{after}"))
}
