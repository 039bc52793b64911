//! What a command says when it cannot do its work: the problem and the way out.

use std::fmt;

/// A problem that ends the command, with the way out.
#[derive(Debug)]
pub struct Failure {
    problem: String,
    fix: String,
    more: Vec<Failure>,
}

impl Failure {
    /// Names the problem and what the maintainer does about it.
    pub fn new(problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { problem: problem.into(), fix: fix.into(), more: Vec::new() }
    }

    /// Several problems at once, so that one run shows all that there is to mend; `None` without any.
    #[must_use]
    pub fn all(failures: Vec<Self>) -> Option<Self> {
        let mut failures = failures.into_iter();
        let mut first = failures.next()?;
        first.more.extend(failures);
        Some(first)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n         fix: {}", self.problem, self.fix)?;
        self.more.iter().try_for_each(|more| write!(f, "\n     Failure {more}"))
    }
}

impl std::error::Error for Failure {}

/// How a command ended; the numbers are the process's exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is as it should be.
    Fresh,
    /// The difference is as bad as `--fail-on` says.
    Different,
    /// A derived file no longer follows from its source.
    Stale,
    /// The command could not do its work.
    Failed,
}

impl Outcome {
    /// The exit code: 0, 1 from `diff` alone, 4 or 100, apart from the 101 of a panic and the 2 of clap, so that CI can tell
    /// them apart.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Fresh => 0,
            Self::Different => 1,
            Self::Stale => 4,
            Self::Failed => 100,
        }
    }
}
