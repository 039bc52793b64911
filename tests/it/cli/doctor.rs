//! `doctor`: its checks, in order, and the first that fails.

use super::{json_lines, mock_builder, program, redact_times, run, run_command};

#[tokio::test(flavor = "multi_thread")]
async fn doctor_checks_everything_in_order_and_leaves_no_session() {
    let server = mock_builder().start().await.unwrap();
    let mut all = vec![
        redact_times(&run(Some(&server), &["doctor"], "").await),
        run(Some(&server), &["doctor", "--no-session", "--json"], "").await,
    ];
    assert!(server.running_sessions().is_empty());
    // A failure also lists the checks that passed.
    server.reject_sockets();
    all.push(redact_times(&run(Some(&server), &["doctor"], "").await));
    let failed = run(Some(&server), &["doctor", "--json"], "").await;
    let json = &json_lines(&failed)[0];
    let checks = json["error"]["checks"].as_array().unwrap();
    let passed = checks.iter().filter(|check| check["ok"] == true).count();
    assert_eq!((passed, checks.last().unwrap()["check"].as_str()), (7, Some("socket")), "{failed}");
    assert!(server.running_sessions().is_empty());
    let url = server.url().to_owned();
    // The TLS error depends on the platform.
    let https = url.replace("http", "https");
    let tls = run(Some(&server), &["doctor", "--base-url", &https], "").await;
    assert!(tls.contains("exit 3") && tls.contains("\nfail  tls\n"), "{tls}");
    server.shutdown().await;
    for address in ["https://user:canary@example.com", url.as_str()] {
        let mut command = program(None, &[]);
        command.args(["doctor", "--json", "--base-url", address]);
        let arguments = ["doctor", "--json", "--base-url", "…"];
        let shown = run_command(None, command, &arguments, Vec::new()).await;
        all.push(shown.replace(&url, "http://gone"));
    }
    assert!(all.iter().all(|shown| !shown.contains("canary")), "{all:?}");
    insta::assert_snapshot!(all.join("\n"));
}
