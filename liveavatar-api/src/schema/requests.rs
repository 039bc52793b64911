//! The check of an operation's parameters and of request bodies.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use serde_json::{Map, Value};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::path::Cursor;
use super::shape::{Location, Shape};
use super::unknown::Unknown;
use super::walk::{Strictness, Walk};

/// The parameters and the body of each operation, the request types by their Rust names, and the components that they lead to.
const SCHEMAS: &str = include_str!(concat!(env!("OUT_DIR"), "/requests.json"));

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(SCHEMAS).expect("the embedded schemas are JSON"));

static PARAMETERS: LazyLock<Schemas> = LazyLock::new(|| schemas("parameters"));
static TYPES: LazyLock<Schemas> = LazyLock::new(|| schemas("types"));

type Schemas = BTreeMap<&'static str, Schema>;

/// A schema by its name; its fields are read on first use.
struct Schema {
    node: &'static Value,
    fields: OnceLock<Fields>,
}

struct Fields {
    root: Shape,
    /// All fields in one list, for suggestions.
    list: Vec<Location>,
}

fn schemas(kind: &str) -> Schemas {
    let named = DOCUMENT[kind].as_object().into_iter().flat_map(Map::iter);
    named.map(|(name, node)| (name.as_str(), Schema { node, fields: OnceLock::new() })).collect()
}

impl Schema {
    fn fields(&'static self) -> &'static Fields {
        self.fields.get_or_init(|| {
            let root = Shape::new(&DOCUMENT, self.node);
            let list = root.locations();
            Fields { root, list }
        })
    }
}

/// Checks the parameters of an operation: one object, from the name of each parameter to its value.
///
/// The values at the JSON pointers `texts` were given as text, so that an unlisted one is an error. Nothing is known about
/// an operation that the document does not have.
pub(crate) fn check_parameters(operation: &str, value: &Value, texts: &[String]) -> Diagnostics {
    check(&PARAMETERS, operation, "parameter", value, Strictness::Texts(texts))
}

/// Checks a request body or a part of one, by the name of its Rust type.
///
/// The values at the JSON pointers `texts` were given as text, so that an unlisted one is an error. Nothing is known about
/// a type that requests do not contain.
pub(crate) fn check_type(name: &str, value: &Value, texts: &[String]) -> Diagnostics {
    check(&TYPES, name, "field", value, Strictness::Texts(texts))
}

/// Returns the name of the Rust type of an operation's body, if it has one.
pub(crate) fn body_type(operation: &str) -> Option<&'static str> {
    DOCUMENT["bodies"][operation].as_str()
}

/// Checks a request body that was read from text, so that every unlisted value is an error.
pub(crate) fn check_json(name: &str, value: &Value) -> Diagnostics {
    check(&TYPES, name, "field", value, Strictness::Everything)
}

fn check(
    schemas: &'static Schemas,
    name: &str,
    what: &str,
    value: &Value,
    strictness: Strictness<'_>,
) -> Diagnostics {
    let Some(schema) = schemas.get(name) else { return Diagnostics::default() };
    let fields = schema.fields();
    let unknown = |scope: &Cursor<'_>, field: &str, _: &Value| -> Option<Diagnostic> {
        let what = format!("a {what} of `{name}`");
        Some(Unknown::new(&what, &fields.list, value, scope, field).diagnostic())
    };
    let walk = Walk { strictness, skipped: None, unknown: &unknown };
    Diagnostics::new(walk.check(value, &fields.root))
}

#[cfg(test)]
mod tests {
    use super::super::shape::{Shape, Variant};
    use super::super::value::remove_decimal_points;
    use super::{Diagnostic, Map, Strictness, Walk};
    use super::{TYPES, Value, check_parameters, check_type};
    use serde_json::json;

    const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

    /// Longest text of a sample, in characters; more than any limit of the document.
    const LONGEST: u16 = 300;

    /// Reads a value into the request type of this name.
    fn read(name: &str, value: Value) -> Result<(), serde_json::Error> {
        include!(concat!(env!("OUT_DIR"), "/request_readers.rs"))
    }

    fn is_accepted(shape: &Shape, value: &Value) -> bool {
        let walk = Walk { strictness: Strictness::Everything, skipped: None, unknown: &|_, _, _| None };
        walk.check(value, shape).is_empty()
    }

    /// Values of every kind that the schema mentions, right and wrong ones.
    fn samples(shape: &Shape) -> Vec<Value> {
        let mut samples: Vec<Value> = shape.variants.iter().flat_map(samples_of_variant).collect();
        samples.extend([Value::Null, json!("text"), json!(1.5), json!(true), json!([]), json!({})]);
        samples
    }

    fn samples_of_variant(variant: &Variant) -> Vec<Value> {
        let limits = variant.bounds.iter().map(|bound| bound.limit);
        match variant.kind {
            "string" if variant.is_uuid => {
                let braced = format!("{{{ID}}}");
                [ID, &ID.replace('-', ""), &braced, &ID.to_uppercase(), "", "x"].map(Value::from).to_vec()
            }
            "string" if variant.allowed.is_empty() => {
                let limits: Vec<f64> = limits.chain([1.0, 40.0]).collect();
                let is_near =
                    |length: &u16| limits.iter().any(|limit| (limit - f64::from(*length)).abs() <= 1.0);
                // `ä` is one character and two bytes.
                let texts = (0..=LONGEST).filter(is_near).map(|length| "ä".repeat(length.into()));
                texts.map(Value::from).collect()
            }
            "string" => variant.allowed.iter().copied().chain(["", "unlisted"]).map(Value::from).collect(),
            "integer" | "number" => {
                let near = limits.flat_map(|limit| [limit - 1.0, limit, limit + 0.1, limit + 1.0]);
                let mut numbers: Vec<Value> =
                    near.chain([60.0, 0.0, -1.0, 60.5, 1e300]).map(Value::from).collect();
                numbers.extend([json!(1), json!(0), json!(i64::MAX), json!(i64::MIN), json!(u64::MAX)]);
                numbers
            }
            "array" => {
                let items = variant.items.iter().flat_map(|items| samples(items));
                items.map(|item| json!([item])).chain([json!([])]).collect()
            }
            "object" => objects(variant),
            _ => vec![json!(true), json!(false)],
        }
    }

    /// An object with all fields, and one change at a time.
    fn objects(variant: &Variant) -> Vec<Value> {
        let mut all = Map::new();
        for field in &variant.fields {
            let right = samples(&field.shape).into_iter().find(|value| is_accepted(&field.shape, value));
            all.insert(field.name.to_owned(), right.expect("an accepted value"));
        }
        let mut objects = vec![all.clone()];
        let required = all
            .clone()
            .into_iter()
            .filter(|(name, _)| variant.fields.iter().any(|field| field.is_required && field.name == name));
        objects.push(required.collect());
        for field in &variant.fields {
            let mut without = all.clone();
            without.remove(field.name);
            objects.push(without);
            for value in samples(&field.shape) {
                let mut changed = all.clone();
                changed.insert(field.name.to_owned(), value);
                objects.push(changed);
            }
        }
        for value in variant.items.iter().flat_map(|items| samples(items)) {
            let mut changed = all.clone();
            changed.insert("key".to_owned(), value);
            objects.push(changed);
        }
        objects.into_iter().map(Value::Object).collect()
    }

    #[test]
    fn every_accepted_value_becomes_its_request_type() {
        for (name, schema) in &*TYPES {
            let shape = &schema.fields().root;
            let accepted: Vec<Value> =
                samples(shape).into_iter().filter(|value| is_accepted(shape, value)).collect();
            assert!(!accepted.is_empty(), "{name}: no sample is accepted");
            for mut value in accepted {
                remove_decimal_points(&mut value);
                if let Err(error) = read(name, value.clone()) {
                    panic!("{name}: {error}: {value}");
                }
            }
        }
    }

    #[test]
    fn parameters_are_checked_with_their_bounds() {
        let values = json!({"page": 1, "page_size": 101, "voice_type": "pubic", "pages": 2});
        let found = check_parameters("list_voices", &values, &["/voice_type".to_owned()]);
        let expected = "\
            error[out-of-range] page_size: is 101, must be at least 1 and at most 100\n\
            error[unknown-field] pages: is not a parameter of `list_voices`, and the service silently ignores it\n  \
            hint: did you mean `page`?\n\
            error[not-allowed-value] voice_type: must be `public` or `private`, not `pubic`\n  \
            hint: did you mean `public`?";
        assert_eq!(found.to_string(), expected);
        let found = check_parameters("get_user_credits", &json!({"page": 1}), &[]);
        assert_eq!(found.iter().next().map(Diagnostic::rule), Some("unknown-field"));
        assert!(!check_parameters("list_sessions", &json!({}), &[]).is_empty());
    }

    #[test]
    fn every_error_of_a_body_is_found_at_once() {
        let body = json!({"name": "n", "links": [{"faq": null}], "promt": "p"});
        let expected = "\
            error[missing-field] links[0].url: is required\n\
            error[missing-field] prompt: is required\n\
            error[unknown-field] promt: is not a field of `CreateContext`, and the service silently ignores it\n  \
            hint: did you mean `prompt`?";
        assert_eq!(check_type("CreateContext", &body, &[]).to_string(), expected);
    }

    #[test]
    fn an_unlisted_value_that_was_not_given_as_text_is_a_warning() {
        let body = json!({"reason": "NAPPING"});
        let given = check_type("StopSession", &body, &["/reason".to_owned()]);
        assert!(given.has_errors());
        let typed = check_type("StopSession", &body, &[]);
        let expected = "\
            warning[unlisted-value] reason: is a value that this version does not know, and is sent as given\n  \
            hint: some allowed values are `UNKNOWN`, `USER_DISCONNECTED`, `SERVER_ERROR`, `IDLE_TIMEOUT`, `NO_CREDITS`, \
            `USER_CLOSED`, `AVATAR_DELETED` and `MAX_DURATION_REACHED`";
        assert_eq!(typed.to_string(), expected);
    }
}
