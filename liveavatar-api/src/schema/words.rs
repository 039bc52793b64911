//! Lists of words in messages, and words that look alike.

/// Least similarity, from 0 to 1, of a misspelt word and the suggested word.
const LEAST_SIMILARITY: f64 = 0.6;

/// More suggestions than this do not help.
pub(crate) const MOST_SUGGESTIONS: usize = 3;

/// Allowed words are listed if there are at most this many.
const MOST_LISTED: usize = 8;

/// The allowed words, or their number if there are many.
pub(crate) fn one_of(allowed: &[&str]) -> String {
    if allowed.len() <= MOST_LISTED {
        list(allowed, "or")
    } else {
        format!("one of {} allowed values", allowed.len())
    }
}

/// The first of many allowed words.
pub(crate) fn some_of(allowed: &[&str]) -> Option<String> {
    let first = allowed.get(..MOST_LISTED).filter(|first| first.len() < allowed.len())?;
    Some(format!("some allowed values are {}", list(first, "and")))
}

/// The allowed words that a misspelt one resembles, best first.
pub(crate) fn nearest<'w>(written: &str, allowed: &[&'w str]) -> Vec<&'w str> {
    let plain = |text: &str| words(text).join("");
    let written = plain(written);
    if let Some(word) = allowed.iter().find(|word| plain(word) == written) {
        return vec![word];
    }
    let mut near: Vec<(&str, f64)> = allowed
        .iter()
        .map(|&word| (word, strsim::normalized_damerau_levenshtein(&written, &plain(word))))
        .filter(|(_, similarity)| *similarity >= LEAST_SIMILARITY)
        .collect();
    near.sort_by(|a, b| b.1.total_cmp(&a.1));
    near.into_iter().map(|(word, _)| word).take(MOST_SUGGESTIONS).collect()
}

/// Lists words in backquotes: `a`, `b` or `c`.
pub(crate) fn list(items: &[impl AsRef<str>], last: &str) -> String {
    let quoted: Vec<String> = items.iter().map(|item| format!("`{}`", item.as_ref())).collect();
    enumeration(&quoted, last)
}

/// Joins words by commas, except for the last two.
pub(crate) fn enumeration(words: &[impl AsRef<str>], last: &str) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        Some((end, rest)) if !rest.is_empty() => format!("{} {last} {end}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// The words of a name in `snake_case`, `kebab-case` or `camelCase`, in lower case.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for character in name.chars() {
        if !character.is_alphanumeric() || after_lower && character.is_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| character.is_alphanumeric()) {
            word.extend(character.to_lowercase());
        }
        after_lower = character.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}
