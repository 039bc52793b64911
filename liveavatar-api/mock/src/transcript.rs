//! The conversation that a FULL session pretends to have: one line every few seconds, avatar and user in turn.

use serde_json::{Value, json};

/// Seconds between two lines.
const LINE_EVERY_SECONDS: u64 = 10;
/// Lines in one answer; more are reached through `next_timestamp`.
const PAGE_LINES: usize = 20;

/// Which part of a transcript is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Seconds into the session at which the last line may stand.
    pub(super) elapsed: u64,
    /// Lines up to this many seconds into the session are deleted.
    pub(super) deleted_until: Option<u64>,
    /// When the session started, in seconds since 1970.
    pub(super) started: i64,
    /// First and last absolute timestamp wanted, both included.
    pub(super) from: Option<i64>,
    pub(super) to: Option<i64>,
}

/// The lines of one page, and the timestamp at which the next page begins.
///
/// The unit of the timestamps is not published; seconds are our choice.
pub(super) fn page(window: Window) -> (Vec<Value>, Option<i64>) {
    let first = window.deleted_until.map_or(0, |second| second / LINE_EVERY_SECONDS + 1);
    let last = window.elapsed / LINE_EVERY_SECONDS;
    let mut lines = Vec::new();
    for number in first..=last {
        let second = number * LINE_EVERY_SECONDS;
        let absolute = window.started + i64::try_from(second).unwrap_or(i64::MAX - window.started);
        if window.from.is_some_and(|from| absolute < from) || window.to.is_some_and(|to| absolute > to) {
            continue;
        }
        if lines.len() == PAGE_LINES {
            return (lines, Some(absolute));
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

    const WHOLE: Window = Window { elapsed: 295, deleted_until: None, started: 1000, from: None, to: None };

    #[test]
    fn pages_continue_without_gap_or_repetition() {
        let (first, next) = page(WHOLE);
        assert_eq!((first.len(), next), (PAGE_LINES, Some(1200)));
        let (second, next) = page(Window { from: next, ..WHOLE });
        assert_eq!((second.len(), next), (10, None));
        assert_eq!(second[0]["relative_timestamp"], 200);
    }

    #[test]
    fn both_ends_of_the_window_are_included() {
        let (lines, _) = page(Window { from: Some(1010), to: Some(1030), ..WHOLE });
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn deleted_lines_stay_away() {
        let (lines, _) = page(Window { deleted_until: Some(285), ..WHOLE });
        assert_eq!(lines.len(), 1);
    }
}
