//! Results by byte offset, with one line for each range of offsets that has the same result.

use std::fmt::Write as _;

/// The result at each byte offset.
#[derive(Default)]
pub(crate) struct OffsetTable(Vec<(usize, usize, String)>);

impl OffsetTable {
    pub(crate) fn add(&mut self, offset: usize, result: String) {
        match self.0.last_mut() {
            Some((_, to, last)) if *last == result => *to = offset,
            _ => self.0.push((offset, offset, result)),
        }
    }

    pub(crate) fn text(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (from, to, result)| {
            let range = if from == to { from.to_string() } else { format!("{from}..={to}") };
            writeln!(text, "  {range:>10}  {result}").unwrap();
            text
        })
    }

    /// Returns the results in their order, without the offsets.
    pub(crate) fn results(&self) -> String {
        self.0.iter().map(|(_, _, result)| result.as_str()).collect::<Vec<_>>().join(", then ")
    }
}
