//! What the packages depend on: how much, from whom, how old, and for which Rust.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use semver::Version;
use serde_json::Value;

use crate::error::TaskError;
use crate::shell::{Shell, count};
use crate::workspace::{self, API, CLI, MOCK, PUBLISHED, Workspace, name, select_published};

/// An exact version, because a newer one may need a newer Rust.
const CARGO_DENY: &str = "0.20.2";

/// Crates that a maintainer's command must not compile, so that it builds quickly.
const NOT_FOR_XTASK: [&str; 3] = ["hyper", "reqwest", "tokio"];

/// Crates that the examples must not compile, so that the first command in a fresh clone is quick.
const NOT_FOR_EXAMPLES: [&str; 2] = ["criterion", "redis"];

/// Dependencies of optional features, or of other packages, that reqwest and its TLS compile in any case.
const OF_REQWEST: [&str; 4] = ["hyper", "hyper-util", "subtle", "tower-service"];

/// Checks that no package compiles what only another package or an optional feature needs.
pub(super) fn lean(workspace: &Workspace, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    let mut errors = Vec::new();
    let mut forbid = |what: &str, compiled: &BTreeSet<String>, unwanted: &dyn Fn(&str) -> bool| {
        for found in compiled.iter().filter(|found| unwanted(found)) {
            let fix = format!("find out why: cargo tree -i {} -e normal,build", found.replace(" v", "@"));
            errors.push(TaskError::new(format!("{what} compiles {found}"), fix));
        }
    };
    let xtask = workspace.compiled(&["-p", "xtask"])?;
    forbid("xtask", &xtask, &|found| NOT_FOR_XTASK.contains(&name(found)));
    let examples = workspace.tree("normal,build,dev", &["-p", API])?;
    forbid("an example", &examples, &|found| NOT_FOR_EXAMPLES.contains(&name(found)));

    let manifest = workspace.manifest(API)?;
    let default_features = optional_dependencies(&manifest, "default");
    let dependencies = manifest["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
    let declared = |name: &str| dependencies.iter().any(|found| found["name"] == name);
    let optional =
        |name: &str| dependencies.iter().any(|found| found["name"] == name && found["optional"] == true);
    let default = workspace.compiled(&["-p", API])?;
    // With versions, because another dependency may use an older one.
    let direct = workspace.compiled(&["-p", API, "--all-features", "--depth", "1"])?;
    let off = |found: &str| {
        let is_off = optional(name(found)) && !default_features.contains(name(found));
        direct.contains(found) && is_off && !OF_REQWEST.contains(&name(found))
    };
    forbid("liveavatar-api by default", &default, &off);

    let others = workspace.compiled(&["-p", MOCK, "-p", CLI, "--all-features", "--depth", "1"])?;
    let allowed =
        |found: &str| OF_REQWEST.contains(&found) || PUBLISHED.iter().any(|(package, _)| *package == found);
    forbid("liveavatar-api, which is only for the mock or the command line,", &default, &|found| {
        others.contains(found) && !declared(name(found)) && !allowed(name(found))
    });

    shell.status("Counted", format_args!("{:3} crates with the default features", default.len()))?;
    let bare = ["-p", API, "--no-default-features"];
    let least = workspace.compiled(&bare)?;
    shell.detail(format_args!("{:3} without features", least.len()))?;
    for feature in manifest["features"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()) {
        let more = workspace.compiled(&[&bare[..], &["--features", feature]].concat())?;
        shell.detail(format_args!("{:3} more with `{feature}`", more.difference(&least).count()))?;
    }
    TaskError::all(errors).map_or(Ok(()), Err)
}

/// The optional dependencies that a feature enables, directly or through other features.
fn optional_dependencies(manifest: &Value, feature: &str) -> BTreeSet<String> {
    let entries = manifest["features"][feature].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut enabled = BTreeSet::new();
    for entry in entries {
        match entry.strip_prefix("dep:") {
            Some(name) => {
                enabled.insert(name.to_owned());
            }
            None if entry.contains('/') => {}
            None => enabled.extend(optional_dependencies(manifest, entry)),
        }
    }
    enabled
}

/// Checks licences, duplicates and sources. A workflow checks advisories, which need the network.
pub(super) fn deny(workspace: &Workspace, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    let tools = workspace.target.join("tools");
    let program = tools.join("bin/cargo-deny").to_string_lossy().into_owned();
    let version = format!("cargo-deny {CARGO_DENY}");
    let found = workspace.command(&program).arg("--version").output();
    if !found.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == version) {
        shell.status("Installing", version)?;
        // A debug build, because building takes longer than running.
        let install =
            ["install", "cargo-deny", "--version", CARGO_DENY, "--locked", "--debug", "--force", "--quiet"];
        let mut cargo = workspace.command("cargo");
        cargo.args(install).arg("--root").arg(&tools).env("CARGO_TARGET_DIR", tools.join("build"));
        workspace::run(&mut cargo)?;
    }
    let checks = ["--locked", "check", "licenses", "bans", "sources"];
    workspace::run(workspace.command(&program).args(checks))
}

/// Checks that no dependency needs a newer Rust than the packages declare; clippy checks our own code.
pub(super) fn msrv(workspace: &Workspace, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    let metadata = workspace.metadata(&[])?;
    let compiled = workspace.compiled(&[&select_published()[..], &["--all-features"]].concat())?;
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let minimum = |package: &Value| {
        // Cargo allows `1.89` without a patch version.
        let text = package["rust_version"].as_str()?;
        Version::parse(text).or_else(|_| Version::parse(&format!("{text}.0"))).ok()
    };
    let declared = packages.iter().find(|package| package["name"] == API).and_then(minimum);
    let Some(declared) = declared else {
        return Err(TaskError::new("liveavatar-api declares no Rust version", "set `rust-version`"));
    };
    let mut errors = Vec::new();
    let mut highest: Option<(Version, &str)> = None;
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let found = format!("{name} v{}", package["version"].as_str().unwrap_or_default());
        let dependency = compiled.contains(&found) && PUBLISHED.iter().all(|(ours, _)| *ours != name);
        let Some(needed) = minimum(package).filter(|_| dependency) else { continue };
        if needed > declared {
            let problem = format!("{found} needs Rust {needed}, but the packages declare {declared}");
            errors.push(TaskError::new(problem, "raise `rust-version`, or use an older version"));
        }
        if highest.as_ref().is_none_or(|(version, _)| needed > *version) {
            highest = Some((needed, name));
        }
    }
    if let Some((version, name)) = highest {
        let text = format!("Rust {declared} is declared; the highest need is {version}, by {name}");
        shell.status("Checked", text)?;
    }
    TaskError::all(errors).map_or(Ok(()), Err)
}

/// Checks that the packages compile with the oldest versions that they declare, in a copy of the workspace.
pub(super) fn minimal(workspace: &Workspace, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    let copy = workspace.target.join("ci/minimal");
    let files = workspace::output(workspace.command("git").args(["ls-files", "-z"]))?;
    let files: Vec<&str> = files.split('\0').filter(|file| !file.is_empty()).collect();
    shell.status("Copying", format_args!("{} to {}", count(files.len(), "file"), copy.display()))?;
    for file in files {
        copy_changed(&workspace.root.join(file), &copy.join(file)).map_err(|error| {
            let problem = format!("cannot copy {file} to {}: {error}", copy.display());
            TaskError::new(problem, "free some disk space, or correct the permissions")
        })?;
    }
    // Stable toolchains allow the option only with this variable.
    let mut update = workspace.command("cargo");
    update.current_dir(&copy).env("RUSTC_BOOTSTRAP", "1");
    workspace::run(update.args(["update", "--quiet", "-Z", "direct-minimal-versions"]))?;
    let mut check = workspace.command("cargo");
    check.current_dir(&copy).args(["check", "--quiet", "--locked", "--all-features"]);
    workspace::run(check.args(select_published()))
}

/// Copies a file unless the copy is equal, so that Cargo does not rebuild it.
fn copy_changed(from: &Path, to: &Path) -> std::io::Result<()> {
    // Deleted, but not committed yet.
    let Ok(bytes) = fs::read(from) else { return Ok(()) };
    if fs::read(to).is_ok_and(|copy| copy == bytes) {
        return Ok(());
    }
    to.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(to, bytes)
}
