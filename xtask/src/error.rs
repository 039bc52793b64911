//! How a command ends: an error with its fix, or a status that becomes the exit code.

use std::fmt;

/// One or more problems that stop a command, each with its fix.
#[derive(Debug)]
pub struct TaskError {
    problem: String,
    fix: String,
    more: Vec<TaskError>,
}

impl TaskError {
    /// Creates an error from a problem and what the maintainer does about it.
    pub fn new(problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { problem: problem.into(), fix: fix.into(), more: Vec::new() }
    }

    /// Combines several errors, so that one run shows everything there is to fix; `None` for an empty list.
    #[must_use]
    pub fn all(errors: Vec<Self>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let mut first = errors.next()?;
        first.more.extend(errors);
        Some(first)
    }

    /// Every problem with its fix.
    pub fn problems(&self) -> impl Iterator<Item = (&str, &str)> {
        std::iter::once(self).chain(&self.more).map(|error| (&*error.problem, &*error.fix))
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  fix: {}", self.problem, self.fix)?;
        self.more.iter().try_for_each(|error| write!(f, "\nerror: {error}"))
    }
}

impl std::error::Error for TaskError {}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TaskStatus {
    /// Everything is as it should be.
    Success = 0,
    /// The documents differ by at least the level of `--fail-on`, or a document breaks hand-written code.
    Different = 1,
    /// A derived file does not match its source.
    Stale = 4,
    /// The command could not do its work.
    Failed = 100,
}

impl TaskStatus {
    /// The exit code, distinct from the 101 of a panic and the 2 of clap.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        self as u8
    }
}
