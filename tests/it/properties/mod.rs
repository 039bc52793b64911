//! Generators of random inputs, the same in every run.

pub(crate) mod json;
pub(crate) mod schema;

use std::sync::LazyLock;

use jsonschema::Validator;
use liveavatar_api::raw::Operation;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

/// The corrected document, which requests and responses follow.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../liveavatar-api/openapi/service.json")).unwrap()
});

/// Returns a runner whose inputs are the same in every run, so that a failure can be reproduced without a file.
pub(crate) fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// Returns the schema of an operation's JSON body, if it takes one.
pub(crate) fn body_schema(operation: &Operation) -> Option<&'static Value> {
    let body = &DOCUMENT["paths"][operation.path][operation.method.to_lowercase()]["requestBody"];
    body.pointer("/content/application~1json/schema")
}

/// Returns a JSON Schema validator that checks formats too.
pub(crate) fn validator(schema: &Value) -> Validator {
    let mut schema = schema.clone();
    schema["components"] = DOCUMENT["components"].clone();
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
}
