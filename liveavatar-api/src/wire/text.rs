//! Text that is safe to print.

/// Returns the text on one line, without control characters and bidirectional overrides.
pub(crate) fn one_line(text: &str) -> String {
    let is_override =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control() && !is_override(*c)).collect()
}
