//! Reading a session's transcript, at once or as it grows.

use std::time::Duration;

use futures_util::stream::{self, Stream, TryStreamExt as _};

use super::SessionRef;
use crate::calls::Call as _;
use crate::error::Error;
use crate::types;

/// A transcript has a page per some seconds; this many say that the service repeats itself.
const TRANSCRIPT_PAGES: usize = 10_000;

impl SessionRef {
    /// What user and avatar have said so far, all pages of it; FULL sessions only have any.
    ///
    /// # Errors
    /// When a call failed, or the pages do not end.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn transcript(&self) -> Result<Vec<types::SessionTranscriptData>, Error> {
        let mut said = Vec::new();
        let mut from = None;
        for _ in 0..TRANSCRIPT_PAGES {
            let page = self.transcript_from(from).await?;
            said.extend(page.transcript_data);
            let Some(next) = forward(from, page.next_timestamp) else { return Ok(said) };
            from = Some(next);
        }
        Err(Error::decode("the transcript names ever further pages"))
    }

    /// What user and avatar say, as it is said, until the session has ended.
    ///
    /// Asks the service every `interval`, and each line comes once. The stream ends when the session has ended and all is
    /// read, or with the first error; a time limit is the caller's, such as `take_until`.
    ///
    /// # Cancel safety
    /// Cancel safe: the stream can be dropped at any point and begun again.
    pub fn follow_transcript(
        &self,
        interval: Duration,
    ) -> impl Stream<Item = Result<types::SessionTranscriptData, Error>> + Send + use<> {
        let session = self.clone();
        let start = Some(Follow { from: None, read: 0, wait: false });
        let pages = stream::try_unfold((session, start), move |(session, state)| async move {
            let Some(Follow { from, read, wait }) = state else { return Ok::<_, Error>(None) };
            if wait {
                session.client.clock().sleep(interval).await;
            }
            let page = session.transcript_from(from).await?;
            // A page is asked for again while the session goes on; what was read of it is not told twice.
            let all = page.transcript_data.len();
            let new: Vec<_> = page.transcript_data.into_iter().skip(read).map(Ok).collect();
            let next = match forward(from, page.next_timestamp) {
                next @ Some(_) => Some(Follow { from: next, read: 0, wait: false }),
                None => page.session_active.then_some(Follow { from, read: all.max(read), wait: true }),
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
        call.data().await
    }
}

/// The next page of a transcript; one that points backwards or at itself would never end.
fn forward(from: Option<i64>, next: Option<i64>) -> Option<i64> {
    next.filter(|next| from.is_none_or(|from| *next > from))
}

/// Where a transcript is read on.
struct Follow {
    /// The page, by its first timestamp.
    from: Option<i64>,
    /// How many lines of it are read.
    read: usize,
    /// Whether the page was read to its end, so that there is something to wait for.
    wait: bool,
}
