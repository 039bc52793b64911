//! Printing lines to the terminal: the only place that writes to standard output and standard error.

use std::borrow::Cow;
use std::io::{self, Write as _, stderr, stdout};
use std::sync::Mutex;

use clap::builder::styling::{AnsiColor, Style};
use serde_json::Value;
use terminal_size::{Height, Width};

use crate::failure::Failure;
use crate::progress;

/// The styles of tables, checks and diagnostics. Colours are removed if the output is not a terminal.
pub(crate) const HEADING: Style = Style::new().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const UNSURE: Style = AnsiColor::Yellow.on_default();
pub(crate) const FAINT: Style = Style::new().dimmed();

/// The shortest lines into which text is wrapped.
const WRAPPED_MIN: usize = 20;

const ESCAPE: char = '\u{1b}';

/// The first error of the output, with which the program ends.
static OUTPUT_FAILURE: Mutex<Option<Failure>> = Mutex::new(None);

/// Prints a line to standard output. A closed pipe, as in `| head`, is ignored; see [`take_failure`] for other errors.
pub(crate) fn print_line(text: &str) {
    progress::clear();
    let text = without_commands(text);
    note_error(writeln!(anstream::stdout(), "{text}"));
}

/// Writes bytes to standard output as they are.
pub(crate) fn print_bytes(bytes: &[u8]) {
    progress::clear();
    note_error(stdout().write_all(bytes).and_then(|()| stdout().flush()));
}

pub(crate) fn print_error_line(text: &str) {
    progress::clear();
    // An error of standard error cannot be reported anywhere.
    let _ = writeln!(anstream::stderr(), "{}", without_commands(text));
}

/// Records that a result could not be printed. The command still finishes its work, such as stopping a session.
pub(crate) fn note_failure(failure: Failure) {
    let mut noted = OUTPUT_FAILURE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    noted.get_or_insert(failure);
}

/// Records an error of standard output, unless its reader has closed the pipe.
pub(crate) fn note_error(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        let message = format!("failed to write to standard output: {error}");
        note_failure(Failure::incomplete(message, "write to another file, or free some space", Value::Null));
    }
}

/// Returns the first failure to print a result.
pub(crate) fn take_failure() -> Option<Failure> {
    OUTPUT_FAILURE.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
}

/// Returns the width of a line of standard output, from `COLUMNS` or the terminal; none if it is not a terminal.
pub(crate) fn width() -> Option<u16> {
    columns().or_else(|| terminal_size::terminal_size_of(stdout()).and_then(positive))
}

/// Returns the width of a line of standard error.
pub(crate) fn error_width() -> Option<u16> {
    columns().or_else(|| terminal_size::terminal_size_of(stderr()).and_then(positive))
}

fn positive((width, _): (Width, Height)) -> Option<u16> {
    (width.0 > 0).then_some(width.0)
}

fn columns() -> Option<u16> {
    std::env::var("COLUMNS").ok()?.parse().ok().filter(|width| *width > 0)
}

/// Wraps a text for standard error, leaving space before each line.
pub(crate) fn wrap(text: &str, space: usize) -> String {
    let Some(width) = error_width() else { return text.to_owned() };
    // A line of a few characters reads worse than one that is too long.
    let width = usize::from(width).saturating_sub(space).max(WRAPPED_MIN);
    let options = textwrap::Options::new(width).break_words(false);
    textwrap::fill(text, options)
}

/// Returns a text from the service on one line, without anything that would control the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            _ if controls_terminal(c) => char::REPLACEMENT_CHARACTER,
            _ => c,
        })
        .collect()
}

/// Escapes in a JSON text what would control the terminal: C1 controls and bidirectional overrides are valid JSON.
pub(crate) fn printable_json(json: &str) -> Cow<'_, str> {
    if !json.contains(controls_terminal) {
        return json.into();
    }
    let escape = |c: char| match c {
        _ if controls_terminal(c) => format!("\\u{:04x}", u32::from(c)),
        _ => c.to_string(),
    };
    json.chars().map(escape).collect()
}

/// Whether a terminal obeys the character instead of showing it: C0 and C1 controls, and controls of the text direction.
pub(crate) fn controls_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Replaces every character that controls the terminal, except in line breaks, tabs and the [styles](style_end) of this program.
///
/// The values that the service sent are [printable] already: this is for those that a new message forgets.
fn without_commands(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| controls_terminal(c) && c != '\n') {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let end = if c == ESCAPE { style_end(rest) } else { None };
        let end = end.unwrap_or(c.len_utf8());
        let is_safe = end > 1 && c == ESCAPE || matches!(c, '\n' | '\t') || !controls_terminal(c);
        safe.push_str(if is_safe { &rest[..end] } else { "\u{fffd}" });
        rest = &rest[end..];
    }
    safe.into()
}

/// Returns the length of the escape sequence at the start of the text if it only sets a colour, bold or dim.
fn style_end(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find('m')?;
    let is_style = |parameter: &str| {
        matches!(parameter.parse(), Ok(0_u8..=2 | 22 | 30..=37 | 39 | 90..=97)) || parameter.is_empty()
    };
    parameters[..end].split(';').all(is_style).then_some("\u{1b}[".len() + end + 1)
}
