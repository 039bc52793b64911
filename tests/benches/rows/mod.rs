//! Rows of the tables in `guide/performance.md`: `cargo xtask bench` runs the benches with `--rows` and collects these lines.

#![allow(dead_code, reason = "not every bench prints every kind of row")]

use std::hint::black_box;
use std::time::{Duration, Instant};

/// The number of batches per pair. The rows show medians.
pub(crate) const BATCHES: usize = 81;

/// Returns whether to print rows instead of criterion's output.
pub(crate) fn wanted() -> bool {
    std::env::args().any(|argument| argument == "--rows")
}

/// Prints a measurement without a comparison.
pub(crate) fn fact(what: &str, value: &str) {
    println!("@fact | {what} | {value}");
}

/// Prints a comparison of the crate with another implementation of the same work.
pub(crate) fn pair(with: &str, what: &str, ours: &str, other: &str, ratio: f64) {
    println!("@{with} | {what} | {ours} | {other} | {ratio:.2}");
}

/// Times both in alternating batches, so that a noisy machine affects both alike, and prints the medians.
pub(crate) fn timed<A, B>(
    with: &str,
    what: &str,
    calls: u32,
    mut ours: impl FnMut() -> A,
    mut other: impl FnMut() -> B,
) {
    fn time<T>(calls: u32, work: &mut impl FnMut() -> T) -> f64 {
        let start = Instant::now();
        for _ in 0..calls {
            black_box(work());
        }
        start.elapsed().as_secs_f64() / f64::from(calls)
    }
    time(calls, &mut ours);
    time(calls, &mut other);
    let mut times: [Vec<f64>; 3] = Default::default();
    for batch in 0..BATCHES {
        // The first one finds colder caches, so the order alternates too.
        let (ours, other) = if batch % 2 == 0 {
            let ours = time(calls, &mut ours);
            (ours, time(calls, &mut other))
        } else {
            let other = time(calls, &mut other);
            (time(calls, &mut ours), other)
        };
        for (times, time) in times.iter_mut().zip([ours, other, ours / other]) {
            times.push(time);
        }
    }
    let [ours, other, ratio] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    pair(with, what, &micros(ours), &micros(other), ratio);
}

fn micros(seconds: f64) -> String {
    format!("{:.3?}", Duration::from_secs_f64(seconds)).replace(".000", "")
}
