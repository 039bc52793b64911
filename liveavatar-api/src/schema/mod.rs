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

pub(crate) use path::{Cursor, Path, escape};
pub(crate) use requests::{body_type, check_json, check_parameters, check_type};
pub(crate) use rule::*;
#[cfg(feature = "schemars")]
pub(crate) use shape::resolved;
pub(crate) use shape::{Location, Shape};
pub(crate) use unknown::{Reach, Unknown, place};
pub(crate) use value::{not_allowed, read, wrong_type};
pub(crate) use walk::{Strictness, Walk};
pub(crate) use words::{list, nearest};
