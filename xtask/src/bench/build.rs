//! What it costs to build a small program: from cold, after a change, and in bytes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{BenchRows, generator};
use crate::error::TaskError;
use crate::shell::Shell;
use crate::workspace::{self, Workspace};

const CRATES: &str = "small program: crates compiled";
pub(super) const COLD_BUILD: &str = "small program: cold debug build";
pub(super) const COLD_BUILD_WITHOUT_GENERATOR: &str = "small program: cold debug build, without `generate`";
/// Facts about this workspace.
pub(super) const FIRST_COMMAND: &str = "first command of the README: processor time of the build";
pub(super) const XTASK_UNITS: &str = "`cargo xtask` after `cargo build -p xtask`: units compiled";
pub(super) const BINARY_SIZE: &str = "small program: binary size, release, stripped";

type Number<'a> = &'a dyn Fn(&BuildCost) -> f64;

struct BuildCost {
    crates: usize,
    cold: Duration,
    rebuild: Duration,
    bytes: u64,
}

/// Builds four programs from cold. All run a session, except for that of the generated client, which cannot.
pub(super) fn measure(
    workspace: &Workspace,
    client: &Path,
    rows: &mut BenchRows,
    shell: &mut Shell<'_>,
) -> Result<(), TaskError> {
    let common = "futures-util = { version = \"*\", default-features = false, features = [\"sink\", \"std\"] }\n\
                  tokio = { version = \"*\", features = [\"macros\", \"rt-multi-thread\"] }\n";
    let plain = format!(
        r#"{common}base64 = "*"
reqwest = {{ version = "*", default-features = false, features = ["json", "rustls"] }}
serde = {{ version = "*", features = ["derive"] }}
serde_json = "*"
tokio-websockets = {{ version = "*", features = ["aws_lc_rs", "client", "getrandom", "rustls-platform-verifier", "sha1_smol"] }}
uuid = {{ version = "*", features = ["serde"] }}
"#
    );
    let path = workspace.root.join("liveavatar-api");
    let with =
        |features: &str| format!("{common}liveavatar-api = {{ path = '{}', {features} }}\n", path.display());
    let ours = with("features = [\"lite\"]");
    let lean = with("default-features = false, features = [\"lite\", \"rustls\", \"tracing\"]");
    let generated = format!(
        "{common}generated = {{ path = '{}', default-features = false, features = [\"rustls\"] }}\n",
        client.display()
    );
    let mut cost = |name: &str, dependencies: &str, main: &str| {
        shell.status("Building", format_args!("the program `{name}` from cold"))?;
        build_cost(workspace, name, dependencies, main)
    };
    let plain = cost("plain", &plain, include_str!("programs/plain.rs"))?;
    let ours = cost("ours", &ours, include_str!("programs/ours.rs"))?;
    let lean = cost("without-generator", &lean, include_str!("programs/ours.rs"))?;
    let generated = cost("generated-alone", &generated, include_str!("programs/generated.rs"))?;
    let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "a few hundred crates, a few megabytes")]
    let (crates, megabytes) =
        (|cost: &BuildCost| cost.crates as f64, |cost: &BuildCost| cost.bytes as f64 / 1e6);
    for (with, other) in [("plain", plain), ("generated", generated)] {
        let mut row = |what: &str, ours: &BuildCost, shown: &dyn Fn(&BuildCost) -> String, number: Number| {
            let ratio = format!("{:.2}", number(ours) / number(&other));
            rows.pair(with, what, [&shown(ours), &shown(&other), &ratio]);
        };
        for (suffix, ours) in [("", &ours), (", without `generate`", &lean)] {
            row(&format!("{CRATES}{suffix}"), ours, &|cost| cost.crates.to_string(), &crates);
            row(&format!("{COLD_BUILD}{suffix}"), ours, &|cost| seconds(cost.cold), &|cost| {
                cost.cold.as_secs_f64()
            });
        }
        let rebuild = "small program: debug build after a change";
        row(rebuild, &ours, &|cost| seconds(cost.rebuild), &|cost| cost.rebuild.as_secs_f64());
        row(BINARY_SIZE, &ours, &|cost| format!("{:.1} MB", megabytes(cost)), &megabytes);
    }
    Ok(())
}

/// Builds from cold what the first command of the README runs, and checks that `cargo xtask` then compiles nothing twice.
pub(super) fn workspace(
    workspace: &Workspace,
    rows: &mut BenchRows,
    shell: &mut Shell<'_>,
) -> Result<(), TaskError> {
    shell.status("Building", "the first command of the README from cold")?;
    let folder = tempfile::tempdir()
        .map_err(|error| TaskError::new(format!("no temporary folder: {error}"), "free some disk space"))?;
    // The second line of `times` is the processor time of the children.
    let script = "cargo build --quiet --locked --example quickstart && times";
    let mut command = workspace.command("sh");
    let command =
        command.args(["-c", script]).current_dir(&workspace.root).env("CARGO_TARGET_DIR", folder.path());
    let text = workspace::output(command)?;
    let seconds: f64 =
        text.lines().nth(1).into_iter().flat_map(str::split_whitespace).filter_map(seconds).sum();
    rows.fact(FIRST_COMMAND, &format!("{seconds:.0} s"));

    let build = ["build", "--quiet", "--locked", "--profile", "test", "--package", "xtask"];
    workspace::output(workspace.command("cargo").args(build))?;
    let command = ["--bin", "xtask", "--message-format", "json"];
    let text = workspace::output(workspace.command("cargo").args(build).args(command))?;
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let compiled = messages.filter(|message| message["fresh"] == false).count();
    rows.fact(XTASK_UNITS, &compiled.to_string());
    Ok(())
}

/// Reads a time such as `1m2.5s`.
fn seconds(text: &str) -> Option<f64> {
    let (minutes, seconds) = text.strip_suffix('s')?.split_once('m')?;
    Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
}

fn build_cost(
    workspace: &Workspace,
    name: &str,
    dependencies: &str,
    main: &str,
) -> Result<BuildCost, TaskError> {
    let package = generator::package(workspace, name, dependencies, main)?;
    let failed = |error: std::io::Error| {
        TaskError::new(format!("{}: {error}", package.display()), "free some disk space")
    };
    let target = package.join("target");
    let cargo = |args: &[&str]| -> Result<(String, Duration), TaskError> {
        let mut command = workspace.command("cargo");
        command.current_dir(&package).env("CARGO_TARGET_DIR", &target).args(args);
        let start = Instant::now();
        let text = workspace::output(&mut command)?;
        Ok((text, start.elapsed()))
    };
    // Downloads are not part of the build time.
    cargo(&["fetch", "--quiet"])?;
    if target.exists() {
        fs::remove_dir_all(&target).map_err(failed)?;
    }
    let (text, cold) = cargo(&["build", "--quiet", "--message-format", "json"])?;
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let artifacts = messages.filter(|message| message["reason"] == "compiler-artifact");
    let crates: BTreeSet<String> =
        artifacts.filter_map(|artifact| artifact["package_id"].as_str().map(str::to_owned)).collect();
    fs::write(package.join("src/main.rs"), format!("{main}\n// changed\n")).map_err(failed)?;
    let (_, rebuild) = cargo(&["build", "--quiet"])?;
    cargo(&["build", "--quiet", "--release"])?;
    let program = target.join("release").join(format!("program-{name}{}", std::env::consts::EXE_SUFFIX));
    let bytes = fs::metadata(program).map_err(failed)?.len();
    fs::remove_dir_all(&target).map_err(failed)?;
    Ok(BuildCost { crates: crates.len(), cold, rebuild, bytes })
}
