//! JSON data as tables.

use std::collections::BTreeSet;
use std::fmt::Display;

use clap::builder::styling::Style;
use serde_json::{Map, Value};
use textwrap::WordSplitter;
use textwrap::core::display_width;

use crate::terminal::{BAD, FAINT, GOOD, HEADING, UNSURE, printable, width};

/// Longer values in a list are cut off, and shorter still if the terminal is too narrow for all columns.
const CELL_MAX: usize = 44;
const CELL_NARROW_MAX: usize = 20;

/// The narrowest cell to which a text is cut.
const CELL_MIN: usize = 10;

/// Narrower terminals show only the start of each row's own ID. That of another resource is shortened on every terminal.
const FULL_ID_WIDTH_MIN: usize = 60;

/// Characters of an ID that is shortened.
const SHORT_ID: usize = 8;

/// Between two columns.
const GAP: &str = "  ";

const ELLIPSIS: &str = "…";

/// What the text of a list says besides its rows.
#[derive(Clone, Copy)]
pub(crate) struct Notes<'a> {
    /// The text of an empty list.
    pub(crate) empty: &'a str,
    /// How to see the rest of a list with more pages.
    pub(crate) rest: &'a str,
}

impl Default for Notes<'_> {
    fn default() -> Self {
        Self { empty: "none", rest: "" }
    }
}

/// Formats data as text: a list as a table, an object as one line per field.
pub(crate) fn format(data: &Value, page: Option<&Map<String, Value>>, notes: Notes<'_>) -> String {
    match data {
        Value::Null => "done".to_owned(),
        Value::Array(rows) => {
            let count = page.and_then(|page| page.get("count")?.as_u64());
            let total = count.filter(|count| usize::try_from(*count).is_ok_and(|count| count > rows.len()));
            let rest = if notes.rest.is_empty() { String::new() } else { format!("; {}", notes.rest) };
            let more = total.map(|total| format!("\n{} of {total}{rest}", rows.len())).unwrap_or_default();
            format_rows(rows, notes.empty) + &more
        }
        Value::Object(map) => format_fields(map),
        other => cell(other, "").unwrap_or_default(),
    }
}

struct Column<'a> {
    name: &'a str,
    title: String,
    cells: Vec<String>,
    width: usize,
    /// Whether a part of a value still says something.
    may_be_cut: bool,
}

impl<'a> Column<'a> {
    /// Returns none for a column without values, or with values that are too complex for a cell.
    fn new(name: &'a str, rows: &[Value]) -> Option<Self> {
        if rows.iter().all(|row| row[name].is_null()) {
            return None;
        }
        let cells: Vec<_> = rows.iter().map(|row| cell(&row[name], name)).collect::<Option<_>>()?;
        // Without an ID, the name is what other commands take.
        let has_id = rows.iter().any(|row| !row["id"].is_null());
        let may_be_cut = rank(name) == Rank::Text || has_id && rank(name) == Rank::Name;
        let mut column = Self { name, title: printable(name).to_uppercase(), cells, width: 0, may_be_cut };
        let width = width().map(usize::from);
        if width.is_some_and(|width| is_other_id(name) || name == "id" && width < FULL_ID_WIDTH_MIN) {
            column.cut(SHORT_ID + 1);
        }
        column.cut(CELL_MAX);
        Some(column)
    }

    /// Cuts off the ends of cells that are wider, if the values are texts.
    fn cut(&mut self, max: usize) {
        for cell in &mut self.cells {
            *cell = cut(cell, max);
        }
        let cells = self.cells.iter().map(|cell| display_width(cell));
        self.width = cells.max().unwrap_or(0).max(display_width(&self.title));
    }
}

/// The order of columns and fields by their meaning. The document lists fields alphabetically.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Id,
    Name,
    Kind,
    Value,
    Flag,
    OtherId,
    Text,
    Time,
}

fn rank(name: &str) -> Rank {
    const KINDS: [&str; 9] =
        ["type", "status", "state", "mode", "outcome", "gender", "language", "provider", "command"];
    const TEXTS: [&str; 7] = ["description", "message", "error", "preview", "content", "text", "url"];
    let last = name.rsplit('_').next().unwrap_or(name);
    match last {
        "id" if name == last => Rank::Id,
        "id" => Rank::OtherId,
        "name" => Rank::Name,
        "at" => Rank::Time,
        _ if KINDS.contains(&last) => Rank::Kind,
        _ if TEXTS.contains(&last) => Rank::Text,
        _ if name.starts_with("is_") => Rank::Flag,
        _ => Rank::Value,
    }
}

fn is_other_id(name: &str) -> bool {
    rank(name) == Rank::OtherId
}

fn format_rows(rows: &[Value], empty: &str) -> String {
    if rows.is_empty() {
        return empty.to_owned();
    }
    if rows.iter().any(|row| !row.is_object()) {
        let lines = rows.iter().map(|row| cell(row, "").unwrap_or_else(|| printable(&row.to_string())));
        return lines.collect::<Vec<_>>().join("\n");
    }
    // A row omits optional fields.
    let names: BTreeSet<&str> =
        rows.iter().filter_map(Value::as_object).flat_map(Map::keys).map(String::as_str).collect();
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_by_key(|name| rank(name));
    let columns: Vec<_> = names.iter().filter_map(|name| Column::new(name, rows)).collect();
    let columns = fit(columns);
    let cells = |texts: Vec<(&str, Style)>| {
        let last = texts.len().saturating_sub(1);
        let cells = texts.into_iter().zip(&columns).enumerate().map(|(index, ((text, style), column))| {
            let padding = if index == last { 0 } else { column.width - display_width(text) };
            format!("{style}{text}{style:#}{:padding$}", "")
        });
        cells.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
    };
    let mut lines = vec![cells(columns.iter().map(|column| (column.title.as_str(), HEADING)).collect())];
    lines.extend((0..rows.len()).map(|row| {
        let row =
            columns.iter().map(|column| (column.cells[row].as_str(), style(column.name, &column.cells[row])));
        cells(row.collect())
    }));
    let has_value = |name: &&&str| rows.iter().any(|row| !row[**name].is_null());
    let is_hidden = |name: &&&str| columns.iter().all(|column| column.name != **name);
    let hidden: Vec<_> =
        names.iter().filter(has_value).filter(is_hidden).map(|name| printable(name)).collect();
    if !hidden.is_empty() {
        let note = format!("(not shown: {}; --json shows all)", hidden.join(", "));
        lines.extend(wrapped(&note, width().map(usize::from)).into_iter().map(|line| faint(&line)));
    }
    lines.join("\n")
}

/// Returns the columns that fit into the line, at least one; the values of some are cut for that.
fn fit(mut columns: Vec<Column<'_>>) -> Vec<Column<'_>> {
    let Some(width) = width().map(usize::from) else { return columns };
    let total = |columns: &[Column<'_>]| columns.iter().map(|column| column.width + GAP.len()).sum::<usize>();
    let mut left = width + GAP.len();
    if total(&columns) > left {
        columns.iter_mut().filter(|column| column.may_be_cut).for_each(|column| column.cut(CELL_NARROW_MAX));
    }
    let mut shown = Vec::new();
    for mut column in columns {
        let space = left.saturating_sub(GAP.len());
        if column.width > space && column.may_be_cut && space >= CELL_MIN.max(display_width(&column.title)) {
            column.cut(space);
        }
        if column.width <= space || shown.is_empty() {
            left = left.saturating_sub(column.width + GAP.len());
            shown.push(column);
        }
    }
    shown
}

fn format_fields(map: &Map<String, Value>) -> String {
    let mut fields = Vec::new();
    collect_fields(map, 0, &mut fields);
    let names = fields.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| display_width(name));
    let names = names.max().unwrap_or(0);
    let width = width().map(|width| usize::from(width).saturating_sub(names + GAP.len()).max(CELL_MIN));
    let mut lines = Vec::new();
    for (name, value) in fields {
        let Some(value) = value else {
            lines.push(format!("{HEADING}{name}{HEADING:#}"));
            continue;
        };
        let text = cell(value, name.trim_start()).unwrap_or_else(|| printable(&value.to_string()));
        let style = style(name.trim_start(), &text);
        for (index, line) in wrapped(&text, width).into_iter().enumerate() {
            let name = if index == 0 { name.as_str() } else { "" };
            let padding = names - display_width(name);
            lines.push(format!("{HEADING}{name}{HEADING:#}{:padding$}{GAP}{style}{line}{style:#}", ""));
        }
    }
    lines.join("\n")
}

/// Collects names and values by rank. The fields of an inner object follow its name, indented.
fn collect_fields<'a>(
    map: &'a Map<String, Value>,
    depth: usize,
    fields: &mut Vec<(String, Option<&'a Value>)>,
) {
    let mut names: Vec<&String> = map.keys().collect();
    names.sort_by_key(|name| (map[*name].is_object(), rank(name)));
    for name in names {
        let title = format!("{}{}", GAP.repeat(depth), printable(name));
        match &map[name] {
            Value::Object(inner) if !inner.is_empty() => {
                fields.push((title, None));
                collect_fields(inner, depth + 1, fields);
            }
            value => fields.push((title, Some(value))),
        }
    }
}

/// Returns the lines of a text, never none.
fn wrapped(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else { return vec![text.to_owned()] };
    // An ID or an address stays in one piece, to be copied.
    let options = textwrap::Options::new(width).break_words(false).word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).into_iter().map(|line| line.trim_end().to_owned()).collect()
}

/// Returns the text of a cell; none for an object without a name, or a list of more than words.
fn cell(value: &Value, name: &str) -> Option<String> {
    match value {
        Value::Null => Some("-".to_owned()),
        Value::String(text) if name.ends_with("_base64") => {
            Some(format!("{} characters of base64", text.len()))
        }
        Value::String(text) => Some(with_unit(printable(text), name)),
        Value::Array(items) => {
            let is_word = |item: &Value| !item.is_object() && !item.is_array();
            let words = items.iter().all(is_word).then(|| items.iter().filter_map(|item| cell(item, "")))?;
            let words: Vec<_> = words.collect();
            Some(if words.is_empty() { "-".to_owned() } else { words.join(", ") })
        }
        Value::Object(map) => map.get("name").and_then(Value::as_str).map(printable),
        Value::Number(number) => Some(with_unit(number.to_string(), name)),
        Value::Bool(flag) => Some(flag.to_string()),
    }
}

/// Adds the unit of a number, which the name of its field tells.
fn with_unit(text: String, name: &str) -> String {
    let unit = match name {
        _ if name.ends_with("duration") => "s",
        _ if name.starts_with("credits") => "credits",
        _ => return text,
    };
    if text.parse::<f64>().is_ok() { format!("{text} {unit}") } else { text }
}

/// Returns the colour of a value: that of a state tells at a glance how it is.
fn style(name: &str, text: &str) -> Style {
    const BAD_STATES: [&str; 5] = ["fail", "error", "expired", "reject", "not "];
    const UNSURE_STATES: [&str; 6] = ["init", "pending", "process", "progress", "training", "queue"];
    let has = |words: &[&str]| words.iter().any(|word| text.to_ascii_lowercase().contains(word));
    match name.rsplit('_').next().unwrap_or(name) {
        _ if text == "-" => FAINT,
        "status" | "state" | "outcome" if has(&BAD_STATES) => BAD,
        "status" | "state" | "outcome" if has(&UNSURE_STATES) => UNSURE,
        "status" | "state" | "outcome" => GOOD,
        _ => Style::new(),
    }
}

fn faint(text: &impl Display) -> String {
    format!("{FAINT}{text}{FAINT:#}")
}

/// Cuts off the end of a text that is wider than `max`.
fn cut(text: &str, max: usize) -> String {
    if display_width(text) <= max {
        return text.to_owned();
    }
    let mut cut = String::new();
    for c in text.chars() {
        if display_width(&cut) + display_width(c.encode_utf8(&mut [0; 4])) + 1 > max {
            break;
        }
        cut.push(c);
    }
    cut.trim_end().to_owned() + ELLIPSIS
}
