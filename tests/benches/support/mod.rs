//! Calls and decoding, with the crate and with code written by hand on reqwest and serde.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use liveavatar_api::{Client, Credential, Envelope, Page, types};
use liveavatar_mock::example_response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// Names of rows that several benches print.
pub(crate) const CALL: &str = "one call over loopback";
pub(crate) const CALL_OF_100: &str = "one call over loopback, 100 avatars";
pub(crate) const DECODING: &str = "decoding a page of 100 avatars";

pub(crate) const KEY: &str = "bench-api-key";
const AVATARS: usize = 100;

/// Types of the responses, as a user would write them by hand.
pub(crate) mod plain {
    use super::Deserialize;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "fields are decoded, as in real use, and not read here")]
    pub(crate) struct Envelope<T> {
        pub(crate) code: i64,
        pub(crate) data: Option<T>,
        pub(crate) message: Option<String>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "fields are decoded, as in real use, and not read here")]
    pub(crate) struct Page {
        pub(crate) count: i64,
        pub(crate) next: Option<String>,
        pub(crate) previous: Option<String>,
        pub(crate) results: Vec<Avatar>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "fields are decoded, as in real use, and not read here")]
    pub(crate) struct Avatar {
        id: uuid::Uuid,
        space_id: Option<String>,
        r#type: Type,
        status: Status,
        name: String,
        preview_url: Option<String>,
        is_expired: bool,
        default_voice: Option<Voice>,
        is_1080p: bool,
        created_at: chrono::DateTime<chrono::Utc>,
        updated_at: chrono::DateTime<chrono::Utc>,
        error_message: Option<String>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "fields are decoded, as in real use, and not read here")]
    struct Voice {
        id: String,
        name: String,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "UPPERCASE")]
    enum Type {
        Image,
        Video,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "UPPERCASE")]
    enum Status {
        Active,
        Init,
        Deploying,
        Failed,
    }
}

pub(crate) fn page() -> Vec<u8> {
    let mut page = example_response("list_user_avatars").unwrap();
    let avatar = page["data"]["results"][0].clone();
    page["data"]["results"] = Value::Array(vec![avatar; AVATARS]);
    serde_json::to_vec(&page).unwrap()
}

/// Starts a server that responds from memory, so that mostly the client is measured.
fn serve() -> String {
    let credits = json!({ "code": 100, "data": { "credits_left": "12.50" }, "message": null }).to_string();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let respond = |body: Vec<u8>| move || async move { ([(CONTENT_TYPE, "application/json")], body) };
    let router = Router::new()
        .route("/v1/users/credits", get(respond(credits.into_bytes())))
        .route("/v1/avatars", get(respond(page())));
    std::thread::spawn(move || {
        runtime().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await
        })
    });
    url
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The crate and plain reqwest as clients of the same server.
pub(crate) struct Callers {
    pub(crate) runtime: Runtime,
    pub(crate) url: String,
    http: reqwest::Client,
    client: Client,
}

impl Callers {
    pub(crate) fn new() -> Self {
        let runtime = runtime();
        let url = serve();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(45)).build().unwrap();
        let credential = Credential::api_key(KEY).unwrap();
        let client = Client::builder().base_url(&url).credential(credential).build().unwrap();
        Self { runtime, url, http, client }
    }

    /// Waits for a call. Pinned here, because Tokio moves a large future to the heap, and what is large depends on the profile.
    fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(pin!(call))
    }

    pub(crate) fn plain<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        self.wait(async {
            let request = self.http.get(format!("{}{path}", self.url)).header("x-api-key", KEY);
            let response = request.send().await.unwrap().error_for_status().unwrap();
            response.json::<plain::Envelope<T>>().await.unwrap().data.unwrap()
        })
    }

    pub(crate) fn credits(&self) -> types::UserCredits {
        self.wait(async { self.client.get_user_credits().send().await.unwrap() })
    }

    pub(crate) fn avatars(&self) -> Page<types::Avatar> {
        self.wait(async { self.client.list_user_avatars().send().await.unwrap() })
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "fields are decoded, as in real use, and not read here")]
pub(crate) struct PlainCredits {
    credits_left: Option<String>,
}

pub(crate) fn decode_plain(bytes: &[u8]) -> plain::Envelope<plain::Page> {
    serde_json::from_slice(bytes).unwrap()
}

pub(crate) fn decode_ours(bytes: &[u8]) -> Envelope<Page<types::Avatar>> {
    serde_json::from_slice(bytes).unwrap()
}
