//! One page of a list.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::lenient::{null_as_default, number_or_none};

/// One page of a list.
///
/// Pages are numbered from 1 and hold up to 100 entries, 20 unless asked otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
#[non_exhaustive]
pub struct Page<T> {
    /// How many entries all pages hold together.
    #[serde(default, deserialize_with = "number_or_none")]
    pub count: Option<i64>,
    /// The address of the next page, none on the last.
    #[serde(default)]
    pub next: Option<String>,
    /// The address of the page before.
    #[serde(default)]
    pub previous: Option<String>,
    /// The entries of this page; null and absent read as none.
    #[serde(default = "Vec::new", deserialize_with = "null_as_default")]
    pub results: Vec<T>,
}
