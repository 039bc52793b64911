//! Lists as streams of pages or items; pages are requested by number, and links are not followed.

use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use reqwest::Url;
use serde_json::Value;

use super::response::Open as _;
use super::{Call, Request, exchange};
use crate::builder::Given;
use crate::error::Error;
use crate::wire::Page;

/// The parameters with the page's number and its size.
const PAGE: &str = "page";
const PAGE_SIZE: &str = "page_size";

/// A URL to read a query with.
const ANY_URL: &str = "http://localhost";

/// A call that returns one page of a list.
pub(crate) trait Paged: Call<Data = Page<Self::Item>> + Clone {
    type Item: Send + 'static;
}

/// Pages with their numbers.
type Pages<T> = BoxStream<'static, Result<(i64, Page<T>), Error>>;

/// What a stream of pages does next.
enum Step<C> {
    Request(C, i64),
    /// The list ended too early: its last page was returned, and the error follows.
    Fail(Error),
    End,
}

pub(crate) fn pages<C: Paged>(mut call: C) -> Pages<C::Item> {
    let parameter = |request: &Request, name| request.parameters.value().get(name).and_then(Value::as_i64);
    let first = parameter(call.request(), PAGE).unwrap_or(1);
    let skipped = skipped_items(first, parameter(call.request(), PAGE_SIZE));
    // The first call is sent unchanged, so that an invalid page number is an error as in any other call.
    let start = (Step::Request(call.clone(), first), 0);
    let pages = stream::try_unfold(start, move |(step, read)| {
        let filters = call.clone();
        async move {
            let (call, number) = match step {
                Step::Request(call, number) => (call, number),
                Step::Fail(error) => return Err(error),
                Step::End => return Ok(None),
            };
            let response = exchange(call).await.map_err(|error| error.during(C::OPERATION))?;
            let (status, attempts, request_id) =
                (response.status, response.attempts(), response.request_id());
            let code = response.body.code();
            let page = C::Response::open(response).map_err(|error| error.during(C::OPERATION))?;
            let read = page.results.len().saturating_add(read);
            let next = page.next.as_deref().and_then(|next| next_number(next, number));
            let next = next.filter(|_| !page.results.is_empty());
            let step = match next {
                Some(next) => {
                    let mut call = filters;
                    call.request().parameter(PAGE, Given::present(&next));
                    Step::Request(call, next)
                }
                None => match early_end(&page, read, skipped) {
                    Some(message) => {
                        let error = Error::decode(message).with_response(status, request_id, attempts);
                        Step::Fail(error.with_code(code).during(C::OPERATION))
                    }
                    None => Step::End,
                },
            };
            match step {
                Step::Fail(error) if page.results.is_empty() => Err(error),
                Step::End if page.results.is_empty() => Ok(None),
                step => Ok(Some(((number, page), (step, read)))),
            }
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

/// Returns the number of items before the first page, if known.
fn skipped_items(first: i64, page_size: Option<i64>) -> Option<usize> {
    // The service may change the page size that it uses if none is given.
    let size = if first == 1 { 0 } else { page_size? };
    usize::try_from(first.checked_sub(1)?.checked_mul(size)?).ok()
}

/// Returns a message if a list ends before all of its items were read.
///
/// The count is that of the last page, because a list may shrink while it is read. Without a count, the list is complete if its
/// last page does not link to another one.
fn early_end<T>(page: &Page<T>, read: usize, skipped: Option<usize>) -> Option<String> {
    let count = page.count.and_then(|count| usize::try_from(count).ok());
    match count.zip(skipped).map(|(count, skipped)| count.saturating_sub(skipped)) {
        Some(count) if read < count => Some(format!("the list ended after {read} of {count} items")),
        None if page.next.is_some() => {
            let items = if read == 1 { "item" } else { "items" };
            Some(format!("the list ended after {read} {items}, but its last page links to another page"))
        }
        _ => None,
    }
}

/// Returns the number of the next page, if the link leads forward.
///
/// Only the number is used. The link's host is often another one than the client's, behind a proxy, a gateway or an alias.
fn next_number(next: &str, number: i64) -> Option<i64> {
    let query = next.split('#').next()?.split_once('?').map_or("", |(_, query)| query);
    let mut url = Url::parse(ANY_URL).ok()?;
    url.set_query(Some(query));
    let named = url.query_pairs().find(|(key, _)| key == PAGE);
    match named.and_then(|(_, value)| value.parse::<i64>().ok()) {
        Some(named) => Some(named).filter(|named| *named > number),
        // Even without a readable number, the link shows that there is a next page.
        None => number.checked_add(1),
    }
}
