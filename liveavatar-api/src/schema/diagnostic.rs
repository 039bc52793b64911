//! What the check reports.

use std::fmt;

use super::path::Path;
use super::rule::{RuleInfo, Severity};

/// Everything found in one session configuration, sorted by path.
///
/// Prints one `error[rule] path: message` line per diagnostic, each followed by its hint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

/// One error or warning about a session configuration.
///
/// Its texts repeat keys, numbers and misspellings of a listed word, but no other value of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    at: Path,
    rule: &'static str,
    severity: Severity,
    message: String,
    hint: Option<String>,
    source: &'static str,
}

impl Diagnostic {
    pub(crate) fn new(rule: impl Into<RuleInfo>, at: impl Into<Path>, message: impl Into<String>) -> Self {
        let RuleInfo { id, severity, source, .. } = rule.into();
        Self { at: at.into(), rule: id, severity, message: message.into(), hint: None, source }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
        self
    }

    pub(crate) fn at(&self) -> &Path {
        &self.at
    }

    /// Returns the dotted path of the field, empty for the whole configuration.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.at.dotted
    }

    /// Returns the field as a JSON pointer (RFC 6901), in which long keys are not cut.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.at.pointer
    }

    /// Returns the id of the broken rule, one of [`RULES`](crate::session::RULES).
    #[must_use]
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    /// Returns whether this is an error or a warning.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Returns the error as a fragment that follows the path.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns how to fix it, if known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Returns the evidence for the rule.
    #[must_use]
    pub fn source(&self) -> &'static str {
        self.source
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.path().is_empty() { "" } else { " " };
        let Self { at, rule, severity, message, .. } = self;
        write!(f, "{severity}[{rule}]{space}{at}: {message}")?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl Diagnostics {
    pub(crate) fn new(mut found: Vec<Diagnostic>) -> Self {
        found.sort_by(|a, b| (a.path(), a.severity, a.rule).cmp(&(b.path(), b.severity, b.rule)));
        found.dedup();
        Self(found)
    }

    /// Iterates over all errors and warnings, sorted by path.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Iterates over the errors, which make the configuration unusable.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.iter().filter(|one| one.severity == Severity::Error)
    }

    /// Iterates over the warnings.
    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.iter().filter(|one| one.severity == Severity::Warning)
    }

    /// Returns whether there is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors().next().is_some()
    }

    /// Returns whether there is neither an error nor a warning.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of errors and warnings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, diagnostic) in self.iter().enumerate() {
            let line = if position == 0 { "" } else { "\n" };
            write!(f, "{line}{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
