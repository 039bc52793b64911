//! The `next` link of a page: which page a list requests next, and where it ends.

use serde_json::{Value, json};

use crate::http::scripted_server::{Response, ScriptedServer};
use crate::http::{Harness, Time, describe, failure};

/// A page with one voice and this `next` link.
fn page(next: &Value) -> Value {
    let mut page = liveavatar_mock::example_response("list_voices").unwrap();
    page["data"]["next"] = next.clone();
    page["data"]["previous"] = Value::Null;
    if let Some(voices) = page["data"]["results"].as_array_mut() {
        voices.truncate(1);
    }
    page
}

/// Reads the whole list and describes the requests and the result.
async fn read(name: &str, script: Vec<Response>) -> String {
    let server = ScriptedServer::start(script);
    let client = Harness::new(&server, Time::Test).client;
    let result = tokio::spawn(async move { client.list_voices().page_size(1).all().await }).await;
    let result = match result {
        Ok(Ok(all)) => format!("{} entries\n", all.len()),
        Ok(Err(error)) => describe(&error),
        Err(panicked) => panic!("{name}: {panicked}"),
    };
    let page = |line: &String| {
        let number = line.split_once("page=").map_or("none", |(_, query)| query);
        number.split('&').next().unwrap_or_default().to_owned()
    };
    let pages: Vec<_> = server.requests().iter().map(page).collect();
    format!("{name}\n  pages {}: {result}\n", pages.join(", "))
}

#[tokio::test]
async fn a_list_requests_the_later_page_that_a_link_names_whatever_its_host() {
    let other = ScriptedServer::start(vec![Response::json(200, &page(&Value::Null))]);
    let away = format!("{}/v1/voices?page=2", other.url());
    let links = [
        ("null", json!(null)),
        ("the next page, relative", json!("/v1/voices?page=2&page_size=1")),
        ("the next page, only a query", json!("?page=2")),
        ("another port of this host", json!(away)),
        ("another scheme", json!("https://127.0.0.1/v1/voices?page=2")),
        ("another path", json!("/v2/other?page=2")),
        ("a later page", json!("/v1/voices?page=7")),
        ("without a page number", json!("/v1/voices?cursor=abc")),
        ("without a query", json!("/v1/voices")),
        ("an empty string", json!("")),
        ("the same page", json!("/v1/voices?page=1")),
        ("an earlier page", json!("/v1/voices?page=0")),
        ("a negative page", json!("/v1/voices?page=-1")),
        ("a page number in words", json!("/v1/voices?page=two")),
        ("an empty page number", json!("/v1/voices?page=")),
        ("a page with a fraction", json!("/v1/voices?page=2.0")),
        ("two page numbers", json!("/v1/voices?page=2&page=9")),
        ("a page number that is too large", json!("/v1/voices?page=9223372036854775808")),
        ("another host", json!("https://evil.example/v1/voices?page=2")),
        ("another host without a scheme", json!("//evil.example/v1/voices?page=2")),
        ("another name of this host", json!("http://localhost/v1/voices?page=2")),
        ("this host as a user name", json!("http://127.0.0.1@evil.example/?page=2")),
        ("a URL without a host", json!("file:///v1/voices?page=2")),
        ("a javascript: URL", json!("javascript:alert(1)")),
        ("an invalid URL", json!("http://[")),
        ("a number instead of a link", json!(2)),
        ("an object instead of a link", json!({ "href": "?page=2" })),
    ];
    let mut text = String::new();
    for (name, next) in links {
        let script = vec![Response::json(200, &page(&next)), Response::json(200, &page(&Value::Null))];
        text.push_str(&read(name, script).await);
    }
    assert_eq!(other.requests().len(), 0);
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_list_ends_at_its_last_page() {
    let on = |next: &str| Response::json(200, &page(&json!(next)));
    let last = || Response::json(200, &page(&Value::Null));
    let whole = |data: Value| Response::json(200, &json!({ "code": 100, "data": data, "message": null }));
    let cases = vec![
        ("three pages", vec![on("?page=2"), on("?page=3"), last()]),
        ("an empty first page", vec![whole(json!({ "count": 0, "next": "?page=2", "results": [] }))]),
        (
            "an empty page with a link to the next one",
            vec![on("?page=2"), whole(json!({ "next": "?page=3", "results": [] })), last()],
        ),
        ("null instead of entries", vec![whole(json!({ "next": "?page=2", "results": null })), last()]),
        ("no entries", vec![whole(json!({ "next": "?page=2" })), last()]),
        ("null instead of a page", vec![whole(Value::Null)]),
        (
            "a page without a link",
            vec![{
                let mut page = page(&Value::Null);
                page["data"].as_object_mut().unwrap().remove("next");
                Response::json(200, &page)
            }],
        ),
        ("a link back from the second page", vec![on("?page=2"), on("?page=1"), last()]),
        ("a link from the second page to itself", vec![on("?page=2"), on("?page=2"), last()]),
        ("a page that fails twice", vec![on("?page=2"), failure(503), failure(429), last()]),
        ("a page that fails permanently", vec![on("?page=2"), failure(404)]),
        ("a truncated page", vec![on("?page=2"), on("?page=3").truncated(20), last()]),
        ("the largest page number", vec![on("?page=9223372036854775807"), on("/v1/voices"), last()]),
    ];
    let mut text = String::new();
    for (name, script) in cases {
        text.push_str(&read(name, script).await);
    }
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_single_page_is_requested_once_and_without_a_page_number() {
    let server = ScriptedServer::start(vec![Response::json(200, &page(&json!("?page=2")))]);
    let page = Harness::new(&server, Time::Test).client.list_voices().send().await.unwrap();
    assert_eq!(page.results.len(), 1);
    assert_eq!(server.requests(), ["get /v1/voices"]);
}
