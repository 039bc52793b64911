//! One page of a list.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::lenient::number_or_none;

/// One page of a list.
///
/// Pages are numbered from 1. A page has up to 100 items, 20 by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ReceivedPage<T>", bound(deserialize = "T: DeserializeOwned"))]
#[non_exhaustive]
pub struct Page<T> {
    /// Number of items on all pages.
    pub count: Option<i64>,
    /// Address of the next page; `None` on the last one.
    pub next: Option<String>,
    /// Address of the previous page.
    pub previous: Option<String>,
    /// Items of this page; empty if null or absent.
    pub results: Vec<T>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
struct ReceivedPage<T> {
    #[serde(default, deserialize_with = "number_or_none")]
    count: Option<i64>,
    #[serde(default)]
    next: Option<String>,
    #[serde(default)]
    previous: Option<String>,
    #[serde(default = "none")]
    results: Option<Vec<T>>,
}

fn none<T>() -> Option<T> {
    None
}

impl<T> TryFrom<ReceivedPage<T>> for Page<T> {
    type Error = &'static str;

    /// Fails without items and count, because such a page would pass for the end of a list.
    fn try_from(received: ReceivedPage<T>) -> Result<Self, Self::Error> {
        let ReceivedPage { count, next, previous, results } = received;
        if results.is_none() && count.is_none() {
            return Err("the page has neither `results` nor `count`");
        }
        Ok(Self { count, next, previous, results: results.unwrap_or_default() })
    }
}
