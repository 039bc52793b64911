//! Command line for the LiveAvatar API; [`AFTER_HELP`] describes its exit codes and output.

mod body;
mod browser;
mod call;
mod check;
mod demo;
mod doctor;
mod document;
mod failure;
mod foreground_session;
mod input;
mod mask;
mod mock;
mod output;
mod page;
mod resource;
mod service;
mod session;
mod signals;
mod source_map;
mod speak;
mod table;
mod terminal;
mod transcript;
mod watch;

use std::process::ExitCode;

use clap::{ArgMatches, Args, Command, FromArgMatches as _, Subcommand};
use serde_json::Value;

use failure::{EXIT_USAGE, Failure};
use output::{Format, Output, Secrets};
use service::Service;

const NAME: &str = "liveavatar";

const AFTER_HELP: &str = "\
Exit codes: 0 success, 1 rejected by the service or incomplete, 2 usage or configuration error, 3 network error.
With --json, standard output has one line per result: {\"ok\":true,\"data\":…} or {\"ok\":false,\"error\":{…}}.
Credentials are read from the environment, a file or standard input, never from an argument.
Tables fit the width of the terminal, or COLUMNS. Set NO_COLOR to turn colours off.";

// clap would use a doc comment on this type or on `BuiltIn` as the description of the program.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
struct GlobalOptions {
    /// Print JSON, one line per result
    #[arg(long, global = true)]
    json: bool,
    /// Show tokens, socket addresses and prompts, which are hidden by default
    #[arg(long, global = true)]
    reveal: bool,
    #[command(flatten)]
    service: Service,
}

#[derive(Subcommand)]
enum BuiltIn {
    /// Check the base URL, TLS, the API key, credits and a sandbox session
    Doctor(doctor::Doctor),
    /// Let an avatar speak a WAV file in a new LITE session
    Speak(speak::Speak),
    /// Show an avatar in the browser on a mock service, without an account
    Demo(demo::Demo),
    /// Check, start, watch, list and stop sessions
    #[command(subcommand, visible_alias = "sessions")]
    Session(session::Session),
    /// Call any operation of the API by name
    Call(call::Call),
    /// List the operations and the command for each
    Operations,
    /// Print the JSON Schema of session configurations, for editors
    Schema,
    /// Print a shell completion script
    Completions {
        /// Shell to complete commands in
        shell: clap_complete::Shell,
    },
    /// Run a mock LiveAvatar service on this machine until Ctrl-C
    Mock(mock::Mock),
}

fn main() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return parse_failure(&error),
    };
    let Ok(global) = GlobalOptions::from_arg_matches(&matches).map_err(|error| error.exit());
    let format = if global.json { Format::Json } else { Format::Text };
    let secrets = if global.reveal { Secrets::Shown } else { Secrets::Hidden };
    let output = Output { format, secrets };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            let message = format!("failed to start the async runtime: {error}");
            return output.failure(&Failure::Usage(message, None));
        }
    };
    let result = runtime.block_on(run(&matches, &global.service, output));
    // Do not wait for a thread that is blocked on standard input.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output.failure(&failure),
    }
}

/// Returns the hand-written commands and those derived from the API document.
fn command() -> Command {
    let command = Command::new(NAME)
        .bin_name(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .about("Command line for the LiveAvatar API: real-time talking avatars")
        .after_help(AFTER_HELP)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .max_term_width(100);
    resource::augment(BuiltIn::augment_subcommands(GlobalOptions::augment_args(command)))
}

async fn run(matches: &ArgMatches, service: &Service, output: Output) -> Result<(), Failure> {
    if let Some((spec, matches)) = resource::find(matches) {
        return resource::run(spec, matches, service, output).await;
    }
    match BuiltIn::from_arg_matches(matches).map_err(|error| Failure::Usage(error.to_string(), None))? {
        BuiltIn::Doctor(doctor) => return doctor.run(service, output).await,
        BuiltIn::Speak(speak) => return speak.run(service, output).await,
        BuiltIn::Session(session) => return session.run(service, output).await,
        BuiltIn::Call(call) => return call.run(service, output).await,
        BuiltIn::Demo(demo) => return demo.run(output).await,
        BuiltIn::Mock(mock) => return mock.run(service, output).await,
        BuiltIn::Operations => output.print(call::operation_rows()),
        BuiltIn::Schema => {
            let schema = schemars::schema_for!(liveavatar_api::session::AnyConfiguration).to_value();
            let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
            output.print_as(schema, &text);
        }
        BuiltIn::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command(), NAME, &mut script);
            let script = String::from_utf8_lossy(&script);
            output.print_as(Value::from(script.as_ref()), script.trim_end());
        }
    }
    Ok(())
}

/// Prints help, version or a usage error from clap, the latter as JSON if `--json` was passed.
fn parse_failure(error: &clap::Error) -> ExitCode {
    let json =
        std::env::args_os().take_while(|argument| argument != "--").any(|argument| argument == "--json");
    if json && error.use_stderr() {
        let text = error.render().to_string();
        // An empty line separates the message from the advice.
        let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
        let message = lines.join(" ").trim_start_matches("error: ").to_owned();
        let advice = |start| text.lines().map(str::trim).find(|line| line.starts_with(start));
        let hint = advice("tip: a similar").or_else(|| advice("Usage: ")).unwrap_or("see liveavatar --help");
        let output = Output { format: Format::Json, secrets: Secrets::Hidden };
        return output.failure(&Failure::usage(message, hint));
    }
    // A closed terminal cannot show an error.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(EXIT_USAGE))
}
