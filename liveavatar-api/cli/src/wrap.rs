//! Breaking text into lines.

use textwrap::{Options, WordSplitter};

/// Breaks a text into lines of at most `width` columns: `first` is before the first line, and `indent` before each other line.
pub(crate) fn wrap(first: &str, text: &str, indent: &str, width: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let options = Options::new(width).initial_indent(first).subsequent_indent(indent);
    textwrap::fill(&text, options.break_words(false).word_splitter(WordSplitter::NoHyphenation))
}
