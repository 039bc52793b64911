//! Pages of lists and the links between them.

use serde_json::{Value, json};

use crate::call::Call;

/// The document's default for `page_size`.
const PAGE_SIZE: usize = 20;

/// Returns the requested page of `found`; serializes only the entries on it.
pub(crate) fn page<T>(call: &Call<'_>, found: &[T], entry: impl Fn(&T) -> Value) -> Value {
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

/// Returns the URL of another page of the same list.
fn link(call: &Call<'_>, page: usize) -> String {
    let kept = call.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.starts_with("page="));
    let mut query: Vec<_> = kept.filter(|pair| !pair.is_empty()).map(str::to_owned).collect();
    query.push(format!("page={page}"));
    format!("{}{}?{}", call.base, call.uri.path(), query.join("&"))
}
