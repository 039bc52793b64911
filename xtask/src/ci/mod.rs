//! `cargo xtask ci`: all checks that a change has to pass, as one list for every machine.

mod dependencies;
mod downstream;
mod generated;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{TaskError, TaskStatus};
use crate::regen::{self, RegenMode, RegenOptions};
use crate::shell::Shell;
use crate::workspace::{self, API, PUBLISHED, Workspace, select_published};

struct CiStep {
    name: &'static str,
    about: &'static str,
    run: fn(&Workspace, &mut Shell<'_>) -> Result<(), TaskError>,
}

macro_rules! steps {
    ($($name:literal, $run:expr, $about:literal;)*) => {
        const STEPS: &[CiStep] = &[$(CiStep { name: $name, about: $about, run: $run }),*];
    };
}

// Slow steps that build elsewhere come last.
steps! {
    "format", |it, _| it.cargo(&["fmt", "--all", "--check"]), "the source is formatted";
    "test", test, "the tests and the snippets of the documentation pass";
    "examples", examples, "every example runs against the mock";
    "regen", fresh, "the files derived from the OpenAPI document are fresh";
    "lean", dependencies::lean, "no package compiles what only another one needs";
    "clippy", clippy, "clippy finds nothing";
    "features", features, "every feature alone compiles without warnings";
    "doc", documentation, "the documentation builds, and its links work";
    "package", publishable, "the packages can be published";
    "msrv", dependencies::msrv, "no dependency needs a newer Rust than the packages declare";
    "deny", dependencies::deny, "licences, duplicates and sources of dependencies are allowed";
    "minimal", dependencies::minimal, "the oldest declared dependencies suffice";
    "downstream", downstream::run, "a clone, the README's first command and a new project work";
    "generated", generated::run, "the code generated for other FastAPI documents compiles";
    "conformance", conformance, "independent programs and clients accept the mock and the command line";
}

/// Options of the command.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct CiOptions {
    /// The steps to run, in this order; all by default.
    pub steps: Vec<String>,
    /// List the steps.
    #[arg(long, conflicts_with_all = ["steps", "keep_going"])]
    pub list: bool,
    /// Continue after a failed step.
    #[arg(long)]
    pub keep_going: bool,
}

/// Lists the steps, or runs them and reports how long each took.
///
/// # Errors
/// When a name is unknown, or a step fails.
pub fn run(root: &Path, options: &CiOptions, shell: &mut Shell<'_>) -> Result<TaskStatus, TaskError> {
    if options.list {
        STEPS.iter().try_for_each(|step| shell.status(step.name, step.about))?;
        let next = "run `cargo xtask ci` for all of them";
        shell.status("Finished", format_args!("{} steps; {next}", STEPS.len()))?;
        return Ok(TaskStatus::Success);
    }
    let chosen: Vec<&CiStep> = if options.steps.is_empty() {
        STEPS.iter().collect()
    } else {
        options.steps.iter().map(|name| step(name)).collect::<Result<_, _>>()?
    };
    let workspace = Workspace::new(root)?;
    let (mut errors, mut failed) = (Vec::new(), Vec::new());
    let mut times = Vec::new();
    for step in &chosen {
        shell.status("Running", format_args!("{}: {}", step.name, step.about))?;
        let start = Instant::now();
        let result = (step.run)(&workspace, shell);
        times.push((step.name, start.elapsed(), result.is_ok()));
        if let Err(error) = result {
            errors.push(error);
            failed.push(step.name);
            if !options.keep_going {
                break;
            }
        }
    }
    for (name, time, passed) in &times {
        let line = format!("{name:12} {:>7.1} s", time.as_secs_f64());
        if *passed { shell.status("Passed", line)? } else { shell.failure("Failed", line)? }
    }
    let total: Duration = times.iter().map(|(_, time, _)| *time).sum();
    let (passed, skipped) = (times.len() - failed.len(), chosen.len() - times.len());
    let counts = format!(
        "{} steps: {passed} passed, {} failed, {skipped} skipped in {:.1} s",
        chosen.len(),
        failed.len(),
        total.as_secs_f64()
    );
    let Some(error) = TaskError::all(errors) else {
        shell.status("Finished", format_args!("{counts}; nothing to do"))?;
        return Ok(TaskStatus::Success);
    };
    shell.failure("Finished", format_args!("{counts}; run `cargo xtask ci {}`", failed.join(" ")))?;
    Err(error)
}

fn step(name: &str) -> Result<&'static CiStep, TaskError> {
    STEPS.iter().find(|step| step.name == name).ok_or_else(|| {
        let names = STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join(", ");
        TaskError::new(format!("there is no step `{name}`"), format!("name one of: {names}"))
    })
}

/// Runs the command of the README.
fn test(workspace: &Workspace, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    run_readme_command(workspace, &workspace.root, "## Test it", shell)
}

/// Runs the first command of a section of the README in a copy of the workspace.
fn run_readme_command(
    workspace: &Workspace,
    root: &Path,
    section: &str,
    shell: &mut Shell<'_>,
) -> Result<(), TaskError> {
    let readme = fs::read_to_string(root.join("README.md"))
        .map_err(|error| TaskError::new(format!("README.md: {error}"), "restore the file"))?;
    let text = readme.split_once(&format!("{section}\n")).map(|(_, rest)| rest);
    let block = text.and_then(|text| text.split_once("```sh\n")).map(|(_, rest)| rest);
    let command = block.and_then(|block| block.lines().next()).ok_or_else(|| {
        let fix = "add an `sh` block with the command";
        TaskError::new(format!("README.md has no command under `{section}`"), fix)
    })?;
    shell.status("Running", format_args!("`{command}`"))?;
    workspace::run(workspace.command("sh").current_dir(root).args(["-c", command]))
}

/// Builds all packages as `cargo test --workspace` does, so that nothing is compiled again with fewer features.
fn examples(workspace: &Workspace, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    let built =
        workspace.programs(&["build", "--profile", "test", "--workspace", "--examples", "--locked"])?;
    let manifest = workspace.manifest(API)?;
    let targets = manifest["targets"].as_array().into_iter().flatten();
    let examples = targets.filter(|target| target["kind"][0] == "example");
    for name in examples.filter_map(|target| target["name"].as_str()) {
        // Cargo silently skips an example whose required features are off.
        let Some((_, program)) = built.iter().find(|(found, _)| found == name) else {
            let fix = "enable its required features for liveavatar-api in tests/Cargo.toml";
            return Err(TaskError::new(format!("the example `{name}` was not built"), fix));
        };
        shell.status("Running", format_args!("example {name}"))?;
        workspace::run(&mut workspace.command(&program.to_string_lossy()))?;
    }
    Ok(())
}

fn fresh(workspace: &Workspace, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    let options =
        RegenOptions { mode: RegenMode::Check, verbose: false, today: chrono::NaiveDate::default() };
    match regen::run(&workspace.root, None, &options, shell)? {
        TaskStatus::Success => Ok(()),
        _ => Err(TaskError::new("committed files are stale", "run `cargo xtask regen`")),
    }
}

fn clippy(workspace: &Workspace, _: &mut Shell<'_>) -> Result<(), TaskError> {
    workspace.cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
}

fn conformance(workspace: &Workspace, _: &mut Shell<'_>) -> Result<(), TaskError> {
    workspace::run(workspace.command("tests/conformance/run").arg("--strict"))
}

/// Checks every published package with no feature, and with each feature alone; the tests enable all features at once.
fn features(workspace: &Workspace, _: &mut Shell<'_>) -> Result<(), TaskError> {
    for (package, _) in PUBLISHED {
        let manifest = workspace.manifest(package)?;
        let features = manifest["features"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        for feature in [""].into_iter().chain(features.filter(|name| *name != "default")) {
            let selection = ["clippy", "--quiet", "--locked", "-p", package, "--no-default-features"];
            let features = ["--features", feature, "--", "-D", "warnings"];
            workspace.cargo(&[&selection[..], &features[..]].concat())?;
        }
    }
    Ok(())
}

fn documentation(workspace: &Workspace, _: &mut Shell<'_>) -> Result<(), TaskError> {
    let mut cargo = workspace.command("cargo");
    cargo.env("RUSTDOCFLAGS", "-D warnings");
    workspace::run(cargo.args(["doc", "--workspace", "--no-deps", "--locked"]))
}

/// The licences that every package has to hold, as copies: a package holds only files of its folder.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// Checks the copies of the licences, and that what would be published compiles.
fn publishable(workspace: &Workspace, _: &mut Shell<'_>) -> Result<(), TaskError> {
    let text = |folder: &str, file: &str| fs::read(workspace.root.join(folder).join(file)).ok();
    let mut errors = Vec::new();
    for (_, folder) in PUBLISHED {
        for licence in LICENCES.into_iter().filter(|licence| text(folder, licence) != text("", licence)) {
            let problem = format!("{folder}/{licence} differs from {licence}");
            errors.push(TaskError::new(problem, format!("copy {licence} to {folder}")));
        }
    }
    TaskError::all(errors).map_or(Ok(()), Err)?;
    let options = ["--no-verify", "--locked", "--allow-dirty", "--quiet"];
    workspace.cargo(&[&["publish", "--dry-run"], &select_published()[..], &options[..]].concat())?;
    workspace.cargo(&[&["package"], &select_published()[..], &options[..]].concat())?;
    check_packages(workspace)
}

/// Compiles the packages from their archives.
///
/// Cargo's own verification takes a version that it has compiled before for unchanged, and so misses changes since then.
fn check_packages(workspace: &Workspace) -> Result<(), TaskError> {
    let home = workspace.target.join("ci/packages");
    let failed = |error: std::io::Error| {
        TaskError::new(format!("{}: {error}", home.display()), "free some disk space")
    };
    if home.exists() {
        fs::remove_dir_all(&home).map_err(failed)?;
    }
    fs::create_dir_all(&home).map_err(failed)?;
    let mut folders = Vec::new();
    for (package, _) in PUBLISHED {
        let manifest = workspace.manifest(package)?;
        let folder = format!("{package}-{}", manifest["version"].as_str().unwrap_or_default());
        let archive = workspace.target.join(format!("package/{folder}.crate"));
        // As modified now, so that Cargo sees the change.
        workspace::run(workspace.command("tar").arg("-xmzf").arg(archive).arg("-C").arg(&home))?;
        folders.push((package, folder));
    }
    let members: Vec<_> = folders.iter().map(|(_, folder)| folder).collect();
    let patches: Vec<_> =
        folders.iter().map(|(package, folder)| format!("{package} = {{ path = '{folder}' }}")).collect();
    let manifest = format!(
        "[workspace]\nresolver = '3'\nmembers = {members:?}\n\n[patch.crates-io]\n{}\n",
        patches.join("\n")
    );
    fs::write(home.join("Cargo.toml"), manifest).map_err(failed)?;
    fs::copy(workspace.root.join("Cargo.lock"), home.join("Cargo.lock")).map_err(failed)?;
    workspace::run(workspace.command("cargo").current_dir(&home).args(["check", "--quiet"]))
}
