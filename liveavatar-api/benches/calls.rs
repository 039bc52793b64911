//! What the crate costs against plain reqwest and serde: the same work both ways, in one run.
//!
//! `cargo bench -p liveavatar-api` prints criterion's times and then one ratio per pair, measured in alternating
//! batches so that a noisy machine disturbs both sides alike.

#![expect(clippy::unwrap_used, reason = "a bench that cannot run says where")]

mod support;

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, criterion_group};
use liveavatar_api::session::{Configuration, Full};
use liveavatar_api::types;
use serde::Serialize;
use support::{Callers, PlainCredits, decode_ours, decode_plain, page, plain};

const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// Alternating batches per pair; the median of their ratios is printed.
const BATCHES: usize = 81;

/// What a user would write by hand for a token request.
#[derive(Serialize)]
struct TokenRequest<'a> {
    mode: &'a str,
    avatar_id: uuid::Uuid,
    is_sandbox: bool,
    max_session_duration: u32,
    avatar_persona: Persona<'a>,
}

#[derive(Serialize)]
struct Persona<'a> {
    context_id: uuid::Uuid,
    language: &'a str,
}

fn token_request_plain() -> Vec<u8> {
    let request = TokenRequest {
        mode: "FULL",
        avatar_id: ID.parse().unwrap(),
        is_sandbox: false,
        max_session_duration: 600,
        avatar_persona: Persona { context_id: ID.parse().unwrap(), language: "en" },
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
