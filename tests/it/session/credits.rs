//! Errors after which a session may be running and cost credits.

use liveavatar_api::{Client, Credential, Error, RequestOptions};
use liveavatar_mock::{Failure, Fault, MockResponse, Server};
use serde_json::{Value, json};

use super::lite;
use crate::http::scripted_server::{Response, ScriptedServer};
use crate::http::{Harness, Time};

/// What happens to a call, with whether the service may have acted on it.
fn faults() -> Vec<(&'static str, bool, Fault)> {
    let respond = |status, body: Value| Fault::Before(Failure::Response(MockResponse::json(status, body)));
    vec![
        ("a lost connection", true, Fault::After(Failure::Disconnect)),
        ("a failing service", true, respond(500, json!({}))),
        ("an unreadable success", true, Fault::After(Failure::Response(MockResponse::raw(201, "", "{")))),
        ("a success without data", true, Fault::After(Failure::Response(MockResponse::json(201, json!({}))))),
        ("a rejection", false, respond(403, json!({ "code": 4033, "data": null, "message": "No credits" }))),
    ]
}

fn client(server: &Server) -> Client {
    let key = Credential::api_key(server.api_key()).unwrap();
    let options = RequestOptions::new().max_attempts(1);
    Client::builder().base_url(server.url()).credential(key).options(options).seed(1).build().unwrap()
}

/// Whether the line that users log says what may cost credits, and names the call that ends it.
fn warns(error: &Error) -> bool {
    let line = error.to_string();
    assert_eq!(line.contains("cost credits"), line.contains("stop()"), "{line}");
    assert!(!line.contains('\n'), "{line}");
    line.contains("may be running and cost credits")
}

fn inject(server: &Server, operation: &'static str, fault: &Fault) {
    let fault = fault.clone();
    server.faults(move |called| (called == operation).then(|| fault.clone()));
}

#[tokio::test]
async fn a_failed_start_says_whether_a_session_may_be_running_and_how_to_stop_it() {
    let server = Server::builder().session_limit(50).start().await.unwrap();
    let client = client(&server);
    for (name, may_run, fault) in faults() {
        let token = client.mint(&lite()).await.unwrap();
        let bearer = client.with_credential(Credential::session_token(token.token().clone()).unwrap());
        inject(&server, "start_session", &fault);
        let error = bearer.start_session().await.unwrap_err();
        assert_eq!(warns(&error), may_run, "{name}: {error}");
        server.clear_faults();
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_timed_out_says_that_a_session_may_be_running() {
    let server = ScriptedServer::start(vec![Response::hang()]);
    let token = Credential::session_token("token").unwrap();
    let client = Harness::new(&server, Time::Paused).client.with_credential(token);
    let error = client.start_session().await.unwrap_err();
    assert!(error.is_timeout() && warns(&error), "{error}");
}

#[tokio::test]
async fn a_failed_stop_says_that_the_session_may_be_running() {
    let server = Server::builder().session_limit(50).start().await.unwrap();
    let client = client(&server);
    let token = client.mint(&lite()).await.unwrap();
    token.start().await.unwrap();
    for (name, _, fault) in faults() {
        inject(&server, "stop_session", &fault);
        let stopped = client.session(token.id()).stop().await;
        server.clear_faults();
        if let Err(error) = stopped {
            assert!(warns(&error), "{name}: {error}");
        }
    }
    let without = Client::builder().base_url(server.url()).build().unwrap();
    assert!(warns(&without.session(token.id()).stop().await.unwrap_err()));
}

#[tokio::test]
async fn a_failed_start_says_whether_the_session_was_stopped() {
    let server = Server::builder().session_limit(50).start().await.unwrap();
    let client = client(&server);
    let started = Fault::After(Failure::Response(MockResponse::raw(201, "", "{")));
    let lost = Fault::After(Failure::Disconnect);
    let mut lines = Vec::new();
    for (fault, stop_fails) in [(&started, false), (&lost, false), (&lost, true)] {
        let token = client.mint(&lite()).await.unwrap();
        let fault = fault.clone();
        server.faults(move |called| match called {
            "start_session" => Some(fault.clone()),
            _ => stop_fails.then_some(Fault::Before(Failure::Disconnect)),
        });
        let error = token.start().await.unwrap_err();
        server.clear_faults();
        assert_eq!(error.session_may_run(), error.to_string().contains("credits"));
        lines.push(error.to_string());
    }
    server.faults(|called| (called == "start_session").then_some(Fault::After(Failure::Disconnect)));
    let error = client.open(&lite()).await.unwrap_err();
    lines.push(error.to_string());
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn calls_that_start_nothing_do_not_warn() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    server.faults(|_| Some(Fault::After(Failure::Disconnect)));
    assert!(!warns(&client.list_voices().await.unwrap_err()));
    assert!(!warns(&client.mint(&lite()).await.unwrap_err()));
}
