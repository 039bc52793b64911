//! Limits of the allocations of a call and of a page, relative to plain reqwest and serde in the same run, and of a socket's memory.
//!
//! In a package of its own, because it replaces the allocator of the whole program.

#![expect(clippy::unwrap_used, reason = "a test fails if a value is missing")]

mod support;

use std::net::SocketAddr;

use allocation_counter::{AllocationInfo, measure};
use futures_util::{SinkExt as _, StreamExt as _};
use liveavatar_api::Secret;
use liveavatar_api::realtime::lite::Socket;
use support::{CALL, CALL_OF_100, Callers, DECODING, PlainCredits, decode_ours, decode_plain, page, plain};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_websockets::{Message, ServerBuilder};

/// Runs before counting, which establish the connection and fill pools. As many runs are counted.
const RUNS: usize = 20;

/// Returns the smallest count of several runs, because a connection does background work in some of them.
fn least<T>(mut work: impl FnMut() -> T) -> AllocationInfo {
    for _ in 0..RUNS {
        drop(work());
    }
    let runs = (0..RUNS).map(|_| measure(|| drop(work())));
    runs.min_by_key(|info| info.count_total).unwrap()
}

/// Fails if the crate allocates more than plain code and what is allowed on top, in allocations and bytes.
fn check(what: &str, ours: &AllocationInfo, plain: &AllocationInfo, allowed: (u64, u64)) {
    let more = |ours: u64, plain: u64| ours.saturating_sub(plain);
    let count = more(ours.count_total, plain.count_total);
    let bytes = more(ours.bytes_total, plain.bytes_total);
    assert!(
        count <= allowed.0 && bytes <= allowed.1,
        "{what}: {count} allocations with {bytes} bytes more than plain code, but {} with {} bytes are allowed.\n\
         Find what allocates with `valgrind --tool=dhat` and the bench `calls` (`--count ours 300`), and remove it. If it is worth \
         its cost, raise the limit in tests/benches/allocation_limits.rs and say why.",
        allowed.0,
        allowed.1,
    );
}

#[test]
fn a_call_allocates_little_more_than_plain_reqwest() {
    let callers = Callers::new();
    let ours = least(|| callers.credits());
    let plain = least(|| callers.plain::<PlainCredits>("/v1/users/credits"));
    // The copy of the request for a retry.
    check(CALL, &ours, &plain, (1, 1_000));
}

#[test]
fn a_page_allocates_little_more_than_plain_reqwest() {
    let callers = Callers::new();
    let ours = least(|| callers.avatars());
    let plain = least(|| callers.plain::<plain::Page>("/v1/avatars"));
    // The types have more fields than those of plain code.
    check(CALL_OF_100, &ours, &plain, (2, 20_000));
}

#[test]
fn decoding_a_page_alone_copies_the_original_data_once() {
    let bytes = page();
    check(DECODING, &least(|| decode_ours(&bytes)), &least(|| decode_plain(&bytes)), (2, 60_000));
}

/// Starts a server of sockets on its own thread, whose memory is not counted, and returns its address.
fn serve_sockets() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        current_thread().block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let (_, mut socket) = ServerBuilder::new().accept(stream).await.unwrap();
                    let ready = r#"{"type":"session.state_updated","state":"connected"}"#;
                    socket.send(Message::text(ready)).await.unwrap();
                    while socket.next().await.is_some() {}
                });
            }
        });
    });
    address
}

fn current_thread() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn an_open_socket_holds_less_than_15_kb() {
    const SOCKETS: usize = 20;
    const MOST: i64 = 15_000;
    let url = Secret::from(format!("ws://{}/", serve_sockets()));
    let runtime = current_thread();
    let connect = || runtime.block_on(async { Socket::connect(&url).await.unwrap() });
    let first = connect();
    let mut open = Vec::with_capacity(SOCKETS);
    let info = measure(|| open.extend((0..SOCKETS).map(|_| connect())));
    let each = info.bytes_current / i64::try_from(SOCKETS).unwrap();
    drop((first, open));
    assert!(
        each <= MOST,
        "an open socket holds {each} bytes, but {MOST} are allowed. Box what is large and rarely there, above all what a channel \
         carries: it reserves room for 32 items."
    );
}
