//! The workspace as Cargo, git and other programs see it.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::error::TaskError;

pub(crate) const API: &str = "liveavatar-api";
pub(crate) const MOCK: &str = "liveavatar-mock";
/// The command line.
pub(crate) const CLI: &str = "liveavatar-cli";
/// The benches, which are not published.
pub(crate) const BENCHES: &str = "liveavatar-benches";

/// The published packages with their folders, each after those that it depends on.
pub(crate) const PUBLISHED: [(&str, &str); 3] =
    [(API, "liveavatar-api"), (MOCK, "liveavatar-api/mock"), (CLI, "liveavatar-api/cli")];

/// `-p NAME` for every published package.
pub(crate) fn select_published() -> Vec<&'static str> {
    PUBLISHED.iter().flat_map(|(package, _)| ["-p", package]).collect()
}

/// A dependency on a published package in a copy of the workspace.
pub(crate) fn path_dependency(root: &Path, package: &str) -> String {
    let folder = PUBLISHED.iter().find(|(name, _)| *name == package).map_or(package, |found| found.1);
    format!("path = '{}'", root.join(folder).display())
}

/// Where a command runs other programs.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// One target folder for everything, so that nothing is built twice.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// The workspace with its own target folder, or with the one that the environment names.
    pub(crate) fn new(root: &Path) -> Result<Self, TaskError> {
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let target = std::path::absolute(&target).map_err(|error| {
            TaskError::new(format!("{}: {error}", target.display()), "set CARGO_TARGET_DIR to another folder")
        })?;
        Ok(Self { root: root.to_owned(), target })
    }

    /// A program in the workspace, without the variables that Cargo set for this program only.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target).env("INSTA_UPDATE", "no");
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(name);
            }
        }
        command
    }

    pub(crate) fn cargo(&self, args: &[&str]) -> Result<(), TaskError> {
        run(self.command("cargo").args(args))
    }

    /// Reads `cargo metadata`.
    pub(crate) fn metadata(&self, args: &[&str]) -> Result<Value, TaskError> {
        let common = ["metadata", "--format-version", "1", "--locked", "--all-features"];
        let text = output(self.command("cargo").args(common).args(args))?;
        serde_json::from_str(&text)
            .map_err(|error| TaskError::new(format!("`cargo metadata`: {error}"), "use another Cargo"))
    }

    /// Reads the manifest of a package of the workspace.
    pub(crate) fn manifest(&self, package: &str) -> Result<Value, TaskError> {
        let mut metadata = self.metadata(&["--no-deps"])?;
        let packages = metadata["packages"].as_array_mut().map(std::mem::take).unwrap_or_default();
        packages.into_iter().find(|found| found["name"] == package).ok_or_else(|| {
            TaskError::new(format!("the workspace has no package `{package}`"), "restore it in Cargo.toml")
        })
    }

    /// All crates that a build compiles, as `name v1.2.3`.
    pub(crate) fn compiled(&self, selection: &[&str]) -> Result<BTreeSet<String>, TaskError> {
        self.tree("normal,build", selection)
    }

    /// All crates that edges of these kinds lead to, as `name v1.2.3`.
    pub(crate) fn tree(&self, edges: &str, selection: &[&str]) -> Result<BTreeSet<String>, TaskError> {
        let args = ["tree", "--locked", "-e", edges, "--prefix", "none", "--format", "{p}"];
        let text = output(self.command("cargo").args(args).args(selection))?;
        let crates = text.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "));
        Ok(crates.filter(|found| !found.is_empty()).collect())
    }

    /// Builds the selected targets and returns the programs among them, by name.
    pub(crate) fn programs(&self, args: &[&str]) -> Result<Vec<(String, PathBuf)>, TaskError> {
        let text = output(self.command("cargo").args(args).args(["--quiet", "--message-format", "json"]))?;
        let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let programs = messages.filter_map(|message| {
            let program = message["executable"].as_str()?;
            Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(program)))
        });
        Ok(programs.collect())
    }
}

/// The name in `name v1.2.3`.
pub(crate) fn name(compiled: &str) -> &str {
    compiled.split_once(' ').map_or(compiled, |(name, _)| name)
}

/// Runs a program, which must succeed.
pub(crate) fn run(command: &mut Command) -> Result<(), TaskError> {
    let status = command.stdin(Stdio::null()).status().map_err(|error| not_started(command, &error))?;
    if status.success() { Ok(()) } else { Err(unsuccessful(command, status)) }
}

/// Runs a program, which must succeed, and returns its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, TaskError> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| not_started(command, &error))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(unsuccessful(command, output.status))
    }
}

fn not_started(command: &Command, error: &std::io::Error) -> TaskError {
    TaskError::new(format!("`{}` did not start: {error}", shown(command)), "install the program")
}

fn unsuccessful(command: &Command, status: std::process::ExitStatus) -> TaskError {
    TaskError::new(format!("`{}`: {status}", shown(command)), "correct what it reports above")
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
