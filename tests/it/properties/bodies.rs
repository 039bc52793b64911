//! What the document allows as a request body goes through the crate's type unchanged.

use liveavatar_api::raw::OPERATIONS;
use liveavatar_tests::rewrite;
use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::schema::allowed;
use super::{body_schema, runner, validator};

/// Whether a null that sets nothing may be left out: creating, it means the same as an absent field; patching, it clears.
#[derive(Clone, Copy, PartialEq)]
enum Nulls {
    MayGo,
    Stay,
}

/// The places at which two values differ in more than spelling.
///
/// Ids are equal in any case and numbers by value, which is all that their JSON means. Where nulls may go, an absent
/// field equals null; that required ones stay is for the validator to say.
fn differences(sent: &Value, kept: &Value, nulls: Nulls, at: &str, found: &mut Vec<String>) {
    match (sent, kept) {
        (Value::Object(sent), Value::Object(kept)) => {
            for name in sent.keys().chain(kept.keys().filter(|name| !sent.contains_key(*name))) {
                let here = format!("{at}/{name}");
                match (sent.get(name), kept.get(name)) {
                    (Some(sent), Some(kept)) => differences(sent, kept, nulls, &here, found),
                    (Some(Value::Null), None) if nulls == Nulls::MayGo => {}
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
        let rewritten = rewrite(operation.id, Value::Null);
        assert_eq!(rewritten.is_some(), body_schema(operation).is_some(), "{}", operation.id);
    }
}

#[test]
fn a_body_that_the_document_allows_is_sent_as_it_was_given() {
    for operation in OPERATIONS {
        let Some(schema) = body_schema(operation) else { continue };
        let judge = validator(schema);
        let nulls = if operation.method == "PATCH" { Nulls::Stay } else { Nulls::MayGo };
        runner(200)
            .run(&allowed(schema), |sent| {
                prop_assert!(judge.is_valid(&sent), "{} makes a wrong {}", operation.id, sent);
                let kept = rewrite(operation.id, sent.clone()).unwrap();
                prop_assert!(kept.is_ok(), "{} refuses {}: {:?}", operation.id, sent, kept);
                let kept = kept.unwrap();
                prop_assert!(judge.is_valid(&kept), "{} sends a wrong {}", operation.id, kept);
                let mut found = Vec::new();
                differences(&sent, &kept, nulls, "", &mut found);
                prop_assert!(found.is_empty(), "{} changes {:?} of {}", operation.id, found, sent);
                Ok(())
            })
            .unwrap();
    }
}
