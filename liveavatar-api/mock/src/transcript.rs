//! Generated transcripts of FULL sessions: avatar and user alternate, one line every few seconds.

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

/// Returns the lines of one page and the timestamp at which the next page begins.
///
/// The unit of the timestamps is not documented; seconds are our choice. Nor is documented whether pages overlap.
pub(crate) fn page(window: Window) -> (Vec<Value>, Option<i64>) {
    let first = window.deleted_until.map_or(0, |second| second / LINE_INTERVAL_SECONDS + 1);
    let last = window.elapsed / LINE_INTERVAL_SECONDS;
    let mut lines: Vec<Value> = Vec::new();
    for number in first..=last {
        let second = number * LINE_INTERVAL_SECONDS;
        let absolute = window.started + i64::try_from(second).unwrap_or(i64::MAX - window.started);
        if window.from.is_some_and(|from| absolute < from) || window.to.is_some_and(|to| absolute > to) {
            continue;
        }
        if lines.len() == PAGE_LINES {
            let last = lines.last().and_then(|line| line["absolute_timestamp"].as_i64());
            return (lines, if window.overlap { last } else { Some(absolute) });
        }
        let role = if number % 2 == 0 { "avatar" } else { "user" };
        lines.push(json!({
            "role": role,
            "transcript": format!("{role} line {}", number / 2 + 1),
            "absolute_timestamp": absolute,
            "relative_timestamp": second,
        }));
    }
    (lines, None)
}

#[cfg(test)]
mod tests {
    use super::{PAGE_LINES, Window, page};

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
