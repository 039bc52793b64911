//! What browsers are told when the service says no: the status to act on, and not a word of the service's own.

use liveavatar_api::Client;
use liveavatar_api::endpoint::{Choice, TokenEndpoint};
use liveavatar_mock::{Failure, Fault, MockResponse, Server};
use serde_json::json;

use super::{AVATAR, Page, client, configuration, told, user};

const LANGUAGE: &str = r#"{"avatar_persona": {"language": "de"}}"#;

fn full(client: Client) -> TokenEndpoint<String> {
    let base = json!({ "mode": "FULL", "avatar_id": AVATAR, "avatar_persona": { "language": "en" } });
    TokenEndpoint::new(client, configuration(&base), user)
        .allow("avatar_persona.language", Choice::one_of(["de"]))
}

fn said(status: u16, code: i64) -> MockResponse {
    MockResponse::json(status, json!({ "code": code, "data": null, "message": "canary of the service" }))
}

fn unprocessable(field: &[&str]) -> MockResponse {
    let location: Vec<_> = ["body"].iter().chain(field).collect();
    MockResponse::json(
        422,
        json!({ "detail": [{ "type": "x", "loc": location, "msg": "canary of the field", "input": "canary of the input" }] }),
    )
}

/// Lets every call of an operation go wrong in one way.
fn failing(server: &Server, operation: &'static str, failure: Failure) {
    server.faults(move |called| (called == operation).then(|| Fault::Before(failure.clone())));
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_service_is_told_in_words_of_the_endpoint() {
    let server = Server::start().await.unwrap();
    let page = Page::of(full(client(&server))).await;
    let mint = "create_session_token";
    let cases = [
        ("the key is refused", "{}", said(401, 4010)),
        ("the account may not", "{}", said(403, 4030)),
        ("no credits", "{}", said(403, 4033)),
        ("no slot", "{}", said(403, 4032)),
        ("no slot, and when there is one", "{}", said(403, 4032).header("retry-after", "7")),
        ("the rate limit", "{}", said(429, 4290).header("retry-after", "2")),
        ("the server's configuration is refused", "{}", unprocessable(&["avatar_id"])),
        ("a chosen field is refused", LANGUAGE, unprocessable(&["avatar_persona", "language"])),
        ("another field is refused along with a choice", LANGUAGE, unprocessable(&["avatar_id"])),
        ("the server's avatar is gone", "{}", said(404, 4040)),
        ("a failure", "{}", MockResponse::raw(502, "text/html", "<h1>canary</h1>")),
        ("a redirect", "{}", MockResponse::raw(302, "", "").header("location", "http://canary.invalid")),
        ("a success that is no JSON", "{}", MockResponse::raw(200, "text/html", "<h1>canary</h1>")),
    ];
    let failures = cases.map(|(case, choices, answer)| (case, choices, Failure::Response(answer)));
    let connections =
        [("a connection that breaks", "{}", Failure::Disconnect), ("silence", "{}", Failure::Hang)];
    let mut told_all = Vec::new();
    for (case, choices, failure) in failures.into_iter().chain(connections) {
        failing(&server, mint, failure);
        // One who got nothing is in nobody's way: all are of the same user.
        let told = told(case, &server, page.post("ada", choices)).await;
        assert!(!told.contains("canary"), "{told}");
        // How often each call is repeated is another test's matter.
        told_all.push(told.lines().filter(|line| !line.starts_with('>')).collect::<Vec<_>>().join("\n"));
    }
    insta::assert_snapshot!(told_all.join("\n\n"));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_is_told_like_a_token_that_is_refused() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let page = Page::of(full(client.clone()).starting()).await;
    let cases = [
        ("no slot", said(403, 4032)),
        ("no credits", said(403, 4033)),
        ("something of the configuration is gone", said(404, 4040)),
        ("a failure", said(500, 5000)),
    ];
    let mut told_all = Vec::new();
    for (case, answer) in cases {
        failing(&server, "start_session", Failure::Response(answer));
        let told = told(case, &server, page.post("ada", "{}")).await;
        assert!(!told.contains("canary"), "{told}");
        told_all.push(told.lines().filter(|line| !line.starts_with('>')).collect::<Vec<_>>().join("\n"));
    }
    server.clear_faults();
    let left = client.shutdown().await;
    assert!(left.is_empty(), "{left:?}");
    told_all.push(told("the client was shut down", &server, page.post("ada", "{}")).await);
    insta::assert_snapshot!(told_all.join("\n\n"));
}
