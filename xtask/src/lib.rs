//! The maintainer's commands: `cargo xtask regen`, `cargo xtask diff` and `cargo xtask ci`.
//!
//! A library as well, so that a plain `cargo test` can run the same checks.

pub mod bench;
pub mod ci;
pub mod diff;
pub mod failure;
pub mod lower;
pub mod normalise;
pub mod overlay;
pub mod pipeline;
pub mod regen;
mod site;
pub mod source;
pub mod surface;
