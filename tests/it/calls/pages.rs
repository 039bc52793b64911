//! Lists as streams of pages and items.

use std::fmt::Write as _;

use futures_util::{StreamExt as _, TryStreamExt as _};
use liveavatar_api::types::{ListSessionsType, VoiceListType};
use liveavatar_api::{ErrorKind, RequestOptions};
use liveavatar_mock::{MockResponse, Server, example_response};
use liveavatar_tests::client;
use serde_json::{Value, json};

const AVATAR: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// Returns a page with this number of entries, each with its own id.
fn page(operation: &str, entries: u32, next: impl Into<Value>) -> MockResponse {
    MockResponse::json(200, page_body(operation, entries, next))
}

fn page_body(operation: &str, entries: u32, next: impl Into<Value>) -> Value {
    let mut page = example_response(operation).unwrap();
    let entry = page["data"]["results"][0].clone();
    let entry = |number: u32| {
        let mut entry = entry.clone();
        entry["id"] = json!(format!("00000000-0000-4000-8000-{number:012}"));
        entry
    };
    page["data"]["results"] = (0..entries).map(entry).collect();
    page["data"]["next"] = next.into();
    page
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
async fn a_list_with_all_items_ends_without_a_link_to_a_later_page() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let ends: [(&str, Value); 5] = [
        ("no link", Value::Null),
        ("the same page", json!(link(&server, 3))),
        ("an earlier page", json!(link(&server, 2))),
        ("an earlier page of another host", json!("https://example.com/v1/voices?page=1")),
        ("an earlier page in something else", json!("mailto:voices?page=1")),
    ];
    for (name, next) in ends {
        server.mock_response("list_voices", page("list_voices", 1, link(&server, 3)));
        server.mock_response("list_voices", page("list_voices", 1, next));
        let voices = client.list_voices().page(2).page_size(1).all().await.unwrap();
        assert_eq!((voices.len(), server.take_requests().len()), (2, 2), "{name}");
    }
    server.mock_response("list_voices", counted(0, 0, link(&server, 2)));
    assert_eq!(client.list_voices().all().await.unwrap().len(), 0);
    assert_eq!(server.take_requests().len(), 1, "an empty page");
}

/// Returns a page with this number of entries of a list with `count`.
fn counted(entries: u32, count: impl Into<Value>, next: impl Into<Value>) -> MockResponse {
    let mut page = page_body("list_voices", entries, next);
    page["data"]["count"] = count.into();
    MockResponse::json(200, page)
}

#[tokio::test]
async fn a_list_that_ends_early_is_an_error_after_the_items() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let null = json!({ "code": 100, "data": { "count": 7, "results": null }, "message": null });
    let ends = [
        ("no link", counted(1, 7, Value::Null)),
        ("a link to the same page", counted(1, 7, link(&server, 2))),
        ("an empty page", counted(0, 7, link(&server, 3))),
        ("the last page, empty", counted(0, 7, Value::Null)),
        ("null instead of entries", MockResponse::json(200, null)),
        ("a link to the same page, without a count", counted(1, Value::Null, link(&server, 2))),
        ("an empty page, without a count", counted(0, Value::Null, link(&server, 3))),
    ];
    let mut report = String::new();
    for (name, end) in ends {
        server.mock_response("list_voices", counted(2, 7, link(&server, 2)));
        server.mock_response("list_voices", end);
        let items: Vec<_> = client.list_voices().items().collect().await;
        let (last, items) = items.split_last().unwrap();
        assert!(items.iter().all(Result::is_ok), "{name}");
        let error = last.as_ref().unwrap_err();
        assert!(error.is_decode() && error.status() == Some(200) && error.request_id().is_some(), "{name}");
        let _ = writeln!(report, "{name}: {} items, then {}", items.len(), error.message());
    }
    insta::assert_snapshot!(report, @r"
    no link: 3 items, then the list ended after 3 of 7 items
    a link to the same page: 3 items, then the list ended after 3 of 7 items
    an empty page: 2 items, then the list ended after 2 of 7 items
    the last page, empty: 2 items, then the list ended after 2 of 7 items
    null instead of entries: 2 items, then the list ended after 2 of 7 items
    a link to the same page, without a count: 3 items, then the list ended after 3 items, but its last page links to another page
    an empty page, without a count: 2 items, then the list ended after 2 items, but its last page links to another page
    ");
}

#[tokio::test]
async fn without_a_count_a_list_is_complete_at_a_page_without_a_link() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    server.mock_response("list_voices", counted(2, Value::Null, link(&server, 2)));
    server.mock_response("list_voices", counted(1, Value::Null, Value::Null));
    assert_eq!(client.list_voices().all().await.unwrap().len(), 3);
    server.mock_response("list_voices", counted(0, Value::Null, Value::Null));
    assert_eq!(client.list_voices().all().await.unwrap().len(), 0);
    let neither = json!({ "code": 100, "data": { "next": null, "results": null }, "message": null });
    server.mock_response("list_voices", MockResponse::json(200, neither));
    assert!(client.list_voices().all().await.unwrap_err().is_decode());
}

#[tokio::test]
async fn the_last_page_says_how_many_items_a_list_has() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    server.mock_response("list_voices", counted(2, 5, link(&server, 2)));
    server.mock_response("list_voices", counted(1, 3, Value::Null));
    assert_eq!(client.list_voices().all().await.unwrap().len(), 3, "a list that shrank meanwhile");
    server.mock_response("list_voices", counted(2, 2, link(&server, 2)));
    server.mock_response("list_voices", counted(2, 5, Value::Null));
    let error = client.list_voices().all().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "list voices: 200 the list ended after 4 of 5 items (code 100, request mock-request-4)"
    );
}

#[tokio::test]
async fn a_list_from_a_later_page_on_misses_the_pages_before_it() {
    let server = Server::start().await.unwrap();
    let client = client(&server);
    let call = client.list_voices().page(3);
    server.mock_response("list_voices", counted(1, 5, Value::Null));
    assert_eq!(call.clone().page_size(2).all().await.unwrap().len(), 1);
    server.mock_response("list_voices", counted(2, 9, Value::Null));
    let error = call.clone().page_size(2).all().await.unwrap_err();
    assert_eq!(error.message(), "the list ended after 2 of 5 items");
    // Without the size of a page, only the links can tell.
    server.mock_response("list_voices", counted(2, 9, Value::Null));
    assert_eq!(call.clone().all().await.unwrap().len(), 2);
    server.mock_response("list_voices", counted(2, 9, link(&server, 3)));
    assert!(call.clone().all().await.unwrap_err().is_decode());
    server.mock_response("list_voices", counted(2, 9, Value::Null));
    let call = client.list_voices().page(i64::MAX).page_size(100);
    assert_eq!(call.all().await.unwrap().len(), 2, "a number that is too large to count");
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
