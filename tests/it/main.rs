//! The workspace's tests: the document and what follows from it, every operation, configurations, sessions, the mock.

#![expect(clippy::unwrap_used, reason = "a test fails where something is not as it should be")]

mod answers;
mod client;
mod configuration;
mod document;
mod mock;
mod operations;
mod sessions;
mod surface;
