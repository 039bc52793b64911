//! A downstream user's path: a clone, the README's first command, and a new project that depends on the packages. Then the service
//! grows, and the project uses the additions.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::documents;
use crate::error::TaskError;
use crate::pointer;
use crate::regen::{self, RegenMode, RegenOptions};
use crate::shell::Shell;
use crate::source::DocumentSource;
use crate::workspace::{self, API, MOCK, Workspace, path_dependency};

/// The program of the new project: a first session, against the mock.
const PROGRAM: &str = include_str!("downstream/main.rs");

/// What a later document adds, by pointer: an operation, a parameter, a field, an enum value and a union member.
const ADDITIONS: &str = include_str!("downstream/additions.json");

/// A program that uses all additions. Only `regen` may be needed to make it compile.
const PROGRAM_WITH_ADDITIONS: &str = include_str!("downstream/additions.rs");

pub(super) fn run(workspace: &Workspace, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    let home = workspace.target.join("ci/downstream");
    let clone = home.join("clone");
    let failed = |error: std::io::Error| {
        TaskError::new(format!("{}: {error}", home.display()), "free some disk space")
    };
    if home.exists() {
        fs::remove_dir_all(&home).map_err(failed)?;
    }
    fs::create_dir_all(&home).map_err(failed)?;
    let mut git = workspace.command("git");
    workspace::run(git.args(["clone", "--quiet"]).arg(&workspace.root).arg(&clone))?;

    super::run_readme_command(workspace, &clone, "## Run it", shell)?;

    let project = |name: &str, api: &str, mock: &str, program: &str| {
        let package = home.join(name);
        fs::create_dir_all(package.join("src")).map_err(failed)?;
        fs::write(package.join("Cargo.toml"), manifest(name, api, mock)).map_err(failed)?;
        fs::write(package.join("src/main.rs"), program).map_err(failed)?;
        // Our lock file, so that a new release of a dependency cannot fail this step.
        fs::copy(clone.join("Cargo.lock"), package.join("Cargo.lock")).map_err(failed)?;
        workspace::run(workspace.command("cargo").current_dir(&package).args(["run", "--quiet"]))
    };
    let git = format!("git = \"file://{}\"", clone.display());
    let (api, mock) = (path_dependency(&clone, API), path_dependency(&clone, MOCK));
    for (name, api, mock) in [("by-path", &api, &mock), ("by-git", &git, &git)] {
        shell.status("Running", format_args!("a project that depends on {API} with {api}"))?;
        project(name, api, mock, PROGRAM)?;
    }
    regenerate(&clone, &home.join("grown.json"), shell)?;
    shell.status("Running", "a project that uses what the document has gained")?;
    project("grown", &api, &mock, PROGRAM_WITH_ADDITIONS)
}

/// Runs `regen` with a document that has the additions.
fn regenerate(clone: &Path, grown: &Path, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    let stale = || {
        TaskError::new(
            "the additions do not fit the document",
            "correct xtask/src/ci/downstream/additions.json",
        )
    };
    let mut document = DocumentSource::File(clone.join(documents::UPSTREAM)).read()?;
    let additions: Map<String, Value> = serde_json::from_str(ADDITIONS).map_err(|_| stale())?;
    for (pointer, value) in additions {
        let (parent, key) = pointer::split(&pointer).ok_or_else(stale)?;
        match document.pointer_mut(parent) {
            Some(Value::Array(items)) => items.push(value),
            Some(Value::Object(fields)) => {
                fields.insert(key, value);
            }
            _ => return Err(stale()),
        }
    }
    fs::write(grown, document.to_string())
        .map_err(|error| TaskError::new(format!("{}: {error}", grown.display()), "free some disk space"))?;
    let options =
        RegenOptions { mode: RegenMode::Write, verbose: false, today: chrono::NaiveDate::default() };
    regen::run(clone, Some(&DocumentSource::File(grown.to_owned())), &options, shell).map(drop)
}

fn manifest(name: &str, api: &str, mock: &str) -> String {
    format!(
        r#"[package]
name = "downstream-{name}"
edition = "2024"

[dependencies]
{API} = {{ {api} }}
{MOCK} = {{ {mock} }}
tokio = {{ version = "1", features = ["macros", "rt-multi-thread"] }}

[workspace]
"#
    )
}
