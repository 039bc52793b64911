//! What any input must come to, one function for each target.
//!
//! The files in `fuzz_targets` hand these functions what libFuzzer makes; `tests/it/fuzz.rs` compiles them as well and hands them the
//! corpora and changes of these, the same in every run. A function returns if all is well and panics if not.

pub mod answers;
pub mod audio;
pub mod configurations;
pub mod documents;
pub mod edits;
pub mod events;
pub mod wire;

/// Takes an input to its end.
pub type Body = fn(&[u8]);

/// Every target by its name: that of its file, of its corpus and of its function.
pub const TARGETS: &[(&str, Body)] = &[
    ("answers", answers::answers),
    ("failures", wire::failures),
    ("wire", wire::wire),
    ("socket_events", events::socket_events),
    ("channel_events", events::channel_events),
    ("documents", documents::documents),
    ("overlays", documents::overlays),
    ("wav", audio::wav),
    ("configurations", configurations::configurations),
];

/// The first line of an input, and the rest.
fn split_line(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    (&input[..end], input.get(end + 1..).unwrap_or_default())
}

/// The entry of a list that a line names, and any other one where it names none.
fn choose<'l, T>(line: &[u8], list: &'l [T], name: impl Fn(&T) -> &str) -> &'l T {
    let named = list.iter().find(|entry| name(entry).as_bytes() == line);
    named.unwrap_or_else(|| &list[line.iter().map(|byte| usize::from(*byte)).sum::<usize>() % list.len()])
}
