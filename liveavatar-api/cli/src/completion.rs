//! Shell completion, for which the shell calls this program: names of operations, and IDs from the account.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Arg, Args as _, Command, FromArgMatches as _};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::Shells;
use serde_json::Value;

use crate::document::{OperationSpec, operations};
use crate::failure::Failure;
use crate::resource;
use crate::service::Service;
use crate::terminal::printable;

/// The variable by which the script of a shell asks for completion.
const VARIABLE: &str = "LIVEAVATAR_COMPLETE";

/// A shell waits for the IDs, so that a slow service must not block it.
const TIMEOUT: Duration = Duration::from_secs(2);

const PAGE_SIZE: &str = "100";

/// Completes the command line and exits, if a shell started the program for that.
pub(crate) fn complete_if_asked(name: &'static str, command: fn() -> Command) {
    let factory = || augment(command(), "");
    CompleteEnv::with_factory(factory).var(VARIABLE).bin(name).completer(name).complete();
}

/// Returns the script that connects a shell to [`complete_if_asked`].
pub(crate) fn script(name: &str, shell: clap_complete::Shell) -> Result<String, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::Usage(format!("failed to write the script for {shell}: {error}"), None)
    };
    let shells = Shells::builtins();
    let completer = shells.completer(&shell.to_string()).ok_or_else(|| failed(&"it is not supported"))?;
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, name, name, name, &mut script).map_err(|error| failed(&error))?;
    String::from_utf8(script).map_err(|error| failed(&error))
}

/// Adds candidates to the arguments of all commands.
fn augment(command: Command, group: &str) -> Command {
    let name = command.get_name().to_owned();
    let command = command.mut_args(|arg| with_candidates(arg, group));
    command.mut_subcommands(|inner| augment(inner, &name))
}

fn with_candidates(arg: Arg, group: &str) -> Arg {
    let id = arg.get_id().as_str();
    let id = id.strip_suffix("_field").unwrap_or(id);
    if id == "operation" {
        return arg.add(ArgValueCandidates::new(|| {
            let candidate = |spec: OperationSpec| {
                CompletionCandidate::new(spec.operation.id).help(Some(spec.help().into()))
            };
            operations().map(candidate).collect()
        }));
    }
    match resource::list_of(id, group) {
        Some(spec) => arg.add(ArgValueCandidates::new(move || ids(spec).unwrap_or_default())),
        None => arg,
    }
}

/// Returns the IDs that the first page of a list has; none if the service does not respond soon.
fn ids(spec: OperationSpec) -> Option<Vec<CompletionCandidate>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let rows = runtime.block_on(async { tokio::time::timeout(TIMEOUT, rows(spec)).await.ok()?.ok() })?;
    let candidate = |row: &Value| {
        let help = row.as_object()?.iter().find(|(name, _)| name.ends_with("name") || *name == "mode");
        let help = help.and_then(|(_, value)| value.as_str()).map(|name| printable(name).into());
        let id = row["id"].as_str().filter(|id| !id.contains(char::is_control))?;
        Some(CompletionCandidate::new(OsString::from(id)).help(help))
    };
    Some(rows.iter().filter_map(candidate).collect())
}

async fn rows(spec: OperationSpec) -> Result<Vec<Value>, Failure> {
    let matches = Service::augment_args(Command::new("service")).try_get_matches_from(["service"]);
    let service = matches.and_then(|matches| Service::from_arg_matches(&matches));
    let service = service.map_err(|error| Failure::Usage(error.to_string(), None))?;
    let mut call = service.client_for(spec.operation)?.operation(spec.operation.id)?;
    for query in spec.query_parameters() {
        // The first allowed value of `type` is `active`, for sessions.
        let value = query.allowed_values().first().copied().filter(|_| query.required);
        let value = if query.name == "page_size" { Some(PAGE_SIZE) } else { value };
        if let Some(value) = value {
            call = call.query(query.name, value);
        }
    }
    let mut data = call.data().await?;
    let rows = if data.is_array() { &mut data } else { &mut data["results"] };
    Ok(rows.as_array_mut().map(std::mem::take).unwrap_or_default())
}
