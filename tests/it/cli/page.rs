//! `--open`: the page of a session, and the browser that shows it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Child;

use liveavatar_mock::Server;
use reqwest::header::{AUTHORIZATION, CONTENT_SECURITY_POLICY, HOST};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::signals::{INTERRUPTED, exit, signal, spawn, spawn_command};
use super::{mock_builder, program};

const LIVEKIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../liveavatar-api/cli/src/page/livekit-client");

/// A running `session start --open` and its page.
struct Page {
    server: Server,
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    http: reqwest::Client,
    base: String,
    secret: String,
}

impl Page {
    async fn open(configuration: &str) -> Page {
        let server = mock_builder().start().await.unwrap();
        let start = ["session", "start", configuration, "--open", "--json", "--keep-alive-interval", "1"];
        let (child, mut lines) = spawn(&server, &start);
        let _started = lines.recv().await.unwrap();
        let page: Value = serde_json::from_str(&lines.recv().await.unwrap()).unwrap();
        let url = page["data"]["url"].as_str().unwrap();
        let (base, secret) = url.split_once("/#").unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Page { server, child, lines, http, base: base.to_owned(), secret: secret.to_owned() }
    }

    fn request(&self, method: Method, path: &str, secret: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .header(AUTHORIZATION, format!("Bearer {secret}"))
    }

    async fn send(&self, method: Method, path: &str, secret: &str) -> Response {
        self.request(method, path, secret).send().await.unwrap()
    }

    /// Exchanges the secret of the address for the one of the page.
    async fn key(&self) -> String {
        let response = self.send(Method::POST, "/exchange", &self.secret).await;
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        body["key"].as_str().unwrap().to_owned()
    }

    async fn interrupt(self) -> (Option<i32>, Vec<String>) {
        signal(&self.child, "-INT");
        exit(self.child, self.lines).await
    }
}

/// Reads the next line of the status.
async fn line(status: &mut Response) -> Value {
    serde_json::from_slice(&status.chunk().await.unwrap().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_may_load_code_only_from_the_command_and_media_only_from_the_room() {
    let page = Page::open("full-sandbox.json").await;
    let mut policies = Vec::new();
    for path in ["/", "/page.css", "/page.js", "/livekit-client.js"] {
        let response = page.http.get(format!("{}{path}", page.base)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        policies.push(response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        assert!(path == "/livekit-client.js" || !text.contains("innerHTML"), "{path}");
    }
    policies.dedup();
    insta::assert_snapshot!(policies.join("\n").replace("; ", ";\n"), @"
    default-src 'none';
    script-src 'self';
    style-src 'self';
    img-src data:;
    connect-src 'self' wss://media.invalid https://media.invalid;
    base-uri 'none';
    form-action 'none';
    frame-ancestors 'none'
    ");
    assert_eq!(page.interrupt().await.0, INTERRUPTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_in_the_address_works_once_and_the_command_prints_the_next_one() {
    let page = Page::open("full-sandbox.json").await;
    let wrong = "0".repeat(page.secret.len());
    for secret in [wrong.as_str(), "", &page.secret[1..]] {
        assert_eq!(page.send(Method::POST, "/exchange", secret).await.status(), 401, "{secret}");
    }
    let key = page.key().await;
    assert_ne!(key, page.secret);
    for (method, path, secret) in [
        (Method::POST, "/exchange", page.secret.as_str()),
        (Method::POST, "/exchange", &key),
        (Method::GET, "/status", &page.secret),
        (Method::GET, "/status", &wrong),
        (Method::POST, "/stop", &wrong),
    ] {
        assert_eq!(page.send(method, path, secret).await.status(), 401, "{path}");
    }
    // The page's own name only, so that no foreign page reaches it under another one.
    let rebound = page.request(Method::GET, "/status", &key).header(HOST, "evil.example");
    assert_eq!(rebound.send().await.unwrap().status(), 403);
    assert_eq!(page.server.running_sessions().len(), 1);
    assert_eq!(page.interrupt().await.0, INTERRUPTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_gets_the_room_and_neither_the_api_key_nor_the_session_token() {
    let page = Page::open("full-sandbox.json").await;
    let key = page.key().await;
    let mut status = page.send(Method::GET, "/status", &key).await;
    let mut shown = line(&mut status).await;
    let text = shown.to_string();
    assert!(text.contains("canary-livekit-client"), "{text}");
    for secret in [page.server.api_key(), "canary-session", "canary-ws_url"] {
        assert!(!text.contains(secret), "{text}");
    }
    for field in ["livekit_client_token", "session_id", "ends_at", "credits_used"] {
        shown[field] = json!("…");
    }
    insta::assert_json_snapshot!(shown, @r#"
    {
      "credits_used": "…",
      "end": null,
      "ends_at": "…",
      "livekit_client_token": "…",
      "livekit_url": "wss://media.invalid/livekit",
      "mode": "FULL",
      "session_id": "…",
      "uses_push_to_talk": false
    }
    "#);
    assert_eq!(page.interrupt().await.0, INTERRUPTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_the_page_does_not_stop_the_session_and_its_stop_button_does() {
    let page = Page::open("full-sandbox.json").await;
    let key = page.key().await;
    drop(page.send(Method::GET, "/status", &key).await);
    let mut status = page.send(Method::GET, "/status", &key).await;
    line(&mut status).await;
    assert_eq!(page.server.running_sessions().len(), 1);
    assert_eq!(page.send(Method::POST, "/stop", &key).await.status(), 204);
    // The page reads how the session ended before the command exits.
    let mut last = Value::Null;
    while last["end"].is_null() {
        last = line(&mut status).await;
    }
    assert_eq!(last["end"], json!({ "by": "command" }));
    assert!(page.server.running_sessions().is_empty());
    let (code, output) = exit(page.child, page.lines).await;
    assert_eq!(code, Some(0), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_why_the_service_ended_the_session() {
    let page = Page::open("lite-sandbox.json").await;
    let key = page.key().await;
    let mut status = page.send(Method::GET, "/status", &key).await;
    let mut shown = line(&mut status).await;
    assert_eq!(shown["mode"], "LITE");
    // The command notices at its next keep-alive, which fails.
    let id = page.server.running_sessions()[0];
    assert!(page.server.end_session(id, "AGENT_HANG_UP"));
    while shown["end"].is_null() {
        shown = line(&mut status).await;
    }
    assert_eq!(shown["end"], json!({ "by": "service", "reason": "AGENT_HANG_UP" }));
    assert_eq!(exit(page.child, page.lines).await.0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_needs_no_account_and_ends_with_its_page() {
    let (child, mut lines) = spawn_command(program(None, &["demo", "--json"]));
    let started: Value = serde_json::from_str(&lines.recv().await.unwrap()).unwrap();
    assert_eq!(started["data"]["event"], "started", "{started}");
    let shown: Value = serde_json::from_str(&lines.recv().await.unwrap()).unwrap();
    let (base, secret) = shown["data"]["url"].as_str().unwrap().split_once("/#").unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = |path: &str, secret: &str| http.post(format!("{base}{path}")).bearer_auth(secret).send();
    let key = post("/exchange", secret).await.unwrap().text().await.unwrap();
    let key: Value = serde_json::from_str(&key).unwrap();
    let stopped = post("/stop", key["key"].as_str().unwrap()).await.unwrap();
    assert_eq!(stopped.status(), 204);
    let (code, output) = exit(child, lines).await;
    assert_eq!(code, Some(0), "{output:?}");
    assert!(output[0].contains(r#""event":"ended""#), "{output:?}");
}

/// Puts a program named `xdg-open` on the path that writes its argument to a file.
fn browser(folder: &Path) -> String {
    let (program, file) = (folder.join("xdg-open"), folder.join("opened"));
    fs::write(&program, format!("#!/bin/sh\nprintf %s \"$1\" >{0}.new && mv {0}.new {0}", file.display()))
        .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:/usr/bin:/bin", folder.display())
}

async fn opened(folder: &Path) -> String {
    loop {
        match fs::read_to_string(folder.join("opened")) {
            Ok(url) => return url,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn mock_open_shows_the_window_in_the_browser_and_keeps_audio() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(None, &["mock", "--open", "--json"]);
    command.env("PATH", browser(folder.path()));
    let (child, mut lines) = spawn_command(command);
    let first: Value = serde_json::from_str(&lines.recv().await.unwrap()).unwrap();
    let window = first["data"]["window"].as_str().unwrap();
    assert_eq!(opened(folder.path()).await, window);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let html = http.get(window).send().await.unwrap().text().await.unwrap();
    assert!(html.contains("<title>LiveAvatar mock</title>"));
    let state = http.get(format!("{window}state")).send().await.unwrap().text().await.unwrap();
    assert!(state.contains("\"records_audio\":true"), "{state}");
    signal(&child, "-INT");
    assert_eq!(exit(child, lines).await.0, INTERRUPTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_browser_the_address_is_printed() {
    let mut command = program(None, &["mock", "--open"]);
    command.env("PATH", "");
    let (child, mut lines) = spawn_command(command);
    let (address, export) = (lines.recv().await.unwrap(), lines.recv().await.unwrap());
    let window = lines.recv().await.unwrap();
    assert!(export.starts_with("export "), "{export}");
    assert!(address.starts_with("mock service at http://127.0.0.1:"), "{address}");
    assert!(window.starts_with("see what it does at http://127.0.0.1:"), "{window}");
    signal(&child, "-INT");
    let (code, output) = exit(child, lines).await;
    assert_eq!(code, INTERRUPTED, "{output:?}");
}

/// `update` in the same folder writes them.
#[test]
fn the_livekit_client_is_the_pinned_one() {
    let sums = fs::read_to_string(format!("{LIVEKIT}/SHA256SUMS")).unwrap();
    for line in sums.lines() {
        let (expected, name) = line.split_once("  ").unwrap();
        let digest = hmac_sha256::Hash::hash(&fs::read(format!("{LIVEKIT}/{name}")).unwrap());
        let found = digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        assert_eq!(found, expected, "{name} was changed; run {LIVEKIT}/update VERSION instead");
    }
    assert_eq!(sums.lines().count(), 2);
}
