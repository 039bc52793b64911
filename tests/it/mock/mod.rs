//! What clients may rely on when they are tested against the mock.

mod document;
mod harness;
mod lists;
mod server;
mod sessions;
mod tokens;
mod validation;
mod faults;
mod limits;
mod resources;
mod sockets;
