//! `cargo xtask bench`: what the crate costs beside what a user would write or pick instead, as the README's table.

mod build;
mod generated;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use crate::failure::{Failure, Outcome};
use crate::site::{self, Site};

/// The benches that have rows.
const BENCHES: [&str; 5] = ["calls", "allocations", "audio", "sessions", "sockets"];

/// Where the README holds what was measured.
const BEGIN: &str = "<!-- written by `cargo xtask bench --write` -->\n";
const END: &str = "<!-- end -->\n";

/// What is measured in a run; the rest of the table is left out.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Whether to write the README.
    pub write: bool,
    /// Whether to leave out what takes long: cold builds.
    pub quick: bool,
}

/// Rows of the two tables, in the order in which they were measured.
#[derive(Default)]
struct Rows {
    /// By what is measured.
    pairs: Vec<(String, BTreeMap<String, [String; 3]>)>,
    facts: Vec<(String, String)>,
}

impl Rows {
    /// Takes the rows out of what a bench has printed.
    fn read(&mut self, text: &str) -> Result<(), Failure> {
        for line in text.lines().filter_map(|line| line.strip_prefix('@')) {
            let cells: Vec<&str> = line.split(" | ").collect();
            match cells[..] {
                ["fact", what, value] => self.facts.push((what.to_owned(), value.to_owned())),
                [with, what, ours, other, ratio] => self.pair(with, what, [ours, other, ratio]),
                _ => {
                    return Err(Failure::new(
                        format!("`@{line}` is no row"),
                        "mend the bench that prints it",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Ours, the other's, and the ratio of both.
    fn pair(&mut self, with: &str, what: &str, cells: [&str; 3]) {
        let cells = cells.map(str::to_owned);
        match self.pairs.iter_mut().find(|(known, _)| known == what) {
            Some((_, others)) => {
                others.insert(with.to_owned(), cells);
            }
            None => self.pairs.push((what.to_owned(), BTreeMap::from([(with.to_owned(), cells)]))),
        }
    }

    fn markdown(&self, machine: &str) -> String {
        let mut text = format!("{machine}\n\n| What | ours | plain | ratio | generated | ratio |\n");
        text.push_str("| --- | --- | --- | --- | --- | --- |\n");
        text.extend(self.pairs.iter().map(|(what, others)| {
            let ours = others.get("plain").or_else(|| others.values().next());
            let ours = ours.map_or("", |[ours, ..]| ours.as_str());
            let of = |with: &str| others.get(with).map_or(["", ""], |[_, other, ratio]| [other, ratio]);
            let ([plain, by], [generated, than]) = (of("plain"), of("generated"));
            format!("| {what} | {ours} | {plain} | {by} | {generated} | {than} |\n")
        }));
        text.push_str("\n| What | measured |\n| --- | --- |\n");
        text.extend(self.facts.iter().map(|(what, value)| format!("| {what} | {value} |\n")));
        text
    }
}

/// Runs everything, and shows or writes the tables.
///
/// # Errors
/// When a bench fails, or the README has no place for the tables.
pub fn run(root: &Path, plan: Plan, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let site = Site::new(root)?;
    let mut rows = Rows::default();
    for bench in BENCHES {
        let arguments =
            ["bench", "--quiet", "--locked", "-p", "liveavatar-api", "--bench", bench, "--", "--rows"];
        rows.read(&site::output(site.command("cargo").args(arguments))?)?;
    }
    instructions(&site, &mut rows)?;
    let generator = generated::client(&site)?;
    rows.read(&generated::beside(&site, &generator)?)?;
    if !plan.quick {
        build::measure(&site, &generator, &mut rows)?;
    }
    let text = rows.markdown(&machine(&site)?);
    if plan.write {
        write_readme(&root.join("README.md"), &text)?;
    }
    out.write_all(text.as_bytes())
        .map_err(|error| Failure::new(format!("the output: {error}"), "keep it open"))?;
    Ok(Outcome::Fresh)
}

fn write_readme(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()), "mend it");
    let readme = fs::read_to_string(path).map_err(failed)?;
    let place = readme.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = place else {
        let fix = format!("put `{}` and `{}` where the tables belong", BEGIN.trim(), END.trim());
        return Err(Failure::new("README.md has no place for the tables", fix));
    };
    fs::write(path, format!("{before}{BEGIN}\n{text}\n{END}{after}")).map_err(failed)
}

/// What the numbers depend on.
fn machine(site: &Site) -> Result<String, Failure> {
    let rustc = site::output(site.command("rustc").arg("--version"))?;
    let rust = rustc.split(' ').nth(1).unwrap_or_default().to_owned();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let processor = processor.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let today = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).date_naive();
    let generator = generated::VERSION;
    Ok(format!(
        "{today}, {cores} cores of {processor}, Rust {rust}. *Plain* is reqwest, serde and tokio-websockets by hand; *generated* is the \
         client of openapi-generator {generator} for the same document."
    ))
}

/// Runs of one side under callgrind; their difference leaves out what happens once.
const COUNTED: [u32; 2] = [300, 1_300];

/// Instructions of a call, where valgrind is installed; they are the same on a noisy machine.
fn instructions(site: &Site, rows: &mut Rows) -> Result<(), Failure> {
    if site.command("valgrind").arg("--version").output().is_err() {
        eprintln!("valgrind is not installed: no instructions are counted");
        return Ok(());
    }
    let arguments = ["bench", "--locked", "-p", "liveavatar-api", "--bench", "calls", "--no-run"];
    let mut cargo = site.command("cargo");
    let built = site::output(cargo.args(arguments).args(["--quiet", "--message-format", "json"]))?;
    let messages = built.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let program = messages
        .filter(|message| message["target"]["name"] == "calls")
        .find_map(|message| message["executable"].as_str().map(str::to_owned))
        .ok_or_else(|| Failure::new("Cargo names no program of the bench `calls`", "use another Cargo"))?;
    let count = |side: &str| -> Result<f64, Failure> {
        let mut counts = [0.0; 2];
        for (count, calls) in counts.iter_mut().zip(COUNTED) {
            let mut valgrind = site.command("valgrind");
            valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", &program, "--count", side]);
            let ran = valgrind.arg(calls.to_string()).output();
            let told = ran.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
            let told = told.map_err(|error| Failure::new(format!("valgrind: {error}"), "install it anew"))?;
            let collected = told.lines().find_map(|line| line.split_once("Collected : "));
            *count = collected
                .and_then(|(_, number)| number.trim().parse().ok())
                .ok_or_else(|| Failure::new(format!("valgrind counted nothing: {told}"), "run it by hand"))?;
        }
        Ok((counts[1] - counts[0]) / f64::from(COUNTED[1] - COUNTED[0]))
    };
    let (ours, plain) = (count("ours")?, count("plain")?);
    let shown = |count: f64| format!("{:.0} thousand", count / 1_000.0);
    let what = "instructions of a call over loopback, with the server's part";
    rows.pair("plain", what, [&shown(ours), &shown(plain), &format!("{:.2}", ours / plain)]);
    Ok(())
}
