//! `cargo xtask`: see `cargo xtask --help`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use xtask::failure::Outcome;
use xtask::regen::{self, Mode};
use xtask::source::{PUBLISHED, Source};

/// Keeps the generated client in step with the service's OpenAPI document.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Normalise, correct and lower the document, and write what follows from it.
    ///
    /// Exit codes: 0 fresh or written, 4 stale (with --check), 100 failed with nothing written.
    Regen(RegenArgs),
}

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct RegenArgs {
    /// Read the service's document from this path or address instead of `openapi/upstream.json`.
    #[arg(long, value_name = "PATH or URL", conflicts_with = "fetch")]
    from: Option<String>,
    /// Read the service's document from where the service publishes it.
    #[arg(long)]
    fetch: bool,
    /// Write nothing; exit with 4 when something is stale.
    #[arg(long, conflicts_with = "dry_run")]
    check: bool,
    /// Write nothing; show what would change.
    #[arg(long)]
    dry_run: bool,
    /// List every place that an overlay action or a lowering step changed.
    #[arg(long, short)]
    verbose: bool,
}

fn main() -> ExitCode {
    let Command::Regen(args) = Cli::parse().command;
    let source = match (&args.from, args.fetch) {
        (Some(from), _) => Some(Source::parse(from)),
        (None, true) => Some(Source::Url(PUBLISHED.to_owned())),
        (None, false) => None,
    };
    let mode = match (args.check, args.dry_run) {
        (true, _) => Mode::Check,
        (_, true) => Mode::DryRun,
        _ => Mode::Write,
    };
    let mut out = std::io::stdout().lock();
    let outcome = regen::run(&regen::workspace(), source.as_ref(), mode, args.verbose, &mut out);
    let outcome = outcome.unwrap_or_else(|failure| {
        // Only a closed pipe can fail here, and then nobody reads it.
        let _ = out.flush();
        eprintln!("     Failure {failure}");
        Outcome::Failed
    });
    ExitCode::from(outcome.exit_code())
}
