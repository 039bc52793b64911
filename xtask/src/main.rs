//! `cargo xtask`: see `cargo xtask --help`.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use xtask::bench::{self, BenchOptions};
use xtask::ci::{self, CiOptions};
use xtask::diff::{self, DiffOptions};
use xtask::documents;
use xtask::error::{TaskError, TaskStatus};
use xtask::regen::{self, RegenMode, RegenOptions};
use xtask::rehearsal;
use xtask::shell::Shell;
use xtask::source::{DocumentSource, PUBLISHED};

/// Keeps the generated client in step with the service's OpenAPI document.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct XtaskCli {
    #[command(subcommand)]
    command: XtaskCommand,
}

#[derive(Subcommand)]
enum XtaskCommand {
    /// Normalise, correct and lower the document, and write the files derived from it.
    ///
    /// Exit codes: 0 fresh or written, 1 breaks our code (with --try), 4 stale (with --check), 100 failed with nothing written.
    Regen(RegenArgs),
    /// Compare two documents, and judge what each change means for callers of the crate.
    ///
    /// Exit codes: 0 compared, 1 at least as bad as --fail-on, 100 failed. An unhandled part counts as a warning.
    Diff(DiffOptions),
    /// Run all checks that a change has to pass, or only the named steps.
    ///
    /// Exit codes: 0 passed, 100 failed.
    Ci(CiOptions),
    /// Measure the crate against hand-written and generated alternatives, and print the tables of the guide.
    ///
    /// Takes half an hour on 2 cores. Needs an idle machine, Python, Java and npm.
    Bench(BenchOptions),
}

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct RegenArgs {
    /// Read the service's document from this path or URL instead of `openapi/upstream.json`.
    #[arg(long, value_name = "PATH or URL", conflicts_with = "fetch")]
    from: Option<DocumentSource>,
    /// Download the document that the service publishes.
    #[arg(long)]
    fetch: bool,
    /// Write nothing; exit with 4 if a file is stale.
    #[arg(long, conflicts_with = "dry_run")]
    check: bool,
    /// Write nothing; show what would change.
    #[arg(long)]
    dry_run: bool,
    /// Write even if the document has lost operations.
    #[arg(long, conflicts_with_all = ["check", "dry_run"])]
    accept_breaking: bool,
    /// Write to a copy of the workspace, compile and test it, and report what the document breaks.
    #[arg(long = "try", conflicts_with_all = ["check", "dry_run", "accept_breaking"])]
    rehearse: bool,
    /// List every place that an overlay action or a lowering step changed.
    #[arg(long, short)]
    verbose: bool,
}

fn main() -> ExitCode {
    let (root, mut shell) = (documents::root(), Shell::stdout());
    let (name, result) = match XtaskCli::parse().command {
        XtaskCommand::Regen(args) => ("regen", regen(&args, &mut shell)),
        XtaskCommand::Diff(options) => ("diff", diff::run(&root, &options, &mut shell)),
        XtaskCommand::Bench(options) => ("bench", bench::run(&root, &options, &mut shell)),
        XtaskCommand::Ci(options) => ("ci", ci::run(&root, &options, &mut shell)),
    };
    let status = result.unwrap_or_else(|error| {
        // If standard error is closed, the exit code still reports the failure.
        let _ = Shell::stderr().command_failed(name, &error);
        TaskStatus::Failed
    });
    ExitCode::from(status.exit_code())
}

fn regen(args: &RegenArgs, shell: &mut Shell<'_>) -> Result<TaskStatus, TaskError> {
    let published = args.fetch.then(|| DocumentSource::Url(PUBLISHED.to_owned()));
    let source = args.from.clone().or(published);
    let mode = match (args.check, args.dry_run, args.accept_breaking) {
        (true, ..) => RegenMode::Check,
        (_, true, _) => RegenMode::DryRun,
        (_, _, true) => RegenMode::WriteBreaking,
        _ => RegenMode::Write,
    };
    let today = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).date_naive();
    let options = RegenOptions { mode, verbose: args.verbose, today };
    let command = if args.rehearse { rehearsal::run } else { regen::run };
    command(&documents::root(), source.as_ref(), &options, shell)
}
