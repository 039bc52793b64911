//! Printing the results of commands as text or as JSON.

use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};
use liveavatar_api::Error;
use serde_json::{Value, json};

use crate::document::secret_fields;
use crate::failure::{Failure, error_json};
use crate::hint::as_commands;
use crate::progress;
use crate::table;
use crate::terminal::{print_error_line, print_line, printable};

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
        let text = self.text_of(&data);
        self.print_as(data, &text);
    }

    /// Prints a result with the given text, or without a line of text if that is empty.
    pub(crate) fn print_as(self, mut data: Value, text: &str) {
        match self.format {
            Format::Json => {
                self.hide_secrets(&mut data);
                print_line(&json!({"ok": true, "data": data}).to_string());
            }
            Format::Text if !text.is_empty() => print_line(text),
            Format::Text | Format::Silent => {}
        }
    }

    /// Returns data as a table.
    pub(crate) fn text_of(self, data: &Value) -> String {
        let mut data = data.clone();
        self.hide_secrets(&mut data);
        table::format(&data)
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
                print_line(&json!({"ok": false, "error": json}).to_string());
            }
            Format::Text => {
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
            Format::Json => print_line(&json!({"ok": false, "error": failure.to_json()}).to_string()),
            Format::Text => failure.text().iter().for_each(|text| print_error_line(text)),
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
