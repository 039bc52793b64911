//! The spans, events and observer callbacks of a call.

use std::sync::{Arc, Mutex};

use liveavatar_api::session::{LiteSession, SANDBOX_AVATAR_ID};
use liveavatar_api::{Attempt, AttemptOutcome, Client, Credential, Observer, RequestOptions};
use liveavatar_mock::{MockResponse, Server};
use liveavatar_tests::TestClock;
use serde_json::json;
use tracing_subscriber::filter::LevelFilter;

use crate::capture;

/// Records a line for every callback, without durations.
#[derive(Clone, Debug, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl Observer for Recorder {
    fn before(&self, request: &Attempt) {
        let line = format!("before {} #{}", request.operation.id, request.number);
        self.0.lock().unwrap().push(line);
    }

    fn after(&self, request: &Attempt, ended: &AttemptOutcome) {
        let AttemptOutcome { status, request_id, retry_in, .. } = ended;
        let line = format!(
            "after {} #{}: {status:?}, {request_id:?}, retry in {retry_in:?}",
            request.operation.id, request.number
        );
        self.0.lock().unwrap().push(line);
    }
}

impl Recorder {
    fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join("\n")
    }
}

fn observed_client(base: &str, options: RequestOptions) -> (Client, Recorder) {
    let recorder = Recorder::default();
    let client = Client::builder().base_url(base).credential(Credential::api_key("canary-api-key").unwrap());
    let client = client.options(options).clock(TestClock::default()).seed(1).observer(recorder.clone());
    let client = client.build().unwrap();
    // Setting up TLS logs too.
    capture::take();
    (client, recorder)
}

/// Takes the log, and returns the crate's own lines without the port, which differs from run to run.
fn logged() -> String {
    own_lines(&capture::take())
}

fn own_lines(log: &str) -> String {
    let port = |line: &str| {
        let Some((start, rest)) = line.split_once("server.port=") else { return line.to_owned() };
        format!("{start}server.port=[port]{}", rest.trim_start_matches(|it: char| it.is_ascii_digit()))
    };
    let own = log.lines().filter(|line| line.contains(" liveavatar_api::")).map(|line| port(line.trim()));
    own.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_successful_call_is_a_span_and_an_event() {
    capture::start();
    let server = Server::start().await.unwrap();
    let (client, recorder) = observed_client(server.url(), RequestOptions::new());
    client.get_user_credits().send().await.unwrap();
    insta::assert_snapshot!(logged(), @r#"
    INFO liveavatar{otel.name="get_user_credits" otel.kind="client" http.request.method="GET" url.template="/v1/users/credits" server.address="127.0.0.1" server.port=[port]}: liveavatar_api::http::trace: new
    DEBUG liveavatar{otel.name="get_user_credits" otel.kind="client" http.request.method="GET" url.template="/v1/users/credits" server.address="127.0.0.1" server.port=[port] http.response.status_code=200 liveavatar.request_id="mock-request-1"}: liveavatar_api::http::trace: request succeeded operation="get_user_credits" attempt=1 status=200 milliseconds=0
    INFO liveavatar{otel.name="get_user_credits" otel.kind="client" http.request.method="GET" url.template="/v1/users/credits" server.address="127.0.0.1" server.port=[port] http.response.status_code=200 liveavatar.request_id="mock-request-1"}: liveavatar_api::http::trace: close
    "#);
    insta::assert_snapshot!(recorder.take(), @r#"
    before get_user_credits #1
    after get_user_credits #1: Some(200), Some("mock-request-1"), retry in None
    "#);
}

#[tokio::test]
async fn a_span_has_status_and_request_id_without_events_and_an_observer() {
    let _guard = capture::limit(LevelFilter::INFO);
    let server = Server::start().await.unwrap();
    let credential = Credential::api_key("canary-api-key").unwrap();
    let client = Client::builder().base_url(server.url()).credential(credential).build().unwrap();
    capture::take();
    client.get_user_credits().send().await.unwrap();
    insta::assert_snapshot!(logged(), @r#"
    INFO liveavatar{otel.name="get_user_credits" otel.kind="client" http.request.method="GET" url.template="/v1/users/credits" server.address="127.0.0.1" server.port=[port]}: liveavatar_api::http::trace: new
    INFO liveavatar{otel.name="get_user_credits" otel.kind="client" http.request.method="GET" url.template="/v1/users/credits" server.address="127.0.0.1" server.port=[port] http.response.status_code=200 liveavatar.request_id="mock-request-1"}: liveavatar_api::http::trace: close
    "#);
}

#[tokio::test]
async fn a_retry_is_a_warning_and_is_counted_in_the_span() {
    capture::start();
    let server = Server::start().await.unwrap();
    let (client, recorder) = observed_client(server.url(), RequestOptions::new());
    server.mock_response("get_user_credits", MockResponse::json(503, json!({})));
    client.get_user_credits().send().await.unwrap();
    insta::assert_snapshot!(logged(), @r#"
    INFO liveavatar{otel.name="get_user_credits" otel.kind="client" http.request.method="GET" url.template="/v1/users/credits" server.address="127.0.0.1" server.port=[port]}: liveavatar_api::http::trace: new
    WARN liveavatar{otel.name="get_user_credits" otel.kind="client" http.request.method="GET" url.template="/v1/users/credits" server.address="127.0.0.1" server.port=[port]}: liveavatar_api::http::trace: request failed, will retry operation="get_user_credits" attempt=1 status=503 milliseconds=0 pause_milliseconds=328
    DEBUG liveavatar{otel.name="get_user_credits" otel.kind="client" http.request.method="GET" url.template="/v1/users/credits" server.address="127.0.0.1" server.port=[port] http.response.status_code=200 liveavatar.request_id="mock-request-2" http.request.resend_count=1}: liveavatar_api::http::trace: request succeeded operation="get_user_credits" attempt=2 status=200 milliseconds=0
    INFO liveavatar{otel.name="get_user_credits" otel.kind="client" http.request.method="GET" url.template="/v1/users/credits" server.address="127.0.0.1" server.port=[port] http.response.status_code=200 liveavatar.request_id="mock-request-2" http.request.resend_count=1}: liveavatar_api::http::trace: close
    "#);
    insta::assert_snapshot!(recorder.take(), @r#"
    before get_user_credits #1
    after get_user_credits #1: Some(503), Some("mock-request-1"), retry in Some(328.519756ms)
    before get_user_credits #2
    after get_user_credits #2: Some(200), Some("mock-request-2"), retry in None
    "#);
}

#[tokio::test]
async fn an_observer_receives_the_pause_of_retry_after() {
    capture::start();
    let server = Server::start().await.unwrap();
    let (client, recorder) = observed_client(server.url(), RequestOptions::new());
    server.mock_response("create_context", MockResponse::json(429, json!({})).header("retry-after", "7"));
    client.create_context().name("n").prompt("p").await.unwrap();
    insta::assert_snapshot!(recorder.take(), @r#"
    before create_context #1
    after create_context #1: Some(429), Some("mock-request-1"), retry in Some(7.328519756s)
    before create_context #2
    after create_context #2: Some(200), Some("mock-request-2"), retry in None
    "#);
}

#[tokio::test]
async fn a_failed_validation_is_logged_without_its_details() {
    capture::start();
    let server = Server::start().await.unwrap();
    let (client, recorder) = observed_client(server.url(), RequestOptions::new());
    let detail =
        json!([{ "loc": ["query", "page"], "msg": "private", "type": "value_error", "input": "private" }]);
    server.mock_response("list_voices", MockResponse::json(422, json!({ "detail": detail })));
    client.list_voices().page(2).send().await.unwrap_err();
    insta::assert_snapshot!(logged(), @r#"
    INFO liveavatar{otel.name="list_voices" otel.kind="client" http.request.method="GET" url.template="/v1/voices" server.address="127.0.0.1" server.port=[port]}: liveavatar_api::http::trace: new
    WARN liveavatar{otel.name="list_voices" otel.kind="client" http.request.method="GET" url.template="/v1/voices" server.address="127.0.0.1" server.port=[port] http.response.status_code=422 liveavatar.request_id="mock-request-1" otel.status_code="ERROR"}: liveavatar_api::http::trace: request failed operation="list_voices" attempt=1 status=422 milliseconds=0
    INFO liveavatar{otel.name="list_voices" otel.kind="client" http.request.method="GET" url.template="/v1/voices" server.address="127.0.0.1" server.port=[port] http.response.status_code=422 liveavatar.request_id="mock-request-1" otel.status_code="ERROR"}: liveavatar_api::http::trace: close
    "#);
    insta::assert_snapshot!(recorder.take(), @r#"
    before list_voices #1
    after list_voices #1: Some(422), Some("mock-request-1"), retry in None
    "#);
}

#[tokio::test]
async fn a_path_is_logged_as_its_template() {
    capture::start();
    let server = Server::start().await.unwrap();
    let (client, _) = observed_client(server.url(), RequestOptions::new());
    let error = client.get_voice_by_id().voice_id("private-voice").send().await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    let everything = capture::take();
    assert!(!everything.contains("private-voice"), "{everything}");
    insta::assert_snapshot!(own_lines(&everything), @r#"
    INFO liveavatar{otel.name="get_voice_by_id" otel.kind="client" http.request.method="GET" url.template="/v1/voices/{voice_id}" server.address="127.0.0.1" server.port=[port]}: liveavatar_api::http::trace: new
    WARN liveavatar{otel.name="get_voice_by_id" otel.kind="client" http.request.method="GET" url.template="/v1/voices/{voice_id}" server.address="127.0.0.1" server.port=[port] http.response.status_code=404 liveavatar.request_id="mock-request-1" otel.status_code="ERROR"}: liveavatar_api::http::trace: request failed operation="get_voice_by_id" attempt=1 status=404 milliseconds=0
    INFO liveavatar{otel.name="get_voice_by_id" otel.kind="client" http.request.method="GET" url.template="/v1/voices/{voice_id}" server.address="127.0.0.1" server.port=[port] http.response.status_code=404 liveavatar.request_id="mock-request-1" otel.status_code="ERROR"}: liveavatar_api::http::trace: close
    "#);
}

#[tokio::test]
async fn an_invalid_request_is_not_logged() {
    capture::start();
    let (client, recorder) = observed_client("http://127.0.0.1:1", RequestOptions::new());
    client.list_voices().page(0).send().await.unwrap_err();
    client.start_session().send().await.unwrap_err();
    client.operation("get_voice_by_id").unwrap().send().await.unwrap_err();
    assert_eq!(capture::take(), "");
    assert_eq!(recorder.take(), "");
}

#[tokio::test]
async fn a_refused_connection_is_logged_without_a_status() {
    capture::start();
    let (client, recorder) = observed_client("http://127.0.0.1:1", RequestOptions::new().max_attempts(2));
    client.get_user_credits().send().await.unwrap_err();
    insta::assert_snapshot!(logged(), @r#"
    INFO liveavatar{otel.name="get_user_credits" otel.kind="client" http.request.method="GET" url.template="/v1/users/credits" server.address="127.0.0.1" server.port=[port]}: liveavatar_api::http::trace: new
    WARN liveavatar{otel.name="get_user_credits" otel.kind="client" http.request.method="GET" url.template="/v1/users/credits" server.address="127.0.0.1" server.port=[port]}: liveavatar_api::http::trace: request failed, will retry operation="get_user_credits" attempt=1 milliseconds=0 pause_milliseconds=328
    WARN liveavatar{otel.name="get_user_credits" otel.kind="client" http.request.method="GET" url.template="/v1/users/credits" server.address="127.0.0.1" server.port=[port] http.request.resend_count=1 otel.status_code="ERROR"}: liveavatar_api::http::trace: request failed operation="get_user_credits" attempt=2 milliseconds=0
    INFO liveavatar{otel.name="get_user_credits" otel.kind="client" http.request.method="GET" url.template="/v1/users/credits" server.address="127.0.0.1" server.port=[port] http.request.resend_count=1 otel.status_code="ERROR"}: liveavatar_api::http::trace: close
    "#);
    insta::assert_snapshot!(recorder.take(), @"
    before get_user_credits #1
    after get_user_credits #1: None, None, retry in Some(328.519756ms)
    before get_user_credits #2
    after get_user_credits #2: None, None, retry in None
    ");
}

#[tokio::test]
async fn a_session_that_may_still_run_is_logged_as_an_error() {
    capture::start();
    let server = Server::start().await.unwrap();
    let key = Credential::api_key(server.api_key()).unwrap();
    let client = Client::builder().base_url(server.url()).credential(key).build().unwrap();
    let configuration = LiteSession::builder().avatar_id(SANDBOX_AVATAR_ID).build().unwrap();
    let session = client.open(&configuration).await.unwrap();
    // The API key and the session's token are rejected.
    server.mock_response("stop_session", MockResponse::json(401, json!({})));
    server.mock_response("stop_session", MockResponse::json(401, json!({})));
    session.stop().await.unwrap_err();
    let everything = capture::take();
    let errors: Vec<_> = everything.lines().map(str::trim).filter(|line| line.starts_with("ERROR")).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"ERROR liveavatar_api::supervisor::trace: session may still run session=5e551001-0000-4000-8000-000000000001 cause=the service rejected the stop error="stop session: 401 unauthorized (request mock-request-3); the session may be running and cost credits until `Client::session(id).stop()` ends it""#);
    assert!(!everything.contains("canary"), "{everything}");
}
