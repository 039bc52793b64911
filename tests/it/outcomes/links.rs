//! Lists: which `next` leads on, and what no `next` can lead to.

use liveavatar_api::{Call as _, Paged as _};
use serde_json::{Value, json};

use super::server::{Answer, Server};
use super::{Lab, Time, describe, failure};

/// A page with one voice and this link.
fn page(next: &Value) -> Value {
    let mut page = liveavatar_mock::example_response("list_voices").unwrap();
    page["data"]["next"] = next.clone();
    page["data"]["previous"] = Value::Null;
    if let Some(voices) = page["data"]["results"].as_array_mut() {
        voices.truncate(1);
    }
    page
}

/// Reads the whole list and tells what was asked for.
async fn read(name: &str, script: Vec<Answer>) -> String {
    let server = Server::start(script);
    let client = Lab::new(&server, Time::Test).client;
    let result = tokio::spawn(async move { client.list_voices().page_size(1).all().await }).await;
    let said = match result {
        Ok(Ok(all)) => format!("{} entries\n", all.len()),
        Ok(Err(error)) => describe(&error),
        Err(failed) => {
            assert!(failed.is_panic());
            "panicked: BREAKS A RULE\n".to_owned()
        }
    };
    let page = |line: &String| {
        let number = line.split_once("page=").map_or("none", |(_, query)| query);
        number.split('&').next().unwrap_or_default().to_owned()
    };
    let seen: Vec<_> = server.seen().iter().map(page).collect();
    format!("{name}\n  pages {}, {said}\n", seen.join(", "))
}

#[tokio::test]
async fn only_a_link_forward_on_the_same_host_leads_on() {
    let other = Server::start(vec![Answer::json(200, &page(&Value::Null))]);
    let away = format!("{}/v1/voices?page=2", other.url());
    let links = [
        ("null", json!(null)),
        ("the next page, relative", json!("/v1/voices?page=2&page_size=1")),
        ("the next page, a query only", json!("?page=2")),
        ("another port of this host", json!(away)),
        ("another scheme", json!("https://127.0.0.1/v1/voices?page=2")),
        ("another path", json!("/v2/other?page=2")),
        ("a page further on", json!("/v1/voices?page=7")),
        ("without a page number", json!("/v1/voices?cursor=abc")),
        ("without a query", json!("/v1/voices")),
        ("an empty text", json!("")),
        ("the same page", json!("/v1/voices?page=1")),
        ("backwards", json!("/v1/voices?page=0")),
        ("a negative page", json!("/v1/voices?page=-1")),
        ("a word for a page", json!("/v1/voices?page=two")),
        ("an empty page number", json!("/v1/voices?page=")),
        ("a page with a fraction", json!("/v1/voices?page=2.0")),
        ("the page twice", json!("/v1/voices?page=2&page=9")),
        ("a number too large", json!("/v1/voices?page=9223372036854775808")),
        ("another host", json!("https://evil.example/v1/voices?page=2")),
        ("another host without a scheme", json!("//evil.example/v1/voices?page=2")),
        ("another name of this host", json!("http://localhost/v1/voices?page=2")),
        ("this host as a user's name", json!("http://127.0.0.1@evil.example/?page=2")),
        ("no host", json!("file:///v1/voices?page=2")),
        ("a script", json!("javascript:alert(1)")),
        ("no address", json!("http://[")),
        ("a number in place of a link", json!(2)),
        ("an object in place of a link", json!({ "href": "?page=2" })),
    ];
    let mut text = String::new();
    for (name, next) in links {
        let script = vec![Answer::json(200, &page(&next)), Answer::json(200, &page(&Value::Null))];
        text.push_str(&read(name, script).await);
    }
    assert_eq!(other.seen().len(), 0);
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_list_ends_where_its_pages_do() {
    let on = |next: &str| Answer::json(200, &page(&json!(next)));
    let last = || Answer::json(200, &page(&Value::Null));
    let whole = |data: Value| Answer::json(200, &json!({ "code": 100, "data": data, "message": null }));
    let rows = vec![
        ("three pages", vec![on("?page=2"), on("?page=3"), last()]),
        ("an empty first page", vec![whole(json!({ "count": 0, "next": "?page=2", "results": [] }))]),
        (
            "an empty page that names a next one",
            vec![on("?page=2"), whole(json!({ "next": "?page=3", "results": [] })), last()],
        ),
        ("null for entries", vec![whole(json!({ "next": "?page=2", "results": null })), last()]),
        ("no entries", vec![whole(json!({ "next": "?page=2" })), last()]),
        ("no page", vec![whole(Value::Null)]),
        (
            "a page without a link",
            vec![{
                let mut page = page(&Value::Null);
                page["data"].as_object_mut().unwrap().remove("next");
                Answer::json(200, &page)
            }],
        ),
        ("back from the second page", vec![on("?page=2"), on("?page=1"), last()]),
        ("the second page again and again", vec![on("?page=2"), on("?page=2"), last()]),
        ("a page that fails twice", vec![on("?page=2"), failure(503), failure(429), last()]),
        ("a page that fails for good", vec![on("?page=2"), failure(404)]),
        ("a page that is cut", vec![on("?page=2"), on("?page=3").cut(20), last()]),
        ("no page behind the last number", vec![on("?page=9223372036854775807"), on("/v1/voices"), last()]),
    ];
    let mut text = String::new();
    for (name, script) in rows {
        text.push_str(&read(name, script).await);
    }
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_single_page_is_asked_for_once_and_without_a_number() {
    let server = Server::start(vec![Answer::json(200, &page(&json!("?page=2")))]);
    let page = Lab::new(&server, Time::Test).client.list_voices().data().await.unwrap();
    assert_eq!(page.results.len(), 1);
    assert_eq!(server.seen(), ["get /v1/voices"]);
}
