//! The body of a successful response, before its data is decoded.

use bytes::Bytes;

/// A body whose envelope was read; the data in it is not decoded yet.
pub(crate) struct Body {
    /// The whole body: one JSON object.
    pub(crate) bytes: Bytes,
    pub(crate) code: Option<i64>,
    pub(crate) message: Option<String>,
    /// The part of the body that is the data; `None` if it is absent or null.
    pub(crate) data: Option<Bytes>,
}

impl Body {
    /// The body of a response that needs none.
    pub(crate) fn empty() -> Self {
        Self { bytes: Bytes::new(), code: None, message: None, data: None }
    }
}

/// The type of a response's body.
pub(crate) trait FromBody: Sized {
    fn from_body(body: Body) -> serde_json::Result<Self>;
}

/// The response of an operation that returns nothing.
impl FromBody for () {
    fn from_body(_: Body) -> serde_json::Result<Self> {
        Ok(())
    }
}

/// Returns the text of a part of a body, which was valid UTF-8 when the envelope was read.
pub(super) fn text(part: &Bytes) -> &str {
    std::str::from_utf8(part).unwrap_or_default()
}
