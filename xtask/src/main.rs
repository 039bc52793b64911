//! `cargo xtask`: see `cargo xtask --help`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use xtask::ci;
use xtask::diff::report::Format;
use xtask::diff::rules::Level;
use xtask::failure::{Failure, Outcome};
use xtask::regen::{self, Mode, Options};
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
    /// Say what changed from one document to another, and what it means for callers of the crate.
    ///
    /// Exit codes: 0 compared, 1 as bad as --fail-on says, 100 failed. A part that no rule understands counts as a warning.
    Diff(DiffArgs),
    /// Run everything that must hold before a change lands, or the named steps of it.
    ///
    /// Exit codes: 0 all holds, 100 something does not.
    Ci(CiArgs),
    /// Measure the crate beside what users would write or pick instead, and show the README's tables.
    ///
    /// Takes half an hour on 2 cores, and wants an idle machine, Python and Java.
    Bench {
        /// Write the tables into README.md.
        #[arg(long)]
        write: bool,
        /// Leave out the cold builds.
        #[arg(long, conflicts_with = "write")]
        quick: bool,
    },
}

#[derive(Args)]
struct CiArgs {
    /// The steps to run, in this order; all of them by default.
    steps: Vec<String>,
    /// List the steps.
    #[arg(long, conflicts_with_all = ["steps", "keep_going"])]
    list: bool,
    /// Run the other steps after one has failed.
    #[arg(long)]
    keep_going: bool,
}

#[derive(Args)]
struct DiffArgs {
    /// The older document: a path or an address.
    base: String,
    /// The newer document: a path or an address; without it, the committed one.
    revision: Option<String>,
    /// How to write the difference.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Exit with 1 when anything is this bad or worse.
    #[arg(long, value_enum, value_name = "LEVEL")]
    fail_on: Option<Level>,
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
    /// Write even if the document has lost operations.
    #[arg(long, conflicts_with_all = ["check", "dry_run"])]
    accept_breaking: bool,
    /// List every place that an overlay action or a lowering step changed.
    #[arg(long, short)]
    verbose: bool,
}

fn main() -> ExitCode {
    let mut out = std::io::stdout().lock();
    let outcome = match Cli::parse().command {
        Command::Regen(args) => regen(&args, &mut out),
        Command::Diff(args) => {
            let revision = args.revision.as_deref().map(Source::parse);
            let base = Source::parse(&args.base);
            let root = regen::workspace();
            xtask::diff::run(&root, &base, revision.as_ref(), args.format, args.fail_on, &mut out)
        }
        Command::Bench { write, quick } => {
            xtask::bench::run(&regen::workspace(), xtask::bench::Plan { write, quick }, &mut out)
        }
        Command::Ci(args) if args.list => ci::list(&mut out),
        Command::Ci(args) => {
            let plan = ci::Plan { only: args.steps, keep_going: args.keep_going };
            ci::run(&regen::workspace(), &plan, &mut out)
        }
    };
    let outcome = outcome.unwrap_or_else(|failure| {
        // Only a closed pipe can fail here, and then nobody reads it.
        let _ = out.flush();
        eprintln!("     Failure {failure}");
        Outcome::Failed
    });
    ExitCode::from(outcome.exit_code())
}

fn regen(args: &RegenArgs, out: &mut dyn std::io::Write) -> Result<Outcome, Failure> {
    let source = match (&args.from, args.fetch) {
        (Some(from), _) => Some(Source::parse(from)),
        (None, true) => Some(Source::Url(PUBLISHED.to_owned())),
        (None, false) => None,
    };
    let mode = match (args.check, args.dry_run, args.accept_breaking) {
        (true, ..) => Mode::Check,
        (_, true, _) => Mode::DryRun,
        (_, _, true) => Mode::WriteBreaking,
        _ => Mode::Write,
    };
    let today = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).date_naive();
    regen::run(&regen::workspace(), source.as_ref(), &Options { mode, verbose: args.verbose, today }, out)
}
