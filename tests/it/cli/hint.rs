//! Advice names commands of this program.

use liveavatar_mock::{MockResponse, Server};

use super::{UNKNOWN_SESSION, run};

#[tokio::test(flavor = "multi_thread")]
async fn advice_names_commands_instead_of_operations_and_methods() {
    let server = Server::start().await.unwrap();
    let old_name = r#"{"mode": "LITE", "avatar_id": "Anna_public_3"}"#;
    let no_context =
        r#"{"mode": "FULL", "avatar_id": "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a", "avatar_persona": {}}"#;
    let mut shown = vec![
        run(None, &["session", "check", "-"], old_name).await,
        run(None, &["session", "check", "-"], no_context).await,
        run(Some(&server), &["call", "create_embed_v2", "--json-body", r#"{"avatar_id": "Anna"}"#], "").await,
    ];
    let rejection = r#"{"code":4030,"message":"not yours","data":null}"#;
    for json in [&[][..], &["--json"]] {
        server.mock_response("stop_session", MockResponse::raw(403, "application/json", rejection));
        shown.push(run(Some(&server), &[&["session", "stop", UNKNOWN_SESSION], json].concat(), "").await);
    }
    for _ in 0..2 {
        server.mock_response("stop_session", MockResponse::raw(403, "application/json", rejection));
    }
    let other = UNKNOWN_SESSION.replace("f10", "f11");
    shown.push(run(Some(&server), &["session", "stop", UNKNOWN_SESSION, &other, "--json"], "").await);
    // Two sessions are stopped at the same time, so that either response may come first.
    let request = |text: &str| text.replace("mock-request-4", "mock-request-3");
    let shown = request(&shown.join("\n"));
    assert!(!shown.contains("/v1/") && !shown.contains("Client::"), "{shown}");
    insta::assert_snapshot!(shown);
}
