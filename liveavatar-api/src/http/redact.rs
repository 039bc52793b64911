//! Removing credentials and sent texts from a failed response: services echo keys and whole prompts.

use serde_json::Value;

use crate::credential::Credential;
use crate::wire::one_line;

/// Shortest sent text that is removed, in bytes; shorter ones are hardly private, and removing them would garble the response.
const MIN_LENGTH: usize = 8;

/// Shortest text that is removed if its field's name marks it as a secret, in bytes.
const MIN_SECRET_LENGTH: usize = 4;

/// A text that starts with this many characters of a sent text is taken for a shortened copy of it.
const PREFIX_LENGTH: usize = 16;

/// Replaces a text that was sent.
const PLACEHOLDER: &str = "[as sent]";

/// Returns a failed response's body without the credential and without any text of the request's body.
pub(super) fn redact(body: &[u8], credential: Option<&Credential>, sent: Option<&[u8]>) -> String {
    let text = String::from_utf8_lossy(body);
    let mut private = Vec::new();
    if let Some(sent) = sent.and_then(|sent| serde_json::from_slice(sent).ok()) {
        collect_private(&sent, MIN_LENGTH, &mut private);
    }
    let lines: Vec<String> = private.iter().map(|text| one_line(text)).collect();
    private.extend(lines.into_iter().filter(|line| line.len() >= MIN_SECRET_LENGTH));
    // Longest first: replacing a prefix would leave the rest of the longer text behind.
    private.sort_by_key(|text| std::cmp::Reverse(text.len()));
    private.dedup();
    let hide = |text: &str| {
        let mut text = credential.map_or_else(|| text.to_owned(), |credential| credential.scrub(text));
        for whole in &private {
            if text.contains(whole.as_str()) {
                text = text.replace(whole.as_str(), PLACEHOLDER);
            }
        }
        hide_prefixes(&private, &mut text);
        text
    };
    let clean = |text: &str| {
        // Errors show texts on one line, and may reveal a sent text only in that form.
        let shown = one_line(text);
        if shown != text {
            let hidden = hide(&shown);
            if hidden != shown {
                return hidden;
            }
        }
        hide(text)
    };
    // JSON can escape the same text in many ways: decode it first.
    match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(mut value) => {
            map_strings(&mut value, &clean);
            value.to_string()
        }
        Err(_) => clean(&text),
    }
}

/// Collects every text of a request that may be private, plain and as JSON and Python quote it.
///
/// UUIDs stay, since a response that names the missing id is useful. Only the hyphenated form counts, because 32 hexadecimal
/// digits may be a key.
fn collect_private(sent: &Value, from: usize, found: &mut Vec<String>) {
    match sent {
        Value::String(text)
            if text.len() >= from && !(text.len() == 36 && uuid::Uuid::parse_str(text).is_ok()) =>
        {
            let quoted = Value::String(text.clone()).to_string();
            let quoted = &quoted[1..quoted.len() - 1];
            found.extend([
                text.clone(),
                quoted.to_owned(),
                quoted.replace("\\\"", "\"").replace('\'', "\\'"),
            ]);
        }
        Value::Object(map) => {
            for (name, inner) in map {
                let secret = ["secret_value", "token", "prompt"].iter().any(|part| name.contains(part));
                collect_private(inner, if secret { MIN_SECRET_LENGTH } else { from }, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| collect_private(inner, from, found)),
        _ => {}
    }
}

fn map_strings(value: &mut Value, change: &impl Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = change(text),
        Value::Object(map) => map.values_mut().for_each(|inner| map_strings(inner, change)),
        Value::Array(list) => list.iter_mut().for_each(|inner| map_strings(inner, change)),
        _ => {}
    }
}

/// Removes shortened copies of private texts.
fn hide_prefixes(private: &[String], text: &mut String) {
    let common_prefix = |private: &str, text: &str| -> usize {
        let common = private.chars().zip(text.chars()).take_while(|(a, b)| a == b);
        common.map(|(c, _)| c.len_utf8()).sum()
    };
    for head in
        private.iter().filter_map(|private| Some(&private[..private.char_indices().nth(PREFIX_LENGTH)?.0]))
    {
        let mut from = 0;
        while let Some(start) = text[from..].find(head).map(|at| from + at) {
            // Several quoted forms may match here; remove the longest match.
            let length = private
                .iter()
                .map(|private| common_prefix(private, &text[start..]))
                .max()
                .unwrap_or(head.len());
            text.replace_range(start..start + length, PLACEHOLDER);
            from = start + PLACEHOLDER.len();
        }
    }
}
