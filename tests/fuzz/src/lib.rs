//! The fuzz targets: functions that take any input, and panic if a rule is broken.
//!
//! `fuzz_targets` runs them with libFuzzer, and `tests/it/fuzz.rs` with the corpora and deterministic mutations of them.

pub mod audio;
pub mod close_frames;
pub mod configurations;
pub mod documents;
pub mod edits;
pub mod events;
pub mod responses;
pub mod wire;

/// Checks one input.
pub type Target = fn(&[u8]);

/// Every target by name. Its file, corpus and function have the same name.
pub const TARGETS: &[(&str, Target)] = &[
    ("responses", responses::responses),
    ("failures", wire::failures),
    ("wire", wire::wire),
    ("socket_events", events::socket_events),
    ("channel_events", events::channel_events),
    ("close_frames", close_frames::close_frames),
    ("documents", documents::documents),
    ("overlays", documents::overlays),
    ("wav", audio::wav),
    ("wav_pieces", audio::wav_pieces),
    ("configurations", configurations::configurations),
];

/// Splits off the first line.
fn split_line(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    (&input[..end], input.get(end + 1..).unwrap_or_default())
}

/// Returns the entry that the line names, or else an arbitrary one.
fn choose<'l, T>(line: &[u8], list: &'l [T], name: impl Fn(&T) -> &str) -> &'l T {
    let named = list.iter().find(|entry| name(entry).as_bytes() == line);
    named.unwrap_or_else(|| &list[line.iter().map(|byte| usize::from(*byte)).sum::<usize>() % list.len()])
}
