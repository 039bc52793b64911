//! The client: its settings, requests that it does not send, and its errors.

use std::fmt::Write as _;

use liveavatar_api::session::FullSession;
use liveavatar_api::types::{CreateUpdateContextLink, FullSessionConfig, FullSessionConfigMode};
use liveavatar_api::{Client, Credential, Error, ErrorKind, Nullable, RequestOptions, Secret};
use liveavatar_mock::{MockResponse, Server, example_request};
use liveavatar_tests::{TestClock, client};
use serde_json::{Value, json};

const KEY: &str = "canary-api-key-of-this-test";
const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

#[test]
fn an_api_key_must_be_a_valid_header_value() {
    let error = |key: &str| Credential::api_key(key).unwrap_err().to_string();
    let errors = ["", " ", "key\n", "key with space", "schlüssel", "\u{0}"].map(error);
    insta::assert_snapshot!(errors.join("\n"), @"
    the API key is empty
    the API key contains a space, a line break or another invalid character; trim it if it was read from a file
    the API key contains a space, a line break or another invalid character; trim it if it was read from a file
    the API key contains a space, a line break or another invalid character; trim it if it was read from a file
    the API key contains a space, a line break or another invalid character; trim it if it was read from a file
    the API key contains a space, a line break or another invalid character; trim it if it was read from a file
    ");
}

#[test]
fn a_base_url_must_be_https_or_loopback_without_credentials() {
    let check = |url: &str| match Client::builder().base_url(url).build() {
        Ok(_) => format!("{url}: ok"),
        Err(error) => format!("{url}: {error}"),
    };
    let urls = [
        "https://api.liveavatar.com",
        "https://api.liveavatar.com/proxy/",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "http://localhost",
        "http://api.liveavatar.com",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "https://user:password@api.liveavatar.com",
        "https://api.liveavatar.com?key=1",
        "api.liveavatar.com",
        "",
    ];
    insta::assert_snapshot!(urls.map(check).join("\n"), @"
    https://api.liveavatar.com: ok
    https://api.liveavatar.com/proxy/: ok
    http://127.0.0.1:8080: ok
    http://[::1]:8080: ok
    http://localhost: ok
    http://api.liveavatar.com: the base URL is plain http, where others could read the credential: use https
    http://127.0.0.1.example.com: the base URL is plain http, where others could read the credential: use https
    ftp://127.0.0.1: the base URL is neither https nor http
    https://user:password@api.liveavatar.com: the base URL contains a user or password; set the credential instead
    https://api.liveavatar.com?key=1: the base URL has a query or a fragment
    api.liveavatar.com: the base URL lacks a scheme: add https:// in front
    : the base URL is empty
    ");
}

#[test]
fn debug_output_shows_no_credential() {
    let client = Client::new(KEY).unwrap();
    let credential = Credential::session_token(KEY).unwrap();
    let shown = format!("{client:?} {credential:?} {:?} {:?}", Secret::from(KEY), client.create_secret());
    assert!(!shown.contains("canary"), "{shown}");
}

#[tokio::test]
async fn an_empty_or_dotted_path_parameter_is_an_error() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    for id in ["", ".", ".."] {
        let error = client.delete_secret().secret_id(id).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{id:?}");
        let error = client.get_session_transcript().session_id(id).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{id:?}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn a_path_parameter_is_percent_encoded() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    server.mock_response(
        "delete_secret",
        MockResponse::json(200, json!({ "code": 100, "data": null, "message": null })),
    );
    client.delete_secret().secret_id("../a b?c#d%2e").send().await.unwrap();
    insta::assert_snapshot!(server.requests()[0].path, @"/v1/secrets/..%2Fa%20b%3Fc%23d%252e");
}

#[tokio::test]
async fn a_number_out_of_bounds_is_an_error() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let mut errors = Vec::new();
    for (page, size) in [(0, 20), (-1, 20), (1, 0), (1, 101)] {
        let response = client.list_voices().page(page).page_size(size).send().await;
        errors.push(response.unwrap_err().to_string());
    }
    client.list_voices().page(1).page_size(100).send().await.unwrap();
    assert_eq!(server.requests().len(), 1);
    insta::assert_snapshot!(errors.join("\n"), @"
    list voices: a field is invalid; page: is 0, must be at least 1
    list voices: a field is invalid; page: is -1, must be at least 1
    list voices: a field is invalid; page_size: is 0, must be at least 1 and at most 100
    list voices: a field is invalid; page_size: is 101, must be at least 1 and at most 100
    ");
}

#[tokio::test]
async fn every_error_in_the_arguments_is_reported_at_once() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let link = CreateUpdateContextLink::builder;
    let errors = [
        client.create_context().await.unwrap_err(),
        client.create_context().name("n").links([link()]).await.unwrap_err(),
        client.list_voices().page(0).page_size(101).voice_type("pubic").await.unwrap_err(),
        client.create_embed_v2().avatar_id(ID).context_id("context").type_("WIGET").await.unwrap_err(),
        client.create_image_avatar().await.unwrap_err(),
        link().id("link").build().unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.is_invalid_request() && !error.may_have_been_sent()));
    assert_eq!(server.requests().len(), 0);
    let [_, _, list, ..] = &errors;
    let fields: Vec<_> = list.fields().iter().map(|field| (&*field.path, field.hint.as_deref())).collect();
    assert_eq!(fields, [("page", None), ("page_size", None), ("voice_type", Some("did you mean `public`?"))]);
    insta::assert_snapshot!(errors.map(|error| error.to_string()).join("\n"), @"
    create context: 2 fields are invalid; name: is required; prompt: is required
    create context: 2 fields are invalid; links[0].url: is required; prompt: is required
    list voices: 3 fields are invalid; page: is 0, must be at least 1; page_size: is 101, must be at least 1 and at most 100; voice_type: must be `public` or `private`, not `pubic` (did you mean `public`?)
    create embed v2: 2 fields are invalid; context_id: is not a UUID; type: must be `DEFAULT` or `WIDGET`, not `WIGET` (did you mean `WIDGET`?)
    create image avatar: a field is invalid; file: is required
    2 fields are invalid; id: is not a UUID; url: is required
    ");
}

#[tokio::test]
async fn an_empty_optional_body_is_not_sent() {
    let server = Server::start().await.unwrap();
    let client = client(&server).with_credential(Credential::session_token("t").unwrap());
    for id in ["stop_session", "keep_session_alive"] {
        server.mock_response(
            id,
            MockResponse::json(200, json!({ "code": 1000, "data": null, "message": "ok" })),
        );
    }
    client.stop_session().send().await.unwrap();
    client.keep_session_alive().send().await.unwrap();
    for request in server.requests() {
        assert_eq!(
            (request.body.as_slice(), request.header("content-type")),
            (&b""[..], None),
            "{request:?}"
        );
    }
}

#[tokio::test]
async fn a_patch_distinguishes_absent_null_and_a_value() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let avatar = example_request("update_avatar").unwrap().path["avatar_id"].as_str().unwrap().to_owned();
    let calls = [
        client.update_avatar(),
        client.update_avatar().default_voice_id(Nullable::Null),
        client.update_avatar().default_voice_id("v"),
    ];
    for call in calls {
        call.avatar_id(&avatar).send().await.unwrap();
    }
    let sent: Vec<_> =
        server.requests().iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect();
    assert_eq!(sent, ["{}", r#"{"default_voice_id":null}"#, r#"{"default_voice_id":"v"}"#]);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (server, other) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{}/v1/users/credits", other.url());
        server.mock_response(
            "get_user_credits",
            MockResponse::raw(status, "text/plain", "").header("location", &location),
        );
        let error = client(&server).get_user_credits().send().await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Service, Some(status)));
    }
    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn an_unchecked_configuration_is_sent_unchanged() {
    let server = Server::start().await.unwrap();
    let request = FullSessionConfig::builder().mode(FullSessionConfigMode::Full).avatar_id(ID);
    let request = request.build().unwrap();
    FullSession::new(request.clone()).unwrap_err();
    let configuration = FullSession::unchecked(request);
    insta::assert_snapshot!(configuration.warnings(), @r#"
    error[persona-or-voice-agent]: FULL needs `voice_agent` or `avatar_persona`
      hint: use a stored agent: `"voice_agent": {"id": …}`
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
    assert!(once.get_user_credits().send().await.unwrap_err().is_server());
    assert_eq!(server.take_requests().len(), 1);
    server.mock_response("get_user_credits", MockResponse::json(503, json!({})));
    client.get_user_credits().send().await.unwrap();
    assert_eq!(server.take_requests().len(), 2);
}

#[tokio::test]
async fn a_custom_http_client_does_not_follow_redirects() {
    let (server, other) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    let custom =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::limited(9)).user_agent("custom/1");
    let client = Client::builder().base_url(server.url()).http(custom).clock(TestClock::default());
    let client = client.credential(Credential::api_key(server.api_key()).unwrap()).build().unwrap();
    let location = format!("{}/v1/users/credits", other.url());
    server.mock_response(
        "get_user_credits",
        MockResponse::raw(307, "text/plain", "").header("location", &location),
    );
    let error = client.get_user_credits().send().await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Service, Some(307)));
    assert_eq!(other.requests().len(), 0);
    assert_eq!(server.requests()[0].header("user-agent"), Some("custom/1"));
}

#[test]
fn plain_http_to_another_machine_must_be_allowed() {
    let builder = || Client::builder().base_url("http://192.0.2.1");
    assert_eq!(builder().build().unwrap_err().kind(), ErrorKind::InvalidRequest);
    builder().allow_plain_http().build().unwrap();
}

#[tokio::test]
async fn errors_show_kind_code_fields_request_id_and_hint() {
    let server = Server::start().await.unwrap();
    let client = client(&server).with_options(RequestOptions::new().max_attempts(1));
    let detail = json!([
        { "type": "missing", "loc": ["body", "avatar_id"], "msg": "Field required", "input": { "prompt": "canary" } },
        { "type": "int_parsing", "loc": ["query", "page"], "msg": "Input should be a valid integer", "input": "canary" },
    ]);
    let field_errors = json!([{ "loc": ["avatar_id"], "message": "This avatar is not supported in sandbox mode", "params": {} }]);
    let body = |code: i64, message: &str| json!({ "code": code, "data": null, "message": message });
    let responses = [
        MockResponse::json(
            400,
            json!({ "code": 4000, "data": field_errors, "message": "Bad request error" }),
        ),
        MockResponse::json(400, body(4999, "something else")),
        MockResponse::json(401, body(4010, "Unauthorized")),
        MockResponse::json(402, json!({})),
        MockResponse::json(403, body(4032, "Session concurrency limit reached")),
        MockResponse::json(403, body(4003, "Session concurrency limit reached")),
        MockResponse::json(403, body(4033, "No credits available")),
        MockResponse::json(403, json!({ "detail": "Forbidden" })),
        MockResponse::json(404, json!({ "detail": "Not Found" })),
        MockResponse::json(422, json!({ "detail": detail })),
        MockResponse::json(422, json!({ "detail": "one text" })),
        MockResponse::json(429, json!({})).header("retry-after", "1"),
        MockResponse::raw(500, "text/plain", "Internal Server Error"),
        MockResponse::raw(502, "text/html", "<html><h1>Bad Gateway</h1></html>"),
        MockResponse::json(503, json!(["no", "object"])),
        MockResponse::raw(504, "application/json", "\u{feff}{\"message\": \"late\"}"),
        MockResponse::json(200, body(4033, "No credits available")),
        MockResponse::json(200, json!({ "code": 100, "data": null, "message": null })),
        MockResponse::raw(200, "text/html", "<html>canary</html>"),
        MockResponse::raw(200, "application/json", ""),
        MockResponse::raw(200, "application/json", "{\"code\": 100, \"data\": {\"canary"),
        MockResponse::json(200, json!({ "code": 100, "data": { "credits_left": [] } })),
    ];
    let mut report = String::new();
    for response in responses {
        server.mock_response("get_user_credits", response);
        let error = client.get_user_credits().send().await.unwrap_err();
        let shown = format!("{error} / {error:?}");
        assert!(!shown.contains("canary"), "{shown}");
        writeln!(report, "{:?}: {error}", error.kind()).unwrap();
        if let Some(hint) = error.hint() {
            writeln!(report, "  hint: {hint}").unwrap();
        }
    }
    insta::assert_snapshot!(report);
}

#[tokio::test]
async fn an_error_redacts_request_data_that_the_service_echoes() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let prompt = "canary: you are a \"private\" prompt";
    let echo = json!({ "code": 4000, "message": format!("bad prompt: {prompt}"), "data": [
        { "loc": ["prompt"], "message": format!("{prompt} and key {}", server.api_key()) },
    ] });
    server.mock_response("create_context", MockResponse::json(400, echo));
    let error = client.create_context().name("n").prompt(prompt).send().await.unwrap_err();
    insta::assert_snapshot!(error.to_string(), @"create context: 400 bad prompt: [as sent]; prompt: [as sent] and key [credential] (code 4000, request mock-request-1)");
    assert!(!format!("{error:?}").contains("canary"));
}

#[tokio::test]
async fn an_unreachable_service_is_a_transport_error_and_nothing_is_sent() {
    let client =
        Client::builder().base_url("http://127.0.0.1:1").credential(Credential::api_key(KEY).unwrap());
    let client = client.options(RequestOptions::new().max_attempts(1)).build().unwrap();
    let error = client.list_secrets().send().await.unwrap_err();
    assert_eq!((error.kind(), error.may_have_been_sent()), (ErrorKind::Transport, false));
    assert_eq!(error.to_string(), "list secrets: the service could not be reached");
}

#[tokio::test]
async fn only_jpeg_and_png_files_are_uploaded() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let mut errors = Vec::new();
    for file in [&b""[..], b"GIF89a", b"<svg/>"] {
        let response = client.create_image_avatar().file(file).send().await;
        errors.push(response.unwrap_err().to_string());
    }
    errors.push(client.create_image_avatar().send().await.unwrap_err().to_string());
    assert_eq!(server.requests().len(), 0);
    insta::assert_snapshot!(errors.join("\n"), @"
    create image avatar: a field is invalid; file: is neither JPEG nor PNG
    create image avatar: a field is invalid; file: is neither JPEG nor PNG
    create image avatar: a field is invalid; file: is neither JPEG nor PNG
    create image avatar: a field is invalid; file: is required
    ");
}

#[test]
fn a_base_url_with_the_version_or_without_a_scheme_is_an_error() {
    let urls = [
        "https://api.liveavatar.com/v1",
        "https://api.liveavatar.com/v1/",
        "https://gateway.example/liveavatar/v2",
        "127.0.0.1:8089",
        "localhost:8089",
        "[::1]:8089",
        "api.liveavatar.com",
        "user:password@api.liveavatar.com",
        "",
    ];
    let errors = urls.map(|url| Client::builder().base_url(url).build().unwrap_err());
    assert!(errors.iter().all(|error| error.is_invalid_request() && !error.to_string().contains("password")));
    let lines = urls.iter().zip(&errors).map(|(url, error)| format!("{url}: {error}"));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    for url in ["https://gateway.example/v1/liveavatar", "https://gateway.example/v10", "https://v1.example"]
    {
        Client::builder().base_url(url).build().unwrap();
    }
}

#[tokio::test]
async fn the_hint_for_a_401_is_about_the_credential_that_was_sent() {
    let server = Server::start().await.unwrap();
    let key = client(&server);
    let token = key.with_credential(Credential::session_token("spent").unwrap());
    for operation in ["start_session", "stop_session", "get_user_credits", "list_public_avatars"] {
        let rejected = json!({ "code": 4010, "data": null, "message": "Unauthorized" });
        for _ in 0..2 {
            server.mock_response(operation, MockResponse::json(401, rejected.clone()));
        }
    }
    let hint = |error: Error| error.hint().unwrap().to_owned();
    let of_tokens = hint(token.start_session().await.unwrap_err());
    assert!(of_tokens.contains("expired") && of_tokens.contains("spent"), "{of_tokens}");
    assert_eq!(hint(token.stop_session().await.unwrap_err()), of_tokens);
    let of_keys = hint(key.stop_session().await.unwrap_err());
    assert!(of_keys.contains("API key") && !of_keys.contains("expired"), "{of_keys}");
    assert_eq!(hint(key.get_user_credits().await.unwrap_err()), of_keys);
    let public = Client::builder().base_url(server.url()).build().unwrap();
    let without = hint(public.list_public_avatars().await.unwrap_err());
    assert!(without.contains("no credential"), "{without}");
}

#[tokio::test]
async fn the_alternate_form_of_an_error_adds_its_hint() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    server.mock_response("get_user_credits", MockResponse::json(402, json!({})));
    let error = client.get_user_credits().await.unwrap_err();
    let hint = error.hint().unwrap();
    assert!(!error.to_string().contains(hint));
    assert_eq!(format!("{error:#}"), format!("{error}; hint: {hint}"));
}
