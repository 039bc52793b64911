//! `cargo xtask`: see `cargo xtask --help`.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use xtask::bench::{self, BenchOptions};
use xtask::ci::{self, CiOptions};
use xtask::diff::report::ReportFormat;
use xtask::diff::rules::Level;
use xtask::error::{TaskError, TaskStatus};
use xtask::regen::{self, RegenMode, RegenOptions};
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
    /// Exit codes: 0 fresh or written, 4 stale (with --check), 100 failed with nothing written.
    Regen(RegenArgs),
    /// Compare two documents, and judge what each change means for callers of the crate.
    ///
    /// Exit codes: 0 compared, 1 at least as bad as --fail-on, 100 failed. An unhandled part counts as a warning.
    Diff(DiffArgs),
    /// Run all checks that a change has to pass, or only the named steps.
    ///
    /// Exit codes: 0 passed, 100 failed.
    Ci(CiArgs),
    /// Measure the crate against hand-written and generated alternatives, and print the tables of the guide.
    ///
    /// Takes half an hour on 2 cores. Needs an idle machine, Python and Java.
    Bench {
        /// Write the tables to the guide and the README.
        #[arg(long)]
        write: bool,
        /// Skip the cold builds.
        #[arg(long, conflicts_with = "write")]
        quick: bool,
    },
}

#[derive(Args)]
struct CiArgs {
    /// The steps to run, in this order; all by default.
    steps: Vec<String>,
    /// List the steps.
    #[arg(long, conflicts_with_all = ["steps", "keep_going"])]
    list: bool,
    /// Continue after a failed step.
    #[arg(long)]
    keep_going: bool,
}

#[derive(Args)]
struct DiffArgs {
    /// The older document: a path or a URL.
    base: String,
    /// The newer document: a path or a URL; the committed one by default.
    revision: Option<String>,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
    /// Exit with 1 if a change has this level or a worse one.
    #[arg(long, value_enum, value_name = "LEVEL")]
    fail_on: Option<Level>,
}

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct RegenArgs {
    /// Read the service's document from this path or URL instead of `openapi/upstream.json`.
    #[arg(long, value_name = "PATH or URL", conflicts_with = "fetch")]
    from: Option<String>,
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
    /// List every place that an overlay action or a lowering step changed.
    #[arg(long, short)]
    verbose: bool,
}

fn main() -> ExitCode {
    let (root, mut shell) = (regen::workspace(), Shell::stdout());
    let (name, result) = match XtaskCli::parse().command {
        XtaskCommand::Regen(args) => ("regen", regen(&args, &mut shell)),
        XtaskCommand::Diff(args) => {
            let base = DocumentSource::parse(&args.base);
            let revision = args.revision.as_deref().map(DocumentSource::parse);
            let (format, fail_on) = (args.format, args.fail_on);
            ("diff", xtask::diff::run(&root, &base, revision.as_ref(), format, fail_on, &mut shell))
        }
        XtaskCommand::Bench { write, quick } => {
            ("bench", bench::run(&root, BenchOptions { write, quick }, &mut shell))
        }
        XtaskCommand::Ci(args) if args.list => ("ci", ci::list(&mut shell)),
        XtaskCommand::Ci(args) => {
            let options = CiOptions { steps: args.steps, keep_going: args.keep_going };
            ("ci", ci::run(&root, &options, &mut shell))
        }
    };
    let status = result.unwrap_or_else(|error| {
        // Nobody reads standard error if writing to it fails.
        let _ = Shell::stderr().command_failed(name, &error);
        TaskStatus::Failed
    });
    ExitCode::from(status.exit_code())
}

fn regen(args: &RegenArgs, shell: &mut Shell<'_>) -> Result<TaskStatus, TaskError> {
    let source = match (&args.from, args.fetch) {
        (Some(from), _) => Some(DocumentSource::parse(from)),
        (None, true) => Some(DocumentSource::Url(PUBLISHED.to_owned())),
        (None, false) => None,
    };
    let mode = match (args.check, args.dry_run, args.accept_breaking) {
        (true, ..) => RegenMode::Check,
        (_, true, _) => RegenMode::DryRun,
        (_, _, true) => RegenMode::WriteBreaking,
        _ => RegenMode::Write,
    };
    let today = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).date_naive();
    regen::run(
        &regen::workspace(),
        source.as_ref(),
        &RegenOptions { mode, verbose: args.verbose, today },
        shell,
    )
}
