//! Ways around what the types and rules know: calls by name, unchecked configurations, one's own HTTP client, raw data.

use std::collections::BTreeSet;

use liveavatar_api::raw::OPERATIONS;
use liveavatar_api::session::{Configuration, Full, Lite, SANDBOX_AVATAR_ID};
use liveavatar_api::types::{self, FullSessionConfigMode};
use liveavatar_api::{
    Client, Credential, CredentialKind, DynamicCall, ErrorKind, IntoData as _, RequestOptions,
};
use liveavatar_mock::{Example, MockResponse, Server, example_requests, example_response, operations};
use liveavatar_tests::{TestClock, call, client};
use serde_json::{Value, json};

const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// The call by name with the arguments of an example.
fn by_name<'a>(client: &'a Client, operation: &str, example: &Example) -> DynamicCall<'a> {
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
            "file" => call.file_part(name, &b"\xff\xd8\xff\xe0 a picture"[..]),
            _ => call.text_part(name, value.as_str().unwrap()),
        }),
        (_, _) => call,
    }
}

fn success(operation: &str) -> u16 {
    operations().find(|known| known.name == operation).unwrap().success
}

#[tokio::test]
async fn every_operation_can_be_called_by_its_name() {
    for operation in OPERATIONS.iter().filter(|operation| !operation.path.starts_with("/v1/sessions")) {
        for example in example_requests(operation.id) {
            // What one call deletes, the next could not get.
            let server = Server::start().await.unwrap();
            let client = client(&server);
            let answer = by_name(&client, operation.id, &example).send().await.unwrap();
            let body = String::from_utf8_lossy(&answer.body);
            assert_eq!(answer.status, success(operation.id), "{}: {body}", operation.id);
            let request = server.take_requests().pop().unwrap();
            assert_eq!(request.operation.as_deref(), Some(operation.id));
        }
    }
}

#[tokio::test]
async fn every_session_operation_can_be_called_by_its_name() {
    let server = Server::builder().session_limit(usize::MAX).start().await.unwrap();
    let client = client(&server);
    for operation in OPERATIONS.iter().filter(|operation| operation.path.starts_with("/v1/sessions")) {
        for mut example in example_requests(operation.id) {
            let lite =
                Configuration::<Lite>::build(|lite| lite.avatar_id(SANDBOX_AVATAR_ID).is_sandbox(true));
            let minted = client.mint(&lite.unwrap()).await.unwrap();
            let (id, token) = (minted.id(), Credential::session_token(minted.token().clone()).unwrap());
            let mut client = client.clone();
            if operation.credentials == [CredentialKind::SessionToken] {
                client = client.with_credential(token);
            } else {
                let _running = minted.start().await.unwrap();
            }
            if let Some(value) = example.path.get_mut("session_id") {
                *value = json!(id);
            }
            if let Some(value) = example.body.as_mut().and_then(|body| body.get_mut("session_id")) {
                *value = json!(id);
            }
            let answer = by_name(&client, operation.id, &example).send().await.unwrap();
            let body = String::from_utf8_lossy(&answer.body);
            assert_eq!(answer.status, success(operation.id), "{}: {body}", operation.id);
        }
    }
}

#[tokio::test]
async fn a_failing_answer_comes_back_as_it_was() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    for status in [302, 400, 401, 403, 404, 409, 422, 501] {
        let answer =
            MockResponse::raw(status, "text/plain", "{ \"not\":  the document's }").header("x-extra", "1");
        server.mock_response("get_user_credits", answer);
        let answer = client.operation("get_user_credits").unwrap().send().await.unwrap();
        assert_eq!((answer.status, &*answer.body), (status, &b"{ \"not\":  the document's }"[..]));
        assert_eq!(
            (&answer.headers["x-extra"], &answer.headers["content-type"]),
            (&"1".parse().unwrap(), &"text/plain".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn what_cannot_be_a_call_is_refused_before_sending() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let mut said = vec![client.operation("list_voice").unwrap_err()];
    let secret = || client.operation("delete_secret").unwrap();
    said.push(secret().send().await.unwrap_err());
    said.push(secret().path("id", "1").send().await.unwrap_err());
    for id in ["", ".", ".."] {
        said.push(secret().path("secret_id", id).send().await.unwrap_err());
    }
    said.push(client.operation("list_voices").unwrap().query("page", "0").send().await.unwrap_err());
    said.push(client.operation("start_session").unwrap().send().await.unwrap_err());
    assert!(
        said.iter().all(|error| error.kind() == ErrorKind::InvalidRequest && !error.may_have_been_sent())
    );
    assert_eq!(server.requests().len(), 0);
    let said: Vec<_> = said.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(said.join("\n"), @"
    no operation of this name; `raw::OPERATIONS` lists them
    delete_secret: /v1/secrets/{secret_id} lacks a parameter of its path
    delete_secret: /v1/secrets/{secret_id} lacks a parameter of its path
    delete_secret: {secret_id} is empty or made of dots, and names another resource
    delete_secret: {secret_id} is empty or made of dots, and names another resource
    delete_secret: {secret_id} is empty or made of dots, and names another resource
    list_voices: page: 0 is below 1
    start_session: takes a session token, and this client has an API key; `Client::mint` gets one for a session
    ");
}

#[tokio::test]
async fn arguments_of_a_call_by_name_are_escaped() {
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
async fn an_unchecked_configuration_is_sent_as_it_is() {
    let server = Server::start().await.unwrap();
    let request: types::FullSessionConfig = types::FullSessionConfig::builder()
        .mode(FullSessionConfigMode::Full)
        .avatar_id(ID)
        .try_into()
        .unwrap();
    Configuration::<Full>::new(request.clone()).unwrap_err();
    let configuration = Configuration::<Full>::unchecked(request);
    insta::assert_snapshot!(configuration.warnings(), @r#"
    error[persona-or-voice-agent]: FULL needs `voice_agent` or `avatar_persona`, neither is set
      hint: name a stored agent: `"voice_agent": {"id": …}`
    "#);
    let error = client(&server).mint(&configuration).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Validation, Some(422)));
    let sent: Value = serde_json::from_slice(&server.requests()[0].body).unwrap();
    assert_eq!(sent, json!({ "avatar_id": ID, "mode": "FULL" }));
}

#[tokio::test]
async fn options_can_be_changed_for_one_call() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    server.mock_response("get_user_credits", MockResponse::json(503, json!({})));
    let once = client.with_options(RequestOptions::new().max_attempts(1));
    assert!(once.get_user_credits().send().await.into_data().unwrap_err().is_server());
    assert_eq!(server.take_requests().len(), 1);
    server.mock_response("get_user_credits", MockResponse::json(503, json!({})));
    client.get_user_credits().send().await.into_data().unwrap();
    assert_eq!(server.take_requests().len(), 2);
}

#[tokio::test]
async fn ones_own_http_client_follows_no_redirect_either() {
    let (server, other) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    let own =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::limited(9)).user_agent("my-own/1");
    let client = Client::builder().base_url(server.url()).http(own).clock(TestClock::default());
    let client = client.credential(Credential::api_key(server.api_key()).unwrap()).build().unwrap();
    let location = format!("{}/v1/users/credits", other.url());
    server.mock_response(
        "get_user_credits",
        MockResponse::raw(307, "text/plain", "").header("location", &location),
    );
    let error = client.get_user_credits().send().await.into_data().unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Service, Some(307)));
    assert_eq!(other.requests().len(), 0);
    assert_eq!(server.requests()[0].header("user-agent"), Some("my-own/1"));
}

#[test]
fn plain_http_to_another_machine_has_to_be_allowed() {
    let builder = || Client::builder().base_url("http://192.0.2.1");
    assert_eq!(builder().build().unwrap_err().kind(), ErrorKind::InvalidRequest);
    builder().allow_plain_http().build().unwrap();
}

#[tokio::test]
async fn an_envelope_keeps_what_its_type_does_not_know() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let data = r#"{"credits_left": "1.50",  "brand_new": [1.0, {"b": 1e2, "a": null}]}"#;
    let text = format!(r#"{{"code":1000,"data":{data},"message":"ok"}}"#);
    server.mock_response("get_user_credits", MockResponse::raw(200, "application/json", text.clone()));
    let envelope = client.get_user_credits().send().await.unwrap().into_inner();
    assert_eq!(envelope.raw_data(), Some(data));
    assert_eq!(envelope.data().unwrap().credits_left.as_ref().unwrap().to_string(), "1.50");
    assert_eq!(serde_json::to_string(&envelope).unwrap(), text);

    // Data of another shape is there, too, and its status and headers are not lost.
    let text = r#"{"code":1000,"data":["another", "shape"],"message":null}"#;
    server.mock_response("get_user_credits", MockResponse::raw(200, "application/json", text));
    let answer = client.get_user_credits().send().await.unwrap();
    assert!(answer.headers().contains_key("x-request-id"));
    let envelope = answer.into_inner();
    assert_eq!((envelope.data(), envelope.raw_data()), (None, Some(r#"["another", "shape"]"#)));
    assert_eq!(serde_json::to_string(&envelope).unwrap(), text);
}

/// Every answer's data with one scalar changed: operation, place, answer.
fn changed(change: &dyn Fn(&Value) -> Option<Value>) -> Vec<(&'static str, String, Value)> {
    fn scalars(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, it)| scalars(it, &format!("{at}/{key}"), found)),
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(index, it)| scalars(it, &format!("{at}/{index}"), found));
            }
            _ => found.push(at.to_owned()),
        }
    }
    let mut all = Vec::new();
    for operation in OPERATIONS {
        let Some(answer) = example_response(operation.id) else { continue };
        let mut places = Vec::new();
        scalars(&answer["data"], "/data", &mut places);
        for place in places {
            let Some(new) = change(answer.pointer(&place).unwrap()) else { continue };
            let mut variant = answer.clone();
            *variant.pointer_mut(&place).unwrap() = new;
            all.push((operation.id, place, variant));
        }
    }
    all
}

/// The fields in which a changed answer does not decode, by name.
async fn undecodable(changes: Vec<(&'static str, String, Value)>) -> String {
    let server = Server::start().await.unwrap();
    let key = client(&server);
    let token = key.with_credential(Credential::session_token("token").unwrap());
    let mut refused = BTreeSet::new();
    for (id, place, answer) in changes {
        let only_token =
            OPERATIONS.iter().any(|it| it.id == id && it.credentials == [CredentialKind::SessionToken]);
        server.mock_response(id, MockResponse::json(success(id), answer));
        let client = if only_token { &token } else { &key };
        if let Err(error) = call(client, id, &example_requests(id)[0]).await {
            assert_eq!(error.kind(), ErrorKind::Decode, "{id} {place}: {error}");
            let parts: Vec<_> = place.rsplit('/').collect();
            // An entry of a list says little without the list's name.
            let entry = parts[0].parse::<usize>().is_ok();
            refused.insert(if entry { format!("{}/{}", parts[1], parts[0]) } else { parts[0].to_owned() });
        }
    }
    refused.into_iter().collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn null_decodes_everywhere_but_in_ids_secrets_and_lists() {
    let changes = changed(&|value| (!value.is_null()).then_some(Value::Null));
    assert!(changes.len() > 150, "only {} places", changes.len());
    insta::assert_snapshot!(undecodable(changes).await, @"
    embed_id
    id
    openai/0
    prompt
    required_dynamic_variables/0
    secret_id
    session_id
    session_token
    tags/0
    voice_id
    ");
}

#[tokio::test]
async fn a_number_decodes_from_text_too() {
    let changes = changed(&|value| value.is_number().then(|| json!(value.to_string())));
    assert!(changes.len() > 15, "only {} places", changes.len());
    assert_eq!(undecodable(changes).await, "");
}
