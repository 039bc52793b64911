//! `cargo xtask ci`: everything that must hold before a change lands, in one list for every machine.

mod stranger;
mod supply;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::failure::{Failure, Outcome};
use crate::regen::{self, Mode, Options};
use crate::site::{self, Site, name};

/// One thing that must hold.
struct Step {
    name: &'static str,
    about: &'static str,
    run: fn(&Site) -> Result<(), Failure>,
}

/// All steps, the slow ones from outside last.
const STEPS: &[Step] = &[
    Step {
        name: "format",
        about: "the source is formatted",
        run: |site| site.cargo(&["fmt", "--all", "--check"]),
    },
    Step {
        name: "test",
        about: "the workspace's tests, and every snippet of the documentation and the README",
        run: |site| site.cargo(&["test", "--workspace", "--locked"]),
    },
    Step { name: "examples", about: "every example runs against the mock", run: examples },
    Step { name: "regen", about: "what follows from the OpenAPI document is fresh", run: regenerated },
    Step { name: "lean", about: "nobody builds what only others need", run: lean },
    Step {
        name: "clippy",
        about: "no lint finds anything",
        run: |site| {
            site.cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
        },
    },
    Step { name: "features", about: "every feature alone compiles without a warning", run: features },
    Step {
        name: "doc",
        about: "the documentation builds, and its links lead somewhere",
        run: |site| {
            site::run(site.command("cargo").env("RUSTDOCFLAGS", "-D warnings").args([
                "doc",
                "--workspace",
                "--no-deps",
                "--locked",
            ]))
        },
    },
    Step {
        name: "package",
        about: "the package could be published, and builds from its own files",
        run: packaged,
    },
    Step { name: "msrv", about: "no dependency asks for a newer Rust than the crate", run: supply::msrv },
    Step { name: "deny", about: "licences, duplicates and sources of dependencies", run: supply::deny },
    Step {
        name: "minimal",
        about: "the oldest dependencies that are declared suffice",
        run: supply::minimal,
    },
    Step {
        name: "stranger",
        about: "clone, the README's commands, a program of one's own",
        run: stranger::run,
    },
    Step {
        name: "judges",
        about: "programs and clients that are not ours accept the mock and the command line",
        run: |site| site::run(site.command("tests/judges/run").arg("--strict")),
    },
];

/// Which steps to run, and how.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Names of steps; all when empty.
    pub only: Vec<String>,
    /// Whether to run the others after one has failed.
    pub keep_going: bool,
}

/// Lists the steps.
///
/// # Errors
/// When the list cannot be written.
pub fn list(out: &mut dyn Write) -> Result<Outcome, Failure> {
    for step in STEPS {
        say(out, &format!("{:12} {}", step.name, step.about))?;
    }
    Ok(Outcome::Fresh)
}

/// Runs the steps, and says what each took.
///
/// # Errors
/// When a name is no step's, or steps failed.
pub fn run(root: &Path, plan: &Plan, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let chosen: Vec<&Step> = if plan.only.is_empty() {
        STEPS.iter().collect()
    } else {
        plan.only.iter().map(|name| named(name)).collect::<Result<_, _>>()?
    };
    let site = Site::new(root)?;
    let mut failures = Vec::new();
    let mut times = Vec::new();
    for step in chosen {
        say(out, &format!("\n== {}: {}", step.name, step.about))?;
        let begin = Instant::now();
        let result = (step.run)(&site);
        times.push((step.name, begin.elapsed(), result.is_ok()));
        if let Err(failure) = result {
            failures.push(failure);
            if !plan.keep_going {
                break;
            }
        }
    }
    say(out, "")?;
    for (name, time, passed) in &times {
        let mark = if *passed { "" } else { "  FAILED" };
        say(out, &format!("{name:12} {:>7.1} s{mark}", time.as_secs_f64()))?;
    }
    let all: Duration = times.iter().map(|(_, time, _)| *time).sum();
    say(out, &format!("{:12} {:>7.1} s", "together", all.as_secs_f64()))?;
    Failure::all(failures).map_or(Ok(Outcome::Fresh), Err)
}

fn named(name: &str) -> Result<&'static Step, Failure> {
    let names = || STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join(", ");
    STEPS
        .iter()
        .find(|step| step.name == name)
        .ok_or_else(|| Failure::new(format!("`{name}` is no step"), format!("name one of: {}", names())))
}

/// What is printed here stands before what the step's programs print.
fn say(out: &mut dyn Write, line: &str) -> Result<(), Failure> {
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| Failure::new(format!("the output: {error}"), "keep it open"))
}

/// Not by package: what the tests have built would be built once more, with fewer features.
fn examples(site: &Site) -> Result<(), Failure> {
    for name in stems(&site.root.join("liveavatar-api/examples"))? {
        site.cargo(&["run", "--quiet", "--locked", "--example", &name])?;
    }
    Ok(())
}

/// Licences that a package must hold; copies, because a package takes nothing from outside its folder.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

fn packaged(site: &Site) -> Result<(), Failure> {
    for licence in LICENCES {
        let (ours, copy) = (site.root.join(licence), site.root.join("liveavatar-api").join(licence));
        let same = fs::read(&ours).is_ok_and(|text| fs::read(&copy).is_ok_and(|copy| copy == text));
        if !same {
            let problem = format!("{} is not {}", copy.display(), ours.display());
            return Err(Failure::new(problem, "copy the one at the top"));
        }
    }
    site.cargo(&["publish", "-p", "liveavatar-api", "--dry-run", "--locked", "--allow-dirty"])
}

/// The names of the Rust files in a folder, sorted.
fn stems(folder: &Path) -> Result<Vec<String>, Failure> {
    let unreadable = |error| Failure::new(format!("{}: {error}", folder.display()), "restore the folder");
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

fn regenerated(site: &Site) -> Result<(), Failure> {
    let options = Options { mode: Mode::Check, verbose: false, today: chrono::NaiveDate::default() };
    match regen::run(&site.root, None, &options, &mut std::io::stdout().lock())? {
        Outcome::Fresh => Ok(()),
        _ => Err(Failure::new("committed files are stale", "run `cargo xtask regen`")),
    }
}

/// What a maintainer's command must not compile: it stays quick to build.
const NOT_FOR_XTASK: [&str; 3] = ["hyper", "reqwest", "tokio"];

fn lean(site: &Site) -> Result<(), Failure> {
    let mut failures = Vec::new();
    let mut forbid = |what: &str, compiled: &BTreeSet<String>, unwanted: &dyn Fn(&str) -> bool| {
        for found in compiled.iter().filter(|found| unwanted(found)) {
            let fix = format!("see who wants it: cargo tree -i {} -e normal,build", found.replace(" v", "@"));
            failures.push(Failure::new(format!("{what} compiles {found}"), fix));
        }
    };
    forbid("xtask", &site.compiled(&["-p", "xtask"])?, &|found| NOT_FOR_XTASK.contains(&name(found)));

    let package = site.package()?;
    let wanted = switched_on(&package, "default");
    let dependencies = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
    let optional = |name: &str| {
        let mut named = dependencies.iter().filter(|dependency| dependency["name"] == name);
        named.any(|dependency| dependency["optional"] == true) && !wanted.contains(name)
    };
    // In the version that the features have: an older one may be of somebody else's.
    let direct = site.compiled(&["-p", "liveavatar-api", "--all-features", "--depth", "1"])?;
    let others: BTreeSet<_> = direct.iter().filter(|found| optional(name(found))).collect();
    let default = site.compiled(&["-p", "liveavatar-api"])?;
    forbid("the crate without features", &default, &|found| others.iter().any(|other| *other == found));

    println!("{:3} crates with what is on by default", default.len());
    let bare = ["-p", "liveavatar-api", "--no-default-features"];
    let least = site.compiled(&bare)?;
    println!("{:3} without anything", least.len());
    for feature in package["features"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()) {
        let more = site.compiled(&[&bare[..], &["--features", feature]].concat())?;
        println!("{:3} more with `{feature}`", more.difference(&least).count());
    }
    Failure::all(failures).map_or(Ok(()), Err)
}

/// Each by itself and none at all: the tests have all at once.
fn features(site: &Site) -> Result<(), Failure> {
    let package = site.package()?;
    let features = package["features"].as_object().into_iter().flatten();
    let alone = features.map(|(name, _)| name.as_str()).filter(|name| *name != "default");
    for feature in [""].into_iter().chain(alone) {
        let selection = ["clippy", "--quiet", "--locked", "-p", "liveavatar-api", "--no-default-features"];
        let features = ["--features", feature, "--", "-D", "warnings"];
        site.cargo(&[&selection[..], &features[..]].concat())?;
    }
    Ok(())
}

/// The optional dependencies that a feature switches on, by way of others too.
fn switched_on(package: &Value, feature: &str) -> BTreeSet<String> {
    let entries = package["features"][feature].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut on = BTreeSet::new();
    for entry in entries {
        match entry.strip_prefix("dep:") {
            Some(name) => {
                on.insert(name.to_owned());
            }
            None if entry.contains('/') => {}
            None => on.extend(switched_on(package, entry)),
        }
    }
    on
}
