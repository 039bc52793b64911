//! What tests that run against the mock may rely on.

mod clock;
mod control;
mod credentials;
mod document;
mod example;
mod fault;
mod harness;
mod pagination;
mod rate_limit;
mod server;
mod session_operations;
mod sessions;
mod socket;
mod storage;
mod transcript;
mod validation;
mod window;
