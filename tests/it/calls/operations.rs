//! Every operation of the document, called by its generated method.
//!
//! `build.rs` writes the calls and the mock writes the examples, both from the document, so that no operation is listed here.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use liveavatar_api::raw::{OPERATIONS, Operation};
use liveavatar_api::{Client, Credential, CredentialKind};
use liveavatar_mock::{
    MockResponse, RecordedRequest, Server, example_requests, example_response, operations,
};
use liveavatar_tests::call;
use serde_json::Value;

const TOKEN: &str = "canary-session-token";

fn client(server: &Server, operation: &Operation) -> Client {
    let builder = Client::builder().base_url(server.url());
    // Operations that accept both credentials are called with the API key, as a backend does.
    let credential = if operation.credentials == [CredentialKind::SessionToken] {
        Credential::session_token(TOKEN)
    } else {
        Credential::api_key(server.api_key())
    };
    builder.credential(credential.unwrap()).build().unwrap()
}

/// Replaces the secrets of the mock's examples.
fn redact(value: &mut Value) {
    match value {
        Value::String(text) if text.contains("canary") => "[secret]".clone_into(text),
        Value::Object(map) => map.values_mut().for_each(redact),
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

/// Returns the received request as text, without secrets and without parts that differ from run to run.
fn request_text(request: &RecordedRequest, server: &Server) -> String {
    let query = request.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let mut text = format!("{} {}{query}\n", request.method, request.path);
    let mut headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    headers.sort_unstable();
    let mut boundary = None;
    for (name, value) in headers {
        let value = match name {
            "host" | "content-length" => continue,
            "user-agent" => "liveavatar-api/[version]".to_owned(),
            "x-api-key" if value == server.api_key() => "[api key]".to_owned(),
            "authorization" if value == format!("Bearer {TOKEN}") => "Bearer [session token]".to_owned(),
            "x-api-key" | "authorization" => panic!("{name} is not the credential of the client"),
            "content-type" if value.starts_with("multipart/") => {
                boundary = value.split_once("boundary=").map(|(_, boundary)| boundary.to_owned());
                "multipart/form-data; boundary=[boundary]".to_owned()
            }
            _ => value.to_owned(),
        };
        writeln!(text, "{name}: {value}").unwrap();
    }
    text.push('\n');
    match serde_json::from_slice::<Value>(&request.body) {
        Ok(mut body) => {
            redact(&mut body);
            writeln!(text, "{body:#}").unwrap();
        }
        Err(_) if request.body.is_empty() => text.push_str("(no body)\n"),
        Err(_) => {
            let body = String::from_utf8_lossy(&request.body).replace("\r\n", "\n");
            let body = boundary.map_or(body.clone(), |boundary| body.replace(&boundary, "[boundary]"));
            text.push_str(&body.escape_debug().to_string().replace("\\n", "\n"));
        }
    }
    text
}

#[tokio::test]
async fn every_operation_sends_its_request_and_decodes_its_response() {
    let server = Server::start().await.unwrap();
    for operation in OPERATIONS {
        let id = operation.id;
        let client = client(&server, operation);
        let status = operations().find(|known| known.name == id).unwrap().success;
        let response = example_response(id);
        let mut text = String::new();
        let examples = example_requests(id);
        assert!(!examples.is_empty(), "{id} has no example");
        for example in examples {
            let scripted = match &response {
                Some(response) => MockResponse::json(status, response.clone()),
                None => MockResponse::raw(status, "application/json", ""),
            };
            server.mock_response(id, scripted);
            let decoded = call(&client, id, &example).await.unwrap_or_else(|error| panic!("{id}: {error:?}"));
            let requests = server.take_requests();
            let [request] = requests.as_slice() else { panic!("{id} sent {} requests", requests.len()) };
            assert_eq!(request.operation.as_deref(), Some(id), "the request reached another operation");

            if let (Some(sent), Some("application/json")) = (&example.body, example.content_type.as_deref()) {
                let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
                assert_eq!(body, *sent, "{id} sends a different body");
            }
            if let Some(response) = &response {
                assert_eq!(decoded.json, response["data"], "{id} loses a part of the response");
            }
            assert!(!decoded.debug.contains("canary"), "{id} shows a secret: {}", decoded.debug);
            writeln!(text, "{}\n=> {status}\n{}\n", request_text(request, &server), decoded.debug).unwrap();
        }
        insta::assert_snapshot!(format!("operation__{id}"), text);
    }
}

#[tokio::test]
async fn the_mock_accepts_every_call_outside_of_sessions() {
    for operation in OPERATIONS.iter().filter(|operation| !operation.path.starts_with("/v1/sessions")) {
        for example in example_requests(operation.id) {
            // Each call gets its own server, because an earlier one may have deleted the resource.
            let server = Server::start().await.unwrap();
            let client = client(&server, operation);
            let result = call(&client, operation.id, &example).await;
            assert!(result.is_ok(), "{}: {:?}", operation.id, result.err());
        }
    }
}

#[tokio::test]
async fn a_call_with_the_wrong_kind_of_credential_is_not_sent() {
    let server = Server::start().await.unwrap();
    let base = Client::builder().base_url(server.url()).build().unwrap();
    let key = base.with_credential(Credential::api_key(server.api_key()).unwrap());
    let token = base.with_credential(Credential::session_token(TOKEN).unwrap());
    let mut errors = BTreeSet::new();
    for operation in OPERATIONS {
        let example = &example_requests(operation.id)[0];
        let clients = [
            (&base, None),
            (&key, Some(CredentialKind::ApiKey)),
            (&token, Some(CredentialKind::SessionToken)),
        ];
        for (client, kind) in clients {
            if operation.credentials.is_empty()
                || kind.is_some_and(|kind| operation.credentials.contains(&kind))
            {
                continue;
            }
            let error = call(client, operation.id, example).await.unwrap_err();
            assert_eq!(error.kind(), liveavatar_api::ErrorKind::InvalidRequest);
            let name = operation.id.replace('_', " ");
            errors.insert(error.to_string().replace(&name, "[operation]"));
        }
    }
    assert_eq!(server.requests().len(), 0);
    insta::assert_snapshot!(errors.into_iter().collect::<Vec<_>>().join("\n"), @"
    [operation]: the operation needs a session token, but this client has an API key; get one with `Client::mint`
    [operation]: the operation needs a session token, but this client has no credential; get one with `Client::mint`
    [operation]: the operation needs an API key or a session token, but this client has no credential; set one with `Client::with_credential`
    [operation]: the operation needs an API key or a session token, but this client has no credential; set one with `Client::with_credential`; the session may be running and cost credits until `Client::session(id).stop()` ends it
    [operation]: the operation needs an API key, but this client has a session token; set one with `Client::with_credential`
    [operation]: the operation needs an API key, but this client has no credential; set one with `Client::with_credential`
    ");
}

#[tokio::test]
async fn a_public_operation_is_sent_without_a_credential() {
    let server = Server::start().await.unwrap();
    for operation in OPERATIONS.iter().filter(|operation| operation.credentials.is_empty()) {
        call(&client(&server, operation), operation.id, &example_requests(operation.id)[0]).await.unwrap();
    }
    let requests = server.requests();
    assert!(!requests.is_empty());
    for request in requests {
        assert_eq!(
            (request.header("x-api-key"), request.header("authorization")),
            (None, None),
            "{request:?}"
        );
    }
}

#[test]
fn the_operation_table_matches_its_snapshot() {
    let mut table = String::new();
    for operation in OPERATIONS {
        let credentials: Vec<_> = operation.credentials.iter().map(|kind| format!("{kind:?}")).collect();
        let credentials = if credentials.is_empty() { "public".to_owned() } else { credentials.join(" or ") };
        let body = if operation.optional_body { ", body optional" } else { "" };
        let bounds: String = operation.bounds.iter().fold(String::new(), |mut text, (name, least, most)| {
            let most = if *most == i64::MAX { String::new() } else { most.to_string() };
            let _ = write!(text, ", {name} {least}..{most}");
            text
        });
        writeln!(
            table,
            "{} {} {}: {credentials}{body}{bounds}",
            operation.id, operation.method, operation.path
        )
        .unwrap();
    }
    insta::assert_snapshot!(table);
}
