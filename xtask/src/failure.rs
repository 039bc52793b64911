//! What a command says when it cannot do its work: the problem and the way out.

use std::fmt;

/// A problem that ends the command, with the way out.
#[derive(Debug)]
pub struct Failure {
    problem: String,
    fix: String,
}

impl Failure {
    /// Names the problem and what the maintainer does about it.
    pub fn new(problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { problem: problem.into(), fix: fix.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n         fix: {}", self.problem, self.fix)
    }
}

impl std::error::Error for Failure {}

/// How a command ended; the numbers are the process's exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is as it should be.
    Fresh,
    /// A derived file no longer follows from its source.
    Stale,
    /// The command could not do its work.
    Failed,
}

impl Outcome {
    /// The exit code: 0, 4 or 100, far from the 1 and 2 of cargo and clap, so that CI can tell them apart.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Fresh => 0,
            Self::Stale => 4,
            Self::Failed => 100,
        }
    }
}
