//! The workspace as other programs see it: Cargo, git, and whatever else a command runs.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::Failure;

/// The one package that is published.
pub(crate) const CRATE: &str = "liveavatar-api";

/// Where other programs run.
pub(crate) struct Site {
    pub(crate) root: PathBuf,
    /// Everything is built in one folder, so that nothing is built twice.
    pub(crate) target: PathBuf,
}

impl Site {
    /// The workspace, and its target folder or the one that the environment names.
    pub(crate) fn new(root: &Path) -> Result<Self, Failure> {
        Ok(Self { root: root.to_owned(), target: target(root)? })
    }

    /// A program in the workspace, without what Cargo has told this one about itself.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target).env("INSTA_UPDATE", "no");
        let own = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(own)) {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn cargo(&self, args: &[&str]) -> Result<(), Failure> {
        run(self.command("cargo").args(args))
    }

    /// What Cargo knows about the workspace, and about its dependencies if asked.
    pub(crate) fn metadata(&self, more: &[&str]) -> Result<Value, Failure> {
        let arguments = ["metadata", "--format-version", "1", "--locked", "--all-features"];
        let text = output(self.command("cargo").args(arguments).args(more))?;
        serde_json::from_str(&text)
            .map_err(|error| Failure::new(format!("`cargo metadata`: {error}"), "use another Cargo"))
    }

    /// The crate as its manifest has it; nothing where there is none, so that what is asked of it is missing.
    pub(crate) fn package(&self) -> Result<Value, Failure> {
        let mut metadata = self.metadata(&["--no-deps"])?;
        let packages = metadata["packages"].as_array_mut().map(std::mem::take).unwrap_or_default();
        Ok(packages.into_iter().find(|package| package["name"] == CRATE).unwrap_or_default())
    }

    /// All crates that a build compiles, as `name v1.2.3`.
    pub(crate) fn compiled(&self, selection: &[&str]) -> Result<BTreeSet<String>, Failure> {
        let arguments = ["tree", "--locked", "-e", "normal,build", "--prefix", "none", "--format", "{p}"];
        let text = output(self.command("cargo").args(arguments).args(selection))?;
        let crates = text.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "));
        Ok(crates.filter(|found| !found.is_empty()).collect())
    }
}

/// The name in `name v1.2.3`.
pub(crate) fn name(compiled: &str) -> &str {
    compiled.split_once(' ').map_or(compiled, |(name, _)| name)
}

/// Runs it to its end.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let shown = shown(command);
    let status = command.stdin(Stdio::null()).status().map_err(|error| {
        Failure::new(format!("`{shown}` did not start: {error}"), "install the program it names")
    })?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{shown}`: {status}"), "mend what it says above, then run this step alone"))
}

/// What it prints.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let shown = shown(command);
    let ran = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = ran.map_err(|error| {
        Failure::new(format!("`{shown}` did not start: {error}"), "install the program it names")
    })?;
    if !output.status.success() {
        return Err(Failure::new(format!("`{shown}`: {}", output.status), "mend what it says above"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn target(root: &Path) -> Result<PathBuf, Failure> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    std::path::absolute(&target)
        .map_err(|error| Failure::new(format!("{}: {error}", target.display()), "name another target folder"))
}
