//! The workspace's tests: the document, what follows from it and how it changes, every operation, configurations, sessions, the mock;
//! what holds for any input is in `properties`, what any answer comes to in `outcomes`.

#![expect(clippy::unwrap_used, reason = "a test fails where something is not as it should be")]

mod answers;
mod cli;
mod client;
mod config;
mod differ;
mod document;
mod escape;
mod fuzz;
mod hostile;
mod layers;
mod mock;
mod operations;
mod outcomes;
mod properties;
mod realtime;
mod rehearsal;
mod router;
mod sessions;
mod store;
mod streams;
mod supervision;
mod surface;
