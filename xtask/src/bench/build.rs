//! What it costs to build a program: from cold, after a change, and as a file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Rows, generated};
use crate::failure::Failure;
use crate::site::{self, Site};

/// One program's costs.
struct Cost {
    crates: usize,
    cold: Duration,
    warm: Duration,
    bytes: u64,
}

/// Builds three programs, each from cold; two of them do the same with a session.
pub(super) fn measure(site: &Site, client: &Path, rows: &mut Rows) -> Result<(), Failure> {
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
    let ours = format!(
        "{common}liveavatar-api = {{ path = '{}', features = [\"lite\"] }}\n",
        site.root.join("liveavatar-api").display()
    );
    let other = format!(
        "{common}generated = {{ path = '{}', default-features = false, features = [\"rustls\"] }}\n",
        client.display()
    );
    let plain = cost(site, "plain", &plain, include_str!("programs/plain.rs"))?;
    let ours = cost(site, "ours", &ours, include_str!("programs/ours.rs"))?;
    let other = cost(site, "generated-alone", &other, include_str!("programs/generated.rs"))?;
    for (with, cost) in [("plain", plain), ("generated", other)] {
        let mut row = |what: &str, shown: &dyn Fn(&Cost) -> String, number: &dyn Fn(&Cost) -> f64| {
            let ratio = format!("{:.2}", number(&ours) / number(&cost));
            rows.pair(with, what, [&shown(&ours), &shown(&cost), &ratio]);
        };
        #[expect(clippy::cast_precision_loss, reason = "a few hundred crates, a few megabytes")]
        {
            row("a program: crates compiled", &|cost| cost.crates.to_string(), &|cost| cost.crates as f64);
            row("a program: cold debug build", &|cost| seconds(cost.cold), &|cost| cost.cold.as_secs_f64());
            row("a program: debug build after a change of it", &|cost| seconds(cost.warm), &|cost| {
                cost.warm.as_secs_f64()
            });
            let megabytes = |cost: &Cost| cost.bytes as f64 / 1e6;
            row(
                "a program: its file, release, stripped",
                &|cost| format!("{:.1} MB", megabytes(cost)),
                &megabytes,
            );
        }
    }
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn cost(site: &Site, name: &str, dependencies: &str, main: &str) -> Result<Cost, Failure> {
    let package = generated::program(site, name, dependencies, main)?;
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", package.display()), "make room");
    let target = package.join("target");
    let cargo = |arguments: &[&str]| -> Result<(String, Duration), Failure> {
        let mut command = site.command("cargo");
        command.current_dir(&package).env("CARGO_TARGET_DIR", &target).args(arguments);
        let begin = Instant::now();
        let told = site::output(&mut command)?;
        Ok((told, begin.elapsed()))
    };
    // Downloads are the network's cost.
    cargo(&["fetch", "--quiet"])?;
    if target.exists() {
        fs::remove_dir_all(&target).map_err(failed)?;
    }
    let (told, cold) = cargo(&["build", "--quiet", "--message-format", "json"])?;
    let messages = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let artifacts = messages.filter(|message| message["reason"] == "compiler-artifact");
    let crates: BTreeSet<String> =
        artifacts.filter_map(|artifact| artifact["package_id"].as_str().map(str::to_owned)).collect();
    fs::write(package.join("src/main.rs"), format!("{main}\n// changed\n")).map_err(failed)?;
    let (_, warm) = cargo(&["build", "--quiet"])?;
    cargo(&["build", "--quiet", "--release"])?;
    let file = target.join("release").join(format!("program-{name}{}", std::env::consts::EXE_SUFFIX));
    let bytes = fs::metadata(file).map_err(failed)?.len();
    fs::remove_dir_all(&target).map_err(failed)?;
    Ok(Cost { crates: crates.len(), cold, warm, bytes })
}
