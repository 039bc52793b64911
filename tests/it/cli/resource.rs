//! Commands derived from the API document; `commands` covers each of them.

use liveavatar_mock::{MockResponse, Server, example_response};
use serde_json::Value;

use super::run;

#[tokio::test(flavor = "multi_thread")]
async fn all_fetches_every_page_and_prints_one_list() {
    let server = Server::start().await.unwrap();
    let next = ["http://x/v1/voices?page=2".into(), "http://x/v1/voices?page=3".into(), Value::Null];
    for next in next {
        let mut page = example_response("list_voices").unwrap();
        page["data"]["count"] = 3.into();
        page["data"]["next"] = next;
        server.mock_response("list_voices", MockResponse::json(200, page));
    }
    let shown = run(Some(&server), &["voices", "list", "--all", "--page-size", "1"], "").await;
    let queries: Vec<_> = server.requests().into_iter().map(|request| request.query).collect();
    insta::assert_snapshot!(format!("{shown}\n{queries:#?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_ends_before_its_last_item_is_incomplete() {
    let server = Server::start().await.unwrap();
    for (page, results) in [(1, true), (2, false)] {
        let mut response = example_response("list_voices").unwrap();
        response["data"]["count"] = 30.into();
        response["data"]["next"] = format!("http://x/v1/voices?page={}", page + 1).into();
        if !results {
            response["data"]["results"] = Value::Null;
        }
        server.mock_response("list_voices", MockResponse::json(200, response));
    }
    let shown = run(Some(&server), &["voices", "list", "--all"], "").await;
    assert!(shown.contains("\nexit 1\n") && shown.contains(" of 30 items"), "{shown}");
}
