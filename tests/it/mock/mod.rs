//! What clients may rely on when they are tested against the mock.

mod document;
mod harness;
mod lists;
mod server;
mod sessions;
mod tokens;
mod validation;
