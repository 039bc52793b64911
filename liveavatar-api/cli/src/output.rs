//! What commands print: tables for people, one shape of JSON for programs.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _, stderr};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::builder::styling::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use liveavatar_api::{Error, ErrorKind};
use serde_json::{Map, Value, json};

use crate::document::secret_fields;

/// Longer values than this, in characters, are left out of tables.
const CELL: usize = 44;

const HIDDEN: &str = "[hidden]";

/// What stands between two columns.
const GAP: u16 = 2;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = Style::new().bold();

/// Back to the start of the line, and clears it.
const OVER: &str = "\r\u{1b}[2K";

/// Whether the last line of the terminal is a status, to be written over.
static STATUS: AtomicBool = AtomicBool::new(false);

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
    /// Says nothing, as part of another command.
    Silent,
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
    Failed { message: String, hint: String, data: Value },
    /// One of several checks failed, and what all of them found.
    Check { failure: Box<Failure>, hint: Option<&'static str>, checks: Vec<Value> },
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
            Self::Check { failure, .. } => failure.code(),
            Self::Call(error) => match error.kind() {
                ErrorKind::InvalidRequest => USAGE,
                ErrorKind::Timeout | ErrorKind::Transport => NETWORK,
                _ => SERVICE,
            },
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Usage(_, hint) => hint.clone(),
            Self::Told { .. } => None,
            Self::Failed { hint, .. } => Some(hint.clone()),
            Self::Check { failure, hint, .. } => hint.map(str::to_owned).or_else(|| failure.hint()),
            Self::Call(error) => match error.kind() {
                ErrorKind::ConcurrencyLimit => Some(
                    "`liveavatar session list` shows what runs, `liveavatar session stop` stops it"
                        .to_owned(),
                ),
                ErrorKind::Timeout | ErrorKind::Transport => {
                    Some("`liveavatar doctor` looks at address, TLS and key one after the other".to_owned())
                }
                _ => error.hint().map(str::to_owned),
            },
        }
    }

    /// The `error` of the JSON form.
    pub(crate) fn json(&self) -> Value {
        let mut json = match self {
            Self::Usage(message, _) => json!({"kind": "usage", "message": message}),
            Self::Told { error, .. } => return error.clone(),
            Self::Failed { message, data, .. } => {
                json!({"kind": "incomplete", "message": message, "data": data})
            }
            Self::Check { failure, checks, .. } => {
                let mut json = failure.json();
                json["checks"] = json!(checks);
                json
            }
            Self::Call(error) => of_call(error),
        };
        json["hint"] = self.hint().into();
        json
    }

    /// What is wrong, for people, without a hint.
    pub(crate) fn message(&self) -> Option<String> {
        Some(match self {
            Self::Usage(message, _) | Self::Failed { message, .. } => message.clone(),
            Self::Told { .. } => return None,
            Self::Check { failure, .. } => return failure.message(),
            Self::Call(error) => {
                let mut message = error.to_string();
                let mut cause = std::error::Error::source(error);
                while let Some(error) = cause {
                    let _ = write!(message, "\n  caused by: {error}");
                    cause = error.source();
                }
                message
            }
        })
    }

    /// The lines for people.
    fn text(&self) -> Option<String> {
        let hint = self.hint().map(|hint| format!("\n {HINT}hint:{HINT:#} {hint}")).unwrap_or_default();
        Some(format!("{ERROR}error:{ERROR:#} {}{hint}", self.message()?))
    }
}

fn of_call(error: &Error) -> Value {
    let fields: Vec<_> =
        error.fields().iter().map(|field| json!({"path": field.path, "message": field.message})).collect();
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

    /// Tells programs what happened, and people if it is worth a line.
    pub(crate) fn event(self, data: Value, people: Option<&str>) {
        self.told(data, people.unwrap_or_default());
    }

    /// Data as people read it.
    pub(crate) fn text_of(self, data: &Value) -> String {
        people(&self.veiled(data.clone()))
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
            Form::Silent => {}
        }
    }

    /// Says on the way what is going on; programs are told by data alone.
    pub(crate) fn progress(self, text: &str) {
        if self.form == Form::People {
            aside(text);
        }
    }

    /// Says on the way that something went wrong and the command goes on.
    pub(crate) fn notice(self, event: &str, error: &Error) {
        match self.form {
            Form::Json => {
                let mut json = of_call(error);
                json["event"] = event.into();
                line(&json!({"ok": false, "error": json}).to_string());
            }
            Form::People => {
                aside(&format!("{WARNING}warning:{WARNING:#} {}: {error}", event.replace('_', " ")));
            }
            Form::Silent => {}
        }
    }

    /// Shows how far long work is, on a terminal, in a line that the next one takes the place of.
    pub(crate) fn status(self, text: &str) {
        if self.form == Form::People && stderr().is_terminal() {
            STATUS.store(true, Ordering::Relaxed);
            let _ = write!(stderr(), "{OVER}{text}");
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
            Form::Silent => {}
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
    clear_status();
    let _ = writeln!(anstream::stdout(), "{text}");
}

pub(crate) fn aside(text: &str) {
    clear_status();
    let _ = writeln!(anstream::stderr(), "{text}");
}

fn clear_status() {
    if STATUS.swap(false, Ordering::Relaxed) {
        let _ = write!(stderr(), "{OVER}");
    }
}

/// How wide lines may be, where that is known: as `COLUMNS` says, or the terminal.
fn width() -> Option<u16> {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    said.or_else(|| terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0))
        .filter(|width| *width > 0)
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
    if let Some(width) = width() {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table
}

fn finished(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
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
    let mut columns: Vec<&str> = columns(object.keys()).into_iter().filter(shown).collect();
    let fitting = fitting(rows, &columns);
    let more = columns.split_off(fitting).len();
    let mut table = table();
    table.set_header(columns.iter().map(|name| name.to_uppercase()));
    for row in rows {
        table.add_row(columns.iter().map(|name| cell(&row[*name]).unwrap_or_default()));
    }
    let note = if more == 0 {
        String::new()
    } else {
        format!("\n(columns that do not fit: {more}; --json has all)")
    };
    finished(table) + &note
}

/// How many of the columns fit, at least one: the last ones are missed least.
fn fitting(rows: &[Value], columns: &[&str]) -> usize {
    let Some(width) = width() else { return columns.len() };
    let mut left = usize::from(width);
    let fits = |name: &&&str| {
        let cells = rows.iter().filter_map(|row| Some(cell(&row[**name])?.chars().count()));
        let wide = cells.max().unwrap_or(0).max(name.len()) + usize::from(GAP);
        let fits = wide <= left;
        left = left.saturating_sub(wide);
        fits
    };
    columns.iter().take_while(fits).count().max(1)
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
