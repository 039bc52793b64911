//! Opening a supervised session: a future that can be awaited, spawned and made again.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use liveavatar_api::{Client, Credential};
use liveavatar_mock::{MockResponse, Server};
use serde_json::json;

use super::{full, lite};

/// A client with the system's clock; with a test clock, sessions would expire at once.
fn client(server: &Server) -> Client {
    let key = Credential::api_key(server.api_key()).unwrap();
    Client::builder().base_url(server.url()).credential(key).build().unwrap()
}

#[tokio::test]
async fn an_opening_can_be_spawned_and_polled_without_an_import() {
    fn is_spawnable(_: &(impl Future + Send + Unpin + 'static)) {}
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let opening = client.open(&lite());
    is_spawnable(&opening);
    let session = tokio::spawn(opening).await.unwrap().unwrap();
    assert_eq!(server.running_sessions(), [session.id()]);
    session.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn or_retry_takes_an_opening_as_it_is() {
    let server = Server::builder().session_limit(1).start().await.unwrap();
    let client = client(&server);
    let leftover = client.mint(&lite()).await.unwrap();
    leftover.start().await.unwrap();
    let session = client.reap().or_retry(|| client.open(&lite())).await.unwrap();
    assert_eq!(server.running_sessions(), [session.id()]);
    assert_ne!(session.id(), leftover.id());
    session.stop().await.unwrap();
}

#[tokio::test]
async fn nothing_is_sent_before_an_opening_is_polled() {
    let server = Server::start().await.unwrap();
    drop(client(&server).open(&lite()).auto_rotate());
    tokio::task::yield_now().await;
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn options_set_after_the_first_poll_have_no_effect() {
    let server = Server::start().await.unwrap();
    let mut opening = client(&server).open(&lite());
    let first = poll_fn(|context| Poll::Ready(Pin::new(&mut opening).poll(context))).await;
    assert!(first.is_pending());
    // Before the first poll, this would be an error.
    let session = opening.keep_alive_interval(Duration::ZERO).await.unwrap();
    session.stop().await.unwrap();
}

#[tokio::test]
async fn the_id_is_the_one_of_the_token_even_if_the_start_echoes_another() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let data = json!({ "session_id": "odd", "livekit_url": "wss://room.example" });
    let response = json!({ "code": 1000, "data": data, "message": null });
    server.mock_response("start_session", MockResponse::json(201, response));
    let session = client.open(&full()).await.unwrap();
    assert_eq!(session.started().session_id, "odd");
    assert_eq!(client.sessions().into_keys().collect::<Vec<_>>(), [session.id()]);
    session.stop().await.unwrap();
}
