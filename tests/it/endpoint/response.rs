//! Responses to browsers when the service fails.

use liveavatar_api::Client;
use liveavatar_api::endpoint::{Choice, TokenEndpoint};
use liveavatar_mock::{Failure, Fault, MockResponse, Server};
use serde_json::json;

use super::{AVATAR, ServedEndpoint, authorize, client, configuration, exchange};

const LANGUAGE: &str = r#"{"avatar_persona": {"language": "de"}}"#;

fn full(client: Client) -> TokenEndpoint<String> {
    let base = json!({ "mode": "FULL", "avatar_id": AVATAR, "avatar_persona": { "language": "en" } });
    TokenEndpoint::new(client, configuration(&base), authorize)
        .allow("avatar_persona.language", Choice::one_of(["de"]))
}

fn service_response(status: u16, code: i64) -> MockResponse {
    MockResponse::json(status, json!({ "code": code, "data": null, "message": "canary of the service" }))
}

fn unprocessable(field: &[&str]) -> MockResponse {
    let location: Vec<_> = ["body"].iter().chain(field).collect();
    MockResponse::json(
        422,
        json!({ "detail": [{ "type": "x", "loc": location, "msg": "canary of the field", "input": "canary of the input" }] }),
    )
}

/// Makes every call of an operation fail.
fn failing(server: &Server, operation: &'static str, failure: Failure) {
    server.faults(move |called| (called == operation).then(|| Fault::Before(failure.clone())));
}

/// Other tests check how often each call is retried.
fn without_calls(exchange: &str) -> String {
    exchange.lines().filter(|line| !line.starts_with('>')).collect::<Vec<_>>().join("\n")
}

#[tokio::test(start_paused = true)]
async fn service_failures_do_not_reveal_the_services_text() {
    let server = Server::start().await.unwrap();
    let endpoint = ServedEndpoint::start(full(client(&server))).await;
    let mint = "create_session_token";
    let cases = [
        ("the key is rejected", "{}", service_response(401, 4010)),
        ("the account is not allowed", "{}", service_response(403, 4030)),
        ("no credits", "{}", service_response(403, 4033)),
        ("the session limit", "{}", service_response(403, 4032)),
        ("the session limit with retry-after", "{}", service_response(403, 4032).header("retry-after", "7")),
        ("the rate limit", "{}", service_response(429, 4290).header("retry-after", "2")),
        ("the server's configuration is rejected", "{}", unprocessable(&["avatar_id"])),
        ("a chosen field is rejected", LANGUAGE, unprocessable(&["avatar_persona", "language"])),
        ("another field is rejected along with a choice", LANGUAGE, unprocessable(&["avatar_id"])),
        ("the server's avatar does not exist", "{}", service_response(404, 4040)),
        ("a failure", "{}", MockResponse::raw(502, "text/html", "<h1>canary</h1>")),
        ("a redirect", "{}", MockResponse::raw(302, "", "").header("location", "http://canary.invalid")),
        ("a success that is not JSON", "{}", MockResponse::raw(200, "text/html", "<h1>canary</h1>")),
    ];
    let failures = cases.map(|(case, choices, response)| (case, choices, Failure::Response(response)));
    let connections =
        [("a broken connection", "{}", Failure::Disconnect), ("no response", "{}", Failure::Hang)];
    let mut exchanges = Vec::new();
    for (case, choices, failure) in failures.into_iter().chain(connections) {
        failing(&server, mint, failure);
        // One user is enough, because no request opens a session.
        let exchange = exchange(case, &server, endpoint.post("ada", choices)).await;
        assert!(!exchange.contains("canary"), "{exchange}");
        exchanges.push(without_calls(&exchange));
    }
    insta::assert_snapshot!(exchanges.join("\n\n"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_responds_like_a_failed_token() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let endpoint = ServedEndpoint::start(full(client.clone()).start_sessions()).await;
    let cases = [
        ("the session limit", service_response(403, 4032)),
        ("no credits", service_response(403, 4033)),
        ("part of the configuration does not exist", service_response(404, 4040)),
        ("a failure", service_response(500, 5000)),
    ];
    let mut exchanges = Vec::new();
    for (case, response) in cases {
        failing(&server, "start_session", Failure::Response(response));
        let exchange = exchange(case, &server, endpoint.post("ada", "{}")).await;
        assert!(!exchange.contains("canary"), "{exchange}");
        exchanges.push(without_calls(&exchange));
    }
    server.clear_faults();
    let left = client.shutdown().await;
    assert!(left.is_empty(), "{left:?}");
    exchanges.push(exchange("the client was shut down", &server, endpoint.post("ada", "{}")).await);
    insta::assert_snapshot!(exchanges.join("\n\n"));
}
