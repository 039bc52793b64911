//! A difference as one HTML file for a browser: no script and no request, so that it opens from disk.
//!
//! Checkboxes filter by level, which the style sheet does by itself.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use similar::{Change, ChangeTag, TextDiff};

use super::report::{capital, place, summary};
use super::rules::Level;
use super::{ApiChange, Diff, Unhandled, VersionBump};
use crate::shell::count;

const STYLE: &str = include_str!("page.css");

/// Values with more lines are folded.
const LINES_MAX: usize = 12;

/// The class of parts that no rule covers.
const UNHANDLED: &str = "unhandled";

/// A change with its number, which names its anchor.
type Numbered<'d> = (usize, &'d ApiChange);

/// An operation with all changes that reach it.
type ByOperation<'d> = (&'d str, Vec<Numbered<'d>>);

/// Writes a difference as a page, grouped by operation. What several operations share is shown once, with links to it.
pub(super) fn html(diff: &Diff) -> String {
    let mut page = String::new();
    // Writing to a `String` cannot fail.
    let _ = write(&mut page, diff);
    page
}

fn write(page: &mut String, diff: &Diff) -> fmt::Result {
    let operations = by_operation(diff);
    let with = |test: fn(usize) -> bool| -> Vec<Numbered<'_>> {
        diff.changes.iter().enumerate().filter(|(_, change)| test(change.operations.len())).collect()
    };
    head(page, diff)?;
    page.push_str("<main>\n");
    filter(page, diff)?;
    overview(page, &operations)?;
    group(page, "shared", "Shared by several operations", &with(|users| users > 1), &operations)?;
    for (at, (key, changes)) in operations.iter().enumerate() {
        begin_group(page, &format!("operation-{at}"), key, changes)?;
        for (number, change) in changes.iter().filter(|(_, change)| change.operations.len() == 1) {
            article(page, *number, change, &own_sentence(key, &change.text), &[])?;
        }
        let shared = changes.iter().copied().filter(|(_, change)| change.operations.len() > 1);
        links(page, &shared.collect::<Vec<_>>())?;
        page.push_str("</section>\n");
    }
    group(page, "document", "The rest of the document", &with(|users| users == 0), &operations)?;
    unhandled(page, &diff.unhandled)?;
    if !diff.notes.is_empty() {
        page.push_str("<section>\n<h2>Notes</h2>\n<ul>\n");
        diff.notes.iter().try_for_each(|note| writeln!(page, "<li>{}</li>", Sentence(&capital(note))))?;
        page.push_str("</ul>\n</section>\n");
    }
    page.push_str("<p class=\"empty\">No level is selected.</p>\n</main>\n</body>\n</html>\n");
    Ok(())
}

/// The operations with all changes that reach them, the worst first.
fn by_operation(diff: &Diff) -> Vec<ByOperation<'_>> {
    let mut operations = BTreeMap::<&str, Vec<Numbered<'_>>>::new();
    for (number, change) in diff.changes.iter().enumerate() {
        for key in &change.operations {
            operations.entry(key).or_default().push((number, change));
        }
    }
    let mut operations: Vec<_> = operations.into_iter().collect();
    operations.sort_by_key(|(key, changes)| {
        let (method, path) = key.split_once(' ').unwrap_or(("", key));
        (Reverse(changes.iter().map(|(_, change)| change.level).max()), path, method)
    });
    operations
}

/// A sentence below the heading of its operation, without the operation's name.
fn own_sentence(key: &str, text: &str) -> String {
    let rest = text.strip_prefix(key).and_then(|rest| rest.strip_prefix([',', ':']));
    capital(rest.map_or(text, str::trim_start))
}

fn head(page: &mut String, diff: &Diff) -> fmt::Result {
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        STANDARD.encode(hmac_sha256::Hash::hash(STYLE.as_bytes()))
    );
    let (base, revision, summary) = (Escaped(&diff.base), Escaped(&diff.revision), summary(diff));
    let release = match diff.bump() {
        VersionBump::Breaking => "The next version is a breaking one.",
        VersionBump::Additive => "The next version only adds items.",
        VersionBump::Patch => "The public items stay the same.",
    };
    writeln!(
        page,
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API changes: {summary}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>API changes</h1>
<p>From <code>{base}</code> to <code>{revision}</code></p>
<p><strong>{}.</strong> {release}</p>
</header>"#,
        capital(&summary)
    )
}

/// A checkbox for each level that occurs.
fn filter(page: &mut String, diff: &Diff) -> fmt::Result {
    page.push_str("<fieldset class=\"filter\">\n<legend>Show</legend>\n");
    let levels = Level::ALL.map(|level| (level.to_string(), diff.count(level)));
    let unhandled = (UNHANDLED.to_owned(), diff.unhandled.len());
    for (name, count) in levels.into_iter().chain([unhandled]).filter(|(_, count)| *count > 0) {
        let label = capital(&name);
        writeln!(
            page,
            "<label><input type=\"checkbox\" id=\"show-{name}\" checked autocomplete=\"off\"> {label} ({count})</label>"
        )?;
    }
    page.push_str("</fieldset>\n");
    Ok(())
}

/// The list of operations with the number of changes of each level.
fn overview(page: &mut String, operations: &[ByOperation<'_>]) -> fmt::Result {
    if operations.is_empty() {
        return Ok(());
    }
    page.push_str("<nav aria-labelledby=\"operations\">\n<h2 id=\"operations\">Operations</h2>\n<ul>\n");
    for (at, (key, changes)) in operations.iter().enumerate() {
        let key = Escaped(key);
        write!(page, "<li class=\"group{}\"><a href=\"#operation-{at}\">{key}</a>", Has(changes))?;
        for level in Level::ALL {
            let number = changes.iter().filter(|(_, change)| change.level == level).count();
            if number > 0 {
                write!(page, " <span class=\"badge {level}\">{number} {level}</span>")?;
            }
        }
        page.push_str("</li>\n");
    }
    page.push_str("</ul>\n</nav>\n");
    Ok(())
}

/// Changes that do not belong to one operation, with links to the operations that they reach.
fn group(
    page: &mut String,
    id: &str,
    title: &str,
    changes: &[Numbered<'_>],
    operations: &[ByOperation<'_>],
) -> fmt::Result {
    if changes.is_empty() {
        return Ok(());
    }
    begin_group(page, id, title, changes)?;
    for (number, change) in changes {
        let anchor = |key: &String| operations.iter().position(|(operation, _)| operation == key);
        let links = change.operations.iter().filter_map(|key| Some((anchor(key)?, key.as_str())));
        article(page, *number, change, &capital(&change.text), &links.collect::<Vec<_>>())?;
    }
    page.push_str("</section>\n");
    Ok(())
}

fn begin_group(page: &mut String, id: &str, title: &str, changes: &[Numbered<'_>]) -> fmt::Result {
    let (has, title) = (Has(changes), Escaped(title));
    writeln!(page, "<section class=\"group{has}\" id=\"{id}\" aria-labelledby=\"{id}-title\">")?;
    writeln!(page, "<h2 id=\"{id}-title\">{title}</h2>")
}

/// Links to the changes that an operation shares with others.
fn links(page: &mut String, changes: &[Numbered<'_>]) -> fmt::Result {
    if changes.is_empty() {
        return Ok(());
    }
    writeln!(page, "<div class=\"group{}\">\n<h3>Shared with other operations</h3>", Has(changes))?;
    page.push_str("<ul class=\"links\">\n");
    for (number, change) in changes {
        let (class, badge, text) = (change.level, Badge(change.level), capital(&change.text));
        let text = Sentence(&text);
        writeln!(page, "<li class=\"{class}\">{badge} <a href=\"#change-{number}\">{text}</a></li>")?;
    }
    page.push_str("</ul>\n</div>\n");
    Ok(())
}

/// One change in full. `operations` are those that share it, with their numbers.
fn article(
    page: &mut String,
    number: usize,
    change: &ApiChange,
    sentence: &str,
    operations: &[(usize, &str)],
) -> fmt::Result {
    let ApiChange { id, level, pointer, rust, why, before, after, .. } = change;
    begin_article(page, &level.to_string(), &format!("change-{number}"), sentence, why)?;
    values(page, before.as_ref(), after.as_ref())?;
    if !rust.is_empty() {
        page.push_str("<p class=\"of-list\">Rust items:</p>\n<ul>\n");
        rust.iter().try_for_each(|item| writeln!(page, "<li>{}</li>", Sentence(item)))?;
        page.push_str("</ul>\n");
    }
    for (at, (number, key)) in operations.iter().enumerate() {
        let before = if at == 0 { "<p>Used by " } else { ", " };
        write!(page, "{before}<a href=\"#operation-{number}\">{}</a>", Escaped(key))?;
    }
    page.push_str(if operations.is_empty() { "" } else { "</p>\n" });
    writeln!(page, "<p class=\"place\"><code>{id}</code> at <code>{}</code></p>", Escaped(place(pointer)))?;
    page.push_str("</article>\n");
    Ok(())
}

fn begin_article(page: &mut String, class: &str, id: &str, sentence: &str, why: &str) -> fmt::Result {
    let (badge, sentence, why) = (Badge(class), Sentence(sentence), Sentence(why));
    writeln!(page, "<article class=\"{class}\" id=\"{id}\" aria-labelledby=\"{id}-title\">")?;
    writeln!(page, "<h3 id=\"{id}-title\">{badge} {sentence}</h3>\n<p>Why: {why}</p>")
}

fn unhandled(page: &mut String, parts: &[Unhandled]) -> fmt::Result {
    if parts.is_empty() {
        return Ok(());
    }
    page.push_str(
        "<section class=\"group has-unhandled\" id=\"unhandled\" aria-labelledby=\"unhandled-title\">\n",
    );
    page.push_str("<h2 id=\"unhandled-title\">Unhandled</h2>\n");
    for (number, part) in parts.iter().enumerate() {
        begin_article(page, UNHANDLED, &format!("unhandled-{number}"), &capital(&part.text), part.why)?;
        values(page, part.before.as_ref(), part.after.as_ref())?;
        writeln!(
            page,
            "<p class=\"place\">at <code>{}</code></p>\n</article>",
            Escaped(place(&part.pointer))
        )?;
    }
    page.push_str("</section>\n");
    Ok(())
}

/// Both values next to each other, with what differs marked.
fn values(page: &mut String, before: Option<&Value>, after: Option<&Value>) -> fmt::Result {
    let texts = match (before, after) {
        (None, None) => return Ok(()),
        // Mostly descriptions, which people read without quotes and escapes.
        (Some(Value::String(before)), Some(Value::String(after))) => [before.clone(), after.clone()],
        _ => [before, after].map(|value| value.map(|value| format!("{value:#}")).unwrap_or_default()),
    };
    let lines = texts.iter().map(|text| text.lines().count()).max().unwrap_or_default();
    let folded = lines > LINES_MAX;
    if folded {
        let what = match (before, after) {
            (Some(_), Some(_)) => "Before and after",
            (Some(_), None) => "Before",
            _ => "After",
        };
        writeln!(page, "<details>\n<summary>{what}: {}</summary>", count(lines, "line"))?;
    }
    let [was, is] = [&texts[0], &texts[1]];
    let compared = if lines > 1 { TextDiff::from_lines(was, is) } else { TextDiff::from_words(was, is) };
    let changes: Vec<Change<&str>> = compared.iter_all_changes().collect();
    let both = before.is_some() && after.is_some();
    let class = match (before, after) {
        (None, _) => "values added",
        (_, None) => "values removed",
        _ => "values",
    };
    writeln!(page, "<div class=\"{class}\">")?;
    for (title, mark, element, value) in
        [("Before", ChangeTag::Delete, "del", before), ("After", ChangeTag::Insert, "ins", after)]
    {
        writeln!(page, "<div><h4>{title}</h4>")?;
        if value.is_none() {
            page.push_str("<p class=\"absent\">absent</p></div>\n");
            continue;
        }
        page.push_str("<pre>");
        for change in changes.iter().filter(|change| [ChangeTag::Equal, mark].contains(&change.tag())) {
            let text = Escaped(change.value());
            if both && change.tag() == mark {
                write!(page, "<{element}>{text}</{element}>")?;
            } else {
                write!(page, "{text}")?;
            }
        }
        page.push_str("</pre></div>\n");
    }
    page.push_str(if folded { "</div>\n</details>\n" } else { "</div>\n" });
    Ok(())
}

/// The name of a level in front of a sentence.
struct Badge<T>(T);

impl<T: Display> Display for Badge<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "<span class=\"badge {0}\">{0}</span>", self.0)
    }
}

/// The classes of a group: the levels in it.
struct Has<'c, 'd>(&'c [Numbered<'d>]);

impl Display for Has<'_, '_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let present = |level: &Level| self.0.iter().any(|(_, change)| change.level == *level);
        Level::ALL.iter().filter(|level| present(level)).try_for_each(|level| write!(f, " has-{level}"))
    }
}

/// Text of a document. What could change the order or the look of the text around it is spelt out.
struct Escaped<'t>(&'t str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            '\n' | '\t' => f.write_char(c),
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
                write!(f, "{}", c.escape_unicode())
            }
            c if c.is_control() => write!(f, "{}", c.escape_unicode()),
            c => f.write_char(c),
        })
    }
}

/// A sentence with code between backticks.
struct Sentence<'t>(&'t str);

impl Display for Sentence<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.split('`').enumerate().try_for_each(|(at, part)| match at % 2 {
            0 => write!(f, "{}", Escaped(part)),
            _ => write!(f, "<code>{}</code>", Escaped(part)),
        })
    }
}
