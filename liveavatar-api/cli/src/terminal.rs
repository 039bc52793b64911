//! Printing lines to the terminal.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::sync::atomic::{AtomicBool, Ordering};

/// Moves to the start of the line and clears it.
const CLEAR_LINE: &str = "\r\u{1b}[2K";

/// Whether the last line on the terminal is a status line, which the next line replaces.
static HAS_STATUS: AtomicBool = AtomicBool::new(false);

/// Prints a line to standard output. A closed pipe, as in `| head`, is ignored.
pub(crate) fn print_line(text: &str) {
    clear_status();
    let _ = writeln!(anstream::stdout(), "{text}");
}

pub(crate) fn print_error_line(text: &str) {
    clear_status();
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Shows a status line if standard error is a terminal; the next line replaces it.
pub(crate) fn show_status(text: &str) {
    if stderr().is_terminal() {
        HAS_STATUS.store(true, Ordering::Relaxed);
        let _ = write!(stderr(), "{CLEAR_LINE}{text}");
    }
}

fn clear_status() {
    if HAS_STATUS.swap(false, Ordering::Relaxed) {
        let _ = write!(stderr(), "{CLEAR_LINE}");
    }
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
