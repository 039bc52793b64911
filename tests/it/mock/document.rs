//! Rules that hold for every operation, whatever the document contains.

use std::collections::BTreeSet;

use liveavatar_mock::{Example, Server, example_response, example_request, example_requests, operations};
use serde_json::{Value, json};

use crate::harness::{From, Lab, full, lite};

const DOCUMENT: &str = include_str!("../../../liveavatar-api/openapi/service.json");

fn document() -> Value {
    serde_json::from_str(DOCUMENT).expect("the document")
}

/// Breaks of the schema that `pointer` leads to.
fn errors(document: &Value, pointer: &str, instance: &Value) -> Vec<String> {
    let schema = document.pointer(pointer).unwrap_or_else(|| panic!("no schema at {pointer}"));
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    let validator = options.build(&schema).expect("a schema");
    validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn escape(path: &str) -> String {
    path.replace('~', "~0").replace('/', "~1")
}

#[test]
fn every_operation_has_a_short_name_and_a_success_status() {
    let count: usize = document()["paths"]
        .as_object()
        .expect("paths")
        .values()
        .map(|item| item.as_object().map_or(0, serde_json::Map::len))
        .sum();
    assert_eq!(operations().count(), count);
    for operation in operations() {
        assert!(
            !operation.name.contains("_v1_") && !operation.name.ends_with("_v2_v2"),
            "{}",
            operation.name
        );
        assert!((200..300).contains(&operation.success), "{operation:?}");
    }
}

#[test]
fn every_example_answer_is_valid() {
    let document = document();
    for operation in operations() {
        let Some(answer) = example_response(operation.name) else {
            assert_eq!(operation.success, 204, "{}", operation.name);
            continue;
        };
        let method = operation.method.to_lowercase();
        let pointer = format!(
            "/paths/{}/{method}/responses/{}/content/application~1json/schema",
            escape(operation.path),
            operation.success
        );
        assert_eq!(errors(&document, &pointer, &answer), [""; 0], "{}", operation.name);
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
        let content =
            document.pointer(&format!("/paths/{}/{method}/requestBody/content", escape(operation.path)));
        let Some(content) = content.and_then(Value::as_object) else { continue };
        for media in content.values() {
            for property in properties(&document, &media["schema"]) {
                assert!(sent.contains(&property), "{} {property}", operation.name);
            }
        }
    }
}

/// Names of the properties of a schema and of the members of its union.
fn properties(document: &Value, schema: &Value) -> Vec<String> {
    let target =
        schema["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#')));
    let schema = target.unwrap_or(schema);
    let own = schema["properties"].as_object().into_iter().flat_map(|properties| properties.keys().cloned());
    let members = schema["oneOf"].as_array().into_iter().flatten();
    own.chain(members.flat_map(|member| properties(document, member))).collect()
}

#[test]
fn examples_are_the_same_every_time() {
    for operation in operations() {
        assert_eq!(example_request(operation.name), example_request(operation.name));
        assert_eq!(example_response(operation.name), example_response(operation.name));
    }
}

#[test]
fn private_values_of_examples_are_canaries() {
    let secret = example_request("create_secret").and_then(|example| example.body).expect("a body");
    assert_eq!(secret["secret_value"], "canary-secret_value");
    let context = example_request("create_context").and_then(|example| example.body).expect("a body");
    assert_eq!(context["prompt"], "canary-prompt");
    let started = example_response("start_session").expect("an answer");
    for name in ["livekit_client_token", "livekit_agent_token", "ws_url"] {
        assert!(started["data"][name].as_str().is_some_and(|text| text.contains("canary")), "{name}");
    }
}

#[test]
fn amounts_of_credits_have_two_decimals_in_examples() {
    let answer = example_response("get_user_credits").expect("an answer");
    assert_eq!(answer["data"]["credits_left"], "12.50");
}

#[tokio::test]
async fn every_operation_with_security_refuses_a_request_without_credentials() {
    let lab = Lab::start().await;
    for operation in operations() {
        let example = example_request(operation.name).expect("an example");
        let reply = lab.send_example(From::Nobody, &operation, &example).await;
        if operation.security.is_empty() {
            assert_eq!(reply.status, operation.success, "{}: {}", operation.name, reply.body);
        } else {
            assert_eq!(reply.status, 401, "{}", operation.name);
            assert_eq!(reply.body, json!({ "code": 4010, "data": null, "message": "Unauthorized" }));
        }
    }
}

#[tokio::test]
async fn every_operation_with_security_refuses_wrong_credentials() {
    let lab = Lab::with(Server::builder().api_key("other")).await;
    for operation in operations().filter(|operation| !operation.security.is_empty()) {
        let reply = lab.send_example(From::Token("other"), &operation, &Example::default()).await;
        assert_eq!(reply.status, 401, "{}", operation.name);
    }
}

#[tokio::test]
async fn a_session_token_opens_nothing_that_asks_for_an_api_key() {
    let lab = Lab::start().await;
    let (_, token) = lab.running(lite()).await;
    for operation in operations().filter(|operation| operation.security == ["APIKeyHeader"]) {
        let example = example_request(operation.name).expect("an example");
        let reply = lab.send_example(From::Token(&token), &operation, &example).await;
        assert_eq!(reply.status, 401, "{}", operation.name);
    }
}

#[tokio::test]
async fn every_example_request_is_accepted_and_answered_validly() {
    let document = document();
    for operation in operations() {
        let examples = example_requests(operation.name);
        assert!(!examples.is_empty(), "{}", operation.name);
        for mut example in examples {
            // What one request deletes, the next could not get.
            let lab = Lab::start().await;
            // Only what belongs to a session needs one that exists.
            let (id, mut token) = lab.running(full()).await;
            if let Some(session) = example.path.get_mut("session_id") {
                *session = id.as_str().into();
            }
            if let Some(session) = example.body.as_mut().and_then(|body| body.get_mut("session_id")) {
                *session = id.as_str().into();
            }
            if operation.name == "start_session" {
                token = lab.mint(lite()).await.text("/data/session_token");
            }
            let is_for_keys = operation.security.contains(&"APIKeyHeader");
            let from = if is_for_keys { From::Key } else { From::Token(&token) };
            let reply = lab.send_example(from, &operation, &example).await;
            assert_eq!(reply.status, operation.success, "{}: {}", operation.name, reply.body);
            if reply.status == 204 {
                assert_eq!(reply.body, Value::Null);
                continue;
            }
            let pointer = format!(
                "/paths/{}/{}/responses/{}/content/application~1json/schema",
                escape(operation.path),
                operation.method.to_lowercase(),
                operation.success
            );
            assert_eq!(errors(&document, &pointer, &reply.body), [""; 0], "{}", operation.name);
        }
    }
}

#[tokio::test]
async fn a_short_list_is_one_page_without_links() {
    let lab = Lab::with(Server::builder().public_entries(1)).await;
    let reply = lab.get("/v1/avatars/public").await;
    assert_eq!(reply.body["code"], 100);
    assert_eq!(reply.body["data"]["count"], 1);
    assert_eq!(reply.body["data"]["next"], Value::Null);
    assert_eq!(reply.body["data"]["results"].as_array().map(Vec::len), Some(1));
}
