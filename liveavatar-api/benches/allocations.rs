//! How often the crate allocates against plain reqwest and serde: per call and per decoded page.
//!
//! `cargo bench -p liveavatar-api --bench allocations`. Counted on the caller's thread, which does everything but serve.

#![expect(clippy::unwrap_used, reason = "a bench that cannot run says where")]

mod support;

use allocation_counter::{AllocationInfo, measure};
use support::{Callers, PlainCredits, decode_ours, decode_plain, page, plain};

/// Calls before counting starts, so that connection and pools stand.
const WARM_UP: usize = 20;

/// The count of one run in a series; the smallest, because a connection may do something of its own in any of them.
fn least<T>(mut work: impl FnMut() -> T) -> AllocationInfo {
    for _ in 0..WARM_UP {
        drop(work());
    }
    let runs = (0..WARM_UP).map(|_| measure(|| drop(work())));
    runs.min_by_key(|info| info.count_total).unwrap()
}

fn row(name: &str, ours: &AllocationInfo, plain: &AllocationInfo) {
    println!(
        "{name:32} ours {:5} in {:7} bytes, plain {:5} in {:7} bytes",
        ours.count_total, ours.bytes_total, plain.count_total, plain.bytes_total
    );
}

fn main() {
    // `cargo test --benches` only asks whether the benches run; they count the same then.
    let callers = Callers::new();
    let bytes = page();
    row(
        "loopback call",
        &least(|| callers.credits()),
        &least(|| callers.plain::<PlainCredits>("/v1/users/credits")),
    );
    row(
        "loopback call, 100 avatars",
        &least(|| callers.avatars()),
        &least(|| callers.plain::<plain::Page>("/v1/avatars")),
    );
    row("decoding a page of 100 avatars", &least(|| decode_ours(&bytes)), &least(|| decode_plain(&bytes)));
}
