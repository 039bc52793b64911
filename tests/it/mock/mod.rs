//! What clients may rely on when they are tested against the mock.

mod document;
mod faults;
mod harness;
mod limits;
mod lists;
mod resources;
mod server;
mod sessions;
mod sockets;
mod tokens;
mod validation;
