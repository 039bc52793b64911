//! The addresses of calls: the base URL with its path, and the escaped path parameters.

use std::fmt::Write as _;

use liveavatar_api::{Client, Credential, RequestOptions};
use liveavatar_mock::Server;

use super::KEY;

/// Returns the paths that a base URL with this path gives the calls, by a generated method and by name.
async fn paths(base: &str) -> String {
    let server = Server::start().await.unwrap();
    let client = Client::builder()
        .base_url(format!("{}{base}", server.url()))
        .credential(Credential::api_key(KEY).unwrap())
        .options(RequestOptions::new().max_attempts(1))
        .build()
        .unwrap();
    let _ = client.get_user_credits().send().await;
    for id in ["a b", "ä/é", "a?b=c&d#e", "a%2fb", "%2e%2e", "a;b:c@d", "{id}", "...", "a\\b", "//host/"] {
        let _ = client.get_avatar_by_id().avatar_id(id).send().await;
        let _ = client.operation("get_avatar_by_id").unwrap().path("avatar_id", id).send().await;
    }
    let mut text = String::new();
    for request in server.take_requests() {
        writeln!(text, "{}", request.path).unwrap();
    }
    text
}

#[tokio::test]
async fn reserved_characters_of_a_path_parameter_are_escaped() {
    insta::assert_snapshot!(paths("").await);
}

#[tokio::test]
async fn the_path_of_the_base_url_stays_in_front() {
    let at_root = paths("").await;
    for (base, path) in
        [("/gate%20way/x", "/gate%20way/x"), ("/gate way/", "/gate%20way"), ("//host", "//host"), ("/", "")]
    {
        let expected = at_root.lines().fold(String::new(), |text, line| text + path + line + "\n");
        assert_eq!(paths(base).await, expected, "{base}");
    }
}
