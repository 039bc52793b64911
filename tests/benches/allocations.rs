//! Allocations per call and per decoded page, compared with plain reqwest and serde.
//!
//! `cargo bench -p liveavatar-benches --bench allocations`. Only the client's thread is counted, not the server's.

#![expect(clippy::unwrap_used, reason = "a bench fails if a value is missing")]

mod rows;
mod support;

use allocation_counter::{AllocationInfo, measure};
use support::{CALL, CALL_OF_100, Callers, DECODING, PlainCredits, decode_ours, decode_plain, page, plain};

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

fn row(what: &str, ours: &AllocationInfo, plain: &AllocationInfo) {
    let shown = |info: &AllocationInfo| format!("{} in {:.1} kB", info.count_total, kilobytes(info));
    let ratio = kilobytes(ours) / kilobytes(plain);
    rows::pair("plain", &format!("allocations: {what}"), &shown(ours), &shown(plain), ratio);
}

fn kilobytes(info: &AllocationInfo) -> f64 {
    f64::from(u32::try_from(info.bytes_total).unwrap()) / 1_000.0
}

fn main() {
    let callers = Callers::new();
    let bytes = page();
    row(CALL, &least(|| callers.credits()), &least(|| callers.plain::<PlainCredits>("/v1/users/credits")));
    row(CALL_OF_100, &least(|| callers.avatars()), &least(|| callers.plain::<plain::Page>("/v1/avatars")));
    row(DECODING, &least(|| decode_ours(&bytes)), &least(|| decode_plain(&bytes)));
}
