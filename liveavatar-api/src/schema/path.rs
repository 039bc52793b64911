//! Where in a value something is.

use std::fmt::{self, Write as _};

/// Unusual keys may be anything, so only this many characters of them are shown.
const SHOWN_KEY_CHARACTERS: usize = 40;

/// A path as text: dotted for people, and as a JSON pointer (RFC 6901) for programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) dotted: String,
    pub(crate) pointer: String,
}

/// A position during a walk, linked to its parent so that the walk allocates nothing.
#[derive(Clone, Copy)]
pub(crate) enum Cursor<'a> {
    Root,
    Key(&'a Cursor<'a>, &'a str),
    Index(&'a Cursor<'a>, usize),
}

impl Path {
    pub(crate) fn of(keys: &[&str]) -> Self {
        let mut path = Self::default();
        for key in keys {
            path.push_key(key);
        }
        path
    }

    pub(crate) fn is_root(&self) -> bool {
        self.pointer.is_empty()
    }

    /// Whether `other` is this path or a path below it.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        let rest = other.pointer.strip_prefix(&self.pointer);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    pub(crate) fn push_index(&mut self, index: usize) {
        let _ = write!(self.pointer, "/{index}");
        let _ = write!(self.dotted, "[{index}]");
    }

    pub(crate) fn push_key(&mut self, key: &str) {
        self.pointer.push('/');
        self.pointer.push_str(&escape(key));
        if is_plain(key) {
            let dot = if self.dotted.is_empty() { "" } else { "." };
            self.dotted.push_str(dot);
            self.dotted.push_str(key);
        } else {
            let shown: String = key.chars().take(SHOWN_KEY_CHARACTERS).collect();
            let rest = if shown.len() < key.len() { "…" } else { "" };
            let _ = write!(self.dotted, "[\"{}{rest}\"]", shown.escape_debug());
        }
    }
}

impl<'a> Cursor<'a> {
    pub(crate) fn key(&'a self, key: &'a str) -> Self {
        Self::Key(self, key)
    }

    /// The keys from the root to here, without positions in lists.
    pub(crate) fn keys(&self) -> Vec<&'a str> {
        match self {
            Self::Root => Vec::new(),
            Self::Key(parent, key) => parent.keys().into_iter().chain([*key]).collect(),
            Self::Index(parent, _) => parent.keys(),
        }
    }
}

impl From<&Cursor<'_>> for Path {
    fn from(cursor: &Cursor<'_>) -> Self {
        match cursor {
            Cursor::Root => Self::default(),
            Cursor::Key(parent, key) => {
                let mut path = Self::from(*parent);
                path.push_key(key);
                path
            }
            Cursor::Index(parent, index) => {
                let mut path = Self::from(*parent);
                path.push_index(*index);
                path
            }
        }
    }
}

impl<const N: usize> From<[&str; N]> for Path {
    fn from(keys: [&str; N]) -> Self {
        Self::of(&keys)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.dotted)
    }
}

/// A key as a part of a JSON pointer.
pub(crate) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Whether a key is unambiguous after a dot.
fn is_plain(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= SHOWN_KEY_CHARACTERS
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::{Cursor, Path};

    #[test]
    fn unusual_keys_are_quoted_escaped_and_cut() {
        let dotted = |cursor: &Cursor<'_>| Path::from(cursor).to_string();
        let list = Cursor::Root.key("a");
        let item = Cursor::Index(&list, 2);
        let inner = item.key("b");
        assert_eq!(dotted(&inner), "a[2].b");
        assert_eq!(dotted(&inner.key("x.y\n\"")), r#"a[2].b["x.y\n\""]"#);
        assert_eq!(dotted(&Cursor::Root.key(&"k".repeat(41))), format!("[\"{}…\"]", "k".repeat(40)));
    }

    #[test]
    fn pointers_are_escaped() {
        let (outer, root) = (Cursor::Root.key("a/b"), Cursor::Root);
        assert_eq!(Path::from(&Cursor::Index(&outer.key("~"), 2)).pointer, "/a~1b/~0/2");
        assert!(Path::from(&root).contains(&Path::from(&outer)));
        assert!(!Path::of(&["a"]).contains(&Path::of(&["ab"])));
    }
}
