//! Faults of requests, and what a client reports about them.

use std::fmt::Write as _;
use std::time::Duration;

use liveavatar_api::{Client, Credential, RequestOptions};
use liveavatar_mock::{Failure, Fault, MockResponse, Mutation, Server, example_requests};
use liveavatar_tests::call;
use serde_json::json;

/// Returns a client without retries.
fn client(server: &Server) -> Client {
    let credential = Credential::api_key(server.api_key()).expect("a key");
    let builder = Client::builder().base_url(server.url()).credential(credential);
    builder.options(RequestOptions::new().max_attempts(1)).build().expect("a client")
}

#[tokio::test]
async fn every_mutation_has_the_reviewed_effect() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let mut report = String::new();
    for operation in ["get_user_credits", "get_avatar_by_id", "list_voices", "get_context_by_id"] {
        for mutation in Mutation::ALL {
            server.inject_fault(operation, 1, Fault::Mutated(mutation));
            let outcome = call(&client, operation, &example_requests(operation)[0]).await;
            let outcome = match outcome {
                Ok(decoded) => format!("{:#}", decoded.json)
                    .replace("canary-prompt", "[prompt]")
                    .replace(server.url(), "[url]"),
                Err(error) => format!("{:?}: {error}", error.kind()),
            };
            writeln!(report, "# {operation}, {mutation:?}\n{outcome}\n").unwrap();
        }
    }
    insta::assert_snapshot!(report);
}

#[tokio::test]
async fn an_injected_fault_ends_after_its_last_request() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    server.inject_fault(
        "get_user_credits",
        2,
        Fault::Before(Failure::Response(MockResponse::json(503, json!({})))),
    );
    server.inject_fault("get_user_credits", 1, Fault::After(Failure::Disconnect));
    let mut kinds = Vec::new();
    for _ in 0..4 {
        kinds.push(client.get_user_credits().send().await.err().map(|error| format!("{:?}", error.kind())));
    }
    let expected = [Some("Server"), Some("Server"), Some("Transport"), None].map(|it| it.map(str::to_owned));
    assert_eq!(kinds, expected);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_a_fault_breaks_is_recorded_without_a_status() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let busy = || Failure::Response(MockResponse::json(503, json!({})));
    let mut statuses = Vec::new();
    for fault in [
        Fault::Before(Failure::Disconnect),
        Fault::Before(Failure::Hang),
        Fault::After(Failure::Disconnect),
        Fault::After(Failure::Hang),
        Fault::Delayed(Duration::from_secs(3600)),
        Fault::Before(busy()),
        Fault::After(busy()),
        Fault::Mutated(Mutation::TruncatedBody),
    ] {
        server.inject_fault("get_user_credits", 1, fault);
        client.get_user_credits().send().await.unwrap_err();
        server.settled().await;
        let requests = server.take_requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        statuses.push(requests[0].status);
    }
    assert_eq!(statuses, [None, None, None, None, None, Some(503), Some(503), Some(200)]);
}

#[tokio::test]
async fn settled_waits_for_requests_in_progress() {
    let server = Server::start().await.unwrap();
    server.inject_fault("get_languages", 1, Fault::Delayed(Duration::from_secs(3600)));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let sent = tokio::spawn(http.get(format!("{}/v1/languages", server.url())).send());
    while server.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    let settled = server.settled();
    tokio::pin!(settled);
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut settled).await.is_err());
    assert_eq!(server.requests()[0].status, None);
    server.advance(Duration::from_secs(3600));
    settled.await;
    assert_eq!(server.requests()[0].status, Some(200));
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = Server::start().await.unwrap();
    let other = Server::start().await.unwrap();
    let location = format!("{}/v1/users/credits", other.url());
    server.mock_response("get_user_credits", MockResponse::redirect(307, &location));
    let error = client(&server).get_user_credits().send().await.unwrap_err();
    insta::assert_snapshot!(error.to_string(), @"get user credits: 307 the service redirects, and this client does not follow redirects: check the base URL (request mock-request-1)");
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn clear_faults_removes_all_faults() {
    let server = Server::start().await.unwrap();
    server.inject_fault("get_user_credits", 9, Fault::After(Failure::Disconnect));
    server.faults(|_| Some(Fault::Before(Failure::Disconnect)));
    server.clear_faults();
    client(&server).get_user_credits().send().await.unwrap();
}

#[tokio::test]
#[should_panic(expected = "the document has no operation \"get_weather\"")]
async fn injecting_a_fault_into_an_unknown_operation_panics() {
    Server::start().await.unwrap().inject_fault("get_weather", 1, Fault::Before(Failure::Disconnect));
}
