//! Tables over offsets, told in as few lines as there are changes.

use std::fmt::Write as _;

/// Offsets and what each came to; those in a row that came to the same share a line.
#[derive(Default)]
pub(crate) struct Lines(Vec<(usize, usize, String)>);

impl Lines {
    pub(crate) fn add(&mut self, at: usize, line: String) {
        match self.0.last_mut() {
            Some((_, to, last)) if *last == line => *to = at,
            _ => self.0.push((at, at, line)),
        }
    }

    pub(crate) fn text(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (from, to, line)| {
            let range = if from == to { from.to_string() } else { format!("{from}..={to}") };
            writeln!(text, "  {range:>10}  {line}").unwrap();
            text
        })
    }

    /// What there was, without where.
    pub(crate) fn outcomes(&self) -> String {
        self.0.iter().map(|(_, _, line)| line.as_str()).collect::<Vec<_>>().join(", then ")
    }
}
