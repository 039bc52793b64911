//! Which evidence counts as proof that a session does not run.

use std::future::IntoFuture as _;
use std::time::Duration;

use liveavatar_api::session::{EndReason, State};
use liveavatar_api::{Client, Credential, RequestOptions};
use liveavatar_mock::{Failure, Fault, MockResponse, Server};
use liveavatar_tests::TestClock;
use serde_json::json;
use tokio::runtime;
use tokio::time::sleep;

use super::{Lab, lite, reporting_builder};

fn response(status: u16, code: i32) -> MockResponse {
    MockResponse::json(status, json!({ "code": code, "message": "no", "data": null }))
}

/// Makes the next start fail without effect, as at a gateway that may still forward it.
fn lose_start(server: &Server) {
    server.inject_fault("start_session", 1, Fault::Before(Failure::Response(response(504, 0))));
}

/// The token of the last start request.
fn token(server: &Server) -> Credential {
    let requests = server.requests();
    let start = requests.iter().rfind(|it| it.operation.as_deref() == Some("start_session")).unwrap();
    Credential::session_token(start.header("authorization").unwrap().trim_start_matches("Bearer ")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_succeeds_while_the_start_is_open_is_no_proof() {
    let lab = Lab::start().await;
    lose_start(&lab.server);
    lab.server.faults(|operation| {
        let stopped = Fault::Before(Failure::Response(response(200, 1000)));
        (operation == "stop_session").then_some(stopped)
    });
    lab.client.open(&lite()).await.unwrap_err();
    sleep(Duration::from_secs(30)).await;
    assert_eq!(lab.client.sessions().into_values().collect::<Vec<_>>(), [State::Ending]);
    lab.server.clear_faults();
    lab.client.with_credential(token(&lab.server)).start_session().await.unwrap();
    assert_eq!(lab.server.running_sessions().len(), 1);
    assert!(lab.client.shutdown().await.is_empty());
    assert!(lab.server.running_sessions().is_empty());
}

#[test]
fn what_is_known_of_an_open_start_survives_a_report() {
    let outside = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = outside.block_on(Server::start()).unwrap();
    let clock = TestClock::default();
    let key = Credential::api_key(server.api_key()).unwrap();
    let client =
        Client::builder().base_url(server.url()).credential(key).clock(clock.clone()).build().unwrap();
    let short_lived = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    lose_start(&server);
    server.inject_fault("stop_session", 1, Fault::Before(Failure::Hang));
    short_lived.block_on(client.open(&lite())).unwrap_err();
    drop(short_lived);
    server.clear_faults();
    assert_eq!(client.sessions().into_values().collect::<Vec<_>>(), [State::StopFailed]);
    // The session does not run yet, so the service responds with 404 to every stop.
    let before = clock.slept().len();
    assert!(outside.block_on(client.shutdown()).is_empty());
    let waited: Duration = clock.slept()[before..].iter().sum();
    assert!(waited > Duration::from_secs(40), "the first 404 counted as proof, after {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_404_of_a_proxy_is_no_proof() {
    let lab = Lab::start().await;
    let session = lab.client.open(&lite()).await.unwrap();
    let proxy = MockResponse::raw(404, "text/html", "<h1>Not Found</h1>");
    for operation in ["keep_session_alive", "stop_session"] {
        lab.server.mock_response(operation, proxy.clone());
    }
    sleep(Duration::from_secs(90)).await;
    assert_eq!(session.state(), State::Started);
    session.stop().await.unwrap();
    assert!(lab.server.running_sessions().is_empty());
    assert_eq!(lab.count("stop_session"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_the_api_key_may_not_send_is_sent_with_the_sessions_token() {
    let lab = Lab::start().await;
    for status in [401, 403] {
        let session = lab.client.open(&lite()).await.unwrap();
        lab.server.mock_response("stop_session", response(status, 4010));
        session.stop().await.unwrap();
        assert_eq!(session.state(), State::Ended(EndReason::Stopped));
        assert!(lab.server.running_sessions().is_empty() && lab.reported().is_empty());
        let last = lab.server.requests().pop().unwrap();
        assert!(last.header("authorization").is_some() && last.header("x-api-key").is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_a_start_that_is_in_flight() {
    let lab = Lab::start().await;
    let options =
        RequestOptions::new().attempt_timeout(Duration::from_secs(300)).timeout(Duration::from_secs(300));
    let (builder, _) = reporting_builder(&lab.server);
    let client = builder.options(options).build().unwrap();
    lab.server.inject_fault("start_session", 1, Fault::Delayed(Duration::from_secs(200)));
    let opening = tokio::spawn(client.open(&lite()).into_future());
    sleep(Duration::from_secs(1)).await;
    assert!(client.shutdown().await.is_empty());
    assert!(lab.server.running_sessions().is_empty() && lab.count("stop_session") > 0);
    drop(opening.await);
    assert!(lab.server.running_sessions().is_empty());
}
