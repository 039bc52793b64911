//! What the crate costs against plain reqwest and serde: the same work both ways, in one run.
//!
//! `cargo bench -p liveavatar-api` prints criterion's times and then one ratio per pair, measured in alternating
//! batches so that a noisy machine disturbs both sides alike.

#![expect(clippy::unwrap_used, reason = "a bench that cannot run says where")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use criterion::{Criterion, criterion_group};
use liveavatar_api::mock::example_answer;
use liveavatar_api::session::{Configuration, Full};
use liveavatar_api::{Client, Credential, Envelope, IntoData as _, Page, types};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const KEY: &str = "bench-api-key";
const AVATARS: usize = 100;
const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// Alternating batches per pair; the median of their ratios is printed.
const BATCHES: usize = 81;

/// What a user would write by hand for the two answers.
mod plain {
    use super::{Deserialize, Serialize};

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "fields are decoded, as in real use, and not read here")]
    pub(super) struct Envelope<T> {
        pub(super) code: i64,
        pub(super) data: Option<T>,
        pub(super) message: Option<String>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "fields are decoded, as in real use, and not read here")]
    pub(super) struct Page {
        pub(super) count: i64,
        pub(super) next: Option<String>,
        pub(super) previous: Option<String>,
        pub(super) results: Vec<Avatar>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "fields are decoded, as in real use, and not read here")]
    pub(super) struct Avatar {
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

    #[derive(Serialize)]
    pub(super) struct TokenRequest<'a> {
        pub(super) mode: &'a str,
        pub(super) avatar_id: uuid::Uuid,
        pub(super) is_sandbox: bool,
        pub(super) max_session_duration: u32,
        pub(super) avatar_persona: Persona<'a>,
    }

    #[derive(Serialize)]
    pub(super) struct Persona<'a> {
        pub(super) context_id: uuid::Uuid,
        pub(super) language: &'a str,
    }
}

fn token_request_plain() -> Vec<u8> {
    let request = plain::TokenRequest {
        mode: "FULL",
        avatar_id: ID.parse().unwrap(),
        is_sandbox: false,
        max_session_duration: 600,
        avatar_persona: plain::Persona { context_id: ID.parse().unwrap(), language: "en" },
    };
    serde_json::to_vec(&request).unwrap()
}

fn full(builder: types::builder::FullSessionConfig) -> types::builder::FullSessionConfig {
    let persona =
        types::AvatarPersona::builder().context_id(Some(ID.parse().unwrap())).language("en".to_owned());
    builder
        .avatar_id(ID)
        .is_sandbox(false)
        .max_session_duration(600)
        .avatar_persona(Some(persona.try_into().unwrap()))
}

fn token_request_generated() -> Vec<u8> {
    let builder = types::FullSessionConfig::builder().mode(types::FullSessionConfigMode::Full);
    let request: types::FullSessionConfig = full(builder).try_into().unwrap();
    serde_json::to_vec(&types::CreateSessionTokenBody::from(request)).unwrap()
}

fn token_request_checked() -> Vec<u8> {
    serde_json::to_vec(Configuration::<Full>::build(full).unwrap().body()).unwrap()
}

fn page() -> Vec<u8> {
    let mut answer = example_answer("list_user_avatars").unwrap();
    let one = answer["data"]["results"][0].clone();
    answer["data"]["results"] = Value::Array(vec![one; AVATARS]);
    serde_json::to_vec(&answer).unwrap()
}

/// A server that answers from memory, so that the clients are what is measured.
fn serve(runtime: &Runtime) -> String {
    let credits = json!({ "code": 100, "data": { "credits_left": "12.50" }, "message": null }).to_string();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = |body: Vec<u8>| move || async move { ([(CONTENT_TYPE, "application/json")], body) };
    let router = Router::new()
        .route("/v1/users/credits", get(answer(credits.into_bytes())))
        .route("/v1/avatars", get(answer(page())));
    runtime.spawn(async move { axum::serve(listener, router).await });
    url
}

/// Both ways of calling the server.
struct Callers {
    runtime: Runtime,
    url: String,
    http: reqwest::Client,
    client: Client,
}

impl Callers {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let url = serve(&runtime);
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(45)).build().unwrap();
        let credential = Credential::api_key(KEY).unwrap();
        let client = Client::builder().base_url(&url).credential(credential).build().unwrap();
        Self { runtime, url, http, client }
    }

    fn plain<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        self.runtime.block_on(async {
            let request = self.http.get(format!("{}{path}", self.url)).header("x-api-key", KEY);
            let answer = request.send().await.unwrap().error_for_status().unwrap();
            answer.json::<plain::Envelope<T>>().await.unwrap().data.unwrap()
        })
    }

    fn credits(&self) -> types::UserCredits {
        self.runtime.block_on(async { self.client.get_user_credits().send().await.into_data().unwrap() })
    }

    fn avatars(&self) -> Page<types::Avatar> {
        self.runtime.block_on(async { self.client.list_user_avatars().send().await.into_data().unwrap() })
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "decoded and not read")]
struct PlainCredits {
    credits_left: Option<String>,
}

fn decode_plain(bytes: &[u8]) -> plain::Envelope<plain::Page> {
    serde_json::from_slice(bytes).unwrap()
}

fn decode_ours(bytes: &[u8]) -> Envelope<Page<types::Avatar>> {
    serde_json::from_slice(bytes).unwrap()
}

fn times(criterion: &mut Criterion) {
    let bytes = page();
    let callers = Callers::new();
    let mut group = criterion.benchmark_group("token request");
    group.bench_function("plain", |bencher| bencher.iter(token_request_plain));
    group.bench_function("generated", |bencher| bencher.iter(token_request_generated));
    group.bench_function("checked", |bencher| bencher.iter(token_request_checked));
    group.finish();
    let mut group = criterion.benchmark_group("page of 100 avatars");
    group.bench_function("plain", |bencher| bencher.iter(|| decode_plain(&bytes)));
    group.bench_function("ours", |bencher| bencher.iter(|| decode_ours(&bytes)));
    group.finish();
    let mut group = criterion.benchmark_group("loopback call");
    group.bench_function("plain", |bencher| {
        bencher.iter(|| callers.plain::<PlainCredits>("/v1/users/credits"));
    });
    group.bench_function("ours", |bencher| bencher.iter(|| callers.credits()));
    group.finish();
}

/// The median over alternating batches of how much longer `ours` takes than `plain`.
fn ratio<A, B>(name: &str, calls: u32, mut ours: impl FnMut() -> A, mut plain: impl FnMut() -> B) {
    fn time<T>(calls: u32, work: &mut impl FnMut() -> T) -> f64 {
        let start = Instant::now();
        for _ in 0..calls {
            black_box(work());
        }
        start.elapsed().as_secs_f64()
    }
    time(calls, &mut ours);
    time(calls, &mut plain);
    let mut ratios: Vec<f64> = (0..BATCHES)
        .map(|batch| {
            // Whoever goes first finds colder caches, so the order alternates too.
            let (ours, plain) = if batch % 2 == 0 {
                let ours = time(calls, &mut ours);
                (ours, time(calls, &mut plain))
            } else {
                let plain = time(calls, &mut plain);
                (time(calls, &mut ours), plain)
            };
            ours / plain
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let at = |share: usize| ratios[ratios.len() * share / 100];
    println!("{name:40} {:.3}  (quartiles {:.3} to {:.3})", at(50), at(25), at(75));
}

fn ratios() {
    let bytes = page();
    let callers = Callers::new();
    println!("ours / plain reqwest + serde, median of {BATCHES} alternating batches");
    ratio("token request, generated", 2_000, token_request_generated, token_request_plain);
    ratio("token request, every rule checked", 500, token_request_checked, token_request_plain);
    ratio("decoding a page of 100 avatars", 20, || decode_ours(&bytes), || decode_plain(&bytes));
    ratio("loopback call", 50, || callers.credits(), || callers.plain::<PlainCredits>("/v1/users/credits"));
    ratio(
        "loopback call, 100 avatars",
        20,
        || callers.avatars(),
        || callers.plain::<plain::Page>("/v1/avatars"),
    );
}

criterion_group!(benches, times);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    // `cargo test --benches` only asks whether the benches run.
    if !std::env::args().any(|argument| argument == "--test") {
        ratios();
    }
}
