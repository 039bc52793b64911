//! `cargo xtask bench`: what the crate costs compared with hand-written and generated alternatives.

mod build;
mod generator;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{TaskError, TaskStatus};
use crate::shell::{Shell, count};
use crate::workspace::{self, BENCHES, Workspace};

/// The benches that print rows.
const WITH_ROWS: [&str; 5] = ["calls", "allocations", "audio", "sessions", "sockets"];

/// The file with all tables.
const GUIDE: &str = "liveavatar-api/src/guide/performance.md";
/// The file with the rows that matter for choosing the crate.
const README: &str = "README.md";

/// The markers around the measurements in a file.
const BEGIN: &str = "<!-- bench: begin -->\n";
const END: &str = "<!-- bench: end -->\n";

/// The README's rows. The names are printed by the benches, and in [`build`].
const README_ROWS: [&str; 5] = [
    "one call over loopback, client and server on one core",
    "decoding a page of 100 avatars",
    "memory of a session",
    build::COLD_BUILD,
    build::BINARY_SIZE,
];

/// Options of the command.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct BenchOptions {
    /// Write the tables to the guide and the README.
    #[arg(long)]
    pub write: bool,
    /// Skip the cold builds, which take long.
    #[arg(long, conflicts_with = "write")]
    pub quick: bool,
}

/// The rows of both tables, in the order of measurement.
#[derive(Default)]
struct BenchRows {
    /// Ours, the alternative's and the ratio, by alternative, for each thing measured.
    pairs: Vec<(String, BTreeMap<String, [String; 3]>)>,
    facts: Vec<(String, String)>,
}

impl BenchRows {
    /// Reads the rows that a bench has printed.
    fn read(&mut self, text: &str) -> Result<(), TaskError> {
        for line in text.lines().filter_map(|line| line.strip_prefix('@')) {
            let cells: Vec<&str> = line.split(" | ").collect();
            match cells[..] {
                ["fact", what, value] => self.facts.push((what.to_owned(), value.to_owned())),
                [with, what, ours, other, ratio] => self.pair(with, what, [ours, other, ratio]),
                _ => {
                    return Err(TaskError::new(
                        format!("`@{line}` is not a row"),
                        "correct the bench that prints it",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Adds ours, the alternative's, and their ratio.
    fn pair(&mut self, with: &str, what: &str, cells: [&str; 3]) {
        let cells = cells.map(str::to_owned);
        match self.pairs.iter_mut().find(|(known, _)| known == what) {
            Some((_, others)) => {
                others.insert(with.to_owned(), cells);
            }
            None => self.pairs.push((what.to_owned(), BTreeMap::from([(with.to_owned(), cells)]))),
        }
    }

    /// Both tables.
    fn guide(&self, machine: &str) -> String {
        let mut text = format!("{machine}\n\n| What | ours | plain | ratio | generated | ratio |\n");
        text.push_str("| --- | --- | --- | --- | --- | --- |\n");
        text.extend(self.pairs.iter().map(|(what, others)| {
            let of = |with: &str| others.get(with).map_or(["", ""], |[_, other, ratio]| [other, ratio]);
            let ([plain, by], [generated, than]) = (of("plain"), of("generated"));
            format!("| {what} | {} | {plain} | {by} | {generated} | {than} |\n", ours(others))
        }));
        text.push_str("\n| What | measured |\n| --- | --- |\n");
        text.extend(self.facts.iter().map(|(what, value)| format!("| {what} | {value} |\n")));
        text
    }

    fn readme(&self) -> Result<String, TaskError> {
        let head = ["| What | liveavatar-api | plain reqwest and serde |", "| --- | --- | --- |"];
        let mut rows = head.map(str::to_owned).to_vec();
        for what in README_ROWS {
            let pair = self.pairs.iter().find(|(known, _)| known == what);
            let fact = self.facts.iter().find(|(known, _)| known == what);
            let (measured, other) = match (pair, fact) {
                (Some((_, others)), _) => {
                    (ours(others), others.get("plain").map_or("", |[_, other, _]| other))
                }
                (None, Some((_, value))) => (value.as_str(), ""),
                (None, None) => {
                    let fix = "correct README_ROWS in xtask/src/bench/mod.rs";
                    return Err(TaskError::new(format!("no bench prints the row `{what}`"), fix));
                }
            };
            rows.push(format!("| {what} | {measured} | {other} |"));
        }
        Ok(rows.join("\n") + "\n")
    }
}

fn ours(others: &BTreeMap<String, [String; 3]>) -> &str {
    let cells = others.get("plain").or_else(|| others.values().next());
    cells.map_or("", |[ours, ..]| ours)
}

/// Runs all benches, and prints or writes the tables.
///
/// # Errors
/// When a bench fails, or a file lacks the markers of a table.
pub fn run(root: &Path, options: BenchOptions, shell: &mut Shell<'_>) -> Result<TaskStatus, TaskError> {
    let workspace = Workspace::new(root)?;
    let mut rows = BenchRows::default();
    for bench in WITH_ROWS {
        shell.status("Running", format_args!("bench {bench}"))?;
        let args = ["bench", "--quiet", "--locked", "-p", BENCHES, "--bench", bench, "--", "--rows"];
        rows.read(&workspace::output(workspace.command("cargo").args(args))?)?;
    }
    on_one_core(&workspace, &mut rows, shell)?;
    instructions(&workspace, &mut rows, shell)?;
    shell.status("Running", format_args!("openapi-generator {}", generator::VERSION))?;
    let client = generator::client(&workspace)?;
    rows.read(&generator::compare(&workspace, &client)?)?;
    if !options.quick {
        build::measure(&workspace, &client, &mut rows, shell)?;
    }
    let text = rows.guide(&machine(&workspace)?);
    shell.write(&text)?;
    let measured = count(rows.pairs.len() + rows.facts.len(), "row");
    if options.write {
        write_between_markers(root, GUIDE, &text)?;
        write_between_markers(root, README, &rows.readme()?)?;
        shell.status("Wrote", GUIDE)?;
        shell.status("Wrote", README)?;
        shell.status("Finished", format_args!("{measured} in 2 files; run `git diff` to review them"))?;
    } else {
        let next = "run `cargo xtask bench --write` to write them";
        shell.status("Finished", format_args!("{measured}; {next}"))?;
    }
    Ok(TaskStatus::Success)
}

fn write_between_markers(root: &Path, file: &str, text: &str) -> Result<(), TaskError> {
    let path = root.join(file);
    let failed = |error: std::io::Error| TaskError::new(format!("{file}: {error}"), "restore the file");
    let old = fs::read_to_string(&path).map_err(failed)?;
    let place = old.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = place else {
        let fix = format!("add the lines `{}` and `{}`", BEGIN.trim(), END.trim());
        return Err(TaskError::new(format!("{file} has no place for the measurements"), fix));
    };
    fs::write(path, format!("{before}{BEGIN}\n{text}\n{END}{after}")).map_err(failed)
}

/// A sentence about the machine, the toolchain and the columns.
fn machine(workspace: &Workspace) -> Result<String, TaskError> {
    let rustc = workspace::output(workspace.command("rustc").arg("--version"))?;
    let rust = rustc.split(' ').nth(1).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let processor = processor.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let today = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).date_naive();
    Ok(format!(
        "{today}, {cores} cores of {processor}, Rust {rust}. *Plain* is hand-written code with reqwest, serde and \
         tokio-websockets; *generated* is the client of openapi-generator {} for the same document.",
        generator::VERSION
    ))
}

/// The program of the bench of calls.
fn calls_program(workspace: &Workspace) -> Result<PathBuf, TaskError> {
    let built = workspace.programs(&["bench", "--locked", "-p", BENCHES, "--bench", "calls", "--no-run"])?;
    let program = built.into_iter().find(|(name, _)| name == "calls").map(|(_, program)| program);
    program.ok_or_else(|| TaskError::new("Cargo names no program of the bench `calls`", "use another Cargo"))
}

/// Times calls with client and server on one core, if `taskset` is installed: there, no cost is hidden behind waiting.
fn on_one_core(workspace: &Workspace, rows: &mut BenchRows, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    if workspace.command("taskset").arg("--version").output().is_err() {
        return shell.attention("Skipping", "calls on one core: taskset is not installed");
    }
    shell.status("Running", "bench calls on one core")?;
    let mut taskset = workspace.command("taskset");
    let taskset = taskset.args(["--cpu-list", "0"]).arg(calls_program(workspace)?).arg("--call-rows");
    rows.read(&workspace::output(taskset)?)
}

/// Calls per run under callgrind. The difference of two runs leaves out the start of the program.
const CALLS: [u32; 2] = [300, 1_300];

/// Counts the instructions of a call if valgrind is installed. They are the same on a busy machine.
fn instructions(workspace: &Workspace, rows: &mut BenchRows, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    if workspace.command("valgrind").arg("--version").output().is_err() {
        return shell.attention("Skipping", "instructions per call: valgrind is not installed");
    }
    shell.status("Counting", "instructions per call")?;
    let program = calls_program(workspace)?;
    let per_call = |side: &str| -> Result<f64, TaskError> {
        let mut counts = [0.0; 2];
        for (count, calls) in counts.iter_mut().zip(CALLS) {
            let mut valgrind = workspace.command("valgrind");
            valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(&program);
            let output = valgrind.args(["--count", side, &calls.to_string()]).output();
            let output = output.map_err(|error| {
                TaskError::new(format!("valgrind did not start: {error}"), "reinstall valgrind")
            })?;
            let text = String::from_utf8_lossy(&output.stderr);
            let collected = text.lines().find_map(|line| line.split_once("Collected : "));
            *count = collected.and_then(|(_, number)| number.trim().parse().ok()).ok_or_else(|| {
                TaskError::new(format!("valgrind counted nothing: {text}"), "run it by hand")
            })?;
        }
        Ok((counts[1] - counts[0]) / f64::from(CALLS[1] - CALLS[0]))
    };
    let (ours, plain) = (per_call("ours")?, per_call("plain")?);
    let shown = |count: f64| format!("{:.0} thousand", count / 1_000.0);
    let what = "instructions of a call over loopback, including the server";
    rows.pair("plain", what, [&shown(ours), &shown(plain), &format!("{:.2}", ours / plain)]);
    Ok(())
}
