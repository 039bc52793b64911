//! Finds outputs that show a marked secret, and reports them without repeating it.

use std::collections::BTreeSet;
use std::fmt::Debug;

use liveavatar_api::Error;

/// Part of every secret of these tests.
pub(crate) const MARK: &str = "canary";

/// The outputs that show a secret, by operation, failure and kind of output.
#[derive(Default)]
pub(crate) struct Leaks {
    found: BTreeSet<String>,
    checked: usize,
}

impl Leaks {
    pub(crate) fn look(&mut self, at: &str, output: &str, text: &str) {
        self.checked += 1;
        if shows(text) {
            self.found.insert(format!("{at}: {output}"));
        }
    }

    pub(crate) fn look_debug(&mut self, at: &str, output: &str, value: &impl Debug) {
        self.look(at, &format!("Debug of {output}"), &format!("{value:?}"));
        self.look(at, &format!("pretty Debug of {output}"), &format!("{value:#?}"));
    }

    /// Checks an error, its sources, and what its methods return.
    pub(crate) fn look_error(&mut self, at: &str, error: &Error) {
        self.look_debug(at, "the error", error);
        self.look(at, "the error's message", error.message());
        self.look(at, "the error's request id", error.request_id().unwrap_or_default());
        self.look_debug(at, "the error's fields", &error.fields());
        let mut next: Option<&dyn std::error::Error> = Some(error);
        let mut depth = 0;
        while let Some(level) = next {
            self.look(at, &format!("Display of the error at depth {depth}"), &level.to_string());
            self.look(at, &format!("Debug of the error at depth {depth}"), &format!("{level:?} {level:#?}"));
            next = level.source();
            depth += 1;
        }
    }

    /// Fails if an output shows a secret, or if fewer than `minimum` outputs were checked.
    pub(crate) fn assert_none(self, minimum: usize) {
        let list: Vec<_> = self.found.into_iter().collect();
        assert!(list.is_empty(), "{} outputs show a secret:\n{}", list.len(), list.join("\n"));
        assert!(self.checked >= minimum, "only {} outputs were checked", self.checked);
    }
}

/// Returns whether a text contains the mark, in plain text or as the bytes of a `Vec<u8>` in its `Debug` output.
pub(crate) fn shows(text: &str) -> bool {
    let bytes = MARK.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(",");
    text.to_ascii_lowercase().contains(MARK)
        || text.split_ascii_whitespace().collect::<String>().contains(&bytes)
}
