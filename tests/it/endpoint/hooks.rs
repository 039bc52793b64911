//! The hooks for granted and ended sessions. The clock is paused.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use liveavatar_api::Client;
use liveavatar_api::endpoint::{Choice, SecondSession, TokenEndpoint};
use liveavatar_mock::{Failure, Fault, MockResponse, Server};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{AVATAR, ServedEndpoint, authorize, client, configuration, send, start_with};

/// What the hooks reported, in order.
#[derive(Clone, Default)]
struct Reports(Arc<Mutex<Vec<String>>>);

impl Reports {
    fn endpoint(&self, client: &Client) -> TokenEndpoint<String> {
        let base = json!({ "mode": "LITE", "avatar_id": AVATAR, "max_session_duration": 100 });
        let (granted, ended) = (self.clone(), self.clone());
        TokenEndpoint::new(client.clone(), configuration(&base), authorize)
            .allow("max_session_duration", Choice::up_to(60))
            .on_granted(move |it| {
                let max = it.max_session_duration.unwrap();
                assert!(json!(it.configuration)["max_session_duration"] == max.as_secs(), "{it:?}");
                granted.push(format!("{} got a session of {max:?}", it.user));
            })
            .on_ended(move |it| ended.push(format!("the session of {} ended: {:?}", it.user, it.reason)))
    }

    fn push(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join("\n")
    }
}

fn id(opened: &Value) -> uuid::Uuid {
    opened["session_id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn only_requests_that_open_a_session_are_granted() {
    for starts in [false, true] {
        let server = Server::start().await.unwrap();
        let reports = Reports::default();
        let endpoint = reports.endpoint(&client(&server));
        let endpoint = if starts { endpoint.start_sessions() } else { endpoint };
        let endpoint = ServedEndpoint::start(endpoint).await;
        for request in [
            endpoint.post("banned", "{}"),
            endpoint.post("ada", "[]"),
            endpoint.post("ada", r#"{"max_session_duration": 61}"#),
            endpoint.delete("ada"),
        ] {
            assert_ne!(send(request).await.0, 200);
        }
        let full = MockResponse::json(403, json!({ "code": 4033, "message": "no credits" }));
        let operation = if starts { "start_session" } else { "create_session_token" };
        server.inject_fault(operation, 1, Fault::Before(Failure::Response(full)));
        assert_eq!(send(endpoint.post("ada", "{}")).await.0, 503);
        assert_eq!(reports.take(), "");
        assert_eq!(send(endpoint.post("ada", r#"{"max_session_duration": 60}"#)).await.0, 200);
        assert_eq!(send(endpoint.post("ada", "{}")).await.0, 409);
        assert_eq!(reports.take(), "ada got a session of 60s");
    }
}

#[tokio::test(start_paused = true)]
async fn each_granted_session_ends_once() {
    let mut seen = Vec::new();
    for starts in [true, false] {
        for case in ["DELETE", "replacement", "the service", "the maximum duration", "shutdown"] {
            let server = Server::builder().session_limit(9).start().await.unwrap();
            let reports = Reports::default();
            let client = client(&server);
            let endpoint = reports.endpoint(&client).second_session(SecondSession::Replace);
            let endpoint = if starts { endpoint.start_sessions() } else { endpoint };
            let endpoint = ServedEndpoint::start(endpoint).await;
            let opened = endpoint.open("ada").await;
            if let Some(token) = opened["session_token"].as_str() {
                start_with(&server, token).await;
            }
            match case {
                "DELETE" => assert_eq!(send(endpoint.delete("ada")).await.0, 204),
                "replacement" => drop(endpoint.open("ada").await),
                "the service" => {
                    assert!(server.end_session(id(&opened), "NO_CREDITS"));
                    // The next keep-alive, or the user's next request, detects it.
                    sleep(Duration::from_secs(70)).await;
                    drop(endpoint.open("ada").await);
                }
                "shutdown" => assert!(client.shutdown().await.is_empty()),
                _ => sleep(Duration::from_secs(101)).await,
            }
            sleep(Duration::from_secs(5)).await;
            seen.push(format!("# {case}, started by the {}", if starts { "server" } else { "browser" }));
            seen.push(reports.take());
        }
    }
    insta::assert_snapshot!(seen.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_service_reports_the_sessions_that_it_stops() {
    let mut seen = Vec::new();
    for starts in [true, false] {
        let server = Server::start().await.unwrap();
        let reports = Reports::default();
        let endpoint = reports.endpoint(&client(&server));
        let endpoint = if starts { endpoint.start_sessions() } else { endpoint };
        let mut service = endpoint.service().unwrap();
        let request =
            axum::http::Request::post("/").header("x-user", "ada").header("content-type", "application/json");
        let request = request.body(axum::body::Body::from("{}")).unwrap();
        let response = tower_service::Service::call(&mut service, request).await.unwrap();
        assert_eq!(response.status(), 200);
        drop(service);
        sleep(Duration::from_secs(90)).await;
        assert!(server.running_sessions().is_empty());
        seen.push(reports.take());
    }
    // A session that the browser may have started is not stopped, so its end is not known.
    insta::assert_snapshot!(seen.join("\n--\n"), @"
    ada got a session of 100s
    the session of ada ended: Dropped
    --
    ada got a session of 100s
    ");
}
