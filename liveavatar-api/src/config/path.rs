//! Where in a configuration something is.

use std::fmt;

/// Characters of an unusual key that are shown; the rest is cut, it may be anything.
const SHOWN_KEY_CHARACTERS: usize = 40;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
}

impl Path {
    pub(crate) fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|&key| Segment::Key(key.to_owned())).collect())
    }

    pub(super) fn key(&self, key: &str) -> Self {
        self.with(Segment::Key(key.to_owned()))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    fn with(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }

    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn starts_with(&self, other: &Path) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The keys on the way, without the positions in lists.
    pub(super) fn keys(&self) -> Vec<&str> {
        self.0
            .iter()
            .filter_map(|segment| match segment {
                Segment::Key(key) => Some(key.as_str()),
                Segment::Index(_) => None,
            })
            .collect()
    }

    /// As a JSON pointer (RFC 6901).
    pub(super) fn pointer(&self) -> String {
        self.0
            .iter()
            .map(|segment| match segment {
                Segment::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
                Segment::Index(index) => format!("/{index}"),
            })
            .collect()
    }

    pub(super) fn last_key(&self) -> Option<&str> {
        self.keys().last().copied()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if is_plain(key) => {
                    let dot = if position == 0 { "" } else { "." };
                    write!(f, "{dot}{key}")?;
                }
                Segment::Key(key) => {
                    let shown: String = key.chars().take(SHOWN_KEY_CHARACTERS).collect();
                    let rest = if shown.len() < key.len() { "…" } else { "" };
                    write!(f, "[\"{}{rest}\"]", shown.escape_debug())?;
                }
            }
        }
        Ok(())
    }
}

/// Tells whether a key can be written after a dot and be read without doubt.
fn is_plain(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= SHOWN_KEY_CHARACTERS
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn unusual_keys_are_quoted_escaped_and_cut() {
        let path = Path::of(&["a"]).index(2).key("b");
        assert_eq!(path.to_string(), "a[2].b");
        assert_eq!(path.key("x.y\n\"").to_string(), r#"a[2].b["x.y\n\""]"#);
        assert_eq!(Path::of(&["a/b", "~"]).index(2).pointer(), "/a~1b/~0/2");
        let long = Path::default().key(&"k".repeat(41)).to_string();
        assert_eq!(long, format!("[\"{}…\"]", "k".repeat(40)));
    }
}
