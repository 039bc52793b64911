//! `cargo xtask regen`: from the service's document to every file derived from it.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use chrono::NaiveDate;
use semver::Version;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::diff::report::{self, ReportFormat};
use crate::diff::{self, Diff, VersionBump};
use crate::documents::{CHANGES, CORRECTED, GENERATED, LOWERED, PACKAGED, UPSTREAM};
use crate::error::{TaskError, TaskStatus};
use crate::pipeline::{self, Pipeline};
use crate::shell::{Shell, count};
use crate::source::DocumentSource;
use crate::{normalise, surface};

/// Unchanged lines shown around a change.
const CONTEXT_LINES: usize = 3;

/// What to do with stale files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegenMode {
    /// Write them.
    Write,
    /// Write them even if the document has lost operations.
    WriteBreaking,
    /// Name them.
    Check,
    /// Show what would change in them.
    DryRun,
}

/// Options of the command.
#[derive(Clone, Debug)]
pub struct RegenOptions {
    /// What to do with stale files.
    pub mode: RegenMode,
    /// Whether to list every place that an overlay action or a lowering step changed.
    pub verbose: bool,
    /// The date of the new entry in the log of changes.
    pub today: NaiveDate,
}

pub(crate) struct DerivedFile {
    pub(crate) path: String,
    text: String,
}

/// A document that fits the overlay and the lowering steps.
pub(crate) struct Examined {
    pub(crate) name: String,
    pipeline: Pipeline,
    /// The difference from the committed document; `None` if there is none, or no committed document.
    pub(crate) difference: Option<Diff>,
}

/// Runs the command below `root`. Without a `source`, it reads the committed document.
///
/// # Errors
/// When the document, the overlay or a lowering step cannot be used, or the document has lost operations. Nothing is
/// written then.
pub fn run(
    root: &Path,
    source: Option<&DocumentSource>,
    options: &RegenOptions,
    shell: &mut Shell<'_>,
) -> Result<TaskStatus, TaskError> {
    let examined = examine(root, source, options, shell)?;
    let Examined { name, difference, .. } = &examined;
    let command = command(source);
    if let Some(difference) = difference {
        write_report(difference, shell)?;
    }

    let files = derived_files(root, &examined, options.today)?;
    let total = files.len();
    let stale = stale_files(root, files, options.mode, shell)?;
    let counts = format!("{}: {} fresh, {}", count(total, "file"), total - stale.len(), stale.len());
    if stale.is_empty() {
        shell.status("Finished", format_args!("{counts} stale; nothing to do"))?;
        return Ok(TaskStatus::Success);
    }
    if options.mode == RegenMode::Check {
        shell.attention("Finished", format_args!("{counts} stale; run `{command}`"))?;
        return Ok(TaskStatus::Stale);
    }
    let lost = difference.as_ref().map(Diff::removed_operations).unwrap_or_default();
    if !lost.is_empty() && options.mode != RegenMode::WriteBreaking {
        let problem = format!("{name} has lost {}: {}", count(lost.len(), "operation"), lost.join(", "));
        let fix = format!("check that this is intended, then run `{command} --accept-breaking`");
        if options.mode == RegenMode::Write {
            return Err(TaskError::new(problem, fix));
        }
        shell.attention("Lost", problem)?;
        shell.detail(format_args!("fix: {fix}"))?;
    }
    if options.mode == RegenMode::DryRun {
        shell.attention("Finished", format_args!("{counts} stale; run `{command}` to write them"))?;
    } else {
        write(root, &stale)?;
        stale.iter().try_for_each(|file| shell.status("Wrote", &file.path))?;
        let next = "review the public items with `cargo insta test -p xtask --review`, then find code that no \
                    longer compiles with `cargo check --workspace --all-targets`";
        shell.status("Finished", format_args!("{counts} written; {next}"))?;
    }
    Ok(TaskStatus::Success)
}

/// The command line that adopts a document.
pub(crate) fn command(source: Option<&DocumentSource>) -> String {
    source.map_or_else(
        || "cargo xtask regen".to_owned(),
        |source| format!("cargo xtask regen --from {}", source.name()),
    )
}

/// Reads a document, corrects and lowers it, and compares it with the committed one.
pub(crate) fn examine(
    root: &Path,
    source: Option<&DocumentSource>,
    options: &RegenOptions,
    shell: &mut Shell<'_>,
) -> Result<Examined, TaskError> {
    let name = source.map_or_else(|| UPSTREAM.to_owned(), DocumentSource::name);
    shell.status("Reading", &name)?;
    let committed = DocumentSource::File(root.join(UPSTREAM));
    let document = normalise::normalise(source.unwrap_or(&committed).read()?, &name)?;
    let overlay = pipeline::overlay(root)?;
    let pipeline = prepare(document, &overlay, options.verbose, shell)?;
    let difference = difference(root, &pipeline, &name, &overlay)?;
    Ok(Examined { name, pipeline, difference })
}

/// Reports a difference, and proposes the next version.
pub(crate) fn write_report(difference: &Diff, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    report::write(difference, ReportFormat::Text, shell)?;
    let (version, next) = versions(difference)?;
    shell.status("Version", format_args!("{version} -> {next} proposed"))
}

/// Corrects and lowers the document. Overlay actions and steps that no longer apply are errors, and so are operations
/// without generated code.
fn prepare(
    upstream: Value,
    overlay: &Value,
    verbose: bool,
    shell: &mut Shell<'_>,
) -> Result<Pipeline, TaskError> {
    let mut pipeline = Pipeline::run(upstream, overlay)?;
    if let Some(error) = TaskError::all(pipeline.errors()) {
        return Err(error);
    }
    let notes = &pipeline.corrections.notes;
    let steps = &pipeline.lowered.notes;
    shell.status("Corrected", count(notes.len(), "overlay action"))?;
    if verbose {
        notes.iter().try_for_each(|note| shell.detail(format_args!("- {note}")))?;
    }
    let places: usize = steps.iter().map(|(_, places)| places.len()).sum();
    shell.status("Lowered", format_args!("{}, {}", count(steps.len(), "step"), count(places, "place")))?;
    if verbose {
        for (step, places) in steps {
            places.iter().try_for_each(|place| shell.detail(format_args!("- {step}: {place}")))?;
        }
    }
    Ok(pipeline)
}

/// The difference from the committed document; `None` if there is none, or no committed document.
fn difference(root: &Path, new: &Pipeline, name: &str, overlay: &Value) -> Result<Option<Diff>, TaskError> {
    let committed = root.join(UPSTREAM);
    if !committed.exists() {
        return Ok(None);
    }
    let old = normalise::normalise(DocumentSource::File(committed).read()?, UPSTREAM)?;
    if old == new.upstream {
        return Ok(None);
    }
    // Stale overlay actions do not matter here: the committed document matched the overlay of its time.
    let old = Pipeline::run(old, overlay)?;
    diff::of_pipelines((UPSTREAM, &old), (name, new)).map(Some)
}

/// The version of the crate, and the next one that the difference requires.
fn versions(difference: &Diff) -> Result<(Version, Version), TaskError> {
    let version = Version::parse(env!("CARGO_PKG_VERSION")).map_err(|error| {
        TaskError::new(
            format!("the version of the workspace is invalid: {error}"),
            "correct it in Cargo.toml",
        )
    })?;
    let next = match (version.major, difference.bump()) {
        (0, VersionBump::Breaking) => Version::new(0, version.minor + 1, 0),
        (major, VersionBump::Breaking) => Version::new(major + 1, 0, 0),
        (major @ 1.., VersionBump::Additive) => Version::new(major, version.minor + 1, 0),
        (major, _) => Version::new(major, version.minor, version.patch + 1),
    };
    Ok((version, next))
}

/// Every file derived from the service's document.
pub(crate) fn derived_files(
    root: &Path,
    examined: &Examined,
    today: NaiveDate,
) -> Result<Vec<DerivedFile>, TaskError> {
    let Examined { pipeline, difference, .. } = examined;
    let lowered = normalise::text(&pipeline.lowered.document);
    let file = |path: &str, text| DerivedFile { path: path.to_owned(), text };
    let mut files = vec![
        file(UPSTREAM, normalise::text(&pipeline.upstream)),
        file(LOWERED, lowered.clone()),
        file(PACKAGED, lowered),
        file(CORRECTED, normalise::text(&pipeline.corrected)),
    ];
    let generated = surface::files(&pipeline.lowered, &pipeline.corrected)?;
    files.extend(generated.into_iter().map(|(name, text)| file(&format!("{GENERATED}/{name}"), text)));
    if let Some(difference) = difference {
        let (_, next) = versions(difference)?;
        let entry = format!("## {today}: version {next}\n\n{}", report::markdown(difference));
        files.push(file(CHANGES, with_entry(&read(root, CHANGES)?, &entry)));
    }
    Ok(files)
}

/// The log with a new entry before all others.
fn with_entry(log: &str, entry: &str) -> String {
    const TITLE: &str = "# Changes of the API\n\nWritten by `cargo xtask regen`, the newest first.\n";
    let log = if log.trim().is_empty() { TITLE } else { log };
    let first = log.find("\n## ").map_or(log.len(), |newline| newline + 1);
    let (head, others) = log.split_at(first);
    let gap = if others.is_empty() { "" } else { "\n" };
    format!("{}\n\n{}\n{gap}{others}", head.trim_end(), entry.trim_end())
}

/// Reads a file below `root`; a missing file is empty.
fn read(root: &Path, path: &str) -> Result<String, TaskError> {
    match fs::read_to_string(root.join(path)) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(TaskError::new(format!("cannot read {path}: {error}"), "correct its permissions")),
    }
}

/// Reports which files are fresh and which are stale, and returns the stale ones.
fn stale_files(
    root: &Path,
    files: Vec<DerivedFile>,
    mode: RegenMode,
    shell: &mut Shell<'_>,
) -> Result<Vec<DerivedFile>, TaskError> {
    let mut stale = Vec::new();
    for file in files {
        let old = read(root, &file.path)?;
        if old == file.text {
            shell.status("Fresh", &file.path)?;
            continue;
        }
        let diff = TextDiff::from_lines(&old, &file.text);
        let lines = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
        let (added, removed) = (count(lines(ChangeTag::Insert), "line"), lines(ChangeTag::Delete));
        shell.attention("Stale", format_args!("{}: {added} added, {removed} removed", file.path))?;
        // The files inside the crate follow from the other two.
        if mode == RegenMode::DryRun && !file.path.starts_with("liveavatar-api/") {
            let mut hunks = diff.unified_diff();
            shell.write(format_args!(
                "{}\n",
                hunks.context_radius(CONTEXT_LINES).header(&file.path, &file.path)
            ))?;
        }
        stale.push(file);
    }
    Ok(stale)
}

/// Writes all files to temporary ones first, so that a full disk leaves every old file intact.
pub(crate) fn write(root: &Path, files: &[DerivedFile]) -> Result<(), TaskError> {
    let failed = |path: &str, error: &dyn std::fmt::Display| {
        let fix = "correct the permissions of the folder, or free some disk space";
        TaskError::new(format!("cannot write {path}: {error}"), fix)
    };
    let mut written = Vec::with_capacity(files.len());
    for file in files {
        let path = root.join(&file.path);
        let folder = path.parent().unwrap_or(root);
        let temporary = || {
            fs::create_dir_all(folder)?;
            let mut builder = tempfile::Builder::new();
            builder.prefix(".regen-");
            // Temporary files are private by default; committed files are not.
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
            let mut temporary = builder.tempfile_in(folder)?;
            temporary.write_all(file.text.as_bytes())?;
            temporary.as_file().sync_all()?;
            Ok::<_, std::io::Error>(temporary)
        };
        let temporary = temporary().map_err(|error| failed(&file.path, &error))?;
        written.push((temporary, path, &file.path));
    }
    for (temporary, path, name) in written {
        temporary.persist(path).map_err(|error| failed(name, &error))?;
    }
    Ok(())
}
