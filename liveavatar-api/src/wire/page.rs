//! One page of a list.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::lenient::{null_as_default, number_or_none};

/// One page of a list.
///
/// Pages are numbered from 1. A page has up to 100 items, 20 by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
#[non_exhaustive]
pub struct Page<T> {
    /// Number of items on all pages.
    #[serde(default, deserialize_with = "number_or_none")]
    pub count: Option<i64>,
    /// Address of the next page; `None` on the last one.
    #[serde(default)]
    pub next: Option<String>,
    /// Address of the previous page.
    #[serde(default)]
    pub previous: Option<String>,
    /// Items of this page; empty if null or absent.
    #[serde(default = "Vec::new", deserialize_with = "null_as_default")]
    pub results: Vec<T>,
}
