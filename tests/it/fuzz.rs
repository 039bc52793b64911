//! The fuzz targets' bodies with their corpora and changes of these, the same ones in every run.
//!
//! `cargo fuzz run NAME` in the repository's root goes on from here with libFuzzer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

use fastrand::Rng;

#[expect(unreachable_pub, reason = "a crate of its own where libFuzzer runs it")]
#[path = "../fuzz/src/lib.rs"]
mod bodies;

/// Changed inputs of the targets that take long for one; all others get [`INPUTS`].
const FEWER: [(&str, u32); 4] = [("documents", 300), ("overlays", 400), ("wire", 1_500), ("failures", 1_500)];

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

/// Configurations as the command line also reads them.
const TOML: [&str; 3] = [
    r#"mode = "LITE"
avatar_id = "0b51b3b5-9a1c-4f0e-9d3e-3f6f5b0d7a11"

[livekit_config]
livekit_url = "wss://canary.example"
livekit_client_token = "canary"
"#,
    r#"mode = 'FULL' # a comment
avatar_persona.voice_id = 0x1F
max_session_duration = 2026-01-01T00:00:00Z
dynamic_variables = { name = "canary", list = [1.5, nan, '''a
b'''] }
"#,
    r#"[[a]]
"b.c" = [[], {}]
[[a]]
d = """canary\u00e9"""
"#,
];

/// Files that the command line checks: each takes a process.
const FILES: u64 = 250;

fn corpus(target: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = root().join("corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let named =
        |file: fs::DirEntry| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap());
    files.map(|file| named(file.unwrap())).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
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
fn take(target: &str, body: bodies::Target, name: &str, input: &[u8]) {
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

targets! { responses failures wire socket_events channel_events documents overlays wav configurations }

/// Whether a key anywhere holds the text; keys are shown.
fn has_key(value: &toml::Value, text: &str) -> bool {
    match value {
        toml::Value::Table(map) => map.iter().any(|(key, value)| key.contains(text) || has_key(value, text)),
        toml::Value::Array(items) => items.iter().any(|item| has_key(item, text)),
        _ => false,
    }
}

/// Has the command line check a file, and tells how it exits and all that it prints.
fn checked(file: &Path) -> (i32, String) {
    let program =
        Command::new(env!("CARGO_BIN_EXE_cli")).env_clear().args(["session", "check"]).arg(file).output();
    let output = program.unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code().expect("it exits by itself"), String::from_utf8(printed).unwrap())
}

#[test]
fn configuration_files_are_checked_whatever_is_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut inputs: Vec<(&str, Vec<u8>)> =
        corpus("configurations").into_values().map(|json| ("json", json)).collect();
    inputs.extend(TOML.map(|text| ("toml", text.into())));
    let others: Vec<&Vec<u8>> = inputs.iter().map(|(_, input)| input).collect();
    let (mut accepted, mut searched) = (0, 0);
    for seed in 0..FILES {
        let mut random = Rng::with_seed(seed);
        let (kind, input) = random.choice(&inputs).unwrap();
        // What is no text is refused before it is looked at; a plain word may be shown.
        let text =
            String::from_utf8_lossy(&changed(input, &others, &mut random)).replace("canary", "canary/4f+1d=");
        let path = folder.path().join(format!("{seed}.{kind}"));
        fs::write(&path, &text).unwrap();
        let (code, printed) = checked(&path);
        assert!(matches!(code, 0 | 2), "{kind} {text:?}\nexits with {code}: {printed}");
        assert!(!printed.is_empty() && !printed.contains("panicked"), "{kind} {text:?}: {printed}");
        assert!(!printed.contains(|c: char| c.is_control() && c != '\n'), "{kind} {text:?}: {printed:?}");
        accepted += u64::from(code == 0);
        let value =
            if *kind == "json" { serde_json::from_str(&text).ok() } else { toml::from_str(&text).ok() };
        // A name of a field is shown; in a file that cannot be read, nothing but a plain word is taken for one.
        let is_name = value.is_some_and(|value: toml::Value| has_key(&value, "canary"));
        if text.contains("canary") && !is_name {
            searched += 1;
            assert!(!printed.contains("canary"), "{kind} {text:?}\nis told with its secret: {printed}");
        }
    }
    assert!(accepted > 0 && searched > FILES / 50, "{accepted} accepted, {searched} searched of {FILES}");
}

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
