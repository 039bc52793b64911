//! A call owns what it needs: it can be kept, cloned and moved to another task.

use futures_util::{StreamExt as _, TryStreamExt as _};
use liveavatar_api::{ErrorKind, RequestOptions};
use liveavatar_mock::{MockResponse, Server};
use liveavatar_tests::{client, picture};
use serde_json::json;

/// Accepts what another task can own.
fn movable<T: Send + 'static>(value: T) -> T {
    value
}

#[tokio::test]
async fn a_call_can_be_awaited_spawned_and_sent_again() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let call = client.list_voices().page_size(1);
    drop(client);
    assert_eq!(server.requests().len(), 0, "before the call is awaited");
    let awaited = call.clone().await.unwrap();
    let spawned = tokio::spawn(call.clone().into_future()).await.unwrap().unwrap();
    assert_eq!((&awaited, &call.send().await.unwrap()), (&spawned, &spawned));
    let queries = server.take_requests().into_iter().map(|request| request.query.unwrap());
    assert_eq!(queries.collect::<Vec<_>>(), ["page_size=1"; 3]);
}

#[tokio::test]
async fn an_upload_can_be_awaited_and_sent_again() {
    let server = Server::start().await.unwrap();
    let call = client(&server).create_image_avatar().file(picture());
    movable(call.clone().into_future()).await.unwrap();
    call.await.unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_list_can_outlive_its_client_and_move_to_another_task() {
    fn unpin<T: Unpin>(value: T) -> T {
        value
    }

    let server = Server::start().await.unwrap();
    let call = client(&server).list_public_avatars();
    let mut pages = movable(unpin(call.clone().pages()));
    let items = movable(unpin(call.clone().items()));
    let all = movable(call.all());
    let (number, first) = pages.next().await.unwrap().unwrap();
    let items: Vec<_> = tokio::spawn(items.try_collect()).await.unwrap().unwrap();
    assert_eq!((number, &items), (1, &tokio::spawn(all).await.unwrap().unwrap()));
    assert!(items.starts_with(&first.results));
}

#[tokio::test]
async fn a_whole_response_has_status_headers_and_envelope() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let failure = || MockResponse::json(503, json!({}));
    server.mock_response("get_user_credits", failure());
    let response = client.get_user_credits().send_raw().await.unwrap();
    assert_eq!((response.status, response.attempts()), (200, 2));
    assert_eq!(response.request_id().as_deref(), Some("mock-request-2"));
    assert_eq!(response.headers["content-type"], "application/json");
    assert_eq!(response.body.code(), Some(100));
    assert!(response.body.data().unwrap().credits_left.is_some());

    let once = client.with_options(RequestOptions::new().max_attempts(1));
    server.mock_response("get_user_credits", failure());
    let error = once.get_user_credits().send_raw().await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Server, Some("get_user_credits")));
}
