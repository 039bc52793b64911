//! Logs, spans and observers, and that no printable output shows a secret.

#![expect(clippy::unwrap_used, reason = "a test fails if a value is missing")]

mod capture;
mod echoes;
mod endpoint;
mod leaks;
mod observability;
mod secrets;
mod socket;
