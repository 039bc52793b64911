//! The maintainer's commands: `cargo xtask regen`.
//!
//! A library as well, so that a plain `cargo test` can run the same checks.

pub mod failure;
pub mod lower;
pub mod normalise;
pub mod overlay;
pub mod regen;
pub mod source;
pub mod surface;
