//! Pages of lists, and the links between them.

use liveavatar_mock::Server;
use serde_json::Value;

use super::harness::{AVATAR, Mock, entries, lite};

#[tokio::test]
async fn a_short_list_is_a_single_page_without_links() {
    let mock = Mock::with(Server::builder().public_entries(1)).await;
    let response = mock.get("/v1/avatars/public").await;
    assert_eq!(response.body["code"], 100);
    assert_eq!(response.body["data"]["count"], 1);
    assert_eq!(response.body["data"]["next"], Value::Null);
    assert_eq!(response.body["data"]["results"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn following_the_links_visits_every_session_and_keeps_the_filters() {
    let mock = Mock::with(Server::builder().session_limit(9)).await;
    for _ in 0..3 {
        mock.start_session(lite()).await;
    }
    let mut url = Some(format!("/v1/sessions?type=active&page_size=2&avatar_id={AVATAR}"));
    let mut visited = Vec::new();
    let mut sizes = Vec::new();
    while let Some(path) = url {
        let page = mock.get(&path).await.body;
        assert_eq!(page["data"]["count"], 3);
        let ids: Vec<_> = entries(&page).iter().map(|entry| entry["id"].to_string()).collect();
        sizes.push(ids.len());
        visited.extend(ids);
        url = page["data"]["next"].as_str().map(|link| {
            link.strip_prefix(mock.server.url()).expect("an absolute link to this server").to_owned()
        });
    }
    assert_eq!(sizes, [2, 1]);
    visited.sort_unstable();
    visited.dedup();
    assert_eq!(visited.len(), 3);
    let last = mock.get("/v1/sessions?type=active&page_size=2&page=2").await;
    let previous = format!("{}/v1/sessions?type=active&page_size=2&page=1", mock.server.url());
    assert_eq!(last.text("/data/previous"), previous);
}

#[tokio::test]
async fn following_the_links_visits_every_record() {
    let mock = Mock::with(Server::builder().public_entries(45)).await;
    let mut path = Some("/v1/voices?page_size=20&voice_type=public".to_owned());
    let mut ids = std::collections::BTreeSet::new();
    let mut sizes = Vec::new();
    while let Some(next) = path {
        let body = mock.get(&next).await.body;
        assert_eq!(body["data"]["count"], 45);
        let page = entries(&body);
        sizes.push(page.len());
        ids.extend(page.iter().map(|entry| entry["id"].to_string()));
        let link = body["data"]["next"].as_str();
        path =
            link.map(|link| link.strip_prefix(mock.server.url()).expect("a link to this server").to_owned());
    }
    assert_eq!((sizes, ids.len()), (vec![20, 20, 5], 45));
}
