//! What the check reports: a problem, and the list of all of them.

use super::path::Path;
use super::rules::Rule;
use std::fmt;

/// Everything found in one session configuration, sorted by path.
///
/// Prints one `error[rule] path: message` line per problem, each followed by its hint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

/// One thing wrong or doubtful in a session configuration.
///
/// Texts in it never repeat a value of the configuration, except numbers and the misspelling of a
/// word from a fixed list. Keys are repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    path: Box<str>,
    pointer: Box<str>,
    rule: &'static str,
    severity: Severity,
    message: String,
    hint: Option<String>,
    source: &'static str,
}

/// How much a problem weighs.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The service refuses it, or ignores it in silence.
    Error,
    /// It works, but hardly as meant, or nobody knows.
    Warning,
}

/// The three modes a configuration can be written for.
///
/// On paper `FULL`, `LITE` and `CUSTOM`, in capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModeName {
    /// The service listens, thinks and speaks.
    Full,
    /// The caller supplies the audio.
    Lite,
    /// The early name of LITE; whether the service still accepts it is not known.
    Custom,
}

impl ModeName {
    pub(super) const ALL: [Self; 3] = [Self::Full, Self::Lite, Self::Custom];

    /// Returns the name as the service spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Lite => "LITE",
            Self::Custom => "CUSTOM",
        }
    }
}

impl fmt::Display for ModeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl Diagnostic {
    pub(super) fn new(rule: &Rule, path: &Path, message: impl Into<String>) -> Self {
        Self {
            path: path.to_string().into(),
            pointer: path.pointer().into(),
            rule: rule.id,
            severity: rule.severity,
            message: message.into(),
            hint: None,
            source: rule.source,
        }
    }

    pub(super) fn with_hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Returns the dotted path of the field, empty for the whole configuration.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the field as a JSON pointer (RFC 6901), to find it in the text: here no key is cut.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Returns the id of the broken rule, one of [`RULES`](super::RULES).
    #[must_use]
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    /// Returns how much the problem weighs.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Returns what is wrong, as a fragment that follows the path.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the way out, where one is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Returns where the rule is known from.
    #[must_use]
    pub fn source(&self) -> &'static str {
        self.source
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.path.is_empty() { "" } else { " " };
        let Self { path, rule, severity, message, .. } = self;
        write!(f, "{severity}[{rule}]{space}{path}: {message}")?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl Diagnostics {
    pub(super) fn new(mut problems: Vec<Diagnostic>) -> Self {
        problems.sort_by(|a, b| {
            let key = |problem: &Diagnostic| (problem.severity, problem.rule);
            a.path.cmp(&b.path).then_with(|| key(a).cmp(&key(b)))
        });
        problems.dedup();
        Self(problems)
    }

    /// Iterates over all problems, sorted by path.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Iterates over the problems that make the configuration unfit to send.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.iter().filter(|problem| problem.severity == Severity::Error)
    }

    /// Iterates over the problems that are worth a look only.
    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.iter().filter(|problem| problem.severity == Severity::Warning)
    }

    /// Tells whether any problem is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors().next().is_some()
    }

    /// Tells whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of problems.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.iter().enumerate() {
            let line = if position == 0 { "" } else { "\n" };
            write!(f, "{line}{problem}")?;
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
