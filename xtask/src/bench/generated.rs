//! The other client: openapi-generator's, made from the same document, mended where it does not compile.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::regen::UPSTREAM;
use crate::site::{self, Site};

/// The generator's version; `PyPI` carries it, and it needs Java.
pub(super) const VERSION: &str = "7.26.0";

/// What has to be mended in what it makes: the file, what stands there, what has to.
///
/// It takes the schema `{"type": "null"}` for a model of its own that it never makes.
const MENDS: [(&str, &str, &str); 1] =
    [("src/models/response_none_type_.rs", "models::Null", "serde_json::Value")];

/// Makes the client, and returns its folder.
pub(super) fn client(site: &Site) -> Result<PathBuf, Failure> {
    let home = site.target.join("bench");
    let (tools, client) = (home.join("generator"), home.join("generated"));
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", home.display()), "make room");
    fs::create_dir_all(&home).map_err(failed)?;
    let program = tools.join("bin/openapi-generator-cli");
    if !program.exists() {
        site::run(site.command("python3").args(["-m", "venv"]).arg(&tools))?;
        let package = format!("openapi-generator-cli=={VERSION}");
        let mut pip = site.command(&tools.join("bin/pip").to_string_lossy());
        site::run(pip.args(["install", "--quiet", "--disable-pip-version-check", &package]))?;
    }
    let mut generator = site.command(&program.to_string_lossy());
    generator.args(["generate", "-g", "rust", "--skip-validate-spec", "-i", UPSTREAM, "-o"]).arg(&client);
    let options = "packageName=generated,library=reqwest,supportAsync=true";
    site::output(generator.args(["--additional-properties", options]))?;
    for (file, wrong, right) in MENDS {
        let path = client.join(file);
        let text = fs::read_to_string(&path).map_err(failed)?;
        if !text.contains(wrong) {
            let problem = format!("{} needs no mending any more", path.display());
            return Err(Failure::new(problem, "take it off the list"));
        }
        fs::write(&path, text.replace(wrong, right)).map_err(failed)?;
    }
    let manifest = client.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(failed)?;
    fs::write(&manifest, format!("{text}\n[workspace]\n")).map_err(failed)?;
    Ok(client)
}

/// Runs the same calls through both clients, and returns what that prints.
pub(super) fn beside(site: &Site, client: &Path) -> Result<String, Failure> {
    let dependencies = format!(
        r#"liveavatar-api = {{ path = '{}', features = ["mock"] }}
generated = {{ path = '{}', default-features = false, features = ["rustls"] }}
axum = {{ version = "*", default-features = false, features = ["http1", "tokio"] }}
chrono = {{ version = "*", features = ["serde"] }}
reqwest = {{ version = "*", default-features = false, features = ["json"] }}
serde = {{ version = "*", features = ["derive"] }}
serde_json = "*"
tokio = {{ version = "*", features = ["net", "rt", "time"] }}
uuid = {{ version = "*", features = ["serde"] }}
"#,
        site.root.join("liveavatar-api").display(),
        client.display()
    );
    let package = program(site, "beside", &dependencies, include_str!("programs/beside.rs"))?;
    for module in ["rows", "support"] {
        let from = site.root.join("liveavatar-api/benches").join(module).join("mod.rs");
        let to = package.join("src").join(module).with_extension("rs");
        fs::copy(&from, &to)
            .map_err(|error| Failure::new(format!("{}: {error}", from.display()), "restore it"))?;
    }
    let mut run = site.command("cargo");
    site::output(run.current_dir(&package).args(["run", "--quiet", "--release"]))
}

/// A package of its own with the workspace's versions; returns its folder.
pub(super) fn program(site: &Site, name: &str, dependencies: &str, main: &str) -> Result<PathBuf, Failure> {
    let package = site.target.join("bench").join(name);
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", package.display()), "make room");
    fs::create_dir_all(package.join("src")).map_err(failed)?;
    let manifest = format!(
        "[package]\nname = \"program-{name}\"\nedition = \"2024\"\n\n[dependencies]\n{dependencies}\n[profile.release]\nstrip = true\n\n\
         [workspace]\n"
    );
    fs::write(package.join("Cargo.toml"), manifest).map_err(failed)?;
    fs::write(package.join("src/main.rs"), main).map_err(failed)?;
    fs::copy(site.root.join("Cargo.lock"), package.join("Cargo.lock")).map_err(failed)?;
    Ok(package)
}
