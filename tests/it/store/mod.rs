//! Stores of running sessions: what they promise of any, and what each survives.

mod file;
mod fleet;
mod reap;
mod redis;
mod redis_server;

use std::time::{Duration, SystemTime};

use liveavatar_api::Uuid;

/// A session's id that can be told in a snapshot.
fn session(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// Far enough for every test.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600)
}
