//! The workspace's tests: the document and what follows from it, every operation, configurations, sessions, the mock.

mod answers;
mod client;
mod configuration;
mod document;
mod mock;
mod operations;
mod sessions;
mod surface;
