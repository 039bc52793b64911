//! The alternative: the client of openapi-generator for the same document, patched where it does not compile.

use std::fs;
use std::path::{Path, PathBuf};

use crate::documents::UPSTREAM;
use crate::error::TaskError;
use crate::workspace::{self, API, BENCHES, MOCK, Workspace, path_dependency};

/// The version of the generator, which comes from `PyPI` and needs Java.
pub(super) const VERSION: &str = "7.26.0";

/// Patches for the generated code: the file, the wrong text, the right text.
///
/// The generator refers to a model for the schema `{"type": "null"}`, which it does not generate.
const PATCHES: [(&str, &str, &str); 1] =
    [("src/models/response_none_type_.rs", "models::Null", "serde_json::Value")];

pub(super) fn disk_error(path: &Path, error: &std::io::Error) -> TaskError {
    TaskError::new(format!("{}: {error}", path.display()), "free some disk space, or correct the permissions")
}

/// Generates the client, and returns its folder.
pub(super) fn client(workspace: &Workspace) -> Result<PathBuf, TaskError> {
    let home = workspace.target.join("bench");
    let (tools, client) = (home.join("generator"), home.join("generated"));
    let failed = |error: std::io::Error| disk_error(&home, &error);
    fs::create_dir_all(&home).map_err(failed)?;
    let program = tools.join("bin/openapi-generator-cli");
    if !program.exists() {
        workspace::run(workspace.command("python3").args(["-m", "venv"]).arg(&tools))?;
        let package = format!("openapi-generator-cli=={VERSION}");
        let mut pip = workspace.command(&tools.join("bin/pip").to_string_lossy());
        workspace::run(pip.args(["install", "--quiet", "--disable-pip-version-check", &package]))?;
    }
    let mut generator = workspace.command(&program.to_string_lossy());
    generator.args(["generate", "-g", "rust", "--skip-validate-spec", "-i", UPSTREAM, "-o"]).arg(&client);
    let options = "packageName=generated,library=reqwest,supportAsync=true";
    workspace::output(generator.args(["--additional-properties", options]))?;
    for (file, wrong, right) in PATCHES {
        let path = client.join(file);
        let text = fs::read_to_string(&path).map_err(failed)?;
        if !text.contains(wrong) {
            let problem = format!("{} no longer needs its patch", path.display());
            return Err(TaskError::new(problem, "remove it from PATCHES in xtask/src/bench/generator.rs"));
        }
        fs::write(&path, text.replace(wrong, right)).map_err(failed)?;
    }
    let manifest = client.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(failed)?;
    fs::write(&manifest, format!("{text}\n[workspace]\n")).map_err(failed)?;
    Ok(client)
}

/// Runs the same calls with both clients, and returns the printed rows.
pub(super) fn compare(workspace: &Workspace, client: &Path) -> Result<String, TaskError> {
    let dependencies = format!(
        r#"{API} = {{ {} }}
{MOCK} = {{ {} }}
generated = {{ path = '{}', default-features = false, features = ["rustls"] }}
axum = {{ version = "*", default-features = false, features = ["http1", "tokio"] }}
chrono = {{ version = "*", features = ["serde"] }}
reqwest = {{ version = "*", default-features = false, features = ["json"] }}
serde = {{ version = "*", features = ["derive"] }}
serde_json = "*"
tokio = {{ version = "*", features = ["net", "rt", "time"] }}
uuid = {{ version = "*", features = ["serde"] }}
"#,
        path_dependency(&workspace.root, API),
        path_dependency(&workspace.root, MOCK),
        client.display()
    );
    let package = package(workspace, "comparison", &dependencies, include_str!("programs/comparison.rs"))?;
    let manifest = workspace.manifest(BENCHES)?;
    let targets = manifest["targets"].as_array().into_iter().flatten();
    let mut sources = targets.filter_map(|target| Path::new(target["src_path"].as_str()?).parent());
    let benches = sources.next().unwrap_or(&workspace.root);
    for module in ["rows", "support"] {
        let from = benches.join(module).join("mod.rs");
        let to = package.join("src").join(module).with_extension("rs");
        fs::copy(&from, &to).map_err(|error| disk_error(&from, &error))?;
    }
    let mut run = workspace.command("cargo");
    workspace::output(run.current_dir(&package).args(["run", "--quiet", "--release"]))
}

/// Writes a package outside the workspace that uses its versions, and returns the folder.
pub(super) fn package(
    workspace: &Workspace,
    name: &str,
    dependencies: &str,
    main: &str,
) -> Result<PathBuf, TaskError> {
    let package = workspace.target.join("bench").join(name);
    let manifest = format!(
        "[package]\nname = \"program-{name}\"\nedition = \"2024\"\n\n[dependencies]\n{dependencies}\n\
         [profile.release]\nstrip = true\n\n[workspace]\n"
    );
    let write = || {
        fs::create_dir_all(package.join("src"))?;
        fs::write(package.join("Cargo.toml"), manifest)?;
        fs::write(package.join("src/main.rs"), main)?;
        fs::copy(workspace.root.join("Cargo.lock"), package.join("Cargo.lock"))
    };
    write().map_err(|error| disk_error(&package, &error))?;
    Ok(package)
}
