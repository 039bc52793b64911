//! The Redis store: slots, leases, claims, outages. The tests move the end of a lease instead of waiting for it.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::time::Duration;

use liveavatar_api::Uuid;
use liveavatar_api::store::{RedisStore, Store as _, StoreError};

use super::redis_server::RedisServer;
use super::{later, session};

/// Expires a lease, a claim or a pause now.
fn expire(server: &RedisServer, key: &str, number: u128) {
    server.command("ZADD", key, &["XX", "1", &session(number).to_string()]);
}

/// Ends the period after an outage in which no owner counts as dead.
async fn end_recovery(server: &RedisServer, store: &RedisStore) {
    let _ = store.held().await;
    server.command("HSET", "state", &["sure", "0"]);
}

fn all(sessions: impl IntoIterator<Item = u128>) -> BTreeSet<Uuid> {
    sessions.into_iter().map(session).collect()
}

async fn abandoned(store: &RedisStore) -> BTreeSet<Uuid> {
    store.claim_abandoned().await.unwrap().into_iter().collect()
}

fn slots(slots: u32) -> NonZero<u32> {
    NonZero::new(slots).unwrap()
}

#[tokio::test]
async fn a_slot_has_one_session_and_is_free_a_pause_after_its_release() {
    let Some(server) = RedisServer::start("slots and their pause").await else { return };
    let [one, other] = [(); 2].map(|()| server.store().slots(slots(2)).build().unwrap());
    one.acquire(session(1), later()).await.unwrap();
    one.acquire(session(1), later()).await.unwrap();
    other.acquire(session(2), later()).await.unwrap();
    let full = other.acquire(session(3), later()).await.unwrap_err();
    assert!(full.is_no_slot() && full.retry_after().is_none());
    one.release(session(1)).await.unwrap();
    let cooling = other.acquire(session(3), later()).await.unwrap_err();
    let wait = cooling.retry_after().unwrap();
    assert!(
        cooling.is_no_slot() && wait > Duration::from_secs(2) && wait <= Duration::from_secs(3),
        "{wait:?}"
    );
    expire(&server, "cooling", 1);
    other.acquire(session(3), later()).await.unwrap();
}

#[tokio::test]
async fn concurrent_machines_never_acquire_the_same_slot() {
    let Some(server) = RedisServer::start("concurrent acquisition").await else { return };
    let stores: Vec<RedisStore> = (0..4).map(|_| server.store().slots(slots(10)).build().unwrap()).collect();
    let calls = (0..40).map(|number| stores[number % 4].acquire(session(number as u128), later()));
    let acquired = futures_util::future::join_all(calls).await;
    assert_eq!(acquired.iter().filter(|acquired| acquired.is_ok()).count(), 10);
    assert!(acquired.into_iter().filter_map(Result::err).all(|error| error.is_no_slot()));
}

#[tokio::test]
async fn an_expired_lease_has_one_claim_at_a_time() {
    let Some(server) = RedisServer::start("claims").await else { return };
    let stores: Vec<RedisStore> = (0..8).map(|_| server.store().build().unwrap()).collect();
    end_recovery(&server, &stores[0]).await;
    stores[0].acquire(session(1), later()).await.unwrap();
    stores[0].acquire(session(2), later()).await.unwrap();
    assert_eq!(abandoned(&stores[1]).await, all([]));
    expire(&server, "leases", 1);
    let claims = futures_util::future::join_all(stores.iter().map(abandoned)).await;
    assert_eq!(claims.into_iter().flatten().collect::<Vec<_>>(), [session(1)]);
    assert_eq!(stores[3].held().await.unwrap(), all([2]));
    expire(&server, "claims", 1);
    assert_eq!(abandoned(&stores[2]).await, all([1]));
    stores[2].release(session(1)).await.unwrap();
    expire(&server, "claims", 1);
    assert_eq!(abandoned(&stores[2]).await, all([]));
}

#[tokio::test]
async fn a_late_renewal_restores_an_expired_lease() {
    let Some(server) = RedisServer::start("late renewal").await else { return };
    let [owner, other] = [(); 2].map(|()| server.store().build().unwrap());
    end_recovery(&server, &owner).await;
    owner.acquire(session(1), later()).await.unwrap();
    expire(&server, "leases", 1);
    owner.renew(session(1)).await.unwrap();
    assert_eq!(abandoned(&other).await, all([]));
    assert_eq!(other.held().await.unwrap(), all([1]));
    // An owner cannot renew the session of another owner, or one that it released.
    other.renew(session(2)).await.unwrap();
    owner.release(session(1)).await.unwrap();
    owner.renew(session(1)).await.unwrap();
    assert_eq!(other.held().await.unwrap(), all([]));
}

#[tokio::test]
async fn a_session_is_forgotten_after_its_latest_end() {
    let Some(server) = RedisServer::start("ends of sessions").await else { return };
    let store = server.store().slots(slots(1)).build().unwrap();
    end_recovery(&server, &store).await;
    store.acquire(session(1), later()).await.unwrap();
    expire(&server, "ends", 1);
    store.acquire(session(2), later()).await.unwrap();
    assert_eq!(store.held().await.unwrap(), all([2]));
}

#[tokio::test]
async fn after_a_restart_no_owner_counts_as_dead_until_all_could_renew() {
    let Some(mut server) = RedisServer::start("restart with data").await else { return };
    let [owner, other] = [(); 2].map(|()| server.store().build().unwrap());
    end_recovery(&server, &owner).await;
    owner.acquire(session(1), later()).await.unwrap();
    server.kill();
    assert!(owner.renew(session(1)).await.unwrap_err().is_unavailable());
    assert!(owner.acquire(session(2), later()).await.unwrap_err().is_unavailable());
    server.start_again().await;
    // As after an outage that is longer than the lease.
    expire(&server, "leases", 1);
    assert_eq!(abandoned(&other).await, all([]));
    assert!(other.held().await.unwrap_err().is_unavailable());
    owner.renew(session(1)).await.unwrap();
    server.command("HSET", "state", &["sure", "0"]);
    assert_eq!(abandoned(&other).await, all([]));
    assert_eq!(other.held().await.unwrap(), all([1]));
}

#[tokio::test]
async fn after_an_outage_no_owner_counts_as_dead_until_all_could_renew() {
    let Some(server) = RedisServer::start("outage").await else { return };
    let [owner, other] = [(); 2].map(|()| server.store().build().unwrap());
    end_recovery(&server, &owner).await;
    owner.acquire(session(1), later()).await.unwrap();
    expire(&server, "leases", 1);
    server.command("HSET", "state", &["heard", "1"]);
    assert_eq!(abandoned(&other).await, all([]));
    assert!(other.held().await.unwrap_err().is_unavailable());
}

#[tokio::test]
async fn a_renewal_restores_a_session_after_redis_lost_its_data() {
    let Some(mut server) = RedisServer::start("restart without data").await else { return };
    let [owner, other] = [(); 2].map(|()| server.store().slots(slots(1)).build().unwrap());
    end_recovery(&server, &owner).await;
    owner.acquire(session(1), later()).await.unwrap();
    server.kill();
    server.lose_data();
    server.start_again().await;
    assert!(other.held().await.unwrap_err().is_unavailable());
    owner.renew(session(1)).await.unwrap();
    server.command("HSET", "state", &["sure", "0"]);
    assert_eq!(other.held().await.unwrap(), all([1]));
    assert!(other.acquire(session(2), later()).await.unwrap_err().is_no_slot());
}

#[tokio::test]
async fn accounts_are_separate() {
    let Some(server) = RedisServer::start("accounts").await else { return };
    let [one, other] = ["a", "b"].map(|name| server.store().account(name).slots(slots(1)).build().unwrap());
    one.acquire(session(1), later()).await.unwrap();
    other.acquire(session(1), later()).await.unwrap();
}

fn texts(error: &StoreError) -> String {
    format!("{error} {error:?} {:?}", std::error::Error::source(error).map(ToString::to_string))
}

#[tokio::test]
async fn no_output_contains_the_address_or_its_password() {
    let Some(server) = RedisServer::start_with("passwords", Some("canary-right")).await else { return };
    let store = server.store().build().unwrap();
    store.acquire(session(1), later()).await.unwrap();
    let wrong = server.address().replace("canary-right", "canary-wrong");
    let wrong = RedisStore::builder(wrong).build().unwrap();
    let error = wrong.acquire(session(1), later()).await.unwrap_err();
    let shown = format!("{store:?} {wrong:?} {:?} {}", server.store(), texts(&error));
    assert!(error.is_unavailable() && !shown.contains("canary") && !shown.contains("socket"), "{shown}");
}

#[test]
fn an_invalid_setting_is_an_error_that_names_it() {
    let builder = || RedisStore::builder("redis://:canary@localhost");
    let invalid = [
        RedisStore::builder("http://canary@localhost"),
        builder().account(""),
        builder().account("a}b"),
        builder().prefix("{a}"),
        builder().lease(Duration::from_millis(999)),
    ];
    let lines: Vec<String> = invalid
        .into_iter()
        .map(|builder| std::error::Error::source(&builder.build().unwrap_err()).unwrap().to_string())
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    address: is not a Redis address; use one such as `redis://host:6379/0` or `redis+unix:///path`
    account: is empty or contains a brace; use letters and digits
    account: is empty or contains a brace; use letters and digits
    prefix: contains a brace; remove it
    lease: is shorter than 1 s; use more than twice the keep-alive interval
    ");
}
