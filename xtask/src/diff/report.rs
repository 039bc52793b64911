//! A difference as people, programs, pull requests and workflow runs read it.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::rules::Level;
use super::{Change, Diff};

/// How a difference is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For a terminal.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For a pull request.
    Markdown,
    /// Annotations of a GitHub Actions run.
    Github,
}

const LEVELS: [Level; 3] = [Level::Breaking, Level::Warning, Level::Info];

/// A list of operations longer than this is cut, with the number of all; the JSON form has them all.
const OPERATIONS: usize = 4;

/// Writes a difference.
///
/// # Errors
/// When `out` fails.
pub fn write(diff: &Diff, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Text => text(diff, out),
        Format::Json => writeln!(out, "{:#}", json(diff)),
        Format::Markdown => out.write_all(markdown(diff).as_bytes()),
        Format::Github => github(diff, out),
    }
}

/// Counts, in one line.
#[must_use]
pub fn summary(diff: &Diff) -> String {
    let mut counts: Vec<String> = LEVELS
        .map(|level| (diff.count(level), level.to_string()))
        .into_iter()
        .chain([(diff.unhandled.len(), "not understood".to_owned())])
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if counts.is_empty() {
        counts.push("no difference".to_owned());
    }
    counts.join(", ")
}

fn used_by(change: &Change) -> Option<String> {
    // One operation stands in the sentence already.
    if change.operations.len() < 2 && !change.pointer.starts_with("/components")
        || change.operations.is_empty()
    {
        return None;
    }
    let shown = change.operations.iter().take(OPERATIONS).cloned().collect::<Vec<_>>().join(", ");
    let more = change.operations.len().saturating_sub(OPERATIONS);
    Some(if more > 0 { format!("{shown} and {more} more") } else { shown })
}

fn text(diff: &Diff, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:>12} {} with {}", "Comparing", diff.base, diff.revision)?;
    for change in &diff.changes {
        let level = change.level.to_string();
        let verb = format!("{}{}", level[..1].to_uppercase(), &level[1..]);
        writeln!(out, "{verb:>12} {}", change.text)?;
        writeln!(out, "             {} at {}", change.id, place(&change.pointer))?;
        if let Some(operations) = used_by(change) {
            writeln!(out, "             used by {operations}")?;
        }
        for item in &change.rust {
            writeln!(out, "             rust: {item}")?;
        }
    }
    for unhandled in &diff.unhandled {
        writeln!(
            out,
            "{:>12} {}\n             at {}",
            "Unhandled",
            unhandled.text,
            place(&unhandled.pointer)
        )?;
    }
    for note in &diff.notes {
        writeln!(out, "{:>12} {note}", "Note")?;
    }
    writeln!(out, "{:>12} {}", "Summary", summary(diff))
}

fn place(pointer: &str) -> &str {
    if pointer.is_empty() { "the whole document" } else { pointer }
}

/// The whole difference as JSON.
#[must_use]
pub fn json(diff: &Diff) -> Value {
    let changes: Vec<Value> = diff
        .changes
        .iter()
        .map(|change| {
            json!({
                "id": change.id,
                "level": change.level.to_string(),
                "side": change.side,
                "operations": change.operations,
                "pointer": change.pointer,
                "text": change.text,
                "fingerprint": change.fingerprint,
                "rust": change.rust,
                "why": change.why,
            })
        })
        .collect();
    let unhandled: Vec<Value> =
        diff.unhandled.iter().map(|part| json!({ "pointer": part.pointer, "text": part.text })).collect();
    json!({
        "base": diff.base,
        "revision": diff.revision,
        "changes": changes,
        "unhandled": unhandled,
        "summary": {
            "breaking": diff.count(Level::Breaking),
            "warning": diff.count(Level::Warning),
            "info": diff.count(Level::Info),
            "unhandled": diff.unhandled.len(),
            "level": diff.level().map(|level| level.to_string()),
            "notes": diff.notes,
        },
    })
}

/// The whole difference as Markdown, without a heading of its own.
#[must_use]
pub fn markdown(diff: &Diff) -> String {
    let mut text = format!("{}.\n", capital(&summary(diff)));
    for level in LEVELS {
        let changes: Vec<&Change> = diff.changes.iter().filter(|change| change.level == level).collect();
        if changes.is_empty() {
            continue;
        }
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "\n### {}\n", capital(&level.to_string()));
        for change in changes {
            let _ = writeln!(text, "- {} (`{}`)", escaped(&change.text), change.id);
            if let Some(operations) = used_by(change) {
                let _ = writeln!(text, "  - used by {}", escaped(&operations));
            }
            for item in &change.rust {
                let _ = writeln!(text, "  - Rust: {}", escaped(item));
            }
        }
    }
    if !diff.unhandled.is_empty() {
        let _ = writeln!(text, "\n### Not understood\n");
        for part in &diff.unhandled {
            let _ = writeln!(text, "- {} (at `{}`)", escaped(&part.text), part.pointer);
        }
    }
    if !diff.notes.is_empty() {
        text.push('\n');
    }
    for note in &diff.notes {
        let _ = writeln!(text, "Note: {}.\n", escaped(note));
    }
    text
}

/// A sentence of ours in Markdown: what the document says in it stays text, apart from code.
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

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

fn github(diff: &Diff, out: &mut dyn Write) -> io::Result<()> {
    // What the runner would take for its own: see its documentation on workflow commands.
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    for change in &diff.changes {
        let command = match change.level {
            Level::Breaking => "error",
            Level::Warning => "warning",
            Level::Info => "notice",
        };
        let mut message = change.text.clone();
        for item in &change.rust {
            let _ = write!(message, "\nrust: {item}");
        }
        writeln!(out, "::{command} title={}::{}", property(&change.id), data(&message))?;
    }
    for part in &diff.unhandled {
        writeln!(out, "::warning title=unhandled::{} (at {})", data(&part.text), data(&part.pointer))?;
    }
    for note in &diff.notes {
        writeln!(out, "::notice title=note::{}", data(note))?;
    }
    Ok(())
}
