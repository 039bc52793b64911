//! Rooms of the mock, seen by a participant that is written without LiveKit's client library.

#![expect(clippy::unwrap_used, reason = "a test fails if a value is missing")]

mod avatar;
mod control;
mod conversation;
mod harness;
mod peer;
mod session;
mod signalling;
