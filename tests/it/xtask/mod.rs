//! `cargo xtask`, one file per module of the package.

mod ci;
mod diff;
mod history;
mod lower;
mod overlay;
mod regen;
mod surface;
mod workspace_copy;
