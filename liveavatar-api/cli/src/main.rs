//! The command line of the LiveAvatar client.
//!
//! Exit codes: 0 ok, 1 the service said no, 2 usage or configuration, 3 network. With `--json`, standard output has one line per
//! outcome, `{"ok":true,"data":…}` or `{"ok":false,"error":{…}}`.

mod call;
mod check;
mod connect;
mod doctor;
mod document;
mod foreground;
mod mock;
mod output;
mod place;
mod resource;
mod session;
mod speak;
mod watch;

use std::process::ExitCode;

use clap::{ArgMatches, Args, Command, FromArgMatches as _, Subcommand};
use serde_json::{Value, json};

use connect::Service;
use output::{Failure, Form, Output, Secrets, USAGE};

const NAME: &str = "liveavatar";

const AFTER: &str = "\
Exit codes: 0 ok, 1 the service said no, 2 usage or configuration, 3 network.
With --json, standard output has one line per outcome: {\"ok\":true,\"data\":…} or {\"ok\":false,\"error\":{…}}.
Credentials come from the environment, a file or standard input, never from an argument.
Tables fit the terminal's width, or COLUMNS. Colour is for terminals; NO_COLOR turns it off.";

// No doc comment: clap would take it for what the program is about.
#[derive(Args)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// Prints JSON, one line per outcome
    #[arg(long, global = true)]
    json: bool,
    /// Shows tokens, socket addresses and prompts, which are hidden otherwise
    #[arg(long, global = true)]
    reveal: bool,
    #[command(flatten)]
    service: Service,
}

#[derive(Subcommand)]
enum Fixed {
    /// Looks at address, TLS, key, credits and a sandbox session, and says what to do
    Doctor(doctor::Doctor),
    /// Lets an avatar speak a WAV file, in a LITE session of its own
    Speak(speak::Speak),
    /// Checks, starts, follows, lists and stops sessions
    #[command(subcommand, visible_alias = "sessions")]
    Session(session::Session),
    /// Calls any operation of the service by its name
    Call(call::Call),
    /// Lists the operations that `call` takes, and the command for each
    Operations,
    /// Prints the JSON Schema of session configurations, for editors
    Schema,
    /// Prints the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Serves a LiveAvatar service on this machine, for tests, until Ctrl-C
    Mock(mock::Mock),
}

fn main() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return misused(&error),
    };
    let Ok(global) = Global::from_arg_matches(&matches).map_err(|error| error.exit());
    let form = if global.json { Form::Json } else { Form::People };
    let secrets = if global.reveal { Secrets::Shown } else { Secrets::Hidden };
    let output = Output { form, secrets };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return output.failure(&Failure::Usage(format!("no runtime: {error}"), None)),
    };
    let outcome = runtime.block_on(run(&matches, &global.service, output));
    // What still reads standard input would be waited for.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output.failure(&failure),
    }
}

/// The whole command line: what is written here, and a group for each resource of the document.
fn command() -> Command {
    let command = Command::new(NAME)
        .bin_name(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .about("Talks to the LiveAvatar API: real-time talking avatars")
        .after_help(AFTER)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .max_term_width(100);
    resource::augment(Fixed::augment_subcommands(Global::augment_args(command)))
}

async fn run(matches: &ArgMatches, service: &Service, output: Output) -> Result<(), Failure> {
    if let Some((described, matches)) = resource::find(matches) {
        return resource::run(described, matches, service, output).await;
    }
    match Fixed::from_arg_matches(matches).map_err(|error| Failure::Usage(error.to_string(), None))? {
        Fixed::Doctor(doctor) => doctor.run(service, output).await,
        Fixed::Speak(speak) => speak.run(service, output).await,
        Fixed::Session(session) => session.run(service, output).await,
        Fixed::Call(call) => call.run(service, output).await,
        Fixed::Operations => {
            output.data(call::operations());
            Ok(())
        }
        Fixed::Schema => {
            let schema = schemars::schema_for!(liveavatar_api::session::AnyConfiguration).to_value();
            let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
            output.told(schema, &text);
            Ok(())
        }
        Fixed::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command(), NAME, &mut script);
            let script = String::from_utf8_lossy(&script);
            output.told(Value::from(script.as_ref()), script.trim_end());
            Ok(())
        }
        Fixed::Mock(mock) => mock.run(service, output).await,
    }
}

/// What clap has to say: help and version as they are, else an error in the form that was asked for.
fn misused(error: &clap::Error) -> ExitCode {
    let json =
        std::env::args_os().take_while(|argument| argument != "--").any(|argument| argument == "--json");
    if json && error.use_stderr() {
        let text = error.render().to_string();
        // Up to the first empty line: the rest is advice.
        let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
        let message = lines.join(" ").trim_start_matches("error: ").to_owned();
        let advice = |start| text.lines().map(str::trim).find(|line| line.starts_with(start));
        let hint = advice("tip: a similar").or_else(|| advice("Usage: ")).unwrap_or("see liveavatar --help");
        let rest = json!({"kind": "usage", "message": message, "hint": hint});
        let output = Output { form: Form::Json, secrets: Secrets::Hidden };
        return output.failure(&Failure::Told { code: USAGE, error: rest });
    }
    // Nobody is left to tell that the terminal is gone.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE))
}
