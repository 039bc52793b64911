//! `cargo xtask regen`: from the service's document to everything that follows from it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use semver::Version;
use serde_json::Value;
use similar::TextDiff;

use crate::diff::report::{self, Format};
use crate::diff::{self, Bump, Diff};
use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, Pipeline};
use crate::source::Source;
use crate::{normalise, surface};

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

/// The log of the API's changes.
pub const CHANGES: &str = "openapi/CHANGES.md";

/// Lines of unchanged text around a change.
const CONTEXT: usize = 3;

/// What to do with what follows from the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Write what is stale.
    Write,
    /// Write what is stale, even if operations are lost.
    WriteBreaking,
    /// Say what is stale.
    Check,
    /// Show what would change.
    DryRun,
}

/// How the command runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// What to do with what follows from the document.
    pub mode: Mode,
    /// Whether to list every place that a correction or step changed.
    pub verbose: bool,
    /// The date of an entry in the log of changes.
    pub today: NaiveDate,
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
/// When the document, the overlay or a lowering step cannot be used, or the document has lost operations; nothing is written
/// then.
pub fn run(
    root: &Path,
    source: Option<&Source>,
    options: &Options,
    out: &mut dyn Write,
) -> Result<Outcome, Failure> {
    let name = source.map_or_else(|| UPSTREAM.to_owned(), Source::name);
    say(out, "Reading", &name)?;
    let document = match source {
        Some(source) => source.read()?,
        None => Source::File(root.join(UPSTREAM)).read()?,
    };
    let overlay = pipeline::corrections(root)?;
    let pipeline = prepare(normalise::normalise(document, &name)?, &overlay, options.verbose, out)?;
    let difference = difference(root, &pipeline, &name, &overlay)?;
    if let Some(difference) = &difference {
        report::write(difference, Format::Text, out).map_err(|error| unwritable(&error))?;
        let (version, next) = versions(difference)?;
        say(out, "Version", &format!("{version} -> {next} proposed"))?;
    }

    let stale =
        stale(root, derived(root, &pipeline, difference.as_ref(), options.today)?, options.mode, out)?;
    if stale.is_empty() {
        return Ok(Outcome::Fresh);
    }
    if options.mode == Mode::Check {
        let from = source.map(|source| format!(" --from {}", source.name())).unwrap_or_default();
        writeln!(out, "         fix: cargo xtask regen{from}").map_err(|error| unwritable(&error))?;
        return Ok(Outcome::Stale);
    }
    let lost = difference.as_ref().map(Diff::lost_operations).unwrap_or_default();
    if !lost.is_empty() && options.mode != Mode::WriteBreaking {
        let problem = format!("{name} has lost {} operation(s): {}", lost.len(), lost.join(", "));
        let fix = "make sure that the service has really withdrawn them, then add --accept-breaking";
        if options.mode == Mode::Write {
            return Err(Failure::new(problem, fix));
        }
        say(out, "Refused", &format!("{problem}\n         fix: {fix}"))?;
    }
    // Slower than all the rest, and only a changed document can fail it.
    surface::generated(&pipeline.lowered.document)?;
    if options.mode != Mode::DryRun {
        write(root, &stale)?;
        for file in &stale {
            say(out, "Wrote", file.path)?;
        }
        say(out, "Next", "cargo insta test --review shows what changed in the crate's public surface")?;
    }
    Ok(Outcome::Fresh)
}

/// Corrects and lowers the document; a correction or step that no longer applies is an error.
fn prepare(
    upstream: Value,
    overlay: &Value,
    verbose: bool,
    out: &mut dyn Write,
) -> Result<Pipeline, Failure> {
    let mut pipeline = Pipeline::run(upstream, overlay)?;
    if let Some(failure) = Failure::all(pipeline.stale()) {
        return Err(failure);
    }
    let notes = &pipeline.corrections.notes;
    say(out, "Corrected", &format!("{} overlay actions", notes.len()))?;
    detail(out, verbose, notes.iter().cloned())?;
    let steps = &pipeline.lowered.notes;
    let places: usize = steps.iter().map(|(_, applied)| applied.len()).sum();
    say(out, "Lowered", &format!("{} steps, {places} places", steps.len()))?;
    let lines =
        steps.iter().flat_map(|(step, places)| places.iter().map(move |place| format!("{step}: {place}")));
    detail(out, verbose, lines)?;
    Ok(pipeline)
}

/// How the document differs from the committed one; `None` if it does not, or if none is committed.
fn difference(root: &Path, new: &Pipeline, name: &str, overlay: &Value) -> Result<Option<Diff>, Failure> {
    let committed = root.join(UPSTREAM);
    if !committed.exists() {
        return Ok(None);
    }
    let old = normalise::normalise(Source::File(committed).read()?, UPSTREAM)?;
    if old == new.upstream {
        return Ok(None);
    }
    // What was committed last went through with the corrections of its time.
    let old = Pipeline::run(old, overlay)?;
    diff::of_pipelines((UPSTREAM, &old), (name, new)).map(Some)
}

/// The version of the crate, and the one that such a difference asks for.
fn versions(difference: &Diff) -> Result<(Version, Version), Failure> {
    let version = Version::parse(env!("CARGO_PKG_VERSION")).map_err(|error| {
        Failure::new(format!("the version of the workspace: {error}"), "mend it in Cargo.toml")
    })?;
    let next = match (version.major, difference.bump()) {
        (0, Bump::Breaking) => Version::new(0, version.minor + 1, 0),
        (major, Bump::Breaking) => Version::new(major + 1, 0, 0),
        (major @ 1.., Bump::Additive) => Version::new(major, version.minor + 1, 0),
        (major, _) => Version::new(major, version.minor, version.patch + 1),
    };
    Ok((version, next))
}

/// Everything that follows from the service's document.
fn derived(
    root: &Path,
    pipeline: &Pipeline,
    difference: Option<&Diff>,
    today: NaiveDate,
) -> Result<Vec<Derived>, Failure> {
    let lowered = normalise::text(&pipeline.lowered.document);
    let mut derived = vec![
        Derived { path: UPSTREAM, text: normalise::text(&pipeline.upstream) },
        Derived { path: LOWERED, text: lowered.clone() },
        Derived { path: PACKAGED, text: lowered },
        Derived { path: CORRECTED, text: normalise::text(&pipeline.corrected) },
    ];
    if let Some(difference) = difference {
        let (_, next) = versions(difference)?;
        let entry = format!("## {today}: version {next}\n\n{}", report::markdown(difference));
        derived.push(Derived { path: CHANGES, text: with_entry(&read(root, CHANGES)?, &entry) });
    }
    Ok(derived)
}

/// The log with one entry more, in front of all others.
fn with_entry(log: &str, entry: &str) -> String {
    const TITLE: &str = "# Changes of the API\n\nWritten by `cargo xtask regen`, the newest first.\n";
    let log = if log.trim().is_empty() { TITLE } else { log };
    let first = log.find("\n## ").map_or(log.len(), |newline| newline + 1);
    let (head, others) = log.split_at(first);
    let gap = if others.is_empty() { "" } else { "\n" };
    format!("{}\n\n{}\n{gap}{others}", head.trim_end(), entry.trim_end())
}

/// A file below `root`; one that is not there is empty.
fn read(root: &Path, path: &str) -> Result<String, Failure> {
    match fs::read_to_string(root.join(path)) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Failure::new(format!("cannot read {path}: {error}"), "mend its permissions")),
    }
}

/// Says which files are fresh and which are stale, and returns the latter.
fn stale(
    root: &Path,
    derived: Vec<Derived>,
    mode: Mode,
    out: &mut dyn Write,
) -> Result<Vec<Derived>, Failure> {
    let mut stale = Vec::new();
    for file in derived {
        let old = read(root, file.path)?;
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
    Ok(stale)
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

pub(crate) fn unwritable(error: &std::io::Error) -> Failure {
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
