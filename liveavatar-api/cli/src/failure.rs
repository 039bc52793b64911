//! Why a command failed, and its exit code.

use std::error::Error as StdError;
use std::sync::Arc;

use clap::builder::styling::{AnsiColor, Style};
use liveavatar_api::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::hint::as_commands;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = Style::new().bold();

const EXIT_SERVICE: u8 = 1;
/// The exit code that clap uses too.
pub(crate) const EXIT_USAGE: u8 = 2;
const EXIT_NETWORK: u8 = 3;
/// The exit code of every command that an interrupt ends, as shells report it for a program that Ctrl-C killed.
pub(crate) const EXIT_INTERRUPTED: u8 = 130;

#[derive(Debug)]
pub(crate) enum Failure {
    /// A call failed, or was invalid and not sent.
    Call(Arc<Error>),
    /// A start failed that may have taken effect, and its session was then stopped.
    StartUndone(Arc<Error>),
    /// The command line or its environment is wrong: message and hint.
    Usage(String, Option<String>),
    /// The command did only a part of its work.
    Incomplete { message: String, hint: String, data: Value },
    /// A check of `doctor` failed; `checks` has the results up to that one, which are already printed as text.
    Check { failure: Box<Failure>, check: &'static str, next: String, checks: Vec<Value> },
    /// The text output is already printed.
    Reported { code: u8, error: Value },
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage(message.into(), Some(hint.into()))
    }

    pub(crate) fn incomplete(message: impl Into<String>, hint: impl Into<String>, data: Value) -> Self {
        Self::Incomplete { message: message.into(), hint: hint.into(), data }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(..) => EXIT_USAGE,
            Self::Reported { code, .. } => *code,
            Self::Incomplete { .. } => EXIT_SERVICE,
            Self::Check { failure, .. } => failure.exit_code(),
            Self::Call(error) | Self::StartUndone(error) => match error.kind() {
                ErrorKind::InvalidRequest => EXIT_USAGE,
                ErrorKind::Timeout | ErrorKind::Transport => EXIT_NETWORK,
                _ => EXIT_SERVICE,
            },
        }
    }

    /// Returns what to do about it, in commands of this program.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Usage(_, hint) => hint.clone(),
            Self::Reported { .. } => None,
            Self::Incomplete { hint, .. } => Some(hint.clone()),
            Self::Check { next, .. } => Some(next.clone()),
            Self::StartUndone(_) => Some("the session was stopped, so the command can be run again".to_owned()),
            Self::Call(error) => match error.kind() {
                ErrorKind::Unauthorized => error.hint().map(as_commands),
                kind if kind == ErrorKind::ConcurrencyLimit || error.session_may_run() => Some(
                    "run `liveavatar session list` to see active sessions, `liveavatar session stop` to stop them"
                        .to_owned(),
                ),
                ErrorKind::Timeout | ErrorKind::Transport => {
                    Some("run `liveavatar doctor` to check the base URL, TLS and the API key".to_owned())
                }
                _ => error.hint().map(as_commands),
            },
        }
    }

    /// Returns the `error` object of the JSON output.
    pub(crate) fn to_json(&self) -> Value {
        let mut json = match self {
            Self::Usage(message, _) => json!({"kind": "usage", "message": message}),
            Self::Reported { error, .. } => return error.clone(),
            Self::Incomplete { message, data, .. } => {
                json!({"kind": "incomplete", "message": message, "data": data})
            }
            Self::Check { failure, checks, .. } => {
                let mut json = failure.to_json();
                json["checks"] = json!(checks);
                json
            }
            Self::Call(error) => error_json(error),
            Self::StartUndone(error) => {
                let mut json = error_json(error);
                json["session_may_run"] = false.into();
                json
            }
        };
        if let Some(message) = json["message"].as_str().map(as_commands) {
            json["message"] = message.into();
        }
        json["hint"] = self.hint().into();
        json
    }

    /// Returns the text without the hint; none if it is already printed.
    pub(crate) fn message(&self) -> Option<String> {
        let message = match self {
            Self::Usage(message, _) | Self::Incomplete { message, .. } => message.clone(),
            Self::Reported { .. } => return None,
            Self::Check { check, .. } => format!("the check `{check}` failed"),
            Self::Call(error) => with_causes(&error.to_string(), error),
            Self::StartUndone(error) => {
                let operation = error.operation().unwrap_or_default().replace('_', " ");
                with_causes(&format!("{operation}: {}", error.message()), error)
            }
        };
        Some(as_commands(&message))
    }

    /// Returns message and hint for a terminal; none if they are already printed.
    pub(crate) fn text(&self) -> Option<String> {
        let printed = matches!(self, Self::Check { .. });
        let hint = self
            .hint()
            .filter(|_| !printed)
            .map(|hint| format!("\n {HINT}hint:{HINT:#} {hint}"))
            .unwrap_or_default();
        Some(format!("{ERROR}error:{ERROR:#} {}{hint}", self.message()?))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Call(Arc::new(error))
    }
}

impl From<Arc<Error>> for Failure {
    fn from(error: Arc<Error>) -> Self {
        Self::Call(error)
    }
}

/// Returns the message of an error with its causes.
fn with_causes(message: &str, error: &Error) -> String {
    let causes = causes(error).map(|cause| format!("\n  caused by: {cause}"));
    message.to_owned() + &causes.collect::<String>()
}

/// Returns the errors that caused this one, from the outermost.
pub(crate) fn causes(error: &Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

pub(crate) fn error_json(error: &Error) -> Value {
    let fields: Vec<_> = error
        .fields()
        .iter()
        .map(|field| json!({"path": field.path, "message": as_commands(&field.message)}))
        .collect();
    json!({
        "kind": kind_name(error.kind()),
        "message": error.message(),
        "operation": error.operation(),
        "status": error.status(),
        "code": error.code(),
        "fields": fields,
        "request_id": error.request_id(),
        "attempts": error.attempts(),
        "may_have_been_sent": error.may_have_been_sent(),
        "session_may_run": error.session_may_run(),
        "hint": error.hint().map(as_commands),
    })
}

/// Returns the kind in snake case: `NotFound` as `not_found`.
fn kind_name(kind: ErrorKind) -> String {
    let mut name = String::new();
    for letter in format!("{kind:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}
