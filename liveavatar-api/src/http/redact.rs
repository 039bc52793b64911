//! Removing credentials and sent texts from a failed response: services echo keys and whole prompts.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::credential::Credential;
use crate::wire::one_line;

/// Shortest sent text that is removed, in bytes; shorter ones are hardly private, and removing them would garble the response.
const MIN_LENGTH: usize = 8;

/// Shortest text that is removed if its field's name marks it as a secret, in bytes.
const MIN_SECRET_LENGTH: usize = 4;

/// A text that starts with this many characters of a sent text is taken for a shortened copy of it.
const PREFIX_LENGTH: usize = 16;

/// Most bytes that are compared for one response, which takes some milliseconds. After that, every text that may be a copy is hidden.
const MAX_COMPARED: usize = 16 * 1024 * 1024;

/// Replaces a text that was sent.
const PLACEHOLDER: &str = "[as sent]";

/// Returns a failed response's body without the credential and without any text of the request's body.
pub(super) fn redact(body: &[u8], credential: Option<&Credential>, sent: Option<&[u8]>) -> String {
    let text = String::from_utf8_lossy(body);
    let private = Private::new(sent);
    let hide = |text: &str| match credential {
        Some(credential) => private.hide(&credential.scrub(text)),
        None => private.hide(text),
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

/// The texts that a response must not repeat, found by their first bytes.
struct Private {
    by_start: HashMap<[u8; MIN_SECRET_LENGTH], Vec<Text>>,
    /// How many more bytes may be compared.
    left: Cell<usize>,
}

struct Text {
    whole: String,
    /// Length of the shortest start that counts as a copy, in bytes.
    least: usize,
}

impl Private {
    fn new(sent: Option<&[u8]>) -> Self {
        let mut found = Vec::new();
        if let Some(sent) = sent.and_then(|sent| serde_json::from_slice(sent).ok()) {
            collect_private(&sent, MIN_LENGTH, &mut found);
        }
        let lines: Vec<String> = found.iter().map(|text| one_line(text)).collect();
        let mut by_start = HashMap::<_, Vec<Text>>::new();
        for whole in found.into_iter().chain(lines).collect::<HashSet<String>>() {
            if let Some(start) = whole.as_bytes().first_chunk() {
                let least = whole.char_indices().nth(PREFIX_LENGTH).map_or(whole.len(), |(at, _)| at);
                by_start.entry(*start).or_default().push(Text { whole, least });
            }
        }
        Self { by_start, left: Cell::new(MAX_COMPARED) }
    }

    /// Replaces every copy of a private text, whole or shortened.
    fn hide(&self, text: &str) -> String {
        let mut hidden = String::new();
        let mut end = 0;
        for (at, _) in text.char_indices() {
            let length = self.copy_at(&text[at..]);
            if length == 0 {
                continue;
            }
            // Copies can overlap.
            if at >= end {
                hidden.push_str(&text[end..at]);
                hidden.push_str(PLACEHOLDER);
            }
            end = end.max(at + length);
            if end == text.len() {
                break;
            }
        }
        hidden + &text[end..]
    }

    /// The length of the longest copy that the text starts with, or 0.
    fn copy_at(&self, text: &str) -> usize {
        let candidates = text.as_bytes().first_chunk().and_then(|start| self.by_start.get(start));
        let lengths = candidates.into_iter().flatten().map(|private| {
            let pairs = private.whole.bytes().zip(text.bytes());
            let mut common = pairs.take_while(|(a, b)| a == b).count();
            let Some(left) = self.left.get().checked_sub(common) else {
                self.left.set(0);
                return text.len();
            };
            self.left.set(left);
            while !text.is_char_boundary(common) {
                common -= 1;
            }
            if common >= private.least { common } else { 0 }
        });
        lengths.max().unwrap_or(0)
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
        Value::Object(map) => {
            let entries = std::mem::take(map).into_iter();
            *map = entries
                .map(|(key, mut inner)| {
                    map_strings(&mut inner, change);
                    (change(&key), inner)
                })
                .collect();
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| map_strings(inner, change)),
        _ => {}
    }
}
