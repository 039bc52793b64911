//! Neither the log nor the responses of the token endpoint contain keys, prompts or the service's texts.

use axum::http::request::Parts;
use liveavatar_api::endpoint::{Choice, Rejection, SecondSession, TokenEndpoint};
use liveavatar_api::session::AnyConfiguration;
use liveavatar_api::{Client, Credential};
use liveavatar_mock::{Failure, Fault, MockResponse, Server};
use serde_json::{Value, json};

use crate::capture;
use crate::leaks::Leaks;

async fn authorize(request: Parts) -> Result<String, Rejection> {
    let user = request.headers.get("x-user").and_then(|user| user.to_str().ok());
    user.map(str::to_owned).ok_or(Rejection::Unauthenticated)
}

#[tokio::test(start_paused = true)]
async fn the_endpoint_shows_no_secret_in_logs_and_responses() {
    capture::start();
    let mut leaks = Leaks::default();
    let server = Server::start().await.unwrap();
    let credential = Credential::api_key(server.api_key()).unwrap();
    let client = Client::builder().base_url(server.url()).credential(credential).build().unwrap();
    let base = json!({
        "mode": "FULL",
        "avatar_id": "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11",
        "avatar_persona": { "language": "en" },
        "dynamic_variables": { "prompt": "the canary prompt" },
    });
    let base = AnyConfiguration::from_json(&base.to_string()).unwrap();
    let endpoint = TokenEndpoint::new(client.clone(), base, authorize)
        .allow("avatar_persona.language", Choice::checked(|_| Ok(())))
        .second_session(SecondSession::Replace)
        .start_sessions();
    leaks.look_debug("the endpoint", "the builder", &endpoint);
    let router = endpoint.router().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = |choices: &'static str| {
        let request = http.post(&url).header("x-user", "ada").header("content-type", "application/json");
        request.body(choices).send()
    };

    let opened: Value = serde_json::from_slice(&post("{}").await.unwrap().bytes().await.unwrap()).unwrap();
    let token = opened["livekit_client_token"].as_str().unwrap();
    let logged = capture::take();
    assert!(!logged.contains(token), "the LiveKit token is in the log");
    leaks.look("a session", "logs", &logged);

    let body = json!({ "code": 4000, "message": "canary message", "data": [{ "loc": ["canary"], "message": "canary" }] });
    for (operation, status) in [
        ("create_session_token", 400),
        ("create_session_token", 500),
        ("start_session", 403),
        ("start_session", 500),
    ] {
        let response = MockResponse::json(status, body.clone());
        server.faults(move |called| {
            (called == operation).then(|| Fault::Before(Failure::Response(response.clone())))
        });
        let at = format!("{operation} {status}");
        let rejected = post("{}").await.unwrap();
        assert!(rejected.status().is_server_error(), "{at}: {}", rejected.status());
        leaks.look(&at, "the response", &rejected.text().await.unwrap());
        leaks.look(&at, "logs", &capture::take());
    }
    server.clear_faults();
    for choices in [
        r#"{"avatar_persona": {"voice_id": "canary"}}"#,
        r#"{"avatar_persona": {"language": {"canary": 1}}}"#,
        r#"{"avatar_id": "canary"}"#,
        r#"{"avatar_id": "canary"#,
    ] {
        let rejected = post(choices).await.unwrap();
        assert_eq!(rejected.status(), 400);
        let text = rejected.text().await.unwrap();
        // The response names keys, so that the sender can find them, but no values.
        leaks.look("a choice", "the response", &text.replace("language.canary", ""));
        leaks.look("a choice", "logs", &capture::take());
    }
    assert!(client.shutdown().await.is_empty());
    leaks.look("the end", "logs", &capture::take());
    leaks.assert_none(15);
}
