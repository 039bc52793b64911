//! Results as tables and as JSON.

use liveavatar_mock::Server;

use super::{redact_ids, run_all};

/// The mock's context, whose ID is that of the documented example.
const CONTEXT: &str = "00000000-0000-4000-8000-00006423a0dc";

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_a_table_or_one_line_of_json() {
    let server = Server::start().await.unwrap();
    let all: &[&[&str]] = &[
        &["credits"],
        &["credits", "--json"],
        &["voices", "list"],
        &["--json", "secrets", "list"],
        &["contexts", "get", CONTEXT],
        &["call", "list_voices", "--query", "page_size=5", "--json"],
        &["session", "list"],
        &["session", "stop", "--all", "--json"],
    ];
    insta::assert_snapshot!(redact_ids(&run_all(Some(&server), all).await));
}
