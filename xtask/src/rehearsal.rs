//! `cargo xtask regen --try`: what a new document changes and breaks, tried on a copy of the workspace.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::diff::{self, Diff};
use crate::documents::UPSTREAM;
use crate::error::{TaskError, TaskStatus};
use crate::normalise;
use crate::regen::{self, RegenOptions};
use crate::shell::{Shell, count};
use crate::source::DocumentSource;
use crate::workspace::Workspace;

/// Runs a program to its end, and returns whether it succeeded, and its standard output.
pub type RunProgram<'r> = dyn FnMut(&mut Command) -> io::Result<(bool, String)> + 'r;

/// Longer lists are cut, with the number of the rest.
const SHOWN_MAX: usize = 50;

/// Runs the command below `root` in a copy of the workspace in the target folder, and writes nothing else.
///
/// The copy uses the same target folder, so that dependencies are not compiled again. Cargo takes the packages of the copy for
/// those of the workspace, so it compiles the latter again afterwards.
///
/// # Errors
/// When the document, the overlay or a lowering step cannot be used, or Cargo or git cannot be run.
pub fn run(
    root: &Path,
    source: Option<&DocumentSource>,
    options: &RegenOptions,
    shell: &mut Shell<'_>,
) -> Result<TaskStatus, TaskError> {
    let copy = Workspace::new(root)?.target.join("rehearsal");
    let mut programs = |command: &mut Command| {
        // Cargo shows its progress on standard error.
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
    };
    run_in(&copy, root, source, options, &mut programs, shell)
}

/// Runs the command with the copy in this folder. `programs` runs git and Cargo.
///
/// # Errors
/// Those of [`run`].
pub fn run_in(
    copy: &Path,
    root: &Path,
    source: Option<&DocumentSource>,
    options: &RegenOptions,
    programs: &mut RunProgram<'_>,
    shell: &mut Shell<'_>,
) -> Result<TaskStatus, TaskError> {
    let examined = regen::examine(root, source, options, shell);
    let examined = match (examined, source) {
        (Ok(examined), _) => examined,
        (Err(error), Some(source)) => {
            // The changes say why the corrections no longer fit.
            write_difference(root, source, shell)?;
            return Err(error);
        }
        (Err(error), None) => return Err(error),
    };
    let files = match regen::derived_files(root, &examined, options.today) {
        Ok(files) => files,
        Err(error) => {
            write_report(examined.difference.as_ref(), shell)?;
            return Err(error);
        }
    };
    let mut rehearsal =
        Rehearsal { root, workspace: Workspace { root: copy.to_owned(), ..Workspace::new(root)? }, programs };
    shell.status("Copying", format_args!("the workspace to {}", copy.display()))?;
    rehearsal.copy()?;
    regen::write(copy, &files)?;
    shell.status("Compiling", "the copy with the generated code")?;
    let errors = rehearsal.compile()?;
    shell.status("Testing", if errors.is_empty() { "the copy" } else { "the public items" })?;
    let failed = rehearsal.test(errors.is_empty())?;
    let snapshots = rehearsal.changed_snapshots()?;

    write_report(examined.difference.as_ref(), shell)?;
    for (path, added, removed) in &snapshots {
        let added = count(*added, "line");
        shell.attention("Review", format_args!("{path}: {added} added, {removed} removed"))?;
    }
    list("Broken", &errors, shell)?;
    list("Failed", &failed, shell)?;
    let lost = examined.difference.iter().any(|difference| !difference.removed_operations().is_empty());
    let accept = if lost { " --accept-breaking" } else { "" };
    let found = [
        count(snapshots.len(), "snapshot") + " to review",
        count(errors.len(), "compile error"),
        count(failed.len(), "failed test"),
    ];
    let counts = found.join(", ");
    let next = format!("run `{}{accept}` to adopt the document", regen::command(source));
    if errors.is_empty() && failed.is_empty() {
        shell.status("Finished", format_args!("{counts}; {next}"))?;
        return Ok(TaskStatus::Success);
    }
    if !errors.is_empty() {
        shell.attention("Skipped", "the other tests, because code does not compile")?;
    }
    shell.failure("Finished", format_args!("{counts}; {next}, then correct the code"))?;
    Ok(TaskStatus::Different)
}

fn write_report(difference: Option<&Diff>, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    match difference {
        Some(difference) => regen::write_report(difference, shell),
        None => shell.status("Compared", "no difference"),
    }
}

/// Reports the difference between the committed document and one that the corrections do not fit.
fn write_difference(root: &Path, source: &DocumentSource, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    let name = source.name();
    let committed = DocumentSource::File(root.join(UPSTREAM)).read();
    let (Ok(old), Ok(new)) = (committed, source.read()) else { return Ok(()) };
    let documents = (normalise::normalise(old, UPSTREAM), normalise::normalise(new, &name));
    let (Ok(old), Ok(new)) = documents else { return Ok(()) };
    regen::write_report(&diff::between(root, (UPSTREAM, &old), (&name, &new))?, shell)
}

fn list(verb: &str, items: &BTreeSet<String>, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    items.iter().take(SHOWN_MAX).try_for_each(|item| shell.failure(verb, item))?;
    let more = items.len().saturating_sub(SHOWN_MAX);
    if more > 0 { shell.detail(format_args!("and {more} more")) } else { Ok(()) }
}

struct Rehearsal<'r, 'p> {
    root: &'r Path,
    /// The copy.
    workspace: Workspace,
    programs: &'r mut RunProgram<'p>,
}

impl Rehearsal<'_, '_> {
    /// Makes the copy hold exactly the files that git tracks or would track. Files that are the same stay untouched, so that
    /// the next rehearsal compiles little.
    fn copy(&mut self) -> Result<(), TaskError> {
        let copy = &self.workspace.root;
        let mut git = Command::new("git");
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let output = (self.programs)(git.current_dir(self.root).args(list));
        let (_, listed) = output.ok().filter(|(success, _)| *success).ok_or_else(|| {
            TaskError::new("git cannot list the files of the workspace", "run this command in a git clone")
        })?;
        let names = listed.split('\0').filter(|name| !name.is_empty() && self.root.join(name).is_file());
        let names: BTreeSet<PathBuf> = names.map(PathBuf::from).collect();
        for path in files(copy)?.difference(&names) {
            fs::remove_file(copy.join(path)).map_err(|error| unusable(copy, &error))?;
        }
        for name in &names {
            let (from, to) = (self.root.join(name), copy.join(name));
            let text = fs::read(&from).map_err(|error| unusable(&from, &error))?;
            if fs::read(&to).is_ok_and(|old| old == text) {
                continue;
            }
            let parent = to.parent().unwrap_or(copy);
            let copied = fs::create_dir_all(parent).and_then(|()| fs::copy(&from, &to));
            copied.map_err(|error| unusable(&to, &error))?;
        }
        Ok(())
    }

    fn cargo(&mut self, args: &[&str]) -> Result<(bool, String), TaskError> {
        let mut cargo = self.workspace.command("cargo");
        // A snapshot that differs is to be reviewed; it is not a failure.
        cargo.args(args).env("INSTA_UPDATE", "always").env("INSTA_FORCE_PASS", "1");
        (self.programs)(&mut cargo)
            .map_err(|error| TaskError::new(format!("Cargo did not start: {error}"), "install Cargo"))
    }

    /// Compiles everything that the tests need, and returns the errors with their places.
    fn compile(&mut self) -> Result<BTreeSet<String>, TaskError> {
        const BUILD: [&str; 9] = [
            "build",
            "--profile",
            "test",
            "--workspace",
            "--all-targets",
            "--locked",
            "--keep-going",
            "--message-format",
            "json",
        ];
        let (success, output) = self.cargo(&BUILD)?;
        let messages = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let errors = messages.filter_map(|message| compile_error(&message["message"])).collect();
        Ok(or_failure(errors, success, "cargo build"))
    }

    /// Runs the tests, and returns the names of those that fail. If the code does not compile, only the tests of the public
    /// items run, which compile none of it.
    fn test(&mut self, compiles: bool) -> Result<BTreeSet<String>, TaskError> {
        let selection: &[&str] =
            if compiles { &["--workspace"] } else { &["--package", "xtask", "--test", "surface"] };
        let (success, output) = self.cargo(&[&["test", "--locked", "--no-fail-fast"], selection].concat())?;
        let names = output.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
        Ok(or_failure(names.map(|name| format!("test {name}")).collect(), success, "cargo test"))
    }

    /// The snapshots that the tests have changed in the copy, with the numbers of lines added and removed.
    fn changed_snapshots(&self) -> Result<Vec<(String, usize, usize)>, TaskError> {
        let is_snapshot = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.contains(".snap") || name.ends_with(".pending-snap")
        };
        let mut changed = Vec::new();
        for path in files(&self.workspace.root)?.into_iter().filter(is_snapshot) {
            let text = |root: &Path| fs::read_to_string(root.join(&path)).unwrap_or_default();
            let (before, after) = (text(self.root), text(&self.workspace.root));
            let diff = TextDiff::from_lines(&before, &after);
            let lines = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
            let (added, removed) = (lines(ChangeTag::Insert), lines(ChangeTag::Delete));
            if added + removed > 0 {
                changed.push((path.display().to_string(), added, removed));
            }
        }
        Ok(changed)
    }
}

/// What a program found, or that it failed without finding anything.
fn or_failure(found: BTreeSet<String>, success: bool, program: &str) -> BTreeSet<String> {
    if success || !found.is_empty() {
        return found;
    }
    BTreeSet::from([format!("`{program}` failed; its reason is above")])
}

/// An error of the compiler with its place, except for one that only counts others.
fn compile_error(message: &Value) -> Option<String> {
    if message["level"] != "error" {
        return None;
    }
    let spans = message["spans"].as_array()?;
    let place = spans.iter().find(|span| span["is_primary"] == true)?;
    let (file, line) = (place["file_name"].as_str()?, place["line_start"].as_u64()?);
    let text = message["message"].as_str()?.replace('\n', " ");
    Some(format!("{file}:{line}: {text}"))
}

/// Every file below a folder, relative to it.
fn files(folder: &Path) -> Result<BTreeSet<PathBuf>, TaskError> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(inner) = folders.pop() {
        if !inner.exists() {
            continue;
        }
        for entry in fs::read_dir(&inner).map_err(|error| unusable(&inner, &error))? {
            let path = entry.map_err(|error| unusable(&inner, &error))?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap_or(&path).to_path_buf());
            }
        }
    }
    Ok(found)
}

fn unusable(path: &Path, error: &io::Error) -> TaskError {
    TaskError::new(format!("{}: {error}", path.display()), "correct the permissions, or free some disk space")
}
