//! Bodies of the media type `multipart/form-data` (RFC 7578), in memory: a stream cannot be sent again in a retry.

use bytes::{BufMut as _, Bytes, BytesMut};
use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;

/// A form whose parts are written one after the other.
pub(super) struct Form {
    /// Random, so that no part contains it.
    boundary: String,
    body: BytesMut,
}

impl Form {
    pub(super) fn new() -> Self {
        Self { boundary: format!("{:032x}", fastrand::u128(..)), body: BytesMut::new() }
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.part(name, "", text.as_bytes());
    }

    /// Adds a file with the name and the media type that the service sees.
    pub(super) fn file(&mut self, name: &str, file_name: &str, media: &str, content: &[u8]) {
        self.part(name, &format!("; filename=\"{file_name}\"\r\nContent-Type: {media}"), content);
    }

    fn part(&mut self, name: &str, more: &str, content: &[u8]) {
        // As browsers escape it.
        let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        let head =
            format!("--{}\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n", self.boundary);
        self.body.reserve(head.len() + content.len() + 2);
        self.body.put_slice(head.as_bytes());
        self.body.put_slice(content);
        self.body.put_slice(b"\r\n");
    }

    /// Sets the form as the body of a request.
    pub(super) fn send_in(self, request: RequestBuilder) -> RequestBuilder {
        let Self { boundary, mut body } = self;
        body.put_slice(format!("--{boundary}--\r\n").as_bytes());
        let media = format!("multipart/form-data; boundary={boundary}");
        request.header(CONTENT_TYPE, media).body(Bytes::from(body))
    }
}
