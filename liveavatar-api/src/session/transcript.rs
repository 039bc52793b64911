//! Reading a session's transcript, once or continuously.

use std::time::Duration;

use futures_util::stream::{self, Stream, TryStreamExt as _};

use super::SessionRef;
use crate::error::Error;
use crate::types;

/// Page limit. A page covers several seconds, so more pages than this mean that the service does not stop paging.
const MAX_TRANSCRIPT_PAGES: usize = 10_000;

impl SessionRef {
    /// Returns the transcript so far, from all pages; only FULL sessions have one.
    ///
    /// # Errors
    /// If a call fails, or the pages do not end.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn transcript(&self) -> Result<Vec<types::SessionTranscriptData>, Error> {
        let mut lines = Vec::new();
        let mut from = None;
        for _ in 0..MAX_TRANSCRIPT_PAGES {
            let page = self.transcript_from(from).await?;
            lines.extend(page.transcript_data);
            let Some(next) = next_page(from, page.next_timestamp) else { return Ok(lines) };
            from = Some(next);
        }
        Err(Error::decode(format!("the transcript has more than {MAX_TRANSCRIPT_PAGES} pages")))
    }

    /// Streams the transcript while it grows, until the session has ended.
    ///
    /// The service is polled every `interval`, and each line is yielded once. The stream ends after the last line of an ended
    /// session, or after the first error. To limit its time, use a combinator such as `take_until`.
    ///
    /// # Cancel safety
    /// Cancel safe: the stream can be dropped at any point. A new one starts with the first line.
    pub fn follow_transcript(
        &self,
        interval: Duration,
    ) -> impl Stream<Item = Result<types::SessionTranscriptData, Error>> + Send + use<> {
        let session = self.clone();
        let start = Some(Position { page: None, lines_read: 0, wait: false });
        let pages = stream::try_unfold((session, start), move |(session, position)| async move {
            let Some(Position { page, lines_read, wait }) = position else { return Ok::<_, Error>(None) };
            if wait {
                session.client.clock().sleep(interval).await;
            }
            let response = session.transcript_from(page).await?;
            // The last page is polled until the session ends, so skip the lines that were already yielded.
            let all = response.transcript_data.len();
            let new: Vec<_> = response.transcript_data.into_iter().skip(lines_read).map(Ok).collect();
            let next = match next_page(page, response.next_timestamp) {
                next @ Some(_) => Some(Position { page: next, lines_read: 0, wait: false }),
                None if !response.session_active => None,
                None => Some(Position { page, lines_read: all.max(lines_read), wait: true }),
            };
            Ok(Some((stream::iter(new), (session, next))))
        });
        pages.try_flatten()
    }

    async fn transcript_from(&self, from: Option<i64>) -> Result<types::SessionTranscriptResponse, Error> {
        let mut call = self.client.get_session_transcript().session_id(self.id.to_string());
        if let Some(from) = from {
            call = call.start_timestamp(from);
        }
        call.send().await
    }
}

/// The next page of a transcript, unless it points backwards or at itself, which would never end.
fn next_page(current: Option<i64>, next: Option<i64>) -> Option<i64> {
    next.filter(|next| current.is_none_or(|current| *next > current))
}

/// Where to continue reading a transcript.
struct Position {
    /// The page, named by its first timestamp.
    page: Option<i64>,
    lines_read: usize,
    /// Whether to pause before the next poll, because the page was read to its end.
    wait: bool,
}
