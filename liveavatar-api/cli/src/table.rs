//! JSON data as tables.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value};

use crate::terminal::{printable, width};

/// Columns with a longer value than this, in characters, are omitted.
const CELL_MAX: usize = 44;

/// Spaces between two columns.
const GAP: u16 = 2;

/// Formats data as text: a list as a table, an object as one line per field.
pub(crate) fn format(data: &Value) -> String {
    match data {
        Value::Null => "done".to_owned(),
        Value::Array(rows) => format_rows(rows),
        Value::Object(map) => match map.get("results").and_then(Value::as_array) {
            Some(rows) => {
                let count = map.get("count").and_then(Value::as_u64);
                let more =
                    count.filter(|count| usize::try_from(*count).is_ok_and(|count| count > rows.len()));
                let note = more.map(|count| format!("\n{} of {count}", rows.len())).unwrap_or_default();
                format_rows(rows) + &note
            }
            None => format_fields(map),
        },
        other => cell(other).unwrap_or_default(),
    }
}

fn format_rows(rows: &[Value]) -> String {
    let Some(first) = rows.first() else { return "none".to_owned() };
    let Some(object) = first.as_object() else {
        let lines = rows.iter().map(|row| cell(row).unwrap_or_else(|| row.to_string()));
        return lines.collect::<Vec<_>>().join("\n");
    };
    // A column is shown if every value fits and at least one is not null.
    let shown = |name: &&str| {
        let mut cells = rows.iter().map(|row| cell(&row[*name]));
        cells.all(|cell| cell.is_some_and(|cell| cell.chars().count() <= CELL_MAX))
            && rows.iter().any(|row| !row[*name].is_null())
    };
    let mut columns: Vec<&str> = sorted_names(object).into_iter().filter(shown).collect();
    let omitted = columns.split_off(count_fitting(rows, &columns)).len();
    let mut table = new_table();
    table.set_header(columns.iter().map(|name| name.to_uppercase()));
    for row in rows {
        table.add_row(columns.iter().map(|name| cell(&row[*name]).unwrap_or_default()));
    }
    let note = match omitted {
        0 => String::new(),
        _ => format!("\n(columns omitted: {omitted}; use --json to see all)"),
    };
    render(table) + &note
}

fn format_fields(map: &Map<String, Value>) -> String {
    let mut table = new_table();
    for name in sorted_names(map) {
        let value = &map[name];
        let text = cell(value).unwrap_or_else(|| printable(&value.to_string()));
        table.add_row([name.to_owned(), text]);
    }
    render(table)
}

fn cell(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("-".to_owned()),
        Value::String(text) => Some(printable(text)),
        Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}

/// Returns the field names with `id` and `name` first.
fn sorted_names(map: &Map<String, Value>) -> Vec<&str> {
    let mut names: Vec<&str> = map.keys().map(String::as_str).collect();
    names.sort_by_key(|name| match *name {
        "id" => 0,
        "name" => 1,
        _ => 2,
    });
    names
}

/// Returns how many of the columns fit into the line, at least one.
fn count_fitting(rows: &[Value], columns: &[&str]) -> usize {
    let Some(width) = width() else { return columns.len() };
    let mut left = usize::from(width);
    let fits = |name: &&&str| {
        let cells = rows.iter().filter_map(|row| Some(cell(&row[**name])?.chars().count()));
        let column = cells.max().unwrap_or(0).max(name.len()) + usize::from(GAP);
        let fits = column <= left;
        left = left.saturating_sub(column);
        fits
    };
    columns.iter().take_while(fits).count().max(1)
}

fn new_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = width() {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table
}

fn render(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
