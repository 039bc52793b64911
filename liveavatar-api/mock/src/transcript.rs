//! Transcripts of FULL sessions: what was said in the room, or else generated lines.

use serde_json::{Value, json};

const LINE_INTERVAL_SECONDS: u64 = 10;
/// Lines per response; `next_timestamp` leads to the next ones.
const PAGE_LINES: usize = 20;

/// The requested part of a transcript.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// Length of the session so far, in seconds.
    pub(crate) elapsed: u64,
    /// Lines up to this second of the session are deleted.
    pub(crate) deleted_until: Option<u64>,
    /// Start of the session, in Unix seconds.
    pub(crate) started: i64,
    /// First and last requested absolute timestamp, inclusive.
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
    /// Whether a page begins with the last line of the page before it.
    pub(crate) overlap: bool,
}

/// What the user or the avatar said.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The second of the session.
    pub(crate) second: u64,
    pub(crate) role: &'static str,
    pub(crate) text: String,
}

/// Generates lines: avatar and user alternate, one line every few seconds.
pub(crate) fn generated(elapsed_seconds: u64) -> impl Iterator<Item = Line> {
    (0..=elapsed_seconds / LINE_INTERVAL_SECONDS).map(|number| {
        let role = if number % 2 == 0 { "avatar" } else { "user" };
        let text = format!("{role} line {}", number / 2 + 1);
        Line { second: number * LINE_INTERVAL_SECONDS, role, text }
    })
}

/// Returns the lines of one page and the timestamp at which the next page begins.
///
/// The unit of the timestamps is not documented; seconds are our choice. Nor is documented whether pages overlap.
/// A page does not end between lines of the same second, because the next one begins at a timestamp.
pub(crate) fn page(window: Window, all: impl Iterator<Item = Line>) -> (Vec<Value>, Option<i64>) {
    let mut lines: Vec<Value> = Vec::new();
    for Line { second, role, text } in all {
        if window.deleted_until.is_some_and(|deleted| second <= deleted) {
            continue;
        }
        let absolute = window.started + i64::try_from(second).unwrap_or(i64::MAX - window.started);
        if window.from.is_some_and(|from| absolute < from) || window.to.is_some_and(|to| absolute > to) {
            continue;
        }
        let last = lines.last().and_then(|line| line["absolute_timestamp"].as_i64());
        if lines.len() >= PAGE_LINES && last != Some(absolute) {
            return (lines, if window.overlap { last } else { Some(absolute) });
        }
        lines.push(json!({
            "role": role,
            "transcript": text,
            "absolute_timestamp": absolute,
            "relative_timestamp": second,
        }));
    }
    (lines, None)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{Line, PAGE_LINES, Window, generated};

    fn page(window: Window) -> (Vec<Value>, Option<i64>) {
        super::page(window, generated(window.elapsed))
    }

    const WHOLE: Window =
        Window { elapsed: 295, deleted_until: None, started: 1000, from: None, to: None, overlap: false };

    #[test]
    fn pages_have_no_gap_and_no_overlap() {
        let (first, next) = page(WHOLE);
        assert_eq!((first.len(), next), (PAGE_LINES, Some(1200)));
        let (second, next) = page(Window { from: next, ..WHOLE });
        assert_eq!((second.len(), next), (10, None));
        assert_eq!(second[0]["relative_timestamp"], 200);
    }

    #[test]
    fn an_overlapping_page_begins_with_the_last_line_of_the_page_before() {
        let (first, next) = page(Window { overlap: true, ..WHOLE });
        let (second, _) = page(Window { from: next, overlap: true, ..WHOLE });
        assert_eq!((first.last(), second.len()), (second.first(), 11));
    }

    #[test]
    fn a_page_does_not_end_within_a_second() {
        let line = |second| Line { second, role: "user", text: String::new() };
        let all = std::iter::repeat_n(7, PAGE_LINES + 3).chain([8]).map(line);
        let (first, next) = super::page(WHOLE, all);
        assert_eq!((first.len(), next), (PAGE_LINES + 3, Some(1008)));
    }

    #[test]
    fn the_window_includes_both_ends() {
        let (lines, _) = page(Window { from: Some(1010), to: Some(1030), ..WHOLE });
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn deleted_lines_are_omitted() {
        let (lines, _) = page(Window { deleted_until: Some(285), ..WHOLE });
        assert_eq!(lines.len(), 1);
    }
}
