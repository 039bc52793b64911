//! The one voice of all commands: cargo's right-aligned verbs, then `error:` and `fix:`.

use std::fmt::Display;
use std::io::Write;

use anstyle::{AnsiColor, Style};

use crate::error::TaskError;

const GREEN: Style = AnsiColor::Green.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const RED: Style = AnsiColor::Red.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default().bold();

/// Where a command writes.
pub struct Shell<'a> {
    out: Box<dyn Write + 'a>,
    colour: bool,
}

impl<'a> Shell<'a> {
    /// Writes to standard output, in colour if it is a terminal and the environment allows it.
    #[must_use]
    pub fn stdout() -> Self {
        Self { out: Box::new(anstream::stdout()), colour: true }
    }

    /// Writes to standard error, in colour if it is a terminal and the environment allows it.
    #[must_use]
    pub fn stderr() -> Self {
        Self { out: Box::new(anstream::stderr()), colour: true }
    }

    /// Writes without colour.
    pub fn plain(out: &'a mut dyn Write) -> Self {
        Self { out: Box::new(out), colour: false }
    }

    /// Reports what the command does or has done.
    pub(crate) fn status(&mut self, verb: &str, text: impl Display) -> Result<(), TaskError> {
        self.verb(GREEN, verb, &text)
    }

    /// Reports something that needs attention.
    pub(crate) fn attention(&mut self, verb: &str, text: impl Display) -> Result<(), TaskError> {
        self.verb(YELLOW, verb, &text)
    }

    /// Reports something that failed.
    pub(crate) fn failure(&mut self, verb: &str, text: impl Display) -> Result<(), TaskError> {
        self.verb(RED, verb, &text)
    }

    /// Adds a line to the one above.
    pub(crate) fn detail(&mut self, text: impl Display) -> Result<(), TaskError> {
        self.write(format_args!("             {text}\n"))
    }

    /// Writes text without a verb.
    pub(crate) fn write(&mut self, text: impl Display) -> Result<(), TaskError> {
        // Programs that a command runs write to the same terminal, so nothing is buffered.
        write!(self.out, "{text}").and_then(|()| self.out.flush()).map_err(|error| {
            TaskError::new(format!("cannot write the output: {error}"), "keep the terminal or pipe open")
        })
    }

    /// Reports every problem of a command with its fix, and that the command failed.
    ///
    /// # Errors
    /// When the output is closed.
    pub fn command_failed(&mut self, command: &str, error: &TaskError) -> Result<(), TaskError> {
        for (problem, fix) in error.problems() {
            let (label, fix_label) = (self.styled(RED, "error:"), self.styled(CYAN, "  fix:"));
            self.write(format_args!("{label} {problem}\n{fix_label} {fix}\n"))?;
        }
        let errors = count(error.problems().count(), "error");
        self.failure("Failed", format_args!("`cargo xtask {command}` with {errors}"))
    }

    fn verb(&mut self, style: Style, verb: &str, text: &dyn Display) -> Result<(), TaskError> {
        let verb = self.styled(style, &format!("{verb:>12}"));
        self.write(format_args!("{verb} {text}\n"))
    }

    fn styled(&self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// A number with its noun in the right form: `1 file`, `2 files`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
