//! Encoding PCM as frames: throughput and allocations, compared with code written by hand.
//!
//! `cargo bench -p liveavatar-benches --bench audio`. Throughput is in bytes of PCM; a second of speech has 48,000.

#![expect(clippy::unwrap_used, reason = "a bench fails if a value is missing")]

mod rows;

use std::hint::black_box;

use allocation_counter::{AllocationInfo, measure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use criterion::{Criterion, Throughput, criterion_group};
use liveavatar_api::realtime::audio::{BYTES_PER_SECOND, Converter, Framer};
use serde_json::json;

const ID: &str = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11";

/// Returns a minute of noise, too much for the processor's caches.
fn minute() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.u8(..)).take(60 * BYTES_PER_SECOND).collect()
}

/// Encodes the audio in pieces of a given size, and returns the length of the frames' text.
fn frames(framer: &mut Framer, pcm: &[u8], piece: usize) -> usize {
    let mut text = 0;
    for mut rest in pcm.chunks(piece) {
        while !rest.is_empty() {
            let (taken, frame) = framer.push(rest);
            rest = &rest[taken..];
            if let Some(frame) = frame {
                text += black_box(frame.text()).len();
                framer.reuse(frame);
            }
        }
    }
    text
}

/// The same, as a user would write it by hand.
fn by_hand(pcm: &[u8]) -> usize {
    pcm.chunks(BYTES_PER_SECOND)
        .map(|chunk| {
            let message = json!({ "type": "agent.speak", "event_id": ID, "audio": STANDARD.encode(chunk) });
            black_box(message.to_string()).len()
        })
        .sum()
}

fn throughput(criterion: &mut Criterion) {
    let pcm = minute();
    let mut group = criterion.benchmark_group("PCM to frames");
    group.throughput(Throughput::Bytes(pcm.len() as u64));
    for (name, piece) in [("20 ms pieces", 960), ("100 ms pieces", 4_800), ("1 s pieces", 48_000)] {
        let mut framer = Framer::new(ID);
        group.bench_function(name, |bencher| bencher.iter(|| frames(&mut framer, &pcm, piece)));
    }
    group.bench_function("by hand, 1 s pieces", |bencher| bencher.iter(|| by_hand(&pcm)));
    group.finish();
    let samples: Vec<i16> = pcm.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let mut group = criterion.benchmark_group("to 24 kHz mono");
    for (name, rate, channels) in [("48 kHz stereo", 48_000, 2), ("44.1 kHz mono", 44_100, 1)] {
        // 10 s of input.
        let input = &samples[..10 * rate as usize * usize::from(channels)];
        group.throughput(Throughput::Elements(10));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut converter = Converter::new(rate, channels).unwrap();
                let made = converter.push(input).unwrap().len();
                made + converter.finish().unwrap().len()
            });
        });
    }
    group.finish();
}

fn print_rows() {
    let pcm = minute();
    for (what, piece) in [("in 20 ms pieces", 960), ("in 1 s pieces", 48_000)] {
        let mut framer = Framer::new(ID);
        let what = format!("a minute of PCM to frames, {what}");
        rows::timed("plain", &what, 4, || frames(&mut framer, &pcm, piece), || by_hand(&pcm));
    }
    let mut framer = Framer::new(ID);
    frames(&mut framer, &pcm, 960);
    let ours = measure(|| assert!(black_box(frames(&mut framer, &pcm, 960)) > 0));
    let plain = measure(|| assert!(black_box(by_hand(&pcm)) > 0));
    let shown = |info: &AllocationInfo| format!("{} in {} kB", info.count_total, info.bytes_total / 1_000);
    let ratio = f64::from(u32::try_from(ours.count_total).unwrap())
        / f64::from(u32::try_from(plain.count_total).unwrap());
    rows::pair("plain", "allocations: a minute of PCM to frames", &shown(&ours), &shown(&plain), ratio);
}

criterion_group!(benches, throughput);

fn main() {
    if rows::wanted() {
        print_rows();
        return;
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
