//! Hiding secrets and prose in the lines of a configuration file that diagnostics quote.

use std::ops::Range;

use crate::document::secret_fields;
use crate::source_map::{SourceFile, is_keyword};

/// The text of a file with each hidden character replaced by `*`, so that columns stay the same.
pub(crate) struct MaskedText {
    pub(crate) text: String,
    /// The offset of each replaced multi-byte character, and how many bytes shorter its mask is.
    shortened: Vec<(usize, usize)>,
}

impl MaskedText {
    /// Masks values of the unknown fields, which may be misspelt secrets, besides those that are always hidden.
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

/// Returns the spans of strings in secret or unknown fields, and of strings that are not keywords.
fn masked_spans(source: &SourceFile, unknown_fields: &[&str]) -> Vec<Range<usize>> {
    if source.fields.is_empty() {
        return possible_values(&source.text);
    }
    let is_unknown = |pointer: &str| {
        unknown_fields.iter().any(|field| {
            pointer.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let is_secret = |pointer: &str| pointer.split('/').any(|part| secret_fields().contains(part));
    let masked = source.fields.iter().filter(|(pointer, field)| {
        field.keyword.is_some_and(|keyword| !keyword || is_unknown(pointer) || is_secret(pointer))
    });
    masked.map(|(_, field)| field.value.clone()).collect()
}

/// Returns everything in an unparsable text that may be a value.
///
/// Only a single word at the start of a line, followed by a colon or an equals sign, is a key: if one of those signs is missing,
/// the rest of the line may contain a value.
fn possible_values(text: &str) -> Vec<Range<usize>> {
    let mut masks = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let key = line.find([':', '=']).filter(|end| {
            let word = line[..*end].trim_start_matches([' ', '\t', '{', ',']).trim_end();
            let quote = word.chars().next().filter(|first| "\"'".contains(*first));
            let bare = quote.map_or(Some(word), |quote| word.strip_prefix(quote)?.strip_suffix(quote));
            bare.is_some_and(|bare| !bare.is_empty() && is_keyword(bare))
        });
        masks.push(start + key.unwrap_or(0)..start + line.len());
        start += line.len();
    }
    masks
}
