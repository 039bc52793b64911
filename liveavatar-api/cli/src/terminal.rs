//! Printing lines to the terminal.

use std::io::Write as _;

use crate::progress;

/// Prints a line to standard output. A closed pipe, as in `| head`, is ignored.
pub(crate) fn print_line(text: &str) {
    progress::clear();
    let _ = writeln!(anstream::stdout(), "{text}");
}

pub(crate) fn print_error_line(text: &str) {
    progress::clear();
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Returns the line width from `COLUMNS` or from the terminal.
pub(crate) fn width() -> Option<u16> {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns
        .or_else(|| terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0))
        .filter(|width| *width > 0)
}

/// Replaces control characters: text from the service must not send commands to the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
