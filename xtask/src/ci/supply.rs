//! What comes from others: its licences, its age, and the Rust that it asks for.

use std::fs;
use std::path::Path;

use semver::Version;
use serde_json::Value;

use crate::failure::Failure;
use crate::site::{self, Site};

/// The exact version, because a new one may ask for more.
const CARGO_DENY: &str = "0.20.2";

/// Licences, duplicates and sources; advisories are fetched, and a workflow's work.
pub(super) fn deny(site: &Site) -> Result<(), Failure> {
    let tools = site.target.join("tools");
    let program = tools.join("bin/cargo-deny");
    let version = format!("cargo-deny {CARGO_DENY}");
    let found = site.command(&program.to_string_lossy()).arg("--version").output();
    if !found.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == version) {
        // Not optimised: it is built more often than it is run.
        let install =
            ["install", "cargo-deny", "--version", CARGO_DENY, "--locked", "--debug", "--force", "--quiet"];
        let mut command = site.command("cargo");
        site::run(
            command.args(install).arg("--root").arg(&tools).env("CARGO_TARGET_DIR", tools.join("build")),
        )?;
    }
    site::run(
        site.command(&program.to_string_lossy()).args(["--locked", "check", "licenses", "bans", "sources"]),
    )
}

/// Whether what a user compiles asks for no newer Rust; clippy holds our own code to it.
pub(super) fn msrv(site: &Site) -> Result<(), Failure> {
    let metadata = site.metadata(&[])?;
    let ours = site.compiled(&["-p", "liveavatar-api", "--all-features"])?;
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let floor = |package: &Value| {
        // As Cargo writes it, the patch is optional.
        let text = package["rust_version"].as_str()?;
        Version::parse(text).or_else(|_| Version::parse(&format!("{text}.0"))).ok()
    };
    let own = packages.iter().find(|package| package["name"] == "liveavatar-api").and_then(floor);
    let Some(own) = own else {
        return Err(Failure::new("liveavatar-api declares no Rust version", "set `rust-version`"));
    };
    let mut failures = Vec::new();
    let mut highest: Option<(Version, &str)> = None;
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let found = format!("{name} v{}", package["version"].as_str().unwrap_or_default());
        let Some(asked) = floor(package).filter(|_| ours.contains(&found) && name != "liveavatar-api") else {
            continue;
        };
        if asked > own {
            let problem = format!("{found} asks for Rust {asked}, the crate for {own}");
            failures.push(Failure::new(problem, "raise `rust-version`, or keep an older version"));
        }
        if highest.as_ref().is_none_or(|(version, _)| asked > *version) {
            highest = Some((asked, name));
        }
    }
    if let Some((version, name)) = highest {
        println!("the crate asks for Rust {own}; of its dependencies, {name} asks for most: {version}");
    }
    Failure::all(failures).map_or(Ok(()), Err)
}

/// Whether the crate compiles with the oldest versions that it declares, in a copy of the workspace.
pub(super) fn minimal(site: &Site) -> Result<(), Failure> {
    let copy = site.target.join("ci/minimal");
    let files = site::output(site.command("git").args(["ls-files", "-z"]))?;
    for file in files.split('\0').filter(|file| !file.is_empty()) {
        copied(&site.root.join(file), &copy.join(file))?;
    }
    // Cargo keeps the flag from stable toolchains unless it is told that this is meant.
    let mut update = site.command("cargo");
    update.current_dir(&copy).env("RUSTC_BOOTSTRAP", "1");
    site::run(update.args(["update", "--quiet", "-Z", "direct-minimal-versions"]))?;
    let mut check = site.command("cargo");
    check.current_dir(&copy);
    site::run(check.args(["check", "--quiet", "--locked", "-p", "liveavatar-api", "--all-features"]))
}

/// Copies what has changed, so that Cargo sees no news where there are none.
fn copied(from: &Path, to: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            format!("{} to {}: {error}", from.display(), to.display()),
            "make room, or mend the paths",
        )
    };
    // A file that is deleted and not committed yet.
    let Ok(bytes) = fs::read(from) else { return Ok(()) };
    if fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    to.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
    fs::write(to, bytes).map_err(failed)
}
