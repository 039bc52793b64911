//! The code that is generated for other FastAPI documents compiles.

use std::fs;

use crate::corpus;
use crate::documents;
use crate::error::TaskError;
use crate::regen::{self, RegenMode, RegenOptions};
use crate::shell::Shell;
use crate::source::DocumentSource;
use crate::workspace::{self, API, Workspace};

/// Adds the documents to that of the service in a clone, and compiles what `regen` makes of it.
pub(super) fn run(workspace: &Workspace, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    let home = workspace.target.join("ci/generated");
    let (clone, grown) = (home.join("clone"), home.join("grown.json"));
    let failed = |error: std::io::Error| {
        TaskError::new(format!("{}: {error}", home.display()), "free some disk space")
    };
    if clone.exists() {
        fs::remove_dir_all(&clone).map_err(failed)?;
    }
    fs::create_dir_all(&home).map_err(failed)?;
    let mut git = workspace.command("git");
    workspace::run(git.args(["clone", "--quiet"]).arg(&workspace.root).arg(&clone))?;
    let document = DocumentSource::File(clone.join(documents::UPSTREAM)).read()?;
    fs::write(&grown, corpus::grown(document, &clone)?.to_string()).map_err(failed)?;
    let options =
        RegenOptions { mode: RegenMode::Write, verbose: false, today: chrono::NaiveDate::default() };
    // The report lists everything as new.
    let mut report = Vec::new();
    regen::run(&clone, Some(&DocumentSource::File(grown)), &options, &mut Shell::plain(&mut report))?;
    shell.status("Compiling", "the code of the versions of a FastAPI application")?;
    let check = ["check", "--quiet", "--locked", "-p", API];
    workspace::run(workspace.command("cargo").current_dir(&clone).args(check))
}
