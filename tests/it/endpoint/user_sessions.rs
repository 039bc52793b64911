//! Each user has at most one session. The clock is paused.

use std::time::Duration;

use futures_util::future::join_all;
use liveavatar_api::Client;
use liveavatar_api::endpoint::{SecondSession, TokenEndpoint};
use liveavatar_mock::{Failure, Fault, Server};
use serde_json::json;
use tokio::time::sleep;

use super::{AVATAR, ServedEndpoint, authorize, client, configuration, exchange, send, start_with};

struct Lab {
    server: Server,
    client: Client,
}

impl Lab {
    async fn start() -> Self {
        let server = Server::builder().session_limit(100).start().await.unwrap();
        Self { client: client(&server), server }
    }

    fn endpoint(&self) -> TokenEndpoint<String> {
        let base = json!({ "mode": "LITE", "avatar_id": AVATAR, "max_session_duration": 100 });
        TokenEndpoint::new(self.client.clone(), configuration(&base), authorize)
    }

    async fn serve(&self, second: SecondSession) -> ServedEndpoint {
        ServedEndpoint::start(self.endpoint().second_session(second).start_sessions()).await
    }

    fn running(&self) -> usize {
        self.server.running_sessions().len()
    }

    async fn start_with(&self, token: &str) {
        start_with(&self.server, token).await;
    }
}

/// Waits long enough for a session to be stopped.
async fn settle() {
    sleep(Duration::from_secs(90)).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_session_is_rejected_until_the_first_is_stopped() {
    let lab = Lab::start().await;
    let endpoint = lab.serve(SecondSession::Reject).await;
    let mut exchanges = Vec::new();
    for (case, request) in [
        ("the first", endpoint.post("ada", "{}")),
        ("a second of the same user", endpoint.post("ada", "{}")),
        ("another user's first", endpoint.post("bob", "{}")),
        ("DELETE by a third user", endpoint.delete("eve")),
        ("DELETE by the first user", endpoint.delete("ada")),
        ("DELETE again", endpoint.delete("ada")),
        ("a new session", endpoint.post("ada", "{}")),
    ] {
        exchanges.push(exchange(case, &lab.server, request).await);
    }
    assert_eq!(lab.running(), 2);
    insta::assert_snapshot!(exchanges.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_second_session_can_replace_the_first() {
    let lab = Lab::start().await;
    let endpoint = lab.serve(SecondSession::Replace).await;
    let first = endpoint.open("ada").await;
    let second = endpoint.open("ada").await;
    assert_ne!(first["session_id"], second["session_id"]);
    let running: Vec<_> = lab.server.running_sessions().iter().map(ToString::to_string).collect();
    assert_eq!(running, [second["session_id"].as_str().unwrap()]);
}

#[tokio::test(start_paused = true)]
async fn concurrent_requests_leave_one_session() {
    for (second, opened) in [(SecondSession::Reject, 1), (SecondSession::Replace, 8)] {
        let lab = Lab::start().await;
        let endpoint = lab.serve(second).await;
        let responses = join_all((0..8).map(|_| send(endpoint.post("ada", "{}")))).await;
        let statuses: Vec<u16> = responses.into_iter().map(|(status, _)| status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), opened, "{statuses:?}");
        assert!(statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
        assert_eq!(lab.running(), 1, "{second:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_cannot_be_stopped_is_not_replaced() {
    let lab = Lab::start().await;
    let endpoint = lab.serve(SecondSession::Replace).await;
    endpoint.open("ada").await;
    lab.server.faults(|operation| {
        let rejected = liveavatar_mock::MockResponse::json(403, json!({ "code": 4030, "message": "canary" }));
        (operation == "stop_session").then(|| Fault::Before(Failure::Response(rejected)))
    });
    let mut exchanges = vec![exchange("a second session", &lab.server, endpoint.post("ada", "{}")).await];
    assert_eq!(lab.running(), 1);
    lab.server.clear_faults();
    exchanges.push(exchange("DELETE later", &lab.server, endpoint.delete("ada")).await);
    assert_eq!(lab.running(), 0);
    insta::assert_snapshot!(exchanges.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_disconnects_while_opening_leaves_no_session() {
    let lab = Lab::start().await;
    let endpoint = lab.serve(SecondSession::Reject).await;
    lab.server
        .faults(|operation| (operation == "start_session").then_some(Fault::Delayed(Duration::from_secs(5))));
    let request = tokio::time::timeout(Duration::from_secs(2), endpoint.post("ada", "{}").send()).await;
    assert!(request.is_err(), "{request:?}");
    settle().await;
    assert_eq!(lab.running(), 0);
    lab.server.clear_faults();
    endpoint.open("ada").await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_over_can_be_followed_by_another() {
    let lab = Lab::start().await;
    let endpoint = lab.serve(SecondSession::Reject).await;
    endpoint.open("ada").await;
    sleep(Duration::from_secs(80)).await;
    assert_eq!((lab.running(), send(endpoint.post("ada", "{}")).await.0), (1, 409));
    sleep(Duration::from_secs(30)).await;
    endpoint.open("ada").await;
    assert_eq!(lab.running(), 1);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_router_stops_its_sessions() {
    let lab = Lab::start().await;
    let router = lab.endpoint().start_sessions().router().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = axum::serve(listener, router).with_graceful_shutdown(async { drop(stopped.await) });
    let served = tokio::spawn(served.into_future());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(url).header("x-user", "ada").header("content-type", "application/json");
    assert_eq!(request.body("{}").send().await.unwrap().status(), 200);
    assert_eq!(lab.running(), 1);
    drop((stop, http));
    served.await.unwrap().unwrap();
    settle().await;
    assert_eq!(lab.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn shutting_down_the_client_stops_its_sessions() {
    let lab = Lab::start().await;
    let endpoint = lab.serve(SecondSession::Reject).await;
    endpoint.open("ada").await;
    endpoint.open("bob").await;
    assert!(lab.client.shutdown().await.is_empty());
    assert_eq!(lab.running(), 0);
    assert_eq!(send(endpoint.post("ada", "{}")).await.0, 503);
}

#[tokio::test(start_paused = true)]
async fn a_token_counts_as_a_session_until_its_end_is_known() {
    let lab = Lab::start().await;
    let endpoint = ServedEndpoint::start(lab.endpoint()).await;
    let mut exchanges = Vec::new();

    let opened = endpoint.open("ada").await;
    exchanges
        .push(exchange("a second session before the start", &lab.server, endpoint.post("ada", "{}")).await);
    lab.start_with(opened["session_token"].as_str().unwrap()).await;
    exchanges.push(
        exchange("a second session while the first runs", &lab.server, endpoint.post("ada", "{}")).await,
    );
    exchanges.push(exchange("DELETE", &lab.server, endpoint.delete("ada")).await);
    assert_eq!(lab.running(), 0);

    let opened = endpoint.open("ada").await;
    lab.start_with(opened["session_token"].as_str().unwrap()).await;
    lab.client.stop_session().session_id(opened["session_id"].as_str()).await.unwrap();
    exchanges.push(
        exchange(
            "a new session after the browser stopped the first",
            &lab.server,
            endpoint.post("ada", "{}"),
        )
        .await,
    );

    sleep(Duration::from_secs(101)).await;
    exchanges.push(
        exchange("a new session after the token's duration", &lab.server, endpoint.post("ada", "{}")).await,
    );
    insta::assert_snapshot!(exchanges.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn replacing_a_token_stops_its_running_session() {
    let lab = Lab::start().await;
    let endpoint = ServedEndpoint::start(lab.endpoint().second_session(SecondSession::Replace)).await;
    let opened = endpoint.open("ada").await;
    lab.start_with(opened["session_token"].as_str().unwrap()).await;
    let exchange = exchange("a second session", &lab.server, endpoint.post("ada", "{}")).await;
    assert_eq!(lab.running(), 0);
    insta::assert_snapshot!(exchange);
}

#[tokio::test(start_paused = true)]
async fn a_session_started_late_counts_again() {
    for (case, second, then) in [
        ("after its time", SecondSession::Reject, Then::Waits),
        ("after its time, to be replaced", SecondSession::Replace, Then::Waits),
        ("after a stop", SecondSession::Reject, Then::Stops),
        ("after it was replaced", SecondSession::Replace, Then::OpensAnother),
    ] {
        let lab = Lab::start().await;
        let endpoint = ServedEndpoint::start(lab.endpoint().second_session(second)).await;
        let opened = endpoint.open("ada").await;
        match then {
            Then::Waits => sleep(Duration::from_secs(101)).await,
            Then::Stops => assert_eq!(send(endpoint.delete("ada")).await.0, 204),
            Then::OpensAnother => drop(endpoint.open("ada").await),
        }
        lab.start_with(opened["session_token"].as_str().unwrap()).await;
        assert_eq!(lab.running(), 1, "{case}");

        let (status, _) = send(endpoint.post("ada", "{}")).await;
        let (wanted, left) = if second == SecondSession::Reject { (409, 1) } else { (200, 0) };
        assert_eq!((status, lab.running()), (wanted, left), "{case}");
        assert_eq!(send(endpoint.delete("ada")).await.0, 204, "{case}");
        assert_eq!(lab.running(), 0, "{case}");
    }
}

/// What a user does before the browser starts a session with the old token.
enum Then {
    Waits,
    Stops,
    OpensAnother,
}
