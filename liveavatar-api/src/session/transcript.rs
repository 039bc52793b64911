//! Reading a session's transcript, once or continuously.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::stream::{self, Stream, TryStreamExt as _};

use super::SessionRef;
use crate::error::Error;
use crate::types::{SessionTranscriptData, SessionTranscriptResponse};

/// Page limit. A page covers several seconds, so more pages than this mean that the service does not stop paging.
const MAX_TRANSCRIPT_PAGES: usize = 10_000;

impl SessionRef {
    /// Returns the transcript so far, each line once; only FULL sessions have one.
    ///
    /// # Errors
    /// If a call fails, or the pages do not end.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn transcript(&self) -> Result<Vec<SessionTranscriptData>, Error> {
        let (mut lines, mut known) = (Vec::new(), Vec::new());
        let mut from = None;
        for _ in 0..MAX_TRANSCRIPT_PAGES {
            let page = self.transcript_from(from).await?;
            lines.extend(new_lines(&page.transcript_data, known));
            known = page.transcript_data;
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
    ) -> impl Stream<Item = Result<SessionTranscriptData, Error>> + Send + use<> {
        let session = self.clone();
        let start = Some(Position { page: None, known: Vec::new(), wait: false });
        let pages = stream::try_unfold((session, start), move |(session, position)| async move {
            let Some(Position { page, known, wait }) = position else { return Ok::<_, Error>(None) };
            if wait {
                session.client.clock().sleep(interval).await;
            }
            let response = session.transcript_from(page).await?;
            let new = new_lines(&response.transcript_data, known);
            let known = response.transcript_data;
            let next = match next_page(page, response.next_timestamp) {
                next @ Some(_) => Some(Position { page: next, known, wait: false }),
                None if !response.session_active => None,
                // The last page is polled until the session ends.
                None => Some(Position { page, known, wait: true }),
            };
            Ok(Some((stream::iter(new.into_iter().map(Ok)), (session, next))))
        });
        pages.try_flatten()
    }

    async fn transcript_from(&self, from: Option<i64>) -> Result<SessionTranscriptResponse, Error> {
        let mut call = self.client.get_session_transcript().session_id(self.id.to_string());
        if let Some(from) = from {
            call = call.start_timestamp(from);
        }
        call.send().await
    }
}

/// The lines of a page without those of the response before it, each as often as it occurs there.
///
/// Whether a page includes the timestamp at which it begins is not documented. If it does, it repeats the end of the page before.
fn new_lines(
    page: &[SessionTranscriptData],
    known: Vec<SessionTranscriptData>,
) -> Vec<SessionTranscriptData> {
    let mut known = VecDeque::from(known);
    let is_new = |line: &&SessionTranscriptData| {
        let repeated = known.iter().position(|known| known == *line);
        repeated.and_then(|at| known.remove(at)).is_none()
    };
    page.iter().filter(is_new).cloned().collect()
}

/// The next page of a transcript, unless it points backwards or at itself, which would never end.
fn next_page(current: Option<i64>, next: Option<i64>) -> Option<i64> {
    next.filter(|next| current.is_none_or(|current| *next > current))
}

/// Where to continue reading a transcript.
struct Position {
    /// The page, named by its first timestamp.
    page: Option<i64>,
    /// The lines of the response before, which the next one may repeat.
    known: Vec<SessionTranscriptData>,
    /// Whether to pause before the next poll, because the page was read to its end.
    wait: bool,
}
