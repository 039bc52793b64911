//! The workspace's tests: the document and what follows from it, every operation, configurations, sessions, the mock;
//! what holds for any input is in `properties`, what any answer comes to in `outcomes`.

#![expect(clippy::unwrap_used, reason = "a test fails where something is not as it should be")]

mod answers;
mod client;
mod configuration;
mod document;
mod escape;
mod mock;
mod operations;
mod outcomes;
mod properties;
mod realtime;
mod sessions;
mod streams;
mod surface;
