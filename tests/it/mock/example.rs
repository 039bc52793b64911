//! The examples generated from the document, for every operation.

use std::collections::BTreeSet;

use liveavatar_mock::{OperationInfo, example_request, example_requests, example_response, operations};
use serde_json::Value;

use super::harness::{Auth, Mock, document, full, lite};

/// Returns the violations of the operation's success schema.
fn errors(document: &Value, operation: &OperationInfo, instance: &Value) -> Vec<String> {
    let method = operation.method.to_lowercase();
    let response = &document["paths"][operation.path][method]["responses"][operation.success.to_string()];
    let mut schema = response["content"]["application/json"]["schema"].clone();
    schema["components"] = document["components"].clone();
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    let validator = options.build(&schema).expect("a schema");
    validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Returns the properties of a schema and of the members of its union.
fn properties(document: &Value, schema: &Value) -> Vec<String> {
    let target =
        schema["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#')));
    let schema = target.unwrap_or(schema);
    let own = schema["properties"].as_object().into_iter().flat_map(|properties| properties.keys().cloned());
    let members = schema["oneOf"].as_array().into_iter().flatten();
    own.chain(members.flat_map(|member| properties(document, member))).collect()
}

#[test]
fn every_example_response_is_valid() {
    let document = document();
    for operation in operations() {
        let Some(response) = example_response(operation.name) else {
            assert_eq!(operation.success, 204, "{}", operation.name);
            continue;
        };
        assert_eq!(errors(&document, &operation, &response), [""; 0], "{}", operation.name);
    }
}

#[test]
fn every_property_of_a_request_body_is_in_some_example() {
    let document = document();
    for operation in operations() {
        let sent: BTreeSet<String> = example_requests(operation.name)
            .iter()
            .filter_map(|example| example.body.as_ref()?.as_object())
            .flat_map(|body| body.keys().cloned())
            .collect();
        let method = operation.method.to_lowercase();
        let content = &document["paths"][operation.path][method]["requestBody"]["content"];
        let Some(content) = content.as_object() else { continue };
        for media in content.values() {
            for property in properties(&document, &media["schema"]) {
                assert!(sent.contains(&property), "{} {property}", operation.name);
            }
        }
    }
}

#[test]
fn examples_are_deterministic() {
    for operation in operations() {
        assert_eq!(example_request(operation.name), example_request(operation.name));
        assert_eq!(example_response(operation.name), example_response(operation.name));
    }
}

#[test]
fn private_values_of_examples_contain_the_canary() {
    let secret = example_request("create_secret").and_then(|example| example.body).expect("a body");
    assert_eq!(secret["secret_value"], "canary-secret_value");
    let context = example_request("create_context").and_then(|example| example.body).expect("a body");
    assert_eq!(context["prompt"], "canary-prompt");
    let started = example_response("start_session").expect("a response");
    insta::assert_json_snapshot!(started["data"]);
}

#[test]
fn credit_amounts_in_examples_have_two_decimals() {
    let response = example_response("get_user_credits").expect("a response");
    assert_eq!(response["data"]["credits_left"], "12.50");
}

#[tokio::test]
async fn every_example_request_is_accepted_and_its_response_is_valid() {
    let document = document();
    for operation in operations() {
        let examples = example_requests(operation.name);
        assert!(!examples.is_empty(), "{}", operation.name);
        for mut example in examples {
            // A new server each time: one request may delete what the next one reads.
            let mock = Mock::start().await;
            // Requests about a session need one that exists.
            let (id, mut token) = mock.start_session(full()).await;
            if let Some(session) = example.path.get_mut("session_id") {
                *session = id.as_str().into();
            }
            if let Some(session) = example.body.as_mut().and_then(|body| body.get_mut("session_id")) {
                *session = id.as_str().into();
            }
            if operation.name == "start_session" {
                token = mock.mint(lite()).await.text("/data/session_token");
            }
            let accepts_key = operation.security.contains(&"APIKeyHeader");
            let auth = if accepts_key { Auth::Key } else { Auth::Token(&token) };
            let response = mock.send_example(auth, &operation, &example).await;
            assert_eq!(response.status, operation.success, "{}: {}", operation.name, response.body);
            if response.status == 204 {
                assert_eq!(response.body, Value::Null);
                continue;
            }
            assert_eq!(errors(&document, &operation, &response.body), [""; 0], "{}", operation.name);
        }
    }
}
