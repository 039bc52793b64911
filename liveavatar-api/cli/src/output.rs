//! Printing the results of commands as text or as JSON.

use std::io::{IsTerminal as _, stdout};
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};
use liveavatar_api::Error;
use serde_json::{Map, Value, json};

use crate::document::secret_fields;
use crate::failure::{Failure, error_json};
use crate::hint::as_commands;
use crate::jq::{self, Found};
use crate::progress;
use crate::table::{self, Notes};
use crate::terminal::{note_failure, print_bytes, print_error_line, print_line, printable, printable_json};

const WARNING: Style = AnsiColor::Yellow.on_default().bold();

#[derive(Clone, Copy)]
pub(crate) struct Output {
    pub(crate) format: Format,
    pub(crate) secrets: Secrets,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
    /// What an expression of `--jq` selects from each line of JSON.
    Jq(&'static str),
    /// Prints nothing, for a step of another command.
    Silent,
}

/// Whether the values of secret fields are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    Hidden,
    Shown,
}

impl Output {
    /// Prints a result, as text in the form of a table.
    pub(crate) fn print(self, data: Value) {
        self.print_list(data, Notes::default());
    }

    /// Prints a list, as text in the form of a table with notes.
    pub(crate) fn print_list(self, data: Value, notes: Notes<'_>) {
        let text = self.table(&data, notes);
        self.print_as(data, &text);
    }

    /// Prints a result with the given text, or without a line of text if that is empty.
    pub(crate) fn print_as(self, mut data: Value, text: &str) {
        match self.format {
            Format::Json | Format::Jq(_) => {
                self.hide_secrets(&mut data);
                let (data, page) = split_page(data);
                let mut line = json!({"ok": true, "data": data});
                if let Some(page) = page {
                    line["page"] = Value::Object(page);
                }
                self.print_json(&line);
            }
            Format::Text if !text.is_empty() => print_line(text),
            Format::Text | Format::Silent => {}
        }
    }

    /// Whether errors are text on standard error.
    pub(crate) fn reports_as_text(self) -> bool {
        matches!(self.format, Format::Text | Format::Jq(_))
    }

    fn print_json(self, line: &Value) {
        let Format::Jq(expression) = self.format else {
            return print_line(&printable_json(&line.to_string()));
        };
        let (found, error) = jq::run(expression, line);
        for found in found {
            match found {
                Found::Json(json) => print_line(&printable_json(&json)),
                Found::Text(text) if stdout().is_terminal() => print_line(&text),
                // Another program gets the text unchanged.
                Found::Text(text) => print_bytes((text + "\n").as_bytes()),
            }
        }
        if let Some(error) = error {
            note_failure(Failure::usage(
                format!("failed to apply --jq: {error}"),
                "the expression is applied to each line that --json prints, such as {\"ok\":true,\"data\":…}",
            ));
        }
    }

    /// Returns data as a table.
    pub(crate) fn text_of(self, data: &Value) -> String {
        self.table(data, Notes::default())
    }

    fn table(self, data: &Value, notes: Notes<'_>) -> String {
        let mut data = data.clone();
        self.hide_secrets(&mut data);
        let (data, page) = split_page(data);
        table::format(&data, page.as_ref(), notes)
    }

    /// Prints progress to standard error, in text format only.
    pub(crate) fn progress(self, text: &str) {
        if self.format == Format::Text {
            print_error_line(text);
        }
    }

    /// Reports an error after which the command continues.
    pub(crate) fn warn(self, event: &str, error: &Error) {
        match self.format {
            Format::Json => {
                let mut json = error_json(error);
                json["event"] = event.into();
                self.print_json(&json!({"ok": false, "error": json}));
            }
            Format::Text | Format::Jq(_) => {
                let event = event.replace('_', " ");
                print_error_line(&format!(
                    "{WARNING}warning:{WARNING:#} {event}: {}",
                    as_commands(&error.to_string())
                ));
            }
            Format::Silent => {}
        }
    }

    /// Shows a step of long work, in text format only.
    pub(crate) fn step(self, text: &str) {
        if self.format == Format::Text {
            progress::step(&printable(text));
        }
    }

    /// Shows what happens now, in text format only.
    pub(crate) fn status(self, text: &str) {
        if self.format == Format::Text {
            progress::show(&printable(text), None);
        }
    }

    /// Shows what happens now, and how much of the total is done.
    pub(crate) fn status_of(self, text: &str, done: u64, total: u64) {
        if self.format == Format::Text {
            progress::show(&printable(text), Some((done, total)));
        }
    }

    pub(crate) fn failure(self, failure: &Failure) -> ExitCode {
        match self.format {
            Format::Json => self.print_json(&json!({"ok": false, "error": failure.to_json()})),
            Format::Text | Format::Jq(_) => failure.text().iter().for_each(|text| print_error_line(text)),
            Format::Silent => {}
        }
        ExitCode::from(failure.exit_code())
    }

    fn hide_secrets(self, data: &mut Value) {
        if self.secrets == Secrets::Hidden {
            hide_secrets(data);
        }
    }
}

/// Splits the page of a list into its rows and the rest, such as the count.
///
/// This is what makes all lists look the same: `data` is an array, whether the service sends the list in pages or at once.
fn split_page(data: Value) -> (Value, Option<Map<String, Value>>) {
    match data {
        Value::Object(mut page) if page.get("results").is_some_and(Value::is_array) => {
            let rows = page.remove("results").unwrap_or_default();
            (rows, Some(page))
        }
        other => (other, None),
    }
}

fn hide_secrets(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                if secret_fields().contains(name.as_str()) && !value.is_null() {
                    *value = "[hidden]".into();
                } else {
                    hide_secrets(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide_secrets),
        _ => {}
    }
}
