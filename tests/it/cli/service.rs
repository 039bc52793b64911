//! Where the API key comes from.

use liveavatar_mock::Server;

use super::{program, run, run_command};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_from_standard_input_may_end_with_a_line_break() {
    let server = Server::start().await.unwrap();
    let key = format!("{}\n", server.api_key());
    let all = ["credits", "--api-key-file", "-", "--base-url", server.url()];
    let lite = include_str!("../../../liveavatar-api/examples/lite-sandbox.json");
    let shown = [
        run(None, &all[..3], "").await,
        run(None, &all, &key).await,
        run(None, &["session", "token", "-", "--api-key-file", "-"], lite).await,
    ];
    let shown = shown.join("\n").replace(server.url(), "http://mock");
    assert!(!shown.contains(server.api_key()), "{shown}");
    insta::assert_snapshot!(shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_names_the_variable_of_a_missing_or_empty_key() {
    let mut shown = run(None, &["credits"], "").await;
    let mut command = program(None, &["credits"]);
    command.env("LIVEAVATAR_API_KEY", "");
    shown += &run_command(None, command, &["credits"], Vec::new()).await;
    insta::assert_snapshot!(shown);
}
