//! Runs every fuzz target on its corpus and on mutations of it, the same ones in every run.
//!
//! `cargo fuzz run NAME` in the repository's root continues with libFuzzer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

use fastrand::Rng;
use serde_json::Value;

#[expect(unreachable_pub, reason = "libFuzzer runs it as a separate crate")]
#[path = "../fuzz/src/lib.rs"]
mod targets;

/// The number of mutations for slow targets; all others get [`MUTATIONS`].
const SLOW_TARGETS: [(&str, u32); 3] = [("documents", 300), ("overlays", 400), ("wire", 1_500)];

const MUTATIONS: u32 = 6_000;

/// The maximum length of an input, in bytes.
const MAX_LENGTH: usize = 8 * 1024;

/// Fragments of the formats that the targets read.
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

/// Configuration files in TOML, which the command line reads too.
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

/// The number of files that the command line checks. Each one takes a process.
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

/// Mutates an input in one to four places.
fn mutated(input: &[u8], others: &[&Vec<u8>], random: &mut Rng) -> Vec<u8> {
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
    bytes.truncate(MAX_LENGTH);
    bytes
}

/// Runs a target on an input, and prints the input if it fails.
fn run_input(target: &str, body: targets::Target, name: &str, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(input))) {
        eprintln!("{target} fails with {name}: {:?}", String::from_utf8_lossy(input));
        resume_unwind(panic);
    }
}

fn run(target: &str) {
    let (_, body) = targets::TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let corpus = corpus(target);
    assert!(corpus.len() > 1, "{target} has no corpus");
    for (name, input) in &corpus {
        run_input(target, *body, name, input);
    }
    let inputs: Vec<&Vec<u8>> = corpus.values().collect();
    let count = SLOW_TARGETS.iter().find(|(name, _)| *name == target).map_or(MUTATIONS, |(_, count)| *count);
    for seed in 0..count {
        let mut random = Rng::with_seed(seed.into());
        let input = mutated(random.choice(&inputs).unwrap(), &inputs, &mut random);
        run_input(target, *body, &format!("seed {seed}"), &input);
    }
}

/// Defines a test for each target, so that they run in parallel.
macro_rules! targets {
    ($($target:ident)*) => {
        $(#[test]
        fn $target() {
            run(stringify!($target));
        })*

        const TESTED: &[&str] = &[$(stringify!($target)),*];
    };
}

targets! { responses failures wire socket_events channel_events close_frames documents overlays wav wav_pieces configurations }

/// Returns whether the text is in a name, or in a value that may be shown.
fn shows(value: &Value, text: &str) -> bool {
    const SECRET: [&str; 2] = ["livekit_client_token", "livekit_config"];
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| {
            let is_hidden = value.is_string() && SECRET.contains(&key.as_str());
            key.contains(text) || !is_hidden && shows(value, text)
        }),
        Value::Array(items) => items.iter().any(|item| shows(item, text)),
        Value::String(shown) => shown.contains(text),
        _ => false,
    }
}

/// Keeps the canary where it is secret. Values of other fields are shown.
fn only_in_secret_fields(text: &str) -> String {
    let secret = ["client_token\": \"", "client_token = \"", "livekit_config\":\""];
    secret.iter().fold(text.replace("canary", "shown"), |text, field| {
        text.replace(&format!("{field}shown"), &format!("{field}canary"))
    })
}

/// Runs `session check` on a file, and returns the exit code and the output.
fn check_file(file: &Path) -> (i32, String) {
    let program =
        Command::new(env!("CARGO_BIN_EXE_cli")).env_clear().args(["session", "check"]).arg(file).output();
    let output = program.unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code().expect("an exit code"), String::from_utf8(printed).unwrap())
}

#[test]
fn checking_a_mutated_configuration_file_never_panics_and_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let mut inputs: Vec<(&str, Vec<u8>)> =
        corpus("configurations").into_values().map(|json| ("json", json)).collect();
    inputs.extend(TOML.map(|text| ("toml", text.into())));
    for (_, input) in &mut inputs {
        *input = only_in_secret_fields(&String::from_utf8_lossy(input)).into();
    }
    let others: Vec<&Vec<u8>> = inputs.iter().map(|(_, input)| input).collect();
    let (mut accepted, mut searched) = (0, 0);
    for seed in 0..FILES {
        let mut random = Rng::with_seed(seed);
        let (kind, input) = random.choice(&inputs).unwrap();
        // Files must be UTF-8. Messages may show a plain word, so the secret has other characters too.
        let text =
            String::from_utf8_lossy(&mutated(input, &others, &mut random)).replace("canary", "canary/4f+1d=");
        let path = folder.path().join(format!("{seed}.{kind}"));
        fs::write(&path, &text).unwrap();
        let (code, printed) = check_file(&path);
        assert!(matches!(code, 0 | 2), "{kind} {text:?}\nexit code {code}: {printed}");
        assert!(!printed.is_empty() && !printed.contains("panicked"), "{kind} {text:?}: {printed}");
        assert!(!printed.contains(|c: char| c.is_control() && c != '\n'), "{kind} {text:?}: {printed:?}");
        accepted += u64::from(code == 0);
        let value =
            if *kind == "json" { serde_json::from_str(&text).ok() } else { toml::from_str(&text).ok() };
        // Messages show names of fields, and values that are not secret. In a file that cannot be parsed, only a plain word counts
        // as a name.
        let is_shown = value.is_some_and(|value: Value| shows(&value, "canary"));
        if text.contains("canary") && !is_shown {
            searched += 1;
            assert!(!printed.contains("canary"), "{kind} {text:?}\nthe output shows the secret: {printed}");
        }
    }
    assert!(accepted > 0 && searched > FILES / 50, "{accepted} accepted, {searched} searched of {FILES}");
}

#[test]
fn every_fuzz_target_has_a_file_a_corpus_and_a_test() {
    let files = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.unwrap().path().file_stem()?.to_str().map(str::to_owned)
        };
        entries.filter_map(name).collect()
    };
    let targets: BTreeSet<_> = targets::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files("fuzz_targets"), targets);
    assert_eq!(files("corpus"), targets);
    assert_eq!(TESTED.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), targets);
}
