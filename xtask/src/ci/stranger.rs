//! A stranger's path: a clone, the README's commands, and a program of one's own that depends on the crate.

use std::fs;

use crate::failure::Failure;
use crate::site::{self, Site};

/// The README's sections whose first command a newcomer runs.
const COMMANDS: [&str; 2] = ["## Run a session", "## Pass the tests"];

/// The program: a first session, against the mock.
const PROGRAM: &str = include_str!("stranger/main.rs");

pub(super) fn run(site: &Site) -> Result<(), Failure> {
    let home = site.target.join("ci/stranger");
    let clone = home.join("clone");
    let failed =
        |error: std::io::Error| Failure::new(format!("{}: {error}", home.display()), "make room for it");
    if home.exists() {
        fs::remove_dir_all(&home).map_err(failed)?;
    }
    fs::create_dir_all(&home).map_err(failed)?;
    site::run(site.command("git").arg("clone").arg("--quiet").arg(&site.root).arg(&clone))?;

    let readme = fs::read_to_string(clone.join("README.md")).map_err(failed)?;
    for heading in COMMANDS {
        let command = first_command(&readme, heading)?;
        println!("$ {command}");
        site::run(site.command("sh").current_dir(&clone).args(["-c", command]))?;
    }

    let path = format!("path = '{}'", clone.join("liveavatar-api").display());
    let git = format!("git = \"file://{}\"", clone.display());
    for (name, source) in [("by-path", path), ("by-git", git)] {
        println!("$ cargo run   # liveavatar-api = {{ {source} }}");
        let package = home.join(name);
        fs::create_dir_all(package.join("src")).map_err(failed)?;
        fs::write(package.join("Cargo.toml"), manifest(name, &source)).map_err(failed)?;
        fs::write(package.join("src/main.rs"), PROGRAM).map_err(failed)?;
        // Today's versions, so that what is new elsewhere does not fail a change here.
        fs::copy(clone.join("Cargo.lock"), package.join("Cargo.lock")).map_err(failed)?;
        site::run(site.command("cargo").current_dir(&package).args(["run", "--quiet"]))?;
    }
    Ok(())
}

/// The first line of the first shell block in the section.
fn first_command<'a>(readme: &'a str, heading: &str) -> Result<&'a str, Failure> {
    let section = readme.split_once(heading).map(|(_, rest)| rest);
    let block = section.and_then(|section| section.split_once("```sh\n")).map(|(_, rest)| rest);
    block.and_then(|block| block.lines().next()).ok_or_else(|| {
        Failure::new(format!("README.md has no command under {heading:?}"), "give newcomers one there")
    })
}

fn manifest(name: &str, source: &str) -> String {
    format!(
        r#"[package]
name = "stranger-{name}"
edition = "2024"

[dependencies]
liveavatar-api = {{ {source}, features = ["mock"] }}
tokio = {{ version = "1", features = ["macros", "rt-multi-thread"] }}

[workspace]
"#
    )
}
