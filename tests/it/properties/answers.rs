//! Whatever the service answers, a call returns: data or an error, no panic, and no secret in a log.

use std::cell::Cell;

use liveavatar_api::raw::OPERATIONS;
use liveavatar_mock::example_response;
use liveavatar_tests::open;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};

use super::json::{any_bytes, any_json, damage, damaged, edit, text_of};
use super::runner;

/// What the examples put into every field that holds a secret.
const CANARY: &str = "canary";

/// Every operation that answers something, with its example.
fn answering() -> impl Iterator<Item = (&'static str, Value)> {
    OPERATIONS.iter().filter_map(|operation| Some((operation.id, example_response(operation.id)?)))
}

/// Reads the answer and searches everything that a log could show of it.
fn assert_silent(operation: &str, answer: &[u8]) -> Result<bool, TestCaseError> {
    let opened = open(operation, answer).unwrap();
    let shown = match &opened {
        Ok(shown) => shown.clone(),
        Err(error) => format!("{error}\n{error:?}"),
    };
    prop_assert!(!shown.contains(CANARY), "{}: {}", operation, shown);
    Ok(opened.is_ok())
}

#[test]
fn an_answer_is_read_for_exactly_the_operations_that_have_one() {
    for operation in OPERATIONS {
        let read = open(operation.id, b"").is_some();
        assert_eq!(read, example_response(operation.id).is_some(), "{}", operation.id);
    }
}

#[test]
fn any_json_is_data_or_an_error_of_every_operation() {
    let answer = prop_oneof![any_json(), any_json().prop_map(|data| json!({ "code": 100, "data": data }))];
    for (operation, _) in answering() {
        let read = |answer: Value| assert_silent(operation, text_of(&answer).as_bytes()).map(drop);
        runner(120).run(&answer, read).unwrap();
    }
}

#[test]
fn an_example_with_odd_parts_is_data_or_an_error_and_keeps_its_secrets() {
    for (operation, example) in answering() {
        let read = Cell::new(0);
        runner(250)
            .run(&vec(edit(), 1..4), |edits| {
                let mut answer = example.clone();
                for edit in edits {
                    edit.apply(&mut answer);
                }
                let is_data = assert_silent(operation, text_of(&answer).as_bytes())?;
                read.set(read.get() + u32::from(is_data));
                Ok(())
            })
            .unwrap();
        // Otherwise the search for secrets would look at errors only.
        assert!(read.get() > 0, "{operation}: no changed answer could be read");
    }
}

#[test]
fn bytes_that_are_no_json_are_an_error_or_data_of_every_operation() {
    for (operation, example) in answering() {
        let text = text_of(&example);
        let damaged = damage().prop_map(move |damage| damaged(&text, &damage).into_bytes());
        let bytes = prop_oneof![any_bytes(), damaged];
        runner(120).run(&bytes, |bytes| assert_silent(operation, &bytes).map(drop)).unwrap();
    }
}
