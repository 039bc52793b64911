//! Session stores: the guarantees of each, and the failures that it survives.

mod file;
mod fleet;
mod redis;
mod redis_server;

use std::time::{Duration, SystemTime};

use liveavatar_api::store::Account;
use liveavatar_api::{Credential, Uuid};

/// A fixed session id.
fn session(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// The account of an API key.
pub(crate) fn account(key: &str) -> Account {
    Account::of(&Credential::api_key(key).unwrap()).unwrap()
}

/// The account of most tests.
fn mine() -> Account {
    account("mine")
}

/// A time after the end of every test.
pub(crate) fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600)
}
