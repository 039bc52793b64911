//! Reading a response's body and the envelope around its data.

use bytes::{Bytes, BytesMut};
use reqwest::Response;
use serde_json::value::RawValue;

use crate::error::ENDS_EARLY;
use crate::wire::{Body, integer_or_none};

/// Largest part of a failed response's body that is read: enough for every field error, but not for a whole web page.
pub(super) const MAX_FAILURE_BODY: usize = 256 * 1024;

/// Largest body of a successful response; a voice preview has some hundred thousand bytes.
pub(super) const MAX_BODY: usize = 64 * 1024 * 1024;

/// Largest buffer that is reserved up front: `Content-Length` is untrusted.
const MAX_RESERVED: usize = 1024 * 1024;

/// Envelope codes that mean success: the document's default, and the one in recorded responses.
const SUCCESS_CODES: [i64; 2] = [100, 1000];

/// Reads a body up to `limit` bytes; the error carries the part that arrived.
pub(super) async fn read(response: &mut Response, limit: usize) -> Result<Bytes, (reqwest::Error, Bytes)> {
    let expected = response.content_length().and_then(|length| usize::try_from(length).ok());
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            // Most bodies arrive in one chunk, which needs no copy.
            Ok(Some(chunk)) if body.is_empty() && expected == Some(chunk.len()) && chunk.len() <= limit => {
                return Ok(chunk);
            }
            Ok(Some(chunk)) => {
                if body.is_empty() {
                    body.reserve(expected.unwrap_or(chunk.len()).min(limit).min(MAX_RESERVED));
                }
                body.extend_from_slice(&chunk[..chunk.len().min(limit - body.len())]);
                if body.len() == limit {
                    return Ok(body.freeze());
                }
            }
            Ok(None) => return Ok(body.freeze()),
            Err(error) => return Err((error, body.freeze())),
        }
    }
}

/// What the envelope of a 2xx response reports.
pub(super) enum Envelope {
    /// The call succeeded.
    Success(Body),
    /// The code reports a failure.
    Failure,
}

/// Reads the envelope of a 2xx response.
///
/// Every malformed body is found here, because decoding the data would lose the status and the headers.
pub(super) fn envelope(bytes: &Bytes) -> Result<Envelope, &'static str> {
    #[derive(serde::Deserialize)]
    struct Fields<'a> {
        #[serde(default, deserialize_with = "integer_or_none")]
        code: Option<i64>,
        #[serde(borrow)]
        data: Option<&'a RawValue>,
        #[serde(borrow)]
        message: Option<&'a RawValue>,
    }
    if bytes.len() > MAX_BODY {
        return Err("the response is larger than 64 MiB");
    }
    let bytes = if bytes.starts_with(b"\xef\xbb\xbf") { bytes.slice(3..) } else { bytes.clone() };
    let text = bytes.trim_ascii();
    match (text.first(), text.last()) {
        // The status alone can report a success without data.
        (None, _) => {
            return Ok(Envelope::Success(Body { bytes: Bytes::from_static(b"{}"), ..Body::empty() }));
        }
        (Some(b'{'), Some(b'}')) => {}
        (Some(b'{'), _) => return Err(ENDS_EARLY),
        (Some(b'<'), _) => return Err("the response is HTML, perhaps from a proxy"),
        _ => return Err("the response is not a JSON object"),
    }
    // serde_json skips `data` without validating its UTF-8.
    let text = std::str::from_utf8(text).map_err(|_| "the response is not JSON")?;
    let Fields { code, data, message } =
        serde_json::from_str(text).map_err(|error| match error.classify() {
            serde_json::error::Category::Eof => ENDS_EARLY,
            serde_json::error::Category::Data => "the response is not an envelope",
            _ => "the response is not JSON",
        })?;
    if code.is_some_and(|code| !SUCCESS_CODES.contains(&code)) {
        return Ok(Envelope::Failure);
    }
    // A message that is not a text, or not valid Unicode, does not fail the call.
    let message = message.and_then(|message| serde_json::from_str(message.get()).ok());
    let data = data.map(|data| bytes.slice_ref(data.get().as_bytes()));
    Ok(Envelope::Success(Body { bytes, code, message, data }))
}
