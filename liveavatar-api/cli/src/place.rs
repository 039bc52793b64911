//! Configuration files: their text, and where in it each value stands.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use jsonc_parser::ast::{self, ObjectPropName};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::document::secret_fields;

/// A text value of at most so many plain characters may be a word of the configuration; all others are masked.
const WORD: usize = 40;

/// A configuration file.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
    /// As the library reads it, unless it is no configuration at all.
    pub(crate) json: Result<String, Vec<Broken>>,
    /// Where each value stands, by JSON pointer.
    pub(crate) places: BTreeMap<String, Place>,
}

/// Where a value stands, in bytes of the text.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) key: Option<Range<usize>>,
    pub(crate) value: Range<usize>,
    /// For a text, whether it may be seen by itself.
    text: Option<bool>,
}

/// What is wrong with a file before it is a configuration.
pub(crate) struct Broken {
    pub(crate) message: String,
    pub(crate) span: Range<usize>,
}

impl Source {
    pub(crate) fn new(path: &Path, text: String) -> Self {
        let name = if path == Path::new("-") { "<stdin>".to_owned() } else { path.display().to_string() };
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let toml = match extension.to_ascii_lowercase().as_str() {
            "toml" => true,
            "json" => false,
            _ => !text.trim_start().starts_with('{'),
        };
        let mut places = BTreeMap::new();
        let json = if toml { from_toml(&text, &mut places) } else { Ok(from_json(&text, &mut places)) };
        Self { name, text, json, places }
    }

    /// Where to point for a problem: the value, or the nearest thing around it that is there.
    pub(crate) fn span(&self, pointer: &str, at_key: bool) -> Range<usize> {
        if let Some(place) = self.places.get(pointer).filter(|_| !pointer.is_empty()) {
            // Of what goes over several lines, the name is enough.
            let long = self.text.get(place.value.clone()).is_some_and(|text| text.contains('\n'));
            return place.key.clone().filter(|_| at_key || long).unwrap_or_else(|| place.value.clone());
        }
        let mut around = pointer;
        while let Some((parent, _)) = around.rsplit_once('/') {
            around = parent;
            if let Some(place) = self.places.get(around) {
                let start = place.value.start;
                return place.key.clone().unwrap_or(start..self.next(start));
            }
        }
        let start = self.text.len() - self.text.trim_start().len();
        start..self.next(start)
    }

    /// The end of the character at a place.
    fn next(&self, at: usize) -> usize {
        self.text.get(at..).and_then(|rest| rest.chars().next()).map_or(at, |c| at + c.len_utf8())
    }

    /// Line and column in characters, both from 1.
    pub(crate) fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }

    /// What must not be seen: texts that are secret by their field, that stand in a field nobody knows, or that are no plain word.
    pub(crate) fn masks(&self, unknown: &[&str]) -> Vec<Range<usize>> {
        if self.places.is_empty() {
            return unread(&self.text);
        }
        let within = |pointer: &str| {
            unknown.iter().any(|field| {
                pointer.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        let secret = |pointer: &str| pointer.split('/').any(|part| secret_fields().contains(part));
        let hidden = self.places.iter().filter(|(pointer, place)| {
            place.text.is_some_and(|plain| !plain || within(pointer) || secret(pointer))
        });
        hidden.map(|(_, place)| place.value.clone()).collect()
    }
}

/// All that may be a value in a text that could not be read: only a single word that leads a line up to a colon or an equals sign is
/// a key, because where one of those is missing, a value stands there too.
fn unread(text: &str) -> Vec<Range<usize>> {
    let mut masks = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let key = line.find([':', '=']).filter(|end| {
            let word = line[..*end].trim_start_matches([' ', '\t', '{', ',']).trim_end();
            let quote = word.chars().next().filter(|first| "\"'".contains(*first));
            let bare = quote.map_or(Some(word), |quote| word.strip_prefix(quote)?.strip_suffix(quote));
            bare.is_some_and(|bare| !bare.is_empty() && is_word(bare))
        });
        masks.push(start + key.unwrap_or(0)..start + line.len());
        start += line.len();
    }
    masks
}

fn is_word(text: &str) -> bool {
    text.len() <= WORD && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte))
}

fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Notes the places; what is wrong with the text, its reader says.
fn from_json(text: &str, places: &mut BTreeMap<String, Place>) -> String {
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
        note(&value, None, String::new(), places);
    }
    text.to_owned()
}

fn note(
    value: &ast::Value<'_>,
    key: Option<Range<usize>>,
    pointer: String,
    places: &mut BTreeMap<String, Place>,
) {
    let range = value.range();
    let text = match value {
        ast::Value::StringLit(text) => Some(is_word(&text.value)),
        _ => None,
    };
    match value {
        ast::Value::Object(object) => {
            for property in &object.properties {
                let range = property.name.range();
                let name = match &property.name {
                    ObjectPropName::String(name) => &*name.value,
                    ObjectPropName::Word(name) => name.value,
                };
                note(&property.value, Some(range.start..range.end), below(&pointer, name), places);
            }
        }
        ast::Value::Array(array) => {
            for (index, element) in array.elements.iter().enumerate() {
                note(element, None, format!("{pointer}/{index}"), places);
            }
        }
        _ => {}
    }
    places.insert(pointer, Place { key, value: range.start..range.end, text });
}

fn from_toml(text: &str, places: &mut BTreeMap<String, Place>) -> Result<String, Vec<Broken>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let broken = |error: toml::de::Error| Broken {
            // Its first line only: the others may show the text.
            message: error.message().lines().next().unwrap_or_default().to_owned(),
            span: error.span().unwrap_or(0..0),
        };
        return Err(errors.into_iter().map(broken).collect());
    }
    places.insert(String::new(), Place { key: None, value: table.span(), text: None });
    Ok(Value::Object(object(table.get_ref(), "", places)).to_string())
}

fn object(table: &DeTable<'_>, pointer: &str, places: &mut BTreeMap<String, Place>) -> Map<String, Value> {
    table
        .iter()
        .map(|(key, value)| {
            let name = key.get_ref().to_string();
            let json = json_of(value, Some(key.span()), below(pointer, &name), places);
            (name, json)
        })
        .collect()
}

fn json_of(
    value: &Spanned<DeValue<'_>>,
    key: Option<Range<usize>>,
    pointer: String,
    places: &mut BTreeMap<String, Place>,
) -> Value {
    let text = value.get_ref().as_str().map(is_word);
    let json = match value.get_ref() {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => {
            let whole = i64::from_str_radix(number.as_str(), number.radix());
            whole.map_or_else(|_| serde_json::from_str(number.as_str()).unwrap_or_default(), Value::from)
        }
        DeValue::Float(number) => {
            number.as_str().parse().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
        }
        DeValue::Boolean(flag) => Value::Bool(*flag),
        // JSON has no dates; the service takes them as text.
        DeValue::Datetime(date) => Value::from(date.to_string()),
        DeValue::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| json_of(item, None, format!("{pointer}/{index}"), places))
            .collect(),
        DeValue::Table(table) => Value::Object(object(table, &pointer, places)),
    };
    places.insert(pointer, Place { key, value: value.span(), text });
    json
}
