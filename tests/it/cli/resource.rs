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
