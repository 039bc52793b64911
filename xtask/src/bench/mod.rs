//! `cargo xtask bench`: what the crate costs compared with hand-written and generated alternatives.

mod build;
mod differ;
mod generator;
mod targets;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{TaskError, TaskStatus};
use crate::shell::{Shell, count};
use crate::workspace::{self, BENCHES, Workspace};

/// The parts of the measurement: first the benches that print rows.
const PARTS: [&str; 11] = [
    "calls",
    "allocations",
    "audio",
    "sessions",
    "sockets",
    "rooms",
    "one-core",
    "instructions",
    "differ",
    "generated",
    "builds",
];
/// The number of those benches.
const BENCH_PARTS: usize = 6;

/// The file with all tables.
const GUIDE: &str = "liveavatar-api/src/guide/performance.md";
/// The file with the rows that matter for choosing the crate.
const README: &str = "README.md";

/// Rows that are measured here, or by a bench, and have a target.
const INSTRUCTIONS: &str = "client instructions of a call over loopback";
const SOCKET_MEMORY: &str = "memory of an open socket, plain TCP";

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
#[derive(Clone, Debug, clap::Args)]
pub struct BenchOptions {
    /// The parts to measure; all by default.
    #[arg(value_parser = PARTS)]
    pub parts: Vec<String>,
    /// Write the rows to the guide and the README; those of other parts stay, with their days.
    #[arg(long)]
    pub write: bool,
}

/// The rows of both tables, in the order of measurement.
#[derive(Default)]
struct BenchRows {
    /// The day of the rows that are measured.
    today: String,
    pairs: Vec<Pair>,
    facts: Vec<Fact>,
}

struct Pair {
    what: String,
    /// Ours, the alternative's and the ratio, by alternative.
    cells: BTreeMap<String, [String; 3]>,
    day: String,
}

struct Fact {
    what: String,
    value: String,
    day: String,
}

impl BenchRows {
    /// Reads the rows of the guide.
    fn written(guide: &str) -> Self {
        let mut rows = Self::default();
        let lines = guide.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
        for line in lines.filter(|line| !line.starts_with("---") && !line.starts_with("What |")) {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            match cells[..] {
                [what, ours, plain, by, generated, than, day] => {
                    day.clone_into(&mut rows.today);
                    for (with, other, ratio) in [("plain", plain, by), ("generated", generated, than)] {
                        if !other.is_empty() {
                            rows.pair(with, what, [ours, other, ratio]);
                        }
                    }
                }
                [what, value, day] => {
                    day.clone_into(&mut rows.today);
                    rows.fact(what, value);
                }
                _ => {}
            }
        }
        rows
    }

    /// Replaces and adds the rows of another measurement.
    fn update(&mut self, newer: Self) {
        for Pair { what, cells, day } in newer.pairs {
            day.clone_into(&mut self.today);
            for (with, cells) in cells {
                self.insert(&with, &what, cells);
            }
        }
        for Fact { what, value, day } in newer.facts {
            day.clone_into(&mut self.today);
            self.fact(&what, &value);
        }
    }

    /// Reads the rows that a bench has printed.
    fn read(&mut self, text: &str) -> Result<(), TaskError> {
        for line in text.lines().filter_map(|line| line.strip_prefix('@')) {
            let cells: Vec<&str> = line.split(" | ").collect();
            match cells[..] {
                ["fact", what, value] => self.fact(what, value),
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

    /// Sets ours, the alternative's, and their ratio.
    fn pair(&mut self, with: &str, what: &str, cells: [&str; 3]) {
        self.insert(with, what, cells.map(str::to_owned));
    }

    fn insert(&mut self, with: &str, what: &str, cells: [String; 3]) {
        let day = self.today.clone();
        if let Some(known) = self.pairs.iter_mut().find(|known| known.what == what) {
            // Times of another day do not compare.
            if known.day != day {
                known.cells.clear();
            }
            known.cells.insert(with.to_owned(), cells);
            known.day = day;
        } else {
            let cells = BTreeMap::from([(with.to_owned(), cells)]);
            self.pairs.push(Pair { what: what.to_owned(), cells, day });
        }
    }

    fn fact(&mut self, what: &str, value: &str) {
        let fact = Fact { what: what.to_owned(), value: value.to_owned(), day: self.today.clone() };
        match self.facts.iter_mut().find(|known| known.what == what) {
            Some(known) => *known = fact,
            None => self.facts.push(fact),
        }
    }

    /// All tables.
    fn guide(&self, machine: &str) -> String {
        let mut text = format!("{machine}\n\n| What | ours | plain | ratio | generated | ratio | day |\n");
        text.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
        text.extend(self.pairs.iter().map(|Pair { what, cells, day }| {
            let of = |with: &str| cells.get(with).map_or(["", ""], |[_, other, ratio]| [other, ratio]);
            let ([plain, by], [generated, than]) = (of("plain"), of("generated"));
            format!("| {what} | {} | {plain} | {by} | {generated} | {than} | {day} |\n", ours(cells))
        }));
        text.push_str("\n| What | measured | day |\n| --- | --- | --- |\n");
        text.extend(
            self.facts.iter().map(|Fact { what, value, day }| format!("| {what} | {value} | {day} |\n")),
        );
        text.push_str(&targets::table(self));
        text
    }

    fn readme(&self) -> Result<String, TaskError> {
        let head = ["| What | liveavatar-api | plain reqwest and serde |", "| --- | --- | --- |"];
        let mut rows = head.map(str::to_owned).to_vec();
        for what in README_ROWS {
            let pair = self.pairs.iter().find(|known| known.what == what);
            let fact = self.facts.iter().find(|known| known.what == what);
            let (measured, other) = match (pair, fact) {
                (Some(Pair { cells, .. }), _) => {
                    (ours(cells), cells.get("plain").map_or("", |[_, other, _]| other))
                }
                (None, Some(Fact { value, .. })) => (value.as_str(), ""),
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

/// Measures the parts, and prints or writes the tables.
///
/// # Errors
/// When a bench fails, or a file lacks the markers of a table.
pub fn run(root: &Path, options: &BenchOptions, shell: &mut Shell<'_>) -> Result<TaskStatus, TaskError> {
    let workspace = Workspace::new(root)?;
    let is_wanted =
        |part: &str| options.parts.is_empty() || options.parts.iter().any(|wanted| wanted == part);
    let today = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).date_naive().to_string();
    let mut rows = BenchRows { today, ..BenchRows::default() };
    for bench in PARTS[..BENCH_PARTS].iter().filter(|bench| is_wanted(bench)) {
        shell.status("Running", format_args!("bench {bench}"))?;
        let args = ["bench", "--quiet", "--locked", "-p", BENCHES, "--bench", bench, "--", "--rows"];
        rows.read(&workspace::output(workspace.command("cargo").args(args))?)?;
    }
    if is_wanted("one-core") {
        on_one_core(&workspace, &mut rows, shell)?;
    }
    if is_wanted("instructions") {
        instructions(&workspace, &mut rows, shell)?;
    }
    if is_wanted("differ") {
        differ::measure(&workspace, &mut rows, shell)?;
    }
    if is_wanted("generated") || is_wanted("builds") {
        shell.status("Running", format_args!("openapi-generator {}", generator::VERSION))?;
        let client = generator::client(&workspace)?;
        if is_wanted("generated") {
            rows.read(&generator::compare(&workspace, &client)?)?;
        }
        if is_wanted("builds") {
            build::measure(&workspace, &client, &mut rows, shell)?;
            build::workspace(&workspace, &mut rows, shell)?;
        }
    }
    let measured = count(rows.pairs.len() + rows.facts.len(), "row");
    if !options.parts.is_empty() {
        let mut all = BenchRows::written(&read(root, GUIDE)?);
        all.update(rows);
        rows = all;
    }
    let text = rows.guide(&machine(&workspace)?);
    shell.write(&text)?;
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

fn read(root: &Path, file: &str) -> Result<String, TaskError> {
    fs::read_to_string(root.join(file))
        .map_err(|error| TaskError::new(format!("{file}: {error}"), "restore the file"))
}

fn write_between_markers(root: &Path, file: &str, text: &str) -> Result<(), TaskError> {
    let path = root.join(file);
    let failed = |error: std::io::Error| TaskError::new(format!("{file}: {error}"), "restore the file");
    let old = read(root, file)?;
    let place = old.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = place else {
        let fix = format!("add the lines `{}` and `{}`", BEGIN.trim(), END.trim());
        return Err(TaskError::new(format!("{file} has no place for the measurements"), fix));
    };
    fs::write(path, format!("{before}{BEGIN}\n{text}\n{END}{after}")).map_err(failed)
}

/// Sentences about the machine, the toolchain and the columns.
fn machine(workspace: &Workspace) -> Result<String, TaskError> {
    let rustc = workspace::output(workspace.command("rustc").arg("--version"))?;
    let rust = rustc.split(' ').nth(1).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let processor = processor.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    Ok(format!(
        "On {cores} cores of {processor}, Rust {rust}. *Plain* is hand-written code with reqwest, serde and \
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

/// Counts the client's instructions of a call if valgrind is installed. They are the same on a busy machine.
///
/// The client runs on the first thread, and the server on another one.
fn instructions(workspace: &Workspace, rows: &mut BenchRows, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    if workspace.command("valgrind").arg("--version").output().is_err() {
        return shell.attention("Skipping", "instructions per call: valgrind is not installed");
    }
    shell.status("Counting", "instructions per call")?;
    let program = calls_program(workspace)?;
    let folder = tempfile::tempdir()
        .map_err(|error| TaskError::new(format!("no temporary folder: {error}"), "free some disk space"))?;
    let counted = folder.path().join("counted");
    let per_call = |side: &str| -> Result<f64, TaskError> {
        let mut counts = [0.0; 2];
        for (count, calls) in counts.iter_mut().zip(CALLS) {
            let mut valgrind = workspace.command("valgrind");
            valgrind.args(["--tool=callgrind", "--separate-threads=yes"]);
            valgrind.arg(format!("--callgrind-out-file={}", counted.display())).arg(&program);
            let output = valgrind.args(["--count", side, &calls.to_string()]).output();
            let output = output.map_err(|error| {
                TaskError::new(format!("valgrind did not start: {error}"), "reinstall valgrind")
            })?;
            let text = fs::read_to_string(folder.path().join("counted-01")).unwrap_or_default();
            let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
            *count = total.and_then(|number| number.trim().parse().ok()).ok_or_else(|| {
                let text = String::from_utf8_lossy(&output.stderr);
                TaskError::new(format!("valgrind counted nothing: {text}"), "run it by hand")
            })?;
        }
        Ok((counts[1] - counts[0]) / f64::from(CALLS[1] - CALLS[0]))
    };
    let (ours, plain) = (per_call("ours")?, per_call("plain")?);
    let shown = |count: f64| format!("{:.1} thousand", count / 1_000.0);
    rows.pair("plain", INSTRUCTIONS, [&shown(ours), &shown(plain), &format!("{:.2}", ours / plain)]);
    Ok(())
}
