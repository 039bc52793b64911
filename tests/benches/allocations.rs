//! How often the crate allocates against plain reqwest and serde: per call and per decoded page.
//!
//! `cargo bench -p liveavatar-api --bench allocations`. Counted on the caller's thread, which does everything but serve.

#![expect(clippy::unwrap_used, reason = "a bench that cannot run says where")]

mod rows;
mod support;

use allocation_counter::{AllocationInfo, measure};
use support::{CALL, CALL_OF_100, Callers, DECODING, PlainCredits, decode_ours, decode_plain, page, plain};

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

fn row(what: &str, ours: &AllocationInfo, plain: &AllocationInfo) {
    let shown = |info: &AllocationInfo| format!("{} in {:.1} kB", info.count_total, kilobytes(info));
    let ratio = kilobytes(ours) / kilobytes(plain);
    rows::pair("plain", &format!("allocations: {what}"), &shown(ours), &shown(plain), ratio);
}

fn kilobytes(info: &AllocationInfo) -> f64 {
    f64::from(u32::try_from(info.bytes_total).unwrap()) / 1_000.0
}

fn main() {
    // `cargo test --benches` only asks whether the benches run; they count the same then.
    let callers = Callers::new();
    let bytes = page();
    row(CALL, &least(|| callers.credits()), &least(|| callers.plain::<PlainCredits>("/v1/users/credits")));
    row(CALL_OF_100, &least(|| callers.avatars()), &least(|| callers.plain::<plain::Page>("/v1/avatars")));
    row(DECODING, &least(|| decode_ours(&bytes)), &least(|| decode_plain(&bytes)));
}
