//! Lists as streams of pages or items; pages are requested by number, and links are not followed.

use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use progenitor_client::ClientInfo as _;
use reqwest::Url;
use serde_json::Value;

use super::{Call, send};
use crate::builder::Given;
use crate::error::Error;
use crate::wire::Page;

/// The parameter with the page's number.
const PAGE: &str = "page";

/// A call that returns one page of a list.
pub(crate) trait Paged: Call<Data = Page<Self::Item>> + Clone {
    type Item: Send + 'static;
}

/// Pages with their numbers.
type Pages<T> = BoxStream<'static, Result<(i64, Page<T>), Error>>;

pub(crate) fn pages<C: Paged>(mut call: C) -> Pages<C::Item> {
    let first = call.request().parameters.value().get(PAGE).and_then(Value::as_i64).unwrap_or(1);
    // The first call is sent unchanged, so that an invalid page number is an error as in any other call.
    let pages = stream::try_unfold(Some((call.clone(), first)), move |state| {
        let filters = call.clone();
        async move {
            let Some((mut call, number)) = state else { return Ok(None) };
            let base = call.request().client.baseurl().to_owned();
            let page = send(call).await?;
            if page.results.is_empty() {
                return Ok(None);
            }
            let next = page.next.as_deref().and_then(|next| next_number(next, &base, number));
            let next = next.map(|next| {
                let mut call = filters;
                call.request().parameter(PAGE, Given::present(&next));
                (call, next)
            });
            Ok(Some(((number, page), next)))
        }
    });
    pages.boxed()
}

pub(crate) fn items<C: Paged>(call: C) -> BoxStream<'static, Result<C::Item, Error>> {
    pages(call).map_ok(|(_, page)| stream::iter(page.results.into_iter().map(Ok))).try_flatten().boxed()
}

pub(crate) async fn all<C: Paged>(call: C) -> Result<Vec<C::Item>, Error> {
    items(call).try_collect().await
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
