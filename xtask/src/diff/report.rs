//! A difference for people, programs, pull requests and workflow runs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::rules::Level;
use super::{ApiChange, Diff, page};
use crate::error::TaskError;
use crate::shell::Shell;

/// How a difference is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ReportFormat {
    /// For a terminal.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For a pull request.
    Markdown,
    /// A page for a browser, in one file.
    Html,
    /// Annotations of a GitHub Actions run.
    Github,
}

/// Longer lists of operations are cut, with the number of the rest. The JSON form has all of them.
const OPERATIONS_SHOWN: usize = 4;

/// Writes a difference.
///
/// # Errors
/// When the output is closed.
pub fn write(diff: &Diff, format: ReportFormat, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    match format {
        ReportFormat::Text => text(diff, shell),
        ReportFormat::Json => shell.write(format_args!("{:#}\n", json(diff))),
        ReportFormat::Markdown => shell.write(markdown(diff)),
        ReportFormat::Html => shell.write(page::html(diff)),
        ReportFormat::Github => shell.write(github(diff)),
    }
}

/// The numbers of changes, in one line.
#[must_use]
pub fn summary(diff: &Diff) -> String {
    let counts = Level::ALL.map(|level| (diff.count(level), level.to_string()));
    let unhandled = (diff.unhandled.len(), "unhandled".to_owned());
    let counts = counts.into_iter().chain([unhandled]).filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
    if counts.is_empty() { "no difference".to_owned() } else { counts.join(", ") }
}

fn used_by(change: &ApiChange) -> Option<String> {
    let operations = &change.operations;
    // The sentence names a single operation already.
    if operations.is_empty() || operations.len() < 2 && !change.pointer.starts_with("/components") {
        return None;
    }
    let shown = operations.iter().take(OPERATIONS_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    let more = operations.len().saturating_sub(OPERATIONS_SHOWN);
    Some(if more > 0 { format!("{shown} and {more} more") } else { shown })
}

fn text(diff: &Diff, shell: &mut Shell<'_>) -> Result<(), TaskError> {
    shell.status("Comparing", format_args!("{} with {}", diff.base, diff.revision))?;
    for change in &diff.changes {
        match change.level {
            Level::Breaking => shell.failure("Breaking", &change.text)?,
            Level::Warning => shell.attention("Warning", &change.text)?,
            Level::Info => shell.status("Info", &change.text)?,
        }
        shell.detail(format_args!("why: {}", change.why))?;
        shell.detail(format_args!("{} at {}", change.id, place(&change.pointer)))?;
        if let Some(operations) = used_by(change) {
            shell.detail(format_args!("used by {operations}"))?;
        }
        change.rust.iter().try_for_each(|item| shell.detail(format_args!("rust: {item}")))?;
    }
    for unhandled in &diff.unhandled {
        shell.attention("Unhandled", &unhandled.text)?;
        shell.detail(format_args!("why: {}", unhandled.why))?;
        shell.detail(format_args!("at {}", place(&unhandled.pointer)))?;
    }
    diff.notes.iter().try_for_each(|note| shell.attention("Note", note))?;
    shell.status("Compared", summary(diff))
}

pub(super) fn place(pointer: &str) -> &str {
    if pointer.is_empty() { "the whole document" } else { pointer }
}

/// The whole difference as JSON.
#[must_use]
pub fn json(diff: &Diff) -> Value {
    json!({
        "base": diff.base,
        "revision": diff.revision,
        "changes": diff.changes,
        "unhandled": diff.unhandled,
        "summary": {
            "breaking": diff.count(Level::Breaking),
            "warning": diff.count(Level::Warning),
            "info": diff.count(Level::Info),
            "unhandled": diff.unhandled.len(),
            "level": diff.level(),
            "notes": diff.notes,
        },
    })
}

/// The whole difference as Markdown, without a heading.
#[must_use]
pub fn markdown(diff: &Diff) -> String {
    // Writing to a `String` cannot fail.
    let mut text = format!("{}.\n", capital(&summary(diff)));
    for level in Level::ALL.into_iter().filter(|level| diff.count(*level) > 0) {
        let _ = writeln!(text, "\n### {}\n", capital(&level.to_string()));
        for change in diff.changes.iter().filter(|change| change.level == level) {
            let _ = writeln!(text, "- {} (`{}`)", escaped(&change.text), change.id);
            let _ = writeln!(text, "  - Why: {}", escaped(change.why));
            if let Some(operations) = used_by(change) {
                let _ = writeln!(text, "  - Used by {}", escaped(&operations));
            }
            for item in &change.rust {
                let _ = writeln!(text, "  - Rust: {}", escaped(item));
            }
        }
    }
    if !diff.unhandled.is_empty() {
        text.push_str("\n### Unhandled\n\n");
    }
    for part in &diff.unhandled {
        let _ = writeln!(text, "- {} (at `{}`)", escaped(&part.text), part.pointer);
        let _ = writeln!(text, "  - Why: {}", escaped(part.why));
    }
    if !diff.notes.is_empty() {
        text.push('\n');
    }
    for note in &diff.notes {
        let _ = writeln!(text, "Note: {}.\n", escaped(note));
    }
    text
}

/// Escapes a sentence for Markdown, except what it marks as code.
fn escaped(sentence: &str) -> String {
    let mut code = false;
    let mut text = String::new();
    for c in sentence.chars() {
        code ^= c == '`';
        if !code && matches!(c, '*' | '_' | '<' | '>' | '[' | ']' | '|' | '#' | '@') {
            text.push('\\');
        }
        text.push(if c == '\n' { ' ' } else { c });
    }
    text
}

pub(super) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// Workflow commands; see GitHub's documentation of them for the escapes.
fn github(diff: &Diff) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let mut lines = String::new();
    for change in &diff.changes {
        let command = match change.level {
            Level::Breaking => "error",
            Level::Warning => "warning",
            Level::Info => "notice",
        };
        let mut message = format!("{}\nwhy: {}", change.text, change.why);
        for item in &change.rust {
            let _ = write!(message, "\nrust: {item}");
        }
        let _ = writeln!(lines, "::{command} title={}::{}", property(&change.id), data(&message));
    }
    for part in &diff.unhandled {
        let message = data(&format!("{} (at {})\nwhy: {}", part.text, part.pointer, part.why));
        let _ = writeln!(lines, "::warning title=unhandled::{message}");
    }
    for note in &diff.notes {
        let _ = writeln!(lines, "::notice title=note::{}", data(note));
    }
    lines
}
