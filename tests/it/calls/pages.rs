//! Lists as streams of pages and items.

use futures_util::{StreamExt as _, TryStreamExt as _};
use liveavatar_api::types::{ListSessionsType, VoiceListType};
use liveavatar_api::{ErrorKind, RequestOptions};
use liveavatar_mock::{MockResponse, Server, example_response};
use liveavatar_tests::client;
use serde_json::{Value, json};

const AVATAR: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// Returns a page with this number of entries, each with its own id.
fn page(operation: &str, entries: u32, next: impl Into<Value>) -> MockResponse {
    let mut page = example_response(operation).unwrap();
    let entry = page["data"]["results"][0].clone();
    let entry = |number: u32| {
        let mut entry = entry.clone();
        entry["id"] = json!(format!("00000000-0000-4000-8000-{number:012}"));
        entry
    };
    page["data"]["results"] = (0..entries).map(entry).collect();
    page["data"]["next"] = next.into();
    MockResponse::json(200, page)
}

/// Returns the query strings so far, one per line.
fn queries(server: &Server) -> String {
    server.requests().into_iter().filter_map(|request| request.query).collect::<Vec<_>>().join("\n")
}

fn link(server: &Server, number: u32) -> String {
    format!("{}/v1/voices?page={number}", server.url())
}

#[tokio::test]
async fn a_page_is_requested_only_when_it_is_needed() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    for number in 2..=4 {
        server.mock_response("list_voices", page("list_voices", 2, link(&server, number)));
    }
    let mut items = client.list_voices().items();
    assert_eq!(server.requests().len(), 0, "before polling");
    items.next().await.unwrap().unwrap();
    items.next().await.unwrap().unwrap();
    assert_eq!(server.requests().len(), 1, "both entries of the first page");
    items.next().await.unwrap().unwrap();
    assert_eq!(server.requests().len(), 2, "the third entry");
    drop(items);
    assert_eq!(server.requests().len(), 2, "after dropping");

    let mut pages = client.list_voices().pages();
    assert_eq!(server.requests().len(), 2, "before polling");
    pages.next().await.unwrap().unwrap();
    drop(pages);
    assert_eq!(server.requests().len(), 3, "after dropping");
}

#[tokio::test]
async fn every_page_is_requested_with_the_filters_of_the_first() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    server.mock_response("list_sessions", page("list_sessions", 1, "/v1/sessions?page=2"));
    server.mock_response("list_sessions", page("list_sessions", 2, "/v1/sessions?page=3&type=active"));
    server.mock_response("list_sessions", page("list_sessions", 1, Value::Null));
    let call = client.list_sessions().type_(ListSessionsType::Historic).avatar_id(AVATAR).page_size(2);
    assert_eq!(call.all().await.unwrap().len(), 4);
    insta::assert_snapshot!(queries(&server), @"
    avatar_id=0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11&page_size=2&type=historic
    avatar_id=0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11&page=2&page_size=2&type=historic
    avatar_id=0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11&page=3&page_size=2&type=historic
    ");
}

#[tokio::test]
async fn a_list_starts_at_the_page_of_the_call() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    server.mock_response("list_voices", page("list_voices", 1, link(&server, 8)));
    server.mock_response("list_voices", page("list_voices", 1, Value::Null));
    let call = client.list_voices().page(7).voice_type(VoiceListType::Public);
    let pages: Vec<_> = call.pages().try_collect().await.unwrap();
    assert_eq!(pages.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [7, 8]);
    insta::assert_snapshot!(queries(&server), @"
    page=7&voice_type=public
    page=8&voice_type=public
    ");
}

#[tokio::test]
async fn a_link_without_a_page_number_leads_to_the_next_page() {
    let server = Server::start().await.unwrap();
    server.mock_response("list_voices", page("list_voices", 1, "/v1/voices?cursor=abc"));
    server.mock_response("list_voices", page("list_voices", 1, "/v1/voices?page=three"));
    server.mock_response("list_voices", page("list_voices", 1, Value::Null));
    let pages: Vec<_> = client(&server).list_voices().pages().try_collect().await.unwrap();
    assert_eq!(pages.len(), 3);
    insta::assert_snapshot!(queries(&server), @"
    page=2
    page=3
    ");
}

#[tokio::test]
async fn a_list_ends_without_a_link_to_a_later_page() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let ends: [(&str, Value); 6] = [
        ("no link", Value::Null),
        ("another host", json!("https://example.com/v1/voices?page=4")),
        ("the same page", json!(link(&server, 3))),
        ("an earlier page", json!(link(&server, 2))),
        ("an invalid URL", json!("http://[")),
        ("a URL without a host", json!("mailto:voices?page=4")),
    ];
    for (name, next) in ends {
        server.mock_response("list_voices", page("list_voices", 1, link(&server, 3)));
        server.mock_response("list_voices", page("list_voices", 1, next));
        let voices = client.list_voices().page(2).all().await.unwrap();
        assert_eq!((voices.len(), server.take_requests().len()), (2, 2), "{name}");
    }
    server.mock_response("list_voices", page("list_voices", 0, link(&server, 2)));
    assert_eq!(client.list_voices().all().await.unwrap().len(), 0);
    assert_eq!(server.take_requests().len(), 1, "an empty page");
}

#[tokio::test]
async fn a_list_that_ends_with_an_error_can_be_resumed() {
    let server = Server::start().await.unwrap();
    let client = client(&server).with_options(RequestOptions::new().max_attempts(1));
    server.mock_response("list_voices", page("list_voices", 2, link(&server, 2)));
    server.mock_response("list_voices", MockResponse::json(500, json!({})));
    let mut pages = client.list_voices().page_size(2).pages();
    let (received, _) = pages.next().await.unwrap().unwrap();
    let error = pages.next().await.unwrap().unwrap_err();
    assert_eq!((received, error.kind(), error.operation()), (1, ErrorKind::Server, Some("list_voices")));
    assert!(pages.next().await.is_none());

    server.mock_response("list_voices", page("list_voices", 2, Value::Null));
    let resumed = client.list_voices().page_size(2).page(received + 1).pages();
    let resumed: Vec<_> = resumed.try_collect().await.unwrap();
    assert_eq!(resumed.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2]);

    server.mock_response("list_voices", page("list_voices", 2, link(&server, 2)));
    server.mock_response("list_voices", MockResponse::json(500, json!({})));
    let items: Vec<_> = client.list_voices().items().collect().await;
    assert_eq!(items.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false]);
    server.mock_response("list_voices", MockResponse::json(500, json!({})));
    assert_eq!(client.list_voices().all().await.unwrap_err().kind(), ErrorKind::Server);
}

#[tokio::test]
async fn an_invalid_page_number_is_an_error_and_nothing_is_sent() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let mut pages = client.list_voices().page(0).pages();
    assert_eq!(pages.next().await.unwrap().unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert!(pages.next().await.is_none());
    assert_eq!(server.requests().len(), 0);
}
