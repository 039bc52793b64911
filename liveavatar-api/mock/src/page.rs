//! Pages of lists, with their links.

use serde_json::{Value, json};

use super::session_calls::Call;

/// Entries of a page, unless the request says otherwise; the document's default.
const PAGE_SIZE: usize = 20;

/// The page of `found` that a request asks for; only its entries are written out.
pub(super) fn page<T>(call: &Call<'_>, found: &[T], entry: impl Fn(&T) -> Value) -> Value {
    let positive = |name: &str, default| {
        call.number(name).and_then(|it| usize::try_from(it).ok()).unwrap_or(default).max(1)
    };
    let (page, size) = (positive("page", 1), positive("page_size", PAGE_SIZE));
    let skipped = (page - 1).saturating_mul(size);
    let results: Vec<Value> = found.iter().skip(skipped).take(size).map(entry).collect();
    let next = (skipped.saturating_add(size) < found.len()).then(|| link(call, page + 1));
    let previous = (page > 1).then(|| link(call, page - 1));
    json!({ "count": found.len(), "next": next, "previous": previous, "results": results })
}

/// The address of another page of the same list.
fn link(call: &Call<'_>, page: usize) -> String {
    let kept = call.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.starts_with("page="));
    let mut query: Vec<_> = kept.filter(|pair| !pair.is_empty()).map(str::to_owned).collect();
    query.push(format!("page={page}"));
    format!("{}{}?{}", call.base, call.uri.path(), query.join("&"))
}
