//! Which credentials each operation accepts.

use liveavatar_mock::{Example, Server, example_request, operations};
use serde_json::json;

use super::harness::{Auth, Mock, lite};

#[tokio::test]
async fn every_operation_with_security_rejects_a_request_without_credentials() {
    let mock = Mock::start().await;
    for operation in operations() {
        let example = example_request(operation.name).expect("an example");
        let response = mock.send_example(Auth::None, &operation, &example).await;
        if operation.security.is_empty() {
            assert_eq!(response.status, operation.success, "{}: {}", operation.name, response.body);
        } else {
            assert_eq!(response.status, 401, "{}", operation.name);
            assert_eq!(response.body, json!({ "code": 4010, "data": null, "message": "Unauthorized" }));
        }
    }
}

#[tokio::test]
async fn every_operation_with_security_rejects_wrong_credentials() {
    let mock = Mock::with(Server::builder().api_key("other")).await;
    for operation in operations().filter(|operation| !operation.security.is_empty()) {
        let response = mock.send_example(Auth::Token("other"), &operation, &Example::default()).await;
        assert_eq!(response.status, 401, "{}", operation.name);
    }
}

#[tokio::test]
async fn a_session_token_is_rejected_where_an_api_key_is_required() {
    let mock = Mock::start().await;
    let (_, token) = mock.start_session(lite()).await;
    for operation in operations().filter(|operation| operation.security == ["APIKeyHeader"]) {
        let example = example_request(operation.name).expect("an example");
        let response = mock.send_example(Auth::Token(&token), &operation, &example).await;
        assert_eq!(response.status, 401, "{}", operation.name);
    }
}
