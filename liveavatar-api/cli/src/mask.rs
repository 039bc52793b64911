//! Hiding secrets in the lines of a configuration file that diagnostics quote.

use std::ops::Range;

use crate::document::{has_field, holds_secrets, secret_fields};
use crate::source_map::SourceFile;

/// The text of a file with each hidden character replaced by `*`, so that columns stay the same.
pub(crate) struct MaskedText {
    pub(crate) text: String,
    /// The offset of each replaced multi-byte character, and how many bytes shorter its mask is.
    shortened: Vec<(usize, usize)>,
}

impl MaskedText {
    /// Masks the values of secret fields, and of unknown fields whose names look like those of secrets.
    pub(crate) fn new(source: &SourceFile, unknown_fields: &[&str]) -> Self {
        let masks = masked_spans(source, unknown_fields);
        let mut masked = Self { text: String::with_capacity(source.text.len()), shortened: Vec::new() };
        for (at, c) in source.text.char_indices() {
            let maskable = !c.is_whitespace() && !"\"'{}[],:=".contains(c);
            if maskable && masks.iter().any(|mask| mask.contains(&at)) {
                masked.text.push('*');
                if c.len_utf8() > 1 {
                    masked.shortened.push((at, c.len_utf8() - 1));
                }
            } else {
                masked.text.push(c);
            }
        }
        masked
    }

    /// Converts a span of the original text to a span of the masked text.
    pub(crate) fn span(&self, original: &Range<usize>) -> Range<usize> {
        let offset = |at: usize| {
            let before = self.shortened.iter().take_while(|(masked, _)| *masked < at);
            at - before.map(|(_, bytes)| bytes).sum::<usize>()
        };
        offset(original.start)..offset(original.end)
    }
}

/// How similar the name of a misspelt secret is to its right name.
const SIMILARITY_MIN: f64 = 0.85;

/// Words in the names of secrets.
const SECRET_WORDS: [&str; 4] = ["key", "password", "secret", "token"];

/// Returns the spans of texts in secret fields, which may be misspelt.
fn masked_spans(source: &SourceFile, unknown_fields: &[&str]) -> Vec<Range<usize>> {
    if source.fields.is_empty() {
        return possible_secrets(&source.text);
    }
    let is_unknown = |pointer: &str| {
        unknown_fields.iter().any(|field| {
            pointer.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let is_misspelt = |pointer: &str| is_unknown(pointer) && pointer.split('/').any(may_be_secret);
    let is_secret = |pointer: &str| pointer.split('/').any(|part| secret_fields().contains(part));
    // A text in place of an object may be a secret of that object.
    let is_misplaced = |pointer: &str| pointer.rsplit('/').next().is_some_and(holds_secrets);
    let masked = source.fields.iter().filter(|(pointer, field)| {
        field.is_text && (is_misspelt(pointer) || is_secret(pointer) || is_misplaced(pointer))
    });
    masked.map(|(_, field)| field.value.clone()).collect()
}

fn may_be_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
        || secret_fields().iter().any(|secret| strsim::jaro_winkler(secret, &name) >= SIMILARITY_MIN)
}

/// Returns everything in an unparsable text that may be the value of a secret field.
///
/// That is everything but the names of fields, and the single value after the name of a known field that is not secret.
fn possible_secrets(text: &str) -> Vec<Range<usize>> {
    let mut masks = Vec::new();
    let mut masked_from = 0;
    let mut at = 0;
    while let Some(word) = next_word(text, at) {
        at = word.end;
        let name = &text[word.clone()];
        let (before, after) = (&text[..word.start], &text[word.end..]);
        let is_known = has_field(name);
        let is_quoted = before.ends_with('"') && after.starts_with('"');
        let starts_line = before.rsplit('\n').next().is_some_and(|before| before.trim().is_empty());
        let after = after.trim_start_matches(['"', '\'']).trim_start_matches([' ', '\t']);
        let Some(value) = after.strip_prefix([':', '=']) else { continue };
        if !(is_known || is_quoted || starts_line) {
            continue;
        }
        masks.push(masked_from..word.start);
        let value = text.len() - value.trim_start_matches([' ', '\t']).len();
        (masked_from, at) = if !is_known || secret_fields().contains(name) {
            (value, value + secret_length(&text[value..]))
        } else if holds_secrets(name) {
            (value, value)
        } else {
            let end = value + value_length(&text[value..]);
            (end, end)
        };
    }
    masks.push(masked_from..text.len());
    masks
}

/// Returns the next run of characters that names of fields have.
fn next_word(text: &str, from: usize) -> Option<Range<usize>> {
    let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let start = from + text[from..].find(in_name)?;
    let length = text[start..].find(|c| !in_name(c)).unwrap_or(text.len() - start);
    Some(start..start + length)
}

/// Returns the length of everything that may belong to a secret: without its closing quote, that is the rest of the text.
fn secret_length(text: &str) -> usize {
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| text.starts_with(quote));
    let Some(quote) = quote else { return text.find('\n').unwrap_or(text.len()) };
    text[quote.len()..].find(quote).map_or(text.len(), |end| end + 2 * quote.len())
}

/// Returns the length of a text in quotes, or of everything up to the end of the value or the line, or to a stray quote.
fn value_length(text: &str) -> usize {
    let line = &text[..text.find('\n').unwrap_or(text.len())];
    let closed = ['"', '\''].into_iter().find_map(|quote| Some(line.strip_prefix(quote)?.find(quote)? + 2));
    closed.unwrap_or_else(|| {
        let rest = line.trim_start_matches(['"', '\'']);
        let end = rest.find([',', '{', '}', '[', ']', '"', '\'']).unwrap_or(rest.len());
        line.len() - rest.len() + end
    })
}
