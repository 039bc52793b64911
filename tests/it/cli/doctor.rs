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
    let passed = checks.iter().filter(|check| check["result"] == "ok").count();
    assert_eq!((passed, checks.last().unwrap()["check"].as_str()), (7, Some("socket")), "{failed}");
    assert!(server.running_sessions().is_empty());
    let url = server.url().to_owned();
    // The TLS error depends on the platform.
    let https = url.replace("http", "https");
    let tls = run(Some(&server), &["doctor", "--base-url", &https], "").await;
    assert!(tls.contains("exit 3") && tls.contains("\nfailed   tls       "), "{tls}");
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

#[tokio::test(flavor = "multi_thread")]
async fn each_check_says_what_is_wrong_and_what_to_do_next() {
    let server = mock_builder().credits(0).start().await.unwrap();
    let mut all = vec![
        run(Some(&server), &["doctor", "--no-session"], "").await,
        run(Some(&server), &["doctor", "--no-session", "--json"], "").await,
    ];
    // A version, or another path of the same server, is not blamed on the key.
    for path in ["/v1/", "/elsewhere"] {
        let url = format!("{}{path}", server.url());
        all.push(run(Some(&server), &["doctor", "--base-url", &url], "").await);
    }
    for key in [None, Some(""), Some("wrong")] {
        let mut command = program(None, &["doctor"]);
        command.env("LIVEAVATAR_BASE_URL", server.url()).env("COLUMNS", "80");
        command.envs(key.map(|key| ("LIVEAVATAR_API_KEY", key)));
        all.push(run_command(None, command, &["doctor"], Vec::new()).await);
    }
    insta::assert_snapshot!(redact_times(&all.join("\n")).replace(server.url(), "http://mock"));
}
