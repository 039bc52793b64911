//! Random responses: decoding returns data or an error, never panics, and shows no secret.

use std::cell::Cell;

use liveavatar_api::raw::OPERATIONS;
use liveavatar_mock::example_response;
use liveavatar_tests::decode;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};

use crate::properties::json::{any_bytes, any_json, damage, damaged, edit, text_of};
use crate::properties::runner;

/// Part of every secret in the examples.
const CANARY: &str = "canary";

/// Returns every operation that has a response body, with its example.
fn examples() -> impl Iterator<Item = (&'static str, Value)> {
    OPERATIONS.iter().filter_map(|operation| Some((operation.id, example_response(operation.id)?)))
}

/// Decodes a response, asserts that its `Debug` output or error shows no secret, and returns whether it is valid.
fn assert_no_secret(operation: &str, response: &[u8]) -> Result<bool, TestCaseError> {
    let decoded = decode(operation, response).unwrap();
    let (Ok(shown) | Err(shown)) = &decoded;
    prop_assert!(!shown.contains(CANARY), "{}: {}", operation, shown);
    Ok(decoded.is_ok())
}

#[test]
fn exactly_the_operations_with_a_response_body_are_decoded() {
    for operation in OPERATIONS {
        let read = decode(operation.id, b"").is_some();
        assert_eq!(read, example_response(operation.id).is_some(), "{}", operation.id);
    }
}

#[test]
fn any_json_is_decoded_or_an_error_for_every_operation() {
    let responses = prop_oneof![any_json(), any_json().prop_map(|data| json!({ "code": 100, "data": data }))];
    for (operation, _) in examples() {
        let read = |response: Value| assert_no_secret(operation, text_of(&response).as_bytes()).map(drop);
        runner(120).run(&responses, read).unwrap();
    }
}

#[test]
fn an_edited_example_is_decoded_or_an_error_and_shows_no_secret() {
    for (operation, example) in examples() {
        let valid = Cell::new(0);
        runner(250)
            .run(&vec(edit(), 1..4), |edits| {
                let mut response = example.clone();
                for edit in edits {
                    edit.apply(&mut response);
                }
                let is_valid = assert_no_secret(operation, text_of(&response).as_bytes())?;
                valid.set(valid.get() + u32::from(is_valid));
                Ok(())
            })
            .unwrap();
        // Otherwise only errors would have been searched for secrets.
        assert!(valid.get() > 0, "{operation}: no edited response could be decoded");
    }
}

#[test]
fn any_bytes_are_decoded_or_an_error_for_every_operation() {
    for (operation, example) in examples() {
        let text = text_of(&example);
        let damaged = damage().prop_map(move |damage| damaged(&text, &damage).into_bytes());
        let bytes = prop_oneof![any_bytes(), damaged];
        runner(120).run(&bytes, |bytes| assert_no_secret(operation, &bytes).map(drop)).unwrap();
    }
}
