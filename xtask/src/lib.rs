//! The maintainer's commands: `cargo xtask regen`, `diff`, `ci` and `bench`.
//!
//! This is a library too, so that `cargo test` can run the same checks.

mod behaviour;
pub mod bench;
pub mod ci;
pub mod corpus;
pub mod diff;
pub mod documents;
pub mod error;
#[path = "../../liveavatar-api/build/files.rs"]
mod files;
pub mod lower;
pub mod normalise;
pub mod overlay;
pub mod pipeline;
pub mod pointer;
pub mod regen;
pub mod rehearsal;
pub mod shell;
pub mod source;
pub mod surface;
mod workspace;
