//! Random request bodies that the document allows: the crate's types accept them and send them unchanged.

use liveavatar_api::raw::OPERATIONS;
use liveavatar_tests::round_trip_body;
use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use crate::properties::schema::allowed;
use crate::properties::{body_schema, runner, validator};

/// Whether a null may be omitted. In a create request it equals an absent field; in a PATCH it clears the field.
#[derive(Clone, Copy, PartialEq)]
enum Nulls {
    Optional,
    Kept,
}

/// Finds the places where two values differ in meaning.
///
/// Ids are compared without case, and numbers by value. With [`Nulls::Optional`], an absent field equals null; the validator
/// checks that required fields are present.
fn differences(sent: &Value, kept: &Value, nulls: Nulls, at: &str, found: &mut Vec<String>) {
    match (sent, kept) {
        (Value::Object(sent), Value::Object(kept)) => {
            for name in sent.keys().chain(kept.keys().filter(|name| !sent.contains_key(*name))) {
                let here = format!("{at}/{name}");
                match (sent.get(name), kept.get(name)) {
                    (Some(sent), Some(kept)) => differences(sent, kept, nulls, &here, found),
                    (Some(Value::Null), None) if nulls == Nulls::Optional => {}
                    _ => found.push(here),
                }
            }
        }
        (Value::Array(sent), Value::Array(kept)) if sent.len() == kept.len() => {
            for (index, (sent, kept)) in sent.iter().zip(kept).enumerate() {
                differences(sent, kept, nulls, &format!("{at}/{index}"), found);
            }
        }
        (Value::String(sent), Value::String(kept))
            if Uuid::try_parse(sent).is_ok_and(|id| id.to_string() == *kept) => {}
        (Value::Number(sent), Value::Number(kept)) if sent.as_f64() == kept.as_f64() => {}
        _ if sent == kept => {}
        _ => found.push(at.to_owned()),
    }
}

#[test]
fn every_json_body_of_the_document_has_a_type() {
    for operation in OPERATIONS {
        let rewritten = round_trip_body(operation.id, Value::Null);
        assert_eq!(rewritten.is_some(), body_schema(operation).is_some(), "{}", operation.id);
    }
}

#[test]
fn a_body_that_the_document_allows_is_sent_unchanged() {
    for operation in OPERATIONS {
        let Some(schema) = body_schema(operation) else { continue };
        let validator = validator(schema);
        let nulls = if operation.method == "PATCH" { Nulls::Kept } else { Nulls::Optional };
        runner(200)
            .run(&allowed(schema), |sent| {
                prop_assert!(
                    validator.is_valid(&sent),
                    "{}: the generated body is invalid: {}",
                    operation.id,
                    sent
                );
                let kept = round_trip_body(operation.id, sent.clone()).unwrap();
                prop_assert!(kept.is_ok(), "{} rejects {}: {:?}", operation.id, sent, kept);
                let kept = kept.unwrap();
                prop_assert!(validator.is_valid(&kept), "{} sends an invalid body: {}", operation.id, kept);
                let mut found = Vec::new();
                differences(&sent, &kept, nulls, "", &mut found);
                prop_assert!(found.is_empty(), "{} changes {:?} of {}", operation.id, found, sent);
                Ok(())
            })
            .unwrap();
    }
}
