//! Command line for the LiveAvatar API; [`AFTER_HELP`] describes its exit codes and output.

mod body;
mod browser;
mod call;
mod check;
mod command_name;
mod completion;
mod demo;
mod doctor;
mod document;
mod ending;
mod failure;
mod fields;
mod foreground_session;
mod hint;
mod input;
mod jq;
mod login;
mod mask;
mod mock;
mod output;
mod page;
mod profile;
mod progress;
mod resource;
mod secret_file;
mod service;
mod session;
mod signals;
mod source_map;
mod speak;
mod starter;
mod table;
mod terminal;
mod transcript;
mod watch;
mod wrap;

use std::process::ExitCode;

use clap::{ArgMatches, Args, Command, FromArgMatches as _, Subcommand};
use serde_json::Value;

use failure::{EXIT_INTERRUPTED, EXIT_USAGE, Failure};
use output::{Format, Output, Secrets};
use service::Service;

const NAME: &str = "liveavatar";

const AFTER_HELP: &str = "\
Exit codes: 0 success, 1 rejected by the service or incomplete, 2 usage or configuration error, 3 network error, 130 interrupted.
With --json, standard output has one line per result: {\"ok\":true,\"data\":…} or {\"ok\":false,\"error\":{…}}.
The data of a list is an array of its rows; if the service sends it in pages, \"page\" next to it has the count.
Credentials come from the environment, a file, standard input or `liveavatar login`, never from an argument.
Tables fit the width of the terminal, or COLUMNS. Set NO_COLOR to turn colours off.";

// clap would use a doc comment on this type or on `BuiltIn` as the description of the program.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
struct GlobalOptions {
    /// Print JSON, one line per result
    #[arg(long, global = true)]
    json: bool,
    /// Print what a jq expression selects from each line of JSON, such as `.data[].id`
    #[arg(long, global = true, value_name = "EXPRESSION")]
    jq: Option<String>,
    /// Show tokens, socket addresses and prompts, which are hidden by default
    #[arg(long, global = true)]
    reveal: bool,
    #[command(flatten)]
    service: Service,
}

#[derive(Subcommand)]
enum BuiltIn {
    /// Store an API key in a profile that only you can read
    Login(login::Login),
    /// Check the base URL, TLS, the API key, credits and a sandbox session
    Doctor(doctor::Doctor),
    /// Let an avatar speak a WAV file in a new LITE session
    Speak(speak::Speak),
    /// Show an avatar in the browser on a mock service, without an account
    Demo(demo::Demo),
    /// Write, check, start, watch, list and stop sessions
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
    completion::complete_if_asked(NAME, command);
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return parse_failure(&error),
    };
    let Ok(global) = GlobalOptions::from_arg_matches(&matches).map_err(|error| error.exit());
    let secrets = if global.reveal { Secrets::Shown } else { Secrets::Hidden };
    let format = match global.jq {
        // The expression is needed until the end of the program.
        Some(expression) => Format::Jq(expression.leak()),
        None if global.json => Format::Json,
        None => Format::Text,
    };
    let output = Output { format, secrets };
    if let Format::Jq(expression) = format
        && let Err(error) = jq::check(expression)
    {
        let message = format!("failed to read the expression of --jq: {error}");
        return output.failure(&Failure::usage(message, "see https://jqlang.org/manual for the language"));
    }
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
    progress::clear();
    let code = output_code(result.map_or_else(|failure| output.failure(&failure), |()| ExitCode::SUCCESS));
    if signals::interrupted() { ExitCode::from(EXIT_INTERRUPTED) } else { code }
}

/// Returns the exit code, or that of an output that could not be written.
fn output_code(code: ExitCode) -> ExitCode {
    let Some(failure) = terminal::take_failure() else { return code };
    // Standard output may be what failed.
    Output { format: Format::Text, secrets: Secrets::Hidden }.failure(&failure)
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
        .max_term_width(100);
    resource::augment(BuiltIn::augment_subcommands(GlobalOptions::augment_args(command)))
}

async fn run(matches: &ArgMatches, service: &Service, output: Output) -> Result<(), Failure> {
    if let Some((spec, matches)) = resource::find(matches) {
        return resource::run(spec, matches, service, output).await;
    }
    match BuiltIn::from_arg_matches(matches).map_err(|error| Failure::Usage(error.to_string(), None))? {
        BuiltIn::Login(login) => return login.run(service, output).await,
        BuiltIn::Doctor(doctor) => return doctor.run(service, output).await,
        BuiltIn::Speak(speak) => return speak.run(service, output).await,
        BuiltIn::Session(session) => return session.run(service, output).await,
        BuiltIn::Call(call) => return call.run(service, output).await,
        BuiltIn::Demo(demo) => return demo.run(output).await,
        BuiltIn::Mock(mock) => return mock.run(service, output).await,
        BuiltIn::Operations => output.print(call::operation_rows()),
        BuiltIn::Schema => {
            // The names of secret fields are not secret.
            let output = Output { secrets: Secrets::Shown, ..output };
            output.print_as(starter::schema(), &starter::schema_text());
        }
        BuiltIn::Completions { shell } => {
            let script = completion::script(NAME, shell)?;
            output.print_as(Value::from(script.as_str()), script.trim_end());
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
    if error.use_stderr() {
        // An error of standard error cannot be reported anywhere.
        let _ = error.print();
    } else {
        terminal::note_error(error.print());
    }
    output_code(ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(EXIT_USAGE)))
}
