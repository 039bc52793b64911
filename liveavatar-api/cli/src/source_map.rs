//! Finding the position of a field in a JSON or TOML text.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use jsonc_parser::ast::{self, ObjectPropName};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(crate) struct SourceFile {
    pub(crate) name: String,
    pub(crate) text: String,
    /// The configuration as JSON text, which is not parsed yet if the file is JSON.
    pub(crate) json: Result<String, Vec<TomlError>>,
    /// The position of each value, by JSON pointer.
    pub(crate) fields: Fields,
}

pub(crate) type Fields = BTreeMap<String, Field>;

/// The position of a value, in bytes.
pub(crate) struct Field {
    key: Option<Range<usize>>,
    pub(crate) value: Range<usize>,
    pub(crate) is_text: bool,
}

pub(crate) struct TomlError {
    pub(crate) message: String,
    pub(crate) span: Range<usize>,
}

/// Which part of a field a diagnostic underlines.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Key,
    Value,
}

impl SourceFile {
    pub(crate) fn new(path: &Path, text: String) -> Self {
        let name = if path == Path::new("-") { "<stdin>".to_owned() } else { path.display().to_string() };
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let is_toml = match extension.to_ascii_lowercase().as_str() {
            "toml" => true,
            "json" => false,
            _ => !text.trim_start().starts_with('{'),
        };
        let mut fields = Fields::new();
        let json = if is_toml {
            parse_toml(&text, &mut fields)
        } else {
            locate_json(&text, &mut fields);
            Ok(text.clone())
        };
        Self { name, text, json, fields }
    }

    /// Returns the span to underline: the field, or its nearest parent in the text.
    pub(crate) fn span(&self, pointer: &str, target: Target) -> Range<usize> {
        if let Some(field) = self.fields.get(pointer).filter(|_| !pointer.is_empty()) {
            // For a value of several lines, the key is enough.
            let multiline = self.text.get(field.value.clone()).is_some_and(|text| text.contains('\n'));
            let key = field.key.clone().filter(|_| target == Target::Key || multiline);
            return key.unwrap_or_else(|| field.value.clone());
        }
        let mut parent = pointer;
        while let Some((next, _)) = parent.rsplit_once('/') {
            parent = next;
            if let Some(field) = self.fields.get(parent) {
                return field.key.clone().unwrap_or_else(|| self.character_at(field.value.start));
            }
        }
        self.character_at(self.text.len() - self.text.trim_start().len())
    }

    fn character_at(&self, start: usize) -> Range<usize> {
        let character = self.text.get(start..).and_then(|rest| rest.chars().next());
        start..character.map_or(start, |c| start + c.len_utf8())
    }

    /// Converts line and column, in bytes and from 1, to the span of that character.
    pub(crate) fn character_in_line(&self, line: usize, column: usize) -> Range<usize> {
        let before: usize = self.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let mut start = (before + column.saturating_sub(1)).min(self.text.len());
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        self.character_at(start)
    }

    /// Returns line and column in characters, both from 1.
    pub(crate) fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }
}

fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Records the positions in a JSON text. The library reports syntax errors, so they are ignored here.
fn locate_json(text: &str, fields: &mut Fields) {
    let strict = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    if let Ok(parsed) = parse_to_ast(text, &CollectOptions::default(), &strict)
        && let Some(value) = parsed.value
    {
        locate_json_value(&value, None, String::new(), fields);
    }
}

fn locate_json_value(
    value: &ast::Value<'_>,
    key: Option<Range<usize>>,
    pointer: String,
    fields: &mut Fields,
) {
    let range = value.range();
    match value {
        ast::Value::Object(object) => {
            for property in &object.properties {
                let range = property.name.range();
                let name = match &property.name {
                    ObjectPropName::String(name) => &*name.value,
                    ObjectPropName::Word(name) => name.value,
                };
                let key = Some(range.start..range.end);
                locate_json_value(&property.value, key, child(&pointer, name), fields);
            }
        }
        ast::Value::Array(array) => {
            for (index, element) in array.elements.iter().enumerate() {
                locate_json_value(element, None, format!("{pointer}/{index}"), fields);
            }
        }
        _ => {}
    }
    let is_text = matches!(value, ast::Value::StringLit(_));
    fields.insert(pointer, Field { key, value: range.start..range.end, is_text });
}

fn parse_toml(text: &str, fields: &mut Fields) -> Result<String, Vec<TomlError>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let error = |error: toml::de::Error| TomlError {
            // The other lines may quote values.
            message: error.message().lines().next().unwrap_or_default().to_owned(),
            span: error.span().unwrap_or(0..0),
        };
        return Err(errors.into_iter().map(error).collect());
    }
    fields.insert(String::new(), Field { key: None, value: table.span(), is_text: false });
    Ok(Value::Object(toml_table(table.get_ref(), "", fields)).to_string())
}

fn toml_table(table: &DeTable<'_>, pointer: &str, fields: &mut Fields) -> Map<String, Value> {
    let entries = table.iter().map(|(key, value)| {
        let name = key.get_ref().to_string();
        let json = toml_value(value, Some(key.span()), child(pointer, &name), fields);
        (name, json)
    });
    entries.collect()
}

/// Converts a TOML value to JSON and records its position.
fn toml_value(
    value: &Spanned<DeValue<'_>>,
    key: Option<Range<usize>>,
    pointer: String,
    fields: &mut Fields,
) -> Value {
    let json = match value.get_ref() {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => {
            let integer = i64::from_str_radix(number.as_str(), number.radix());
            integer.map_or_else(|_| serde_json::from_str(number.as_str()).unwrap_or_default(), Value::from)
        }
        DeValue::Float(number) => {
            number.as_str().parse().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
        }
        DeValue::Boolean(flag) => Value::Bool(*flag),
        // The service takes dates as strings.
        DeValue::Datetime(date) => Value::from(date.to_string()),
        DeValue::Array(items) => {
            let items = items.iter().enumerate();
            items.map(|(index, item)| toml_value(item, None, format!("{pointer}/{index}"), fields)).collect()
        }
        DeValue::Table(table) => Value::Object(toml_table(table, &pointer, fields)),
    };
    let is_text = value.get_ref().as_str().is_some();
    fields.insert(pointer, Field { key, value: value.span(), is_text });
    json
}
