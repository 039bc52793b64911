//! Lists as streams of pages or items; pages are requested by number, and links are not followed.

use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use progenitor_client::ClientInfo as _;
use reqwest::Url;

use crate::calls::Call;
use crate::error::Error;
use crate::wire::Page;

/// A call that returns one page of a list; the builder of every such operation implements it.
pub trait Paged: Call<Data = Page<Self::Item>> + Clone {
    /// The type of the list's items.
    type Item: Send;

    #[doc(hidden)]
    fn number(&self) -> i64;

    #[doc(hidden)]
    #[must_use]
    fn at(self, number: i64) -> Self;

    /// Returns a stream of the pages from this call's page on, each with its number.
    ///
    /// Lazy: polling the stream requests the next page. The stream ends after a page without `next`, an empty page, a page whose
    /// `next` leads to another host or does not lead forward, and after an error; `page(n)` with the number after the last
    /// page resumes it.
    ///
    /// # Cancel safety
    /// Cancel safe: a page that was not received is requested again.
    fn pages(self) -> impl Stream<Item = Result<(i64, Page<Self::Item>), Error>> + Send {
        let first = self.number();
        // The first call is sent unchanged, so that an invalid page number is an error as in any other call.
        stream::try_unfold(Some((self.clone(), first)), move |state| {
            let filters = self.clone();
            async move {
                let Some((call, number)) = state else { return Ok(None) };
                let base = call.client().baseurl().to_owned();
                let page = call.data().await?;
                if page.results.is_empty() {
                    return Ok(None);
                }
                let next = page.next.as_deref().and_then(|next| next_number(next, &base, number));
                Ok(Some(((number, page), next.map(|next| (filters.at(next), next)))))
            }
        })
    }

    /// Returns a stream of the items of all pages from this call's page on.
    ///
    /// Lazy, like [`pages`](Self::pages). An item that moves to a later page while the list is read may occur twice.
    fn items(self) -> impl Stream<Item = Result<Self::Item, Error>> + Send {
        self.pages().map_ok(|(_, page)| stream::iter(page.results.into_iter().map(Ok))).try_flatten()
    }

    /// Returns all items of all pages from this call's page on.
    ///
    /// # Errors
    /// If a page fails; the pages before it are lost, unlike with [`items`](Self::items).
    fn all(self) -> impl Future<Output = Result<Vec<Self::Item>, Error>> + Send {
        async move {
            let mut all = Vec::new();
            let mut items = std::pin::pin!(self.items());
            while let Some(item) = items.next().await {
                all.push(item?);
            }
            Ok(all)
        }
    }
}

/// Returns the number of the next page, if the link leads forward on the same host.
fn next_number(next: &str, base: &str, number: i64) -> Option<i64> {
    let base = Url::parse(base).ok()?;
    let link = base.join(next).ok()?;
    if link.host_str() != base.host_str() {
        return None;
    }
    let named =
        link.query_pairs().find(|(key, _)| key == "page").and_then(|(_, value)| value.parse::<i64>().ok());
    match named {
        Some(named) => Some(named).filter(|named| *named > number),
        // Even without a readable number, the link shows that there is a next page.
        None => number.checked_add(1),
    }
}
