//! `cargo xtask`, one file per module of the package.

mod ci;
mod diff;
mod fastapi;
mod generator;
mod history;
mod lower;
mod overlay;
mod regen;
mod rehearsal;
mod workspace_copy;

use std::path::{Path, PathBuf};

use serde_json::Value;
use xtask::documents;
use xtask::shell::Shell;

/// Reads a committed document.
fn committed(file: &str) -> Value {
    read(&documents::root().join(file))
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The folder of a document and an overlay that never change, so that a new document of the service does not fail the
/// tests of the tooling.
fn frozen() -> PathBuf {
    documents::root().join("tests/it/xtask/frozen")
}

/// The value with the keys of every object in the reverse order.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.iter().rev().map(|(key, value)| (key.clone(), reversed(value))).collect(),
        Value::Array(items) => items.iter().map(reversed).collect(),
        other => other.clone(),
    }
}

/// Runs `action` with a shell without colour, and returns its result and output.
fn with_shell<T>(action: impl FnOnce(&mut Shell<'_>) -> T) -> (T, String) {
    let mut out = Vec::new();
    let result = action(&mut Shell::plain(&mut out));
    (result, String::from_utf8(out).unwrap())
}
