//! The endpoint in a real browser: headless Chromium, the page's server, the mock service, and a page of another origin.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::response::Html;
use axum::routing::{get, post};
use liveavatar_api::endpoint::{Choice, Rejection, TokenEndpoint};
use liveavatar_api::session::SANDBOX_AVATAR_ID;
use liveavatar_mock::Server;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::{client, configuration, hide};

/// The browser's name on different systems.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// No background traffic, and no sandbox, which does not work in containers.
const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
];
/// A browser that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(90);

struct Browser {
    child: Child,
    _profile: TempDir,
}

impl Browser {
    /// Opens a page, or prints a notice and returns `None` if no browser is installed.
    fn open(url: &str) -> Option<Self> {
        let profile = tempfile::tempdir().unwrap();
        for name in NAMES {
            let launched = Command::new(name)
                .args(ARGUMENTS)
                .arg(format!("--user-data-dir={}", profile.path().display()))
                .arg(url)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            match launched {
                Ok(child) => return Some(Self { child, _profile: profile }),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => panic!("{name} does not start: {error}"),
            }
        }
        let _ = writeln!(std::io::stderr(), "skipped: the browser test needs `chromium`");
        None
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// Authorizes the user that the cookie names.
async fn authorize(request: Parts) -> Result<String, Rejection> {
    let cookie = request.headers.get(COOKIE).and_then(|cookie| cookie.to_str().ok());
    cookie
        .and_then(|cookie| cookie.strip_prefix("user="))
        .map(str::to_owned)
        .ok_or(Rejection::Unauthenticated)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_gets_one_session_and_other_origins_get_none() {
    let server = Server::start().await.unwrap();
    let base = configuration(&json!({
        "mode": "FULL",
        "avatar_id": SANDBOX_AVATAR_ID,
        "is_sandbox": true,
        "avatar_persona": {"language": "en"},
    }));
    let endpoint = TokenEndpoint::new(client(&server), base, authorize)
        .allow("avatar_persona.language", Choice::one_of(["en", "de"]))
        .router()
        .unwrap();
    let (sender, mut results) = mpsc::channel(1);
    let seen = post(async move |body: Bytes| sender.send(body).await.unwrap());
    let page = get(async || {
        let cookie = [(SET_COOKIE, "user=ada; Path=/; HttpOnly; SameSite=Lax")];
        (cookie, Html(include_str!("page.html")))
    });
    let app = Router::new().nest("/session", endpoint).route("/", page).route("/seen", seen);
    let own = serve(app).await;
    let foreign = serve(Router::new().route("/", get(async || Html(include_str!("foreign.html"))))).await;

    let url = format!("{own}/?service={}&foreign={foreign}/", server.url());
    let Some(browser) = Browser::open(&url) else { return };
    let seen =
        tokio::time::timeout(PATIENCE, results.recv()).await.expect("the page sends no results").unwrap();
    drop(browser);

    let text = std::str::from_utf8(&seen).unwrap();
    assert!(!text.contains(server.api_key()), "the page received the API key");
    let mut seen: Vec<Value> = serde_json::from_slice(&seen).unwrap();
    for place in ["/body", "/body/data"] {
        seen.iter_mut().filter_map(|one| one.pointer_mut(place)).for_each(hide);
    }
    let lines: Vec<String> = seen.iter().map(Value::to_string).collect();
    let calls = server.requests();
    let calls = calls.iter().filter(|request| request.method != "OPTIONS");
    let calls: Vec<String> = calls
        .map(|request| {
            format!("> {}: {}", request.operation.as_deref().unwrap_or("?"), request.status.unwrap())
        })
        .collect();
    insta::assert_snapshot!(format!("{}\n{}", lines.join("\n"), calls.join("\n")));
}
