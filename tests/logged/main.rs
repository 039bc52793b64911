//! What calls leave in logs, of this crate and of everything below it, and in every other text that can be printed.

#![expect(clippy::unwrap_used, reason = "a test fails where something is not as it should be")]

mod canary;
mod capture;
mod echoes;
mod endpoint;
mod leaks;
mod seeing;
mod socket;
