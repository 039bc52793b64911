//! Lists: pages and their entries as streams, by page number, so that no link is followed.

use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use progenitor_client::ClientInfo as _;
use reqwest::Url;

use crate::calls::Call;
use crate::error::Error;
use crate::wire::Page;

/// A call that answers one page of a list; implemented by the builder of every such operation.
pub trait Paged: Call<Data = Page<Self::Item>> + Clone {
    /// An entry of the list.
    type Item: Send;

    #[doc(hidden)]
    fn number(&self) -> i64;

    #[doc(hidden)]
    #[must_use]
    fn at(self, number: i64) -> Self;

    /// The pages from this call's on, each with its number, under the call's own filters.
    ///
    /// Lazy: a page is asked for when the stream is. The stream ends with a page that names no next one, with an empty
    /// page, and with a page whose `next` leads to another host or not forward. After an error it ends too; `page(n)` with
    /// the number after the last one received resumes it.
    ///
    /// # Cancel safety
    /// Cancel safe: a page that was asked for and not received is asked for again.
    fn pages(self) -> impl Stream<Item = Result<(i64, Page<Self::Item>), Error>> + Send {
        let first = self.number();
        // The first call is sent as it is, so that a number that is none is refused like anywhere else.
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

    /// The entries of all pages from this call's on.
    ///
    /// Lazy, as [`pages`](Self::pages); an entry that moves to a later page while the list is read may come twice.
    fn items(self) -> impl Stream<Item = Result<Self::Item, Error>> + Send {
        self.pages().map_ok(|(_, page)| stream::iter(page.results.into_iter().map(Ok))).try_flatten()
    }

    /// All entries of all pages from this call's on.
    ///
    /// # Errors
    /// When a page cannot be had; those before it are lost, which [`items`](Self::items) avoids.
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

/// The page after this one, if the link leads forward on the same host.
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
        // A link without a readable number still says that there is a next page.
        None => number.checked_add(1),
    }
}
