//! A user has one session, until it is stopped or over; on a paused clock.

use std::time::Duration;

use futures_util::future::join_all;
use liveavatar_api::Client;
use liveavatar_api::endpoint::{Second, TokenEndpoint};
use liveavatar_mock::{Failure, Fault, Server};
use serde_json::json;
use tokio::time::sleep;

use super::{AVATAR, Page, answer, client, configuration, told, user};

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
        TokenEndpoint::new(self.client.clone(), configuration(&base), user)
    }

    async fn page(&self, second: Second) -> Page {
        Page::of(self.endpoint().second(second).starting()).await
    }

    fn running(&self) -> usize {
        self.server.running_sessions().len()
    }

    /// What a browser does with its token.
    async fn start_with(&self, token: &str) {
        let url = format!("{}/v1/sessions/start", self.server.url());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let started = http.post(url).bearer_auth(token).send().await.unwrap();
        assert_eq!(started.status(), 201);
    }
}

/// Long enough for everything that a session's end may take, in virtual time.
async fn settle() {
    sleep(Duration::from_secs(90)).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_session_is_refused_until_the_first_is_stopped() {
    let lab = Lab::start().await;
    let page = lab.page(Second::Refused).await;
    let mut told_all = Vec::new();
    for (case, request) in [
        ("the first", page.post("ada", "{}")),
        ("a second of the same user", page.post("ada", "{}")),
        ("one of another user", page.post("bob", "{}")),
        ("another user's stop", page.delete("eve")),
        ("the user's stop", page.delete("ada")),
        ("the same again", page.delete("ada")),
        ("another one then", page.post("ada", "{}")),
    ] {
        told_all.push(told(case, &lab.server, request).await);
    }
    assert_eq!(lab.running(), 2);
    insta::assert_snapshot!(told_all.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_second_session_replaces_the_first_where_that_is_wanted() {
    let lab = Lab::start().await;
    let page = lab.page(Second::Replaces).await;
    let first = page.opened("ada").await;
    let second = page.opened("ada").await;
    assert_ne!(first["session_id"], second["session_id"]);
    let running: Vec<_> = lab.server.running_sessions().iter().map(ToString::to_string).collect();
    assert_eq!(running, [second["session_id"].as_str().unwrap()]);
}

#[tokio::test(start_paused = true)]
async fn requests_at_once_leave_one_session() {
    for (second, opened) in [(Second::Refused, 1), (Second::Replaces, 8)] {
        let lab = Lab::start().await;
        let page = lab.page(second).await;
        let answers = join_all((0..8).map(|_| answer(page.post("ada", "{}")))).await;
        let statuses: Vec<u16> = answers.into_iter().map(|(status, _)| status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), opened, "{statuses:?}");
        assert!(statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
        assert_eq!(lab.running(), 1, "{second:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_cannot_be_stopped_is_not_replaced() {
    let lab = Lab::start().await;
    let page = lab.page(Second::Replaces).await;
    page.opened("ada").await;
    lab.server.faults(|operation| {
        let refused = liveavatar_mock::MockResponse::json(403, json!({ "code": 4030, "message": "canary" }));
        (operation == "stop_session").then(|| Fault::Before(Failure::Response(refused)))
    });
    let mut told_all = vec![told("a second one", &lab.server, page.post("ada", "{}")).await];
    assert_eq!(lab.running(), 1);
    lab.server.clear_faults();
    told_all.push(told("later", &lab.server, page.delete("ada")).await);
    assert_eq!(lab.running(), 0);
    insta::assert_snapshot!(told_all.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_goes_away_while_its_session_opens_leaves_none() {
    let lab = Lab::start().await;
    let page = lab.page(Second::Refused).await;
    lab.server
        .faults(|operation| (operation == "start_session").then_some(Fault::Delayed(Duration::from_secs(5))));
    let request = tokio::time::timeout(Duration::from_secs(2), page.post("ada", "{}").send()).await;
    assert!(request.is_err(), "{request:?}");
    settle().await;
    assert_eq!(lab.running(), 0);
    lab.server.clear_faults();
    page.opened("ada").await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_over_makes_way() {
    let lab = Lab::start().await;
    let page = lab.page(Second::Refused).await;
    page.opened("ada").await;
    sleep(Duration::from_secs(80)).await;
    assert_eq!((lab.running(), answer(page.post("ada", "{}")).await.0), (1, 409));
    sleep(Duration::from_secs(30)).await;
    page.opened("ada").await;
    assert_eq!(lab.running(), 1);
}

#[tokio::test(start_paused = true)]
async fn sessions_end_with_their_router() {
    let lab = Lab::start().await;
    let router = lab.endpoint().starting().router().unwrap();
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
async fn sessions_end_with_the_clients_shutdown() {
    let lab = Lab::start().await;
    let page = lab.page(Second::Refused).await;
    page.opened("ada").await;
    page.opened("bob").await;
    assert!(lab.client.shutdown().await.is_empty());
    assert_eq!(lab.running(), 0);
    assert_eq!(answer(page.post("ada", "{}")).await.0, 503);
}

#[tokio::test(start_paused = true)]
async fn a_token_counts_as_a_session_until_the_service_knows_better() {
    let lab = Lab::start().await;
    let page = Page::of(lab.endpoint()).await;
    let mut told_all = Vec::new();

    let given = page.opened("ada").await;
    told_all.push(told("a second one before the start", &lab.server, page.post("ada", "{}")).await);
    lab.start_with(given["session_token"].as_str().unwrap()).await;
    told_all.push(told("a second one while the first runs", &lab.server, page.post("ada", "{}")).await);
    told_all.push(told("the stop", &lab.server, page.delete("ada")).await);
    assert_eq!(lab.running(), 0);

    let given = page.opened("ada").await;
    lab.start_with(given["session_token"].as_str().unwrap()).await;
    let id = given["session_id"].as_str().unwrap().parse().unwrap();
    let stop = liveavatar_api::types::StopSession::builder().session_id(Some(id));
    lab.client.stop_session().body(stop).send().await.unwrap();
    told_all
        .push(told("another one once the browser has stopped", &lab.server, page.post("ada", "{}")).await);

    sleep(Duration::from_secs(101)).await;
    told_all
        .push(told("another one once the token's time is over", &lab.server, page.post("ada", "{}")).await);
    insta::assert_snapshot!(told_all.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_token_whose_session_runs_is_replaced_by_stopping_that() {
    let lab = Lab::start().await;
    let page = Page::of(lab.endpoint().second(Second::Replaces)).await;
    let given = page.opened("ada").await;
    lab.start_with(given["session_token"].as_str().unwrap()).await;
    let told = told("a second one", &lab.server, page.post("ada", "{}")).await;
    assert_eq!(lab.running(), 0);
    insta::assert_snapshot!(told);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_starts_a_session_late_counts_again() {
    for (case, second, then) in [
        ("after its time", Second::Refused, Then::Waits),
        ("after its time, to be replaced", Second::Replaces, Then::Waits),
        ("after a stop", Second::Refused, Then::Stops),
        ("after it was replaced", Second::Replaces, Then::GetsAnother),
    ] {
        let lab = Lab::start().await;
        let page = Page::of(lab.endpoint().second(second)).await;
        let given = page.opened("ada").await;
        match then {
            Then::Waits => sleep(Duration::from_secs(101)).await,
            Then::Stops => assert_eq!(answer(page.delete("ada")).await.0, 204),
            Then::GetsAnother => drop(page.opened("ada").await),
        }
        lab.start_with(given["session_token"].as_str().unwrap()).await;
        assert_eq!(lab.running(), 1, "{case}");

        let (status, _) = answer(page.post("ada", "{}")).await;
        let (wanted, left) = if second == Second::Refused { (409, 1) } else { (200, 0) };
        assert_eq!((status, lab.running()), (wanted, left), "{case}");
        assert_eq!(answer(page.delete("ada")).await.0, 204, "{case}");
        assert_eq!(lab.running(), 0, "{case}");
    }
}

/// What a user does with a token before it is used after all.
enum Then {
    Waits,
    Stops,
    GetsAnother,
}
