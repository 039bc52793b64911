//! What the compiler says about a wrong type for a setter.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;

const PROGRAM: &str = include_str!("wrong_types.rs");

/// The library that these tests are linked with: the newest one in the folder of the test program.
fn library(folder: &Path) -> PathBuf {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let libraries = entries.filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("libliveavatar_api-") && name.ends_with(".rlib")
    });
    let age =
        |path: &PathBuf| path.metadata().and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    libraries.max_by_key(age).unwrap()
}

/// Compiles the program, and returns the compiler's errors.
fn errors() -> Vec<Value> {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap();
    let output = tempfile::tempdir().unwrap();
    let program = output.path().join("wrong_types.rs");
    std::fs::write(&program, PROGRAM).unwrap();
    let compiled = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()))
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--error-format=json"])
        .arg(format!("--extern=liveavatar_api={}", library(folder).display()))
        .arg(format!("-Ldependency={}", folder.display()))
        .arg(format!("--out-dir={}", output.path().display()))
        .arg(&program)
        .output()
        .unwrap();
    let stderr = String::from_utf8(compiled.stderr).unwrap();
    let messages = stderr.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    // The last error only counts the others, without a place.
    messages.filter(|message| message["level"] == "error" && message["spans"][0].is_object()).collect()
}

/// The name of the function that a line of the program is in.
fn function_at(line: usize) -> &'static str {
    let before = PROGRAM.lines().take(line).filter_map(|line| line.strip_prefix("pub fn "));
    before.last().unwrap().split('(').next().unwrap()
}

/// The parts of an error that `diagnostic` attributes write. The rest belongs to the compiler and changes with its version.
#[test]
fn a_wrong_type_is_explained() {
    let mut shown = String::new();
    for error in errors() {
        let span = error["spans"].as_array().unwrap().iter().find(|span| span["is_primary"] == true).unwrap();
        let line = usize::try_from(span["line_start"].as_u64().unwrap()).unwrap();
        writeln!(shown, "# {}\nerror: {}", function_at(line), error["message"].as_str().unwrap()).unwrap();
        writeln!(shown, "  label: {}", span["label"].as_str().unwrap_or_default()).unwrap();
        let children = error["children"].as_array().unwrap().iter();
        let notes =
            children.filter(|child| child["level"] == "note" && child["spans"] == serde_json::json!([]));
        for note in notes.filter_map(|note| note["message"].as_str()).filter(|note| note.starts_with("see "))
        {
            writeln!(shown, "  note: {note}").unwrap();
        }
    }
    insta::assert_snapshot!(shown);
}
