//! The fuzz targets' bodies with their corpora and changes of these, the same ones in every run.
//!
//! `cargo fuzz run NAME` in the repository's root goes on from here with libFuzzer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use fastrand::Rng;

#[expect(unreachable_pub, reason = "a crate of its own where libFuzzer runs it")]
#[path = "../../fuzz/src/lib.rs"]
mod bodies;

/// Changed inputs of the targets that take long for one; all others get [`INPUTS`].
const FEWER: [(&str, u32); 4] = [("documents", 120), ("overlays", 400), ("wire", 1_500), ("failures", 1_500)];

const INPUTS: u32 = 6_000;

/// No input is made longer.
const LONGEST: usize = 8 * 1024;

/// What stands in texts of the formats that the targets read.
const TOKENS: [&[u8]; 34] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b"null",
    b"true",
    b"-0.0",
    b"1e999",
    b"\"\\ud800\"",
    b"\0",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\xef\xbb\xbf",
    b"\xff",
    b"18446744073709551616",
    b"0",
    b"{}",
    b"[]",
    b"\"canary\"",
    b"\"type\":",
    b"\"data\":",
    b"\"code\":4032",
    b"\"mode\":\"LITE\"",
    b"content-length: 5\r\n",
    b"transfer-encoding: chunked\r\n",
    b"HTTP/1.1 ",
    b"data",
    b"fmt ",
    b"RIFF",
];

fn corpus(target: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = root().join("corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let named =
        |file: fs::DirEntry| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap());
    files.map(|file| named(file.unwrap())).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// Changes an input in one to four places.
fn changed(input: &[u8], others: &[&Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..random.usize(1..5) {
        let at = random.usize(..=bytes.len());
        let to = random.usize(at..=bytes.len().min(at + 32));
        match random.u8(..7) {
            0 => drop(bytes.drain(at..to)),
            1 => drop(bytes.splice(at..to, random.choice(TOKENS).unwrap().iter().copied())),
            2 => drop(bytes.splice(at..at, random.choice(TOKENS).unwrap().iter().copied())),
            3 => drop(bytes.splice(at..at, bytes[at..to].to_vec())),
            4 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random.u8(..8)),
            5 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = random.u8(..)),
            _ => {
                let other = random.choice(others).unwrap();
                let from = random.usize(..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

/// Shows the input where a body fails.
fn take(target: &str, body: bodies::Body, name: &str, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(input))) {
        eprintln!("{target} fails with {name}: {:?}", String::from_utf8_lossy(input));
        resume_unwind(panic);
    }
}

fn run(target: &str) {
    let (_, body) = bodies::TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let corpus = corpus(target);
    assert!(corpus.len() > 1, "{target} has no corpus");
    for (name, input) in &corpus {
        take(target, *body, name, input);
    }
    let inputs: Vec<&Vec<u8>> = corpus.values().collect();
    let count = FEWER.iter().find(|(name, _)| *name == target).map_or(INPUTS, |(_, count)| *count);
    for seed in 0..count {
        let mut random = Rng::with_seed(seed.into());
        let input = changed(random.choice(&inputs).unwrap(), &inputs, &mut random);
        take(target, *body, &format!("seed {seed}"), &input);
    }
}

/// A test for each target, so that they run side by side.
macro_rules! targets {
    ($($target:ident)*) => {
        $(#[test]
        fn $target() {
            run(stringify!($target));
        })*

        const RUN: &[&str] = &[$(stringify!($target)),*];
    };
}

targets! { answers failures wire socket_events channel_events documents overlays wav configurations }

#[test]
fn every_target_has_its_file_its_corpus_and_its_test() {
    let files = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.unwrap().path().file_stem()?.to_str().map(str::to_owned)
        };
        entries.filter_map(name).collect()
    };
    let targets: BTreeSet<_> = bodies::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files("fuzz_targets"), targets);
    assert_eq!(files("corpus"), targets);
    assert_eq!(RUN.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), targets);
}
