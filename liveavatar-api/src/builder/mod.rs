//! What the builders of calls and request types take, keep and check.
//!
//! A builder keeps a draft: the given values as JSON. One check of the draft finds every error, in the same words as for a
//! configuration file.

mod convert;
mod draft;
mod none;

pub use convert::{IntoField, IntoList, IntoMap};
pub(crate) use convert::{Text, conversions, convert};
pub(crate) use draft::{Draft, Given};

/// What a builder of a session configuration builds.
pub trait FromDraft: Sized {
    type Error;

    #[doc(hidden)]
    fn from_draft(draft: Draft) -> Result<Self, Self::Error>;
}
