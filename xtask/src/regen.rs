//! `cargo xtask regen`: from the service's document to everything that follows from it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;
use similar::TextDiff;

use crate::failure::{Failure, Outcome};
use crate::source::Source;
use crate::{lower, normalise, overlay, surface};

/// The service's document, normalised: the source of truth.
pub const UPSTREAM: &str = "openapi/upstream.json";
/// Our corrections.
pub const OVERLAY: &str = "openapi/overlay.json";
/// The lowered document.
pub const LOWERED: &str = "openapi/liveavatar-v1.json";
/// Its copy inside the crate: a package holds nothing from outside its folder, and symlinks are off on some machines.
pub const PACKAGED: &str = "liveavatar-api/openapi/liveavatar-v1.json";
/// The corrected 3.1 document inside the crate: rules for session configurations, and the mock service.
pub const CORRECTED: &str = "liveavatar-api/openapi/service.json";

/// Lines of unchanged text around a change.
const CONTEXT: usize = 3;

/// What to do with what follows from the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Write what is stale.
    Write,
    /// Say what is stale.
    Check,
    /// Show what would change.
    DryRun,
}

/// The workspace that this command was built in.
#[must_use]
pub fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// A file that follows from the document.
struct Derived {
    path: &'static str,
    text: String,
}

/// Runs the command below `root`; without a `source` the committed document is read.
///
/// # Errors
/// When the document, the overlay or a lowering step cannot be used; nothing is written then.
pub fn run(
    root: &Path,
    source: Option<&Source>,
    mode: Mode,
    verbose: bool,
    out: &mut dyn Write,
) -> Result<Outcome, Failure> {
    let name = source.map_or_else(|| UPSTREAM.to_owned(), Source::name);
    say(out, "Reading", &name)?;
    let document = match source {
        Some(source) => source.read()?,
        None => Source::File(root.join(UPSTREAM)).read()?,
    };
    let (derived, lowered) = derive(root, document, &name, verbose, out)?;

    let mut stale = Vec::new();
    for file in derived {
        let old = match fs::read_to_string(root.join(file.path)) {
            Ok(old) => old,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(Failure::new(
                    format!("cannot read {}: {error}", file.path),
                    "mend its permissions",
                ));
            }
        };
        if old == file.text {
            say(out, "Fresh", file.path)?;
            continue;
        }
        let diff = TextDiff::from_lines(&old, &file.text);
        let (mut added, mut removed) = (0, 0);
        for change in diff.iter_all_changes() {
            match change.tag() {
                similar::ChangeTag::Insert => added += 1,
                similar::ChangeTag::Delete => removed += 1,
                similar::ChangeTag::Equal => {}
            }
        }
        say(out, "Stale", &format!("{}: {added} line(s) added, {removed} removed", file.path))?;
        // The copies inside the crate show nothing that the other two do not.
        if mode == Mode::DryRun && !file.path.starts_with("liveavatar-api/") {
            let hunks = diff.unified_diff().context_radius(CONTEXT).header(file.path, file.path).to_string();
            writeln!(out, "{hunks}").map_err(|error| unwritable(&error))?;
        }
        stale.push(file);
    }
    if stale.is_empty() {
        return Ok(Outcome::Fresh);
    }
    if mode == Mode::Check {
        let from = source.map(|source| format!(" --from {}", source.name())).unwrap_or_default();
        writeln!(out, "         fix: cargo xtask regen{from}").map_err(|error| unwritable(&error))?;
        return Ok(Outcome::Stale);
    }
    // Slower than all the rest, and only a changed document can fail it.
    surface::generated(&lowered)?;
    if mode == Mode::Write {
        write(root, &stale)?;
        for file in &stale {
            say(out, "Wrote", file.path)?;
        }
        say(out, "Next", "cargo insta test --review shows what changed in the crate's public surface")?;
    }
    Ok(Outcome::Fresh)
}

/// Everything that follows from the service's document, and the lowered document for a trial run.
fn derive(
    root: &Path,
    document: Value,
    name: &str,
    verbose: bool,
    out: &mut dyn Write,
) -> Result<(Vec<Derived>, Value), Failure> {
    let upstream = normalise::normalise(document, name)?;
    let corrections = Source::File(root.join(OVERLAY)).read()?;

    let mut corrected = upstream.clone();
    let actions = overlay::apply(&mut corrected, &corrections)?;
    normalise::sort(&mut corrected);
    say(out, "Corrected", &format!("{} overlay actions", actions.len()))?;
    detail(out, verbose, actions)?;

    let (mut lowered, steps) = lower::lower(&corrected)?;
    normalise::sort(&mut lowered);
    say(
        out,
        "Lowered",
        &format!("{} steps, {} places", steps.len(), steps.iter().map(|(_, a)| a.len()).sum::<usize>()),
    )?;
    let lines =
        steps.iter().flat_map(|(step, places)| places.iter().map(move |place| format!("{step}: {place}")));
    detail(out, verbose, lines)?;

    let lowered_text = normalise::text(&lowered);
    let derived = vec![
        Derived { path: UPSTREAM, text: normalise::text(&upstream) },
        Derived { path: LOWERED, text: lowered_text.clone() },
        Derived { path: PACKAGED, text: lowered_text },
        Derived { path: CORRECTED, text: normalise::text(&corrected) },
    ];
    Ok((derived, lowered))
}

/// Writes all files beside their places first, so that a full disk leaves every old file whole.
fn write(root: &Path, files: &[Derived]) -> Result<(), Failure> {
    let failed = |path: &str, error: &dyn std::fmt::Display| {
        Failure::new(
            format!("cannot write {path}: {error}"),
            "mend the folder's permissions or free some space",
        )
    };
    let mut ready = Vec::with_capacity(files.len());
    for file in files {
        let path = root.join(file.path);
        let folder = path.parent().unwrap_or(root);
        fs::create_dir_all(folder).map_err(|error| failed(file.path, &error))?;
        let mut temporary = tempfile::Builder::new();
        temporary.prefix(".regen-");
        // A temporary file is private by default; what replaces a committed file is not.
        #[cfg(unix)]
        temporary.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        let mut temporary = temporary.tempfile_in(folder).map_err(|error| failed(file.path, &error))?;
        temporary.write_all(file.text.as_bytes()).map_err(|error| failed(file.path, &error))?;
        temporary.as_file().sync_all().map_err(|error| failed(file.path, &error))?;
        ready.push((temporary, path, file.path));
    }
    for (temporary, path, name) in ready {
        temporary.persist(path).map_err(|error| failed(name, &error))?;
    }
    Ok(())
}

fn unwritable(error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot write the report: {error}"), "keep the terminal or pipe open")
}

/// One line with cargo's right-aligned verb.
fn say(out: &mut dyn Write, verb: &str, what: &str) -> Result<(), Failure> {
    writeln!(out, "{verb:>12} {what}").map_err(|error| unwritable(&error))
}

fn detail(
    out: &mut dyn Write,
    verbose: bool,
    lines: impl IntoIterator<Item = String>,
) -> Result<(), Failure> {
    for line in lines.into_iter().filter(|_| verbose) {
        writeln!(out, "             - {line}").map_err(|error| unwritable(&error))?;
    }
    Ok(())
}
