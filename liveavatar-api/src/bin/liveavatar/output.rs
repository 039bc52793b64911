//! What commands print: tables for people, one shape of JSON for programs.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use comfy_table::{Table, presets};
use liveavatar_api::{Error, ErrorKind};
use serde_json::{Map, Value, json};

use crate::document::secret_fields;

/// Longer values than this, in characters, are left out of tables.
const CELL: usize = 44;

const HIDDEN: &str = "[hidden]";

/// Where a command's outcome goes, and how it is written.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    pub(crate) form: Form,
    pub(crate) secrets: Secrets,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    People,
    Json,
}

/// What becomes of fields that the document knows as secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    Hidden,
    Shown,
}

/// Why a command ends with something else than 0.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The service said no, the network failed, or the call was refused before.
    Call(Error),
    /// The command line or its environment is wrong, and the way out.
    Usage(String, Option<String>),
    /// The service did not do all that it was asked for, and what it did.
    Failed { message: String, hint: &'static str, data: Value },
    /// For people, everything is said already.
    Told { code: u8, error: Value },
}

/// 1: the service said no.
const SERVICE: u8 = 1;
/// 2: usage or configuration, as clap's own.
pub(crate) const USAGE: u8 = 2;
/// 3: the network.
const NETWORK: u8 = 3;

impl Failure {
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage(message.into(), Some(hint.into()))
    }

    fn code(&self) -> u8 {
        match self {
            Self::Usage(..) => USAGE,
            Self::Told { code, .. } => *code,
            Self::Failed { .. } => SERVICE,
            Self::Call(error) => match error.kind() {
                ErrorKind::Refused => USAGE,
                ErrorKind::Timeout | ErrorKind::Transport => NETWORK,
                _ => SERVICE,
            },
        }
    }

    /// The `error` of the JSON form.
    fn json(&self) -> Value {
        match self {
            Self::Usage(message, hint) => json!({"kind": "usage", "message": message, "hint": hint}),
            Self::Told { error, .. } => error.clone(),
            Self::Failed { message, hint, data } => {
                json!({"kind": "incomplete", "message": message, "hint": hint, "data": data})
            }
            Self::Call(error) => {
                let fields: Vec<_> = error
                    .fields()
                    .iter()
                    .map(|field| json!({"path": field.path, "message": field.message}))
                    .collect();
                json!({
                    "kind": kind(error.kind()),
                    "message": error.message(),
                    "operation": error.operation(),
                    "status": error.status(),
                    "code": error.code(),
                    "fields": fields,
                    "request_id": error.request_id(),
                    "attempts": error.attempts(),
                    "may_have_been_sent": error.may_have_been_sent(),
                    "hint": error.hint(),
                })
            }
        }
    }

    /// The lines for people.
    fn text(&self) -> Option<String> {
        let (message, hint) = match self {
            Self::Usage(message, hint) => (message.clone(), hint.clone()),
            Self::Told { .. } => return None,
            Self::Failed { message, hint, .. } => (message.clone(), Some((*hint).to_owned())),
            Self::Call(error) => {
                let mut message = error.to_string();
                let mut cause = std::error::Error::source(error);
                while let Some(error) = cause {
                    let _ = write!(message, "\n  caused by: {error}");
                    cause = error.source();
                }
                (message, error.hint().map(str::to_owned))
            }
        };
        let hint = hint.map(|hint| format!("\n \x1b[1mhint:\x1b[0m {hint}")).unwrap_or_default();
        Some(format!("\x1b[1;31merror:\x1b[0m {message}{hint}"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Call(error)
    }
}

/// `NotFound` as `not_found`.
fn kind(kind: ErrorKind) -> String {
    let mut name = String::new();
    for letter in format!("{kind:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

impl Output {
    /// Prints what a command found.
    pub(crate) fn data(self, data: Value) {
        let data = self.veiled(data);
        self.show(&data, || people(&data));
    }

    /// Prints what a command found, in other words for people.
    pub(crate) fn told(self, data: Value, people: &str) {
        let data = self.veiled(data);
        self.show(&data, || people.to_owned());
    }

    fn show(self, data: &Value, people: impl FnOnce() -> String) {
        match self.form {
            Form::Json => line(&json!({"ok": true, "data": data}).to_string()),
            Form::People => {
                let people = people();
                if !people.is_empty() {
                    line(&people);
                }
            }
        }
    }

    /// Says on the way what is going on; programs are told by data alone.
    pub(crate) fn progress(self, text: &str) {
        if self.form == Form::People {
            aside(text);
        }
    }

    pub(crate) fn failure(self, failure: &Failure) -> ExitCode {
        match self.form {
            Form::Json => line(&json!({"ok": false, "error": failure.json()}).to_string()),
            Form::People => {
                if let Some(text) = failure.text() {
                    aside(&text);
                }
            }
        }
        ExitCode::from(failure.code())
    }

    /// Without secrets, unless they are asked for.
    fn veiled(self, mut data: Value) -> Value {
        if self.secrets == Secrets::Hidden {
            veil(&mut data);
        }
        data
    }
}

/// A line on standard output. One that nobody reads any more, as in `| head`, is no failure.
pub(crate) fn line(text: &str) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

pub(crate) fn aside(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

fn veil(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                if secret_fields().contains(name.as_str()) && !value.is_null() {
                    *value = HIDDEN.into();
                } else {
                    veil(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(veil),
        _ => {}
    }
}

/// Without what could command a terminal: texts come from the service.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn cell(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("-".to_owned()),
        Value::String(text) => Some(plain(text)),
        Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}

fn people(data: &Value) -> String {
    match data {
        Value::Null => "done".to_owned(),
        Value::Array(rows) => rows_of(rows),
        Value::Object(map) => match map.get("results").and_then(Value::as_array) {
            Some(rows) => {
                let count = map.get("count").and_then(Value::as_u64);
                let more =
                    count.filter(|count| usize::try_from(*count).is_ok_and(|count| count > rows.len()));
                let note = more.map(|count| format!("\n{} of {count}", rows.len())).unwrap_or_default();
                rows_of(rows) + &note
            }
            None => fields_of(map),
        },
        other => cell(other).unwrap_or_default(),
    }
}

/// Names first, as people look for them.
fn columns<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.map(String::as_str).collect();
    names.sort_by_key(|name| match *name {
        "id" => 0,
        "name" => 1,
        _ => 2,
    });
    names.dedup();
    names
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

fn finished(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn rows_of(rows: &[Value]) -> String {
    let Some(first) = rows.first() else { return "none".to_owned() };
    let Some(object) = first.as_object() else {
        return rows
            .iter()
            .map(|row| cell(row).unwrap_or_else(|| row.to_string()))
            .collect::<Vec<_>>()
            .join("\n");
    };
    // A column is worth its place if it fits in every row and says something in one.
    let shown = |name: &&str| {
        let cells = || rows.iter().map(|row| cell(&row[*name]));
        cells().all(|cell| cell.is_some_and(|cell| cell.chars().count() <= CELL))
            && rows.iter().any(|row| !row[*name].is_null())
    };
    let columns: Vec<&str> = columns(object.keys()).into_iter().filter(shown).collect();
    let mut table = table();
    table.set_header(columns.iter().map(|name| name.to_uppercase()));
    for row in rows {
        table.add_row(columns.iter().map(|name| cell(&row[*name]).unwrap_or_default()));
    }
    finished(table)
}

fn fields_of(map: &Map<String, Value>) -> String {
    let mut table = table();
    for name in columns(map.keys()) {
        let value = &map[name];
        let shown = cell(value).unwrap_or_else(|| plain(&value.to_string()));
        table.add_row([name.to_owned(), shown]);
    }
    finished(table)
}
