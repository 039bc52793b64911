//! The check of a JSON value against the document's schemas, with suggestions.

mod diagnostic;
mod path;
mod requests;
mod rule;
mod shape;
mod unknown;
mod value;
mod walk;
mod words;

pub use diagnostic::{Diagnostic, Diagnostics};
pub use rule::Severity;

pub(crate) use path::{Cursor, Path};
#[expect(unused_imports, reason = "calls and builders will use them")]
pub(crate) use requests::{check_parameters, check_type};
pub(crate) use rule::*;
#[cfg(feature = "schemars")]
pub(crate) use shape::resolved;
pub(crate) use shape::{Location, Shape};
pub(crate) use unknown::{Reach, Unknown, place};
pub(crate) use value::{expectation, missing_hint, not_allowed, remove_decimal_points, wrong_type};
pub(crate) use walk::{Strictness, Walk};
pub(crate) use words::{list, nearest};
