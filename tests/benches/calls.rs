//! The time of calls, compared with plain reqwest and serde in the same run.
//!
//! `cargo bench -p liveavatar-benches --bench calls` prints criterion's times, and with `-- --rows` the ratios.

#![expect(clippy::unwrap_used, reason = "a bench fails if a value is missing")]

mod rows;
mod support;

use std::hint::black_box;

use criterion::{Criterion, criterion_group};
use liveavatar_api::session::FullSession;
use liveavatar_api::types::{self, builder::FullSessionConfig};
use serde::Serialize;
use support::{CALL, CALL_OF_100, Callers, DECODING, PlainCredits, decode_ours, decode_plain, page, plain};

const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// A token request, as a user would write it by hand.
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

fn full<B>(builder: FullSessionConfig<B>) -> FullSessionConfig<B> {
    let persona = types::AvatarPersona::builder().context_id(ID).language("en");
    builder.avatar_id(ID).is_sandbox(false).max_session_duration(600).avatar_persona(persona)
}

fn token_request_generated() -> Vec<u8> {
    let builder = types::FullSessionConfig::builder().mode(types::FullSessionConfigMode::Full);
    let request = full(builder).build().unwrap();
    serde_json::to_vec(&types::CreateSessionTokenBody::from(request)).unwrap()
}

fn token_request_checked() -> Vec<u8> {
    serde_json::to_vec(full(FullSession::builder()).build().unwrap().body()).unwrap()
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

fn print_rows() {
    let bytes = page();
    let callers = Callers::new();
    let pair = "plain";
    rows::timed(pair, "token request, generated types", 2_000, token_request_generated, token_request_plain);
    rows::timed(pair, "token request, every rule checked", 500, token_request_checked, token_request_plain);
    rows::timed(pair, DECODING, 20, || decode_ours(&bytes), || decode_plain(&bytes));
    print_call_rows(&callers);
}

/// On one core, client and server take turns, so the time is the processor time of both. On two, the client's work is partly hidden
/// behind the wait for the server.
fn print_call_rows(callers: &Callers) {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let on = if cores == 1 { ", client and server on one core" } else { "" };
    let plain = || callers.plain::<PlainCredits>("/v1/users/credits");
    rows::timed("plain", &format!("{CALL}{on}"), 50, || callers.credits(), plain);
    let plain = || callers.plain::<plain::Page>("/v1/avatars");
    rows::timed("plain", &format!("{CALL_OF_100}{on}"), 20, || callers.avatars(), plain);
}

/// Makes a number of calls on one side, for a profiler that counts instructions: `--count ours 300`.
fn count(side: &str, calls: u32) {
    let callers = Callers::new();
    for _ in 0..calls {
        match side {
            "ours" => drop(black_box(callers.credits())),
            _ => drop(black_box(callers.plain::<PlainCredits>("/v1/users/credits"))),
        }
    }
}

criterion_group!(benches, times);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, side, calls, ..] = &arguments[..]
        && command == "--count"
    {
        count(side, calls.parse().unwrap());
    } else if arguments.first().is_some_and(|command| command == "--call-rows") {
        print_call_rows(&Callers::new());
    } else if rows::wanted() {
        print_rows();
    } else {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
