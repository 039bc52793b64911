//! Calls by name, without the generated types.

use liveavatar_api::calls::DynamicCall;
use liveavatar_api::raw::OPERATIONS;
use liveavatar_api::session::{LiteSession, SANDBOX_AVATAR_ID};
use liveavatar_api::{Client, Credential, CredentialKind, ErrorKind};
use liveavatar_mock::{Example, MockResponse, Server, example_requests, operations};
use liveavatar_tests::{client, picture};
use serde_json::{Value, json};

const LITE_AVATAR: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// Builds a call by name with the arguments of an example.
fn by_name(client: &Client, operation: &str, example: &Example) -> DynamicCall {
    let mut call = client.operation(operation).unwrap();
    for (name, value) in &example.path {
        call = call.path(name, value.as_str().unwrap());
    }
    for (name, value) in &example.query {
        call = call.query(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    match (example.body.clone(), example.content_type.as_deref()) {
        (Some(body), Some("application/json")) => call.json(body),
        (Some(Value::Object(parts)), _) => parts.into_iter().fold(call, |call, (name, value)| match &*name {
            "file" => call.file_part(name, picture()),
            _ => call.text_part(name, value.as_str().unwrap()),
        }),
        (_, _) => call,
    }
}

fn success(operation: &str) -> u16 {
    operations().find(|known| known.name == operation).unwrap().success
}

#[tokio::test]
async fn every_operation_can_be_called_by_name() {
    for operation in OPERATIONS.iter().filter(|operation| !operation.path.starts_with("/v1/sessions")) {
        for example in example_requests(operation.id) {
            // Each call gets its own server, because an earlier one may have deleted the resource.
            let server = Server::start().await.unwrap();
            let client = client(&server);
            let response = by_name(&client, operation.id, &example).send().await.unwrap();
            let body = String::from_utf8_lossy(&response.body);
            assert_eq!(response.status, success(operation.id), "{}: {body}", operation.id);
            let request = server.take_requests().pop().unwrap();
            assert_eq!(request.operation.as_deref(), Some(operation.id));
        }
    }
}

#[tokio::test]
async fn every_session_operation_can_be_called_by_name() {
    let server = Server::builder().session_limit(usize::MAX).start().await.unwrap();
    let client = client(&server);
    for operation in OPERATIONS.iter().filter(|operation| operation.path.starts_with("/v1/sessions")) {
        for mut example in example_requests(operation.id) {
            let lite = LiteSession::builder().avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true).build();
            let minted = client.mint(&lite.unwrap()).await.unwrap();
            let (id, token) = (minted.id(), Credential::session_token(minted.token().clone()).unwrap());
            let mut client = client.clone();
            if operation.credentials == [CredentialKind::SessionToken] {
                client = client.with_credential(token);
            } else {
                minted.start().await.unwrap();
            }
            if let Some(value) = example.path.get_mut("session_id") {
                *value = json!(id);
            }
            if let Some(value) = example.body.as_mut().and_then(|body| body.get_mut("session_id")) {
                *value = json!(id);
            }
            let response = by_name(&client, operation.id, &example).send().await.unwrap();
            let body = String::from_utf8_lossy(&response.body);
            assert_eq!(response.status, success(operation.id), "{}: {body}", operation.id);
        }
    }
}

#[tokio::test]
async fn a_failed_response_is_returned_unchanged() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    for status in [302, 400, 401, 403, 404, 409, 422, 501] {
        let failure =
            MockResponse::raw(status, "text/plain", "{ \"not\":  the document's }").header("x-extra", "1");
        server.mock_response("get_user_credits", failure);
        let response = client.operation("get_user_credits").unwrap().send().await.unwrap();
        assert_eq!((response.status, &*response.body), (status, &b"{ \"not\":  the document's }"[..]));
        assert_eq!(
            (&response.headers["x-extra"], &response.headers["content-type"]),
            (&"1".parse().unwrap(), &"text/plain".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn an_invalid_call_by_name_is_not_sent() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let mut errors = vec![client.operation("list_voice").unwrap_err()];
    let secret = || client.operation("delete_secret").unwrap();
    errors.push(secret().send().await.unwrap_err());
    errors.push(secret().path("id", "1").send().await.unwrap_err());
    for id in ["", ".", ".."] {
        errors.push(secret().path("secret_id", id).send().await.unwrap_err());
    }
    errors.push(client.operation("list_voices").unwrap().query("page", "0").send().await.unwrap_err());
    errors.push(client.operation("start_session").unwrap().send().await.unwrap_err());
    assert!(
        errors.iter().all(|error| error.kind() == ErrorKind::InvalidRequest && !error.may_have_been_sent())
    );
    assert_eq!(server.requests().len(), 0);
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(errors.join("\n"), @"
    there is no operation of this name; `raw::OPERATIONS` lists all
    delete secret: a path parameter of /v1/secrets/{secret_id} is missing
    delete secret: a path parameter of /v1/secrets/{secret_id} is missing
    delete secret: secret_id: an empty value, `.` or `..` would address another resource
    delete secret: secret_id: an empty value, `.` or `..` would address another resource
    delete secret: secret_id: an empty value, `.` or `..` would address another resource
    list voices: page: 0 is below the minimum of 1
    start session: the operation needs a session token, but this client has an API key; get one with `Client::mint`
    ");
}

#[tokio::test]
async fn arguments_of_a_call_by_name_are_percent_encoded() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    for id in ["../a b?c#d%2e", "ü/\\;=&+\"", "a.b-c_d~e", "...", "\u{0}\n"] {
        let call = client.operation("delete_secret").unwrap().path("secret_id", id);
        call.query("a&b", "c=d&e #ü").send().await.unwrap();
    }
    let sent: Vec<_> =
        server.requests().into_iter().map(|it| format!("{}?{}", it.path, it.query.unwrap())).collect();
    insta::assert_snapshot!(sent.join("\n"), @"
    /v1/secrets/..%2Fa%20b%3Fc%23d%252e?a%26b=c%3Dd%26e+%23%C3%BC
    /v1/secrets/%C3%BC%2F%5C%3B%3D%26%2B%22?a%26b=c%3Dd%26e+%23%C3%BC
    /v1/secrets/a.b-c_d~e?a%26b=c%3Dd%26e+%23%C3%BC
    /v1/secrets/...?a%26b=c%3Dd%26e+%23%C3%BC
    /v1/secrets/%00%0A?a%26b=c%3Dd%26e+%23%C3%BC
    ");
}

#[tokio::test]
async fn a_json_body_is_checked_against_the_document() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let bodies = [
        ("create_context", json!({ "name": "n", "prompt": "p", "lnks": [] })),
        (
            "create_context",
            json!({ "name": "n", "prompt": "p", "links": [{ "ulr": "https://example.com" }] }),
        ),
        ("create_secret", json!({ "secret_name": "", "secret_value": "", "secret_type": "OPENAI_APIKEY" })),
        ("update_voice", json!({ "name": 7 })),
        ("create_context", json!(["name"])),
        ("create_session_token", json!({ "mode": "LITE", "avatar_id": LITE_AVATAR, "is_sandbx": true })),
    ];
    let mut errors = Vec::new();
    for (operation, body) in bodies {
        let call = client.operation(operation).unwrap().path("voice_id", "1").json(body);
        let error = call.clone().data().await.unwrap_err();
        assert!(
            error.is_invalid_request() && !error.may_have_been_sent() && !error.fields().is_empty(),
            "{error}"
        );
        assert_eq!(call.send().await.unwrap_err().to_string(), error.to_string());
        errors.push(error.to_string());
    }
    assert_eq!(server.requests().len(), 0);
    insta::assert_snapshot!(errors.join("\n"));
}

#[tokio::test]
async fn a_misspelt_field_is_an_error_in_the_body_of_every_operation() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let mut checked = 0;
    // The fields of the body of `create_avatar` are not documented.
    for operation in OPERATIONS.iter().filter(|operation| operation.id != "create_avatar") {
        for mut example in example_requests(operation.id) {
            let is_json = example.content_type.as_deref() == Some("application/json");
            let Some(Value::Object(body)) = example.body.as_mut().filter(|_| is_json) else { continue };
            body.insert("misspelt".to_owned(), json!(1));
            let client = match operation.credentials {
                [CredentialKind::SessionToken] => {
                    client.with_credential(Credential::session_token("t").unwrap())
                }
                _ => client.clone(),
            };
            let error = by_name(&client, operation.id, &example).send().await;
            let error = error.map(|it| it.status).expect_err(operation.id);
            assert_eq!(error.fields()[0].path, "misspelt", "{}: {error}", operation.id);
            checked += 1;
        }
    }
    assert!(checked > 15, "{checked} bodies were checked");
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn an_unchecked_body_is_sent_as_given() {
    let server = Server::start().await.unwrap();
    let call = client(&server).operation("create_context").unwrap();
    let body = json!({ "name": "n", "prompt": "p", "newer_than_this_version": 1 });
    call.json(body.clone()).unchecked().send().await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&server.requests()[0].body).unwrap(), body);
}
