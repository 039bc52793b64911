//! JSON pointers (RFC 6901).

/// Returns the pointer to an entry of what `parent` points to.
#[must_use]
pub fn child(parent: &str, key: &str) -> String {
    // The differ makes millions of pointers, and few keys need an escape.
    if key.contains(['~', '/']) {
        return format!("{parent}/{}", key.replace('~', "~0").replace('/', "~1"));
    }
    [parent, "/", key].concat()
}

/// Splits a pointer into its parent and the unescaped key.
pub(crate) fn split(pointer: &str) -> Option<(&str, String)> {
    let (parent, key) = pointer.rsplit_once('/')?;
    Some((parent, key.replace("~1", "/").replace("~0", "~")))
}
